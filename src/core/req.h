/* SPDX-License-Identifier: MIT */
/*
 * A request: from the moment its submission entry is read to the moment its
 * last completion is posted.
 *
 * Theory: a request is in exactly one of these states.
 *
 *   DEFERRED  waits for earlier ones (drain) or for its predecessor (link)
 *   ISSUING   its operation is being tried, by a thread that holds the lock
 *   ARMED     would have blocked; the reactor calls again when its file moves
 *   PARKED    its operation keeps it: a timeout, a poll, a wait of its own
 *   PUNTED    a worker has it; nobody else touches its operation's fields
 *   AT_DISK   kernel AIO has it, and whatever its memory is
 *   DONE      completed; freed as soon as its links are dealt with
 *
 * Only req_finish() leads to DONE, and it runs once (D14). A request on its
 * way through ARMED, PARKED, PUNTED or AT_DISK stands in the ring's index of
 * pending requests, where cancellation finds it by user_data, file or opcode.
 *
 * Most requests never wait and hold nothing: their whole life is one try. They
 * are kept cheap by two rules. A free request is clean: whoever made one dirty
 * (REQ_F_OWES) is followed by the slow half of req_finish(), which cleans it,
 * so that a new one needs no clearing. And a drain counts a request only from
 * the moment that it waits or stands in a chain.
 *
 * Memory: slabs that belong to the ring and go with it. The operation's own
 * words live in the union-like `cmd` area; anything longer in `extra`, freed
 * with the request.
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

/* Beside the IOSQE_ flags, which keep their bits in req->sqe_flags. */
enum {
	REQ_F_MULTISHOT = 1u << 0, /* may post several completions */
	REQ_F_BIG = 1u << 1, /* its completion has the words of big_cqe */
	REQ_F_FAIL_LINK = 1u << 2, /* a success that breaks its chain */
	REQ_F_INDEXED = 1u << 3, /* in the index of pending requests */
	REQ_F_RETRY = 1u << 4, /* queued to be tried in the next turn */
	REQ_F_ALONE = 1u << 5, /* what it finds says nothing to others */
	REQ_F_SILENT = 1u << 6, /* completes without a completion entry */
	REQ_F_LINK_TIMED = 1u << 7, /* a LINK_TIMEOUT watches it */
	REQ_F_POLL_FIRST = 1u << 8, /* arm before the first try */
	REQ_F_COUNTED = 1u << 9, /* among those a drain waits for */
	REQ_F_DOOMED = 1u << 10, /* its chain broke: it and the rest end */
	REQ_F_SUCCESS = 1u << 11, /* a negative result that breaks no chain */
	REQ_F_HOLDS = 1u << 12, /* def->cleanup has something to free */
	REQ_F_OWES = 1u << 13, /* waited, or holds something: see req_finish */
	REQ_F_CREDS = 1u << 14, /* runs as req->personality says */
	REQ_F_COLD = 1u << 15, /* read what the page cache didn't have */
	REQ_F_QUIET = 1u << 16, /* raises no signal: see sigpipe.h */
	REQ_F_LATER = 1u << 17, /* tried after its submission: see there */
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
	uint32_t thread; /* that submitted it, see base/thread.h */
	union {
		uint16_t buf_group;
		uint16_t buf_index;
	};
	uint8_t state; /* enum req_state */
	uint8_t cold_tries; /* see cold_reads.h */
	int32_t held; /* a duplicate for a worker's time, -1: none */
	struct file_node *file; /* a registered file, held */
	struct req *link; /* the next of the chain */
	struct reactor_wait wait;
	uint32_t moved; /* bytes that earlier tries moved (S8) */
	uint32_t events; /* what the reactor last said of its file */
	uint32_t hold; /* it keeps a buffer for longer: kbuf's number (X3) */
	uint16_t personality; /* with REQ_F_CREDS */
	/* To end with ECANCELED. No flag: a worker may be writing those. */
	bool canceled;
	struct kbuf_claim claim;
	_Alignas(8) uint8_t cmd[REQ_CMD_BYTES];
	/* What is up to here is all that a message touches. */
	struct req *link_head; /* LINK_TIMEOUT: the request it watches */
	void *extra; /* freed with the request */
	uint64_t big_cqe[2];
	uint64_t count_target; /* finish when so many completions were posted */
	int32_t said; /* by issue on a worker */
	struct list node; /* in one of the ring's: deferred, ready, again... */
	struct list index; /* chain of the pending index */
	struct list pending; /* all of the index, the oldest first */
	struct timer timer;
	struct work work;
};

/* The operation's own words: struct net_cmd *c = req_cmd(req, struct net_cmd)
 */
#define req_cmd(req, type)                                    \
	({                                                    \
		_Static_assert(sizeof(type) <= REQ_CMD_BYTES, \
			       #type " fits in a request");   \
		(type *)(void *)(req)->cmd;                   \
	})

/* What an operation's issue says. Negative values are errors: they complete. */
enum issue_result {
	ISSUE_DONE = 0, /* req->res (and cflags) hold the result */
	ISSUE_AGAIN = 1, /* would block: arm on def->waits_for */
	ISSUE_PUNT = 2, /* must run on a worker */
	ISSUE_PARKED = 3, /* the operation will call req_finish itself */
	ISSUE_MORE = 4, /* had its share: try again in the next turn (S12) */
	ISSUE_DISK = 5, /* aio_reads_start() has it */
};

enum issue_flags {
	ISSUE_NONBLOCK = 1u << 0, /* holds the ring lock, must not wait */
	ISSUE_WORKER = 1u << 1, /* on a worker, without the lock, may wait */
	ISSUE_LANDED = 1u << 2, /* AIO's answer is in req->res */
	ISSUE_HERE = 1u << 3, /* with ISSUE_WORKER: in the submitter's thread */
};

/* One row of the table of opcodes. */
struct opdef {
	const char *name;
	uint32_t since; /* KVER(major, minor) */
	bool needs_file;
	bool selects_buffer;
	bool needs_ctx; /* begins with the ring's lock, IOSQE_ASYNC or not */
	bool unbounded; /* its blocking form may wait for ever */
	bool recalls; /* its worker only waits: cancelling can end it */
	bool ioprio_free; /* ioprio is not looked at */
	bool immediate; /* issue waits for nothing and always completes */
	bool hidden; /* known, refused: `missing` says why */
	bool empties; /* ISSUE_AGAIN: its file has nothing to read */
	bool by_path; /* the submitter itself does what a worker would do */
	bool raises; /* its call may raise SIGPIPE */
	bool takes_turns; /* of several that wait, the first armed goes first */
	int on_ring; /* the errno of trying it on the ring's own fd */
	uint32_t waits_for; /* EPOLLIN, EPOLLOUT: what to arm on */
	/* Check and copy; 0 or a negative errno. NULL: not supported. */
	int (*prep)(struct req *req, const struct io_uring_sqe *sqe);
	/* Try it: enum issue_result, or a negative errno. */
	int (*issue)(struct req *req, uint32_t issue_flags);
	/* Leave PARKED: undo what issue set up. NULL: nothing to undo. */
	void (*cancel)(struct req *req);
	/*
	 * Under the lock, after a worker said ISSUE_DONE: what only the ring
	 * may do. Returns as issue does. NULL: nothing.
	 */
	int (*finish)(struct req *req);
	/*
	 * Under the lock, when a worker was found: returns when the worker
	 * waits as the application may expect it to. Such a request is never
	 * queued for one.
	 */
	void (*begun)(struct req *req);
	/* With REQ_F_HOLDS: free what is held beyond req->extra. */
	void (*cleanup)(struct req *req);
	const char *missing; /* what this row doesn't do; for the table */
};

/* Defined at the top of the house, in opdef.c. */
extern const struct opdef opdefs[];
extern const uint32_t opdefs_count;

/* ---- life (req.c) ---- */

/* Free the memory of all requests; the ring closes and none is live. */
void req_slabs_free(struct ctx *ctx);

/* Is there a clean request? If not, out of memory. */
bool req_at_hand(struct ctx *ctx);
/*
 * Have a look at that one. What submission doesn't set is zero (held: -1). It
 * stays at hand, for whoever is done with it at once, until it is taken.
 */
struct req *req_next(struct ctx *ctx);
void req_take(struct req *req);

/* It is clean: the next one to be taken (req_end.c). */
void req_give_back(struct ctx *ctx, struct req *req);

/* ---- operations' helpers ---- */

/* The number to do I/O through: the registered file's, the held duplicate's,
 * or the application's. Negative when there is none. */
int req_io_fd(const struct req *req);

/* Is there a file behind it? Asked when an operation failed otherwise. */
bool req_file_is_open(const struct req *req);

/*
 * A socket operation failed with @err before it asked its file: -EBADF or
 * -ENOTSOCK when the file alone would have failed it, else @err.
 */
int req_socket_error(const struct req *req, int err);

/* An option of the request's socket that is no negative number, or an errno. */
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
/* It keeps no buffer any more. */
void req_end_hold(struct req *req);
/* It will be tried again: if it keeps a buffer until then, say so (X3). */
void req_note_hold(struct req *req);
/* Part of it is filled and the request has to wait: keep it to the end (S8). */
void req_keep_claim(struct req *req, uint32_t issue_flags);

#endif
