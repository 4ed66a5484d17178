/* SPDX-License-Identifier: MIT */
/*
 * A request: from the moment its submission entry is read to the moment its
 * last completion is posted.
 *
 * Theory: a request is in exactly one of these states.
 *
 *   DEFERRED  waits for earlier ones (drain) or for its predecessor (link)
 *   ISSUING   its operation is being tried, by a thread that holds the lock
 *   ARMED     would have blocked; the reactor calls when its file is ready
 *   PARKED    its operation keeps it: a timeout, a poll, a wait of its own
 *   PUNTED    a worker has it; only that accesses its operation's fields
 *   AT_DISK   kernel AIO has it, and uses its memory
 *   DONE      completed; freed when its links have been handled
 *
 * Only req_finish() leads to DONE, and it runs once (D14). A request that is
 * ARMED, PARKED, PUNTED or AT_DISK is in the ring's index of pending requests,
 * where cancellation finds it by user_data, file or opcode.
 *
 * Most requests never wait and hold nothing: they are tried once. Two rules
 * keep them cheap. A free request is clean: the slow half of req_finish()
 * cleans each request that was made dirty (REQ_F_OWES), so that a new one needs
 * no clearing. And a drain counts a request only from the moment when it waits
 * or is in a chain.
 *
 * Memory: slabs that belong to the ring and are freed with it. The operation's
 * own fields are in `cmd`, which each operation uses in its own way; longer
 * data is in `extra`, freed with the request.
 *
 * Locks: the ring lock, except that a PUNTED request's operation fields belong
 * to its worker. Rules kept: P12, S1, S7, S11, S12.
 */
#ifndef POLYRING_CORE_REQ_H
#define POLYRING_CORE_REQ_H

#include <errno.h>

#include "abi/uring.h"
#include "base/list.h"
#include "drive/reactor.h"
#include "drive/timer.h"
#include "drive/worker.h"
#include "polyring/kbuf.h"

struct ctx;
struct opdef;
struct file_node;

enum req_state {
	REQ_DEFERRED,
	REQ_ISSUING,
	REQ_ARMED,
	REQ_PARKED,
	REQ_PUNTED,
	REQ_AT_DISK,
	REQ_DONE,
};

/* In addition to the IOSQE_ flags, which are in req->sqe_flags. */
enum {
	REQ_F_MULTISHOT = 1u << 0, /* may post several completions */
	REQ_F_BIG = 1u << 1, /* its completion has the fields of big_cqe */
	REQ_F_FAIL_LINK = 1u << 2, /* a success that breaks its chain */
	REQ_F_INDEXED = 1u << 3, /* in the index of pending requests */
	REQ_F_RETRY = 1u << 4, /* queued to be retried in the next turn */
	REQ_F_ALONE = 1u << 5, /* its result holds for it alone */
	REQ_F_SILENT = 1u << 6, /* completes without a completion entry */
	REQ_F_LINK_TIMED = 1u << 7, /* a LINK_TIMEOUT watches it */
	REQ_F_POLL_FIRST = 1u << 8, /* arm before the first try */
	REQ_F_COUNTED = 1u << 9, /* among those a drain waits for */
	REQ_F_DOOMED = 1u << 10, /* its chain broke: cancel it and the rest */
	REQ_F_SUCCESS = 1u << 11, /* a negative result that breaks no chain */
	REQ_F_HOLDS = 1u << 12, /* def->cleanup has something to free */
	REQ_F_OWES = 1u << 13, /* waited, or holds something: see req_finish */
	REQ_F_CREDS = 1u << 14, /* runs as req->personality says */
	REQ_F_COLD = 1u << 15, /* read pages that were not cached */
	REQ_F_QUIET = 1u << 16, /* raises no signal: see sigpipe.h */
	REQ_F_LATER = 1u << 17, /* tried after its submission: see sigpipe.h */
};

#define REQ_CMD_BYTES 96

struct req {
	struct ctx *ctx;
	const struct opdef *def;
	/* An entry's first eight bytes, in their order. */
	uint8_t opcode;
	uint8_t sqe_flags; /* IOSQE_ */
	uint16_t ioprio;
	int32_t fd; /* as submitted */
	uint64_t user_data;
	int32_t res;
	uint32_t cflags;
	uint32_t flags; /* REQ_F_ */
	uint32_t thread; /* the thread that submitted it, see base/thread.h */
	union {
		uint16_t buf_group;
		uint16_t buf_index;
	};
	uint8_t state; /* enum req_state */
	uint8_t cold_tries; /* see cold_reads.h */
	int32_t held; /* a duplicate for the worker, -1: none */
	struct file_node *file; /* a registered file, held */
	struct req *link; /* the next of the chain */
	struct reactor_wait wait;
	uint32_t moved; /* bytes that earlier tries moved (S8) */
	uint32_t events; /* the last events of its file from the reactor */
	uint32_t hold; /* kbuf's hold, while it keeps a buffer (X3) */
	uint16_t personality; /* with REQ_F_CREDS */
	/*
	 * Complete with ECANCELED. Not a flag: a worker may be writing those.
	 */
	bool canceled;
	struct kbuf_claim claim;
	_Alignas(8) uint8_t cmd[REQ_CMD_BYTES];
	/* A message request uses only the fields above. */
	struct req *link_head; /* LINK_TIMEOUT: the request it watches */
	void *extra; /* freed with the request */
	uint64_t big_cqe[2];
	uint64_t count_target; /* ends at so many posted completions */
	int32_t outcome; /* by issue on a worker */
	struct list node; /* in a list of the ring's: deferred... */
	struct list index; /* chain of the pending index */
	struct list pending; /* all requests of the index, the oldest first */
	struct timer timer;
	struct work work;
};

/*
 * The operation's own fields: struct net_cmd *c = req_cmd(req, struct net_cmd)
 */
#define req_cmd(req, type)                                    \
	({                                                    \
		_Static_assert(sizeof(type) <= REQ_CMD_BYTES, \
			       #type " fits in a request");   \
		(type *)(void *)(req)->cmd;                   \
	})

/*
 * Results of an operation's issue. Negative values are errors: they complete.
 */
enum issue_result {
	ISSUE_DONE = 0, /* req->res (and cflags) hold the result */
	ISSUE_AGAIN = 1, /* would block: arm on def->waits_for */
	ISSUE_PUNT = 2, /* must run on a worker */
	ISSUE_PARKED = 3, /* the operation will call req_finish() itself */
	ISSUE_MORE = 4, /* used its share: retry in the next turn (S12) */
	ISSUE_DISK = 5, /* aio_reads_start() has taken it */
};

enum issue_flags {
	ISSUE_NONBLOCK = 1u << 0, /* holds the ring lock, must not wait */
	ISSUE_WORKER = 1u << 1, /* on a worker, without the lock, may wait */
	ISSUE_LANDED = 1u << 2, /* AIO's result is in req->res */
	ISSUE_HERE = 1u << 3, /* with ISSUE_WORKER: on the submitter */
};

/* One row of the table of opcodes. */
struct opdef {
	const char *name;
	uint32_t since; /* KVER(major, minor) */
	bool needs_file;
	bool selects_buffer;
	bool needs_ctx; /* starts with the ring's lock, IOSQE_ASYNC or not */
	bool unbounded; /* as a blocking call it may wait for ever */
	bool recalls; /* its worker only waits: a cancel interrupts it */
	bool ioprio_free; /* ioprio is not checked */
	bool immediate; /* issue waits for nothing and always completes */
	bool hidden; /* known but refused: `missing` has the reason */
	bool empties; /* ISSUE_AGAIN means that its file has nothing to read */
	bool polled; /* an IOPOLL ring takes it */
	bool by_rights; /* takes its submitter's rights, root, cwd, umask */
	bool raises; /* its call may raise SIGPIPE */
	bool takes_turns; /* the first armed is retried first */
	int on_ring; /* the errno for the ring's own fd */
	uint32_t waits_for; /* EPOLLIN, EPOLLOUT: the events to arm for */
	/* Check and copy; 0 or a negative errno. NULL: not supported. */
	int (*prep)(struct req *req, const struct io_uring_sqe *sqe);
	/* Try it: returns enum issue_result, or a negative errno. */
	int (*issue)(struct req *req, uint32_t issue_flags);
	/* Leave PARKED: undo what issue set up. NULL: nothing to undo. */
	void (*cancel)(struct req *req);
	/*
	 * Under the lock, after issue on a worker has returned ISSUE_DONE: the
	 * part that needs the ring. Returns as issue does. NULL: nothing.
	 */
	int (*finish)(struct req *req);
	/*
	 * Under the lock, when a worker has taken the request: returns when the
	 * worker waits as the application may expect. Such a request is never
	 * queued for a worker.
	 */
	void (*begun)(struct req *req);
	/* With REQ_F_HOLDS: free what the request holds besides req->extra. */
	void (*cleanup)(struct req *req);
	const char *missing; /* what is not supported; for the table */
};

/* Defined in api/opdef.c. */
extern const struct opdef opdefs[];
extern const uint32_t opdefs_count;

/* ---- life (req.c) ---- */

/* Free, and nothing of it is left to clear. */
static inline bool req_is_clean(const struct req *req)
{
	return !req->extra && !req->file && req->held == -1 &&
	       req->claim.kind == KBUF_NONE && !req->wait.watch &&
	       !req->timer.slot && !req->moved;
}

/* The checked build's invariant of one that is on its way. */
static inline bool req_valid(const struct req *req)
{
	const uint32_t owing = REQ_F_INDEXED | REQ_F_CREDS | REQ_F_COUNTED;

	return req->state <= REQ_DONE && req->ctx &&
	       (!(req->flags & owing) || req->flags & REQ_F_OWES) &&
	       (!(req->flags & REQ_F_HOLDS) || req->def->cleanup);
}

/* Free the memory of all requests; the ring closes and none is live. */
void req_slabs_free(struct ctx *ctx);

/* Is a clean request available? If not, out of memory. */
bool req_at_hand(struct ctx *ctx);
/*
 * The next clean request. Fields that submission doesn't set are zero (held:
 * -1). It stays available, for callers that are done with it immediately, until
 * req_take().
 */
struct req *req_next(struct ctx *ctx);
void req_take(struct req *req);

/* Make @req, which is clean, the next one to be taken (req_end.c). */
void req_give_back(struct ctx *ctx, struct req *req);

/* ---- operations' helpers ---- */

/*
 * The fd to do I/O with: the registered file's, the held duplicate's, or the
 * application's. Negative if there is none.
 */
int req_io_fd(const struct req *req);

/* Does it have an open file? Asked after an operation has failed otherwise. */
bool req_file_is_open(const struct req *req);

/*
 * A socket operation has failed with @err before the file was checked: returns
 * -EBADF or -ENOTSOCK if the file alone would have failed it, else @err.
 */
int req_socket_error(const struct req *req, int err);

/* A socket option that is not negative, or a negative errno. */
int req_socket_option(const struct req *req, int level, int name);

/* Allocate req->extra. NULL when out of memory. */
void *req_extra(struct req *req, size_t bytes);

/*
 * Claim a buffer of the request's group; takes the ring lock on a worker.
 * 0 or -ENOBUFS.
 */
int req_claim(struct req *req, uint32_t want_bytes, bool at_once,
	      uint32_t issue_flags);
/* Bytes moved: sets F_BUFFER and the bid in req->cflags. */
void req_commit(struct req *req, uint32_t bytes, uint32_t issue_flags);
/* Nothing moved: give the buffer back. */
void req_recycle(struct req *req, uint32_t issue_flags);
/* It keeps no buffer any more: end the hold. */
void req_end_hold(struct req *req);
/* It will be retried: if it keeps a buffer until then, record a hold (X3). */
void req_note_hold(struct req *req);
/* Part of the buffer is filled and the request has to wait: keep it (S8). */
void req_keep_claim(struct req *req, uint32_t issue_flags);

#endif
