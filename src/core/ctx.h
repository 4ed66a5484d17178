/* SPDX-License-Identifier: MIT */
/*
 * A ring: the state of one io_uring instance.
 *
 * Theory: one lock, ctx->lock, guards everything mutable here: the queues'
 * cursors, requests, groups of buffers, the reactor's tables, the timers. It is
 * taken once for each enter, dropped around every sleep, and never held across
 * a call that may wait, except for a call that names a path, which the
 * submitter makes with its own rights (D7). Results from workers and wake-ups
 * from other threads arrive through ctx->arrivals, which has a lock of its own.
 *
 * The locks of the engine. A thread that holds one may take another only if the
 * other's level is higher:
 *
 *   level, lock          guards                      who takes it
 *   0 fork_lock          a fork                      the thread that forks
 *   1 ctx->lock          all other fields of a ring  calls on it, SQPOLL,
 *                                                    standby, workers that
 *                                                    claim a buffer
 *   2 share->mutex       what processes share of a   holders of ctx->lock of
 *                        ring                        a forked ring
 *   3 standby.lock       the standby thread's state  opening, ending and
 *                        and its list of rings       nudging
 *   4 ctx->arrivals_lock ctx->arrivals               workers, AIO completions,
 *                                                    and their receiver
 *   4 kbuf's pool        a shared group              claims of all its rings
 *   4 a worker pool's    its queue, its threads      start, cancel, interrupt;
 *                                                    its threads
 *   5 registry_lock      rings by fd                 setup, close
 *   5 tables_lock        threads' registered rings   a thread's first and last
 *   5 flags_lock         O_NONBLOCK while changed    accept, connect, splice
 *   6 limit_lock         RLIMIT_NOFILE while raised  moving an fd up
 *   6 threads_lock       threads' serial numbers     a thread's first and last
 *
 * Exceptions: a fork takes all rings' locks, each after a bounded number of
 * tries, and then those of levels 5 and 6 that a child can't do without. Two
 * rings' locks have no order: see ctx_lock_second().
 *
 * What may run in parallel without a common lock:
 *   - calls on different rings: always. Calls on one ring exclude each other,
 *     except while one of them sleeps, as it then drops the lock;
 *   - a worker and everything in its ring: it accesses only the fields of
 *     its request's operation;
 *   - registry_find_ctx(), counters and mmap of a buffer ring, and everything:
 *     they take no lock (a ctx is never freed; RCU);
 *   - reactor_sleep() and reactor_wake(), and everything.
 *
 * A ctx is never freed: a thread that has looked one up may find it closed
 * (ctx->state) or reused (ctx->ring_fd differs), but never gone.
 *
 * Who drives (D4): the thread that waits in enter; else the SQPOLL thread; else
 * the standby thread. ctx->inside counts threads in enter.
 */
#ifndef POLYRING_CORE_CTX_H
#define POLYRING_CORE_CTX_H

#include <errno.h>
#include <pthread.h>
#include <sys/uio.h>

#include "abi/profile.h"
#include "base/lock.h"
#include "drive/aio.h"
#include "drive/aio_now.h"
#include "drive/reactor.h"
#include "drive/timer.h"
#include "observe/counters.h"
#include "polyring/kbuf.h"
#include "ring/queue.h"
#include "tables/buffers.h"
#include "tables/files.h"
#include "tables/personalities.h"
#include "tables/regions.h"
#include "tables/restrictions.h"

struct ctx;
struct req;

enum ctx_state {
	CTX_FREE,
	CTX_OPEN,
	CTX_CLOSING, /* the last copy of its fd is gone */
	CTX_INHERITED, /* open; this process has not used it since a fork */
};

/* Whether an fd is O_DIRECT, cached for a number of uses: see aio_reads.h. */
struct direct_cache {
	int fd;
	uint16_t left;
	bool direct;
};

#define DIRECT_CACHE_ENTRIES 64

struct disk {
	struct aio aio;
	bool refused; /* the context can't be had */
	bool landed; /* there may be completions that were not reaped */
	struct direct_cache direct[DIRECT_CACHE_ENTRIES];
};

/* Reads of pages that are not cached: see cold_reads.h. */
struct cold {
	struct list reads;
	uint32_t waiters; /* further reads of that kind, on workers */
	struct timer timer;
};

#define RUN_MAX 64u
#define RUN_NEVER UINT32_MAX

/* A read that a run may serve, or a result that waits for its turn. */
struct run_member {
	uint64_t user_data;
	uint64_t position; /* these three as submitted */
	uint64_t addr;
	uint32_t len;
	bool reads;
	int32_t res; /* the result */
	struct kbuf_claim claim;
};

/* Reads gathered for one call: read_runs.h has the theory. */
struct run {
	uint32_t count; /* members */
	uint32_t vectors; /* reads that have a buffer */
	bool open;
	bool anywhere; /* the file ignores positions */
	bool scattered; /* some read does not begin where the last one ends */
	uint32_t rest; /* scattered reads to let pass; RUN_NEVER: all */
	uint32_t rest_after; /* a scattered run that failed */
	struct aio_now *now; /* for scattered runs; NULL: not used yet */
	int fd; /* to read from */
	int refused_fd; /* checked in this submission: can't be read in runs */
	struct file_node *file; /* held, if a registered one is read */
	uint64_t next; /* the position that would continue the last read */
	uint64_t end; /* of the file */
	struct io_uring_sqe entry; /* the first read's */
	/* Submit a read that the run did not serve; false if out of memory. */
	bool (*submit_alone)(struct ctx *ctx, const struct io_uring_sqe *sqe);
	struct kbuf_row row;
	struct run_member members[RUN_MAX]; /* in order of submission */
	struct iovec iov[RUN_MAX];
};

/* What must wake a thread that sleeps in the reactor. */
struct sleep_wish {
	uint32_t want; /* so many completions; CTX_WANT_NONE: never */
	uint32_t punted; /* fewer than so many requests on workers */
	int64_t due_ns; /* it will wake by itself then */
};

enum sleeper_state { SLEEPER_FREE, SLEEPER_ASLEEP, SLEEPER_AWAY };

/* A thread asleep in the reactor: see sched/sleeper.h. */
struct sleeper {
	struct list node; /* in ctx->sleepers */
	struct sleep_wish what;
	struct ctx *ctx;
	uint64_t *mark; /* on the stack of the sleep */
	uint64_t number; /* of this thread's sleeps */
	uint8_t state; /* enum sleeper_state */
};

#define CTX_WANT_NONE UINT32_MAX

#define CTX_INDEX_BITS_MIN 6

struct ctx {
	struct lock lock;
	uint8_t state;
	uint32_t flags; /* IORING_SETUP_ */
	struct abi_view abi; /* the kernel that the ring answers as */
	uint32_t opcodes; /* how many opcodes that kernel has */
	uint32_t opcodes_plain; /* the same, or 0 on an IOPOLL ring */
	int ring_fd; /* the application's end */
	uint64_t ring_inode; /* of its socket: identifies duplicates */
	int peer_fd; /* the engine's end: gets the hang-up, sends the byte */
	pthread_t issuer; /* SINGLE_ISSUER: the only thread that may submit */
	bool issuer_known;

	struct queue queue;
	struct reactor reactor;
	struct timer_heap timers;
	struct kbuf_table *kbuf;
	struct file_table files;
	struct buffer_table buffers;
	struct region region;
	struct personality_table personalities;
	struct disk disk;
	struct socket_cache *sockets; /* NULL: not used yet */
	bool knows_unix; /* one was a unix stream socket */
	struct cold cold;

	/* requests */
	struct req *free_reqs; /* through req->link */
	uint32_t submitter; /* thread of the entries being read */
	void *slabs; /* chain of blocks */
	struct list *index; /* pending requests by user_data */
	struct list pending; /* the same, the oldest first */
	uint32_t index_bits;
	uint32_t indexed;
	uint32_t live_counted; /* what a drain waits for */
	struct list deferred; /* drain: in order of submission */
	struct list drain_barrier; /* in deferred while a drain runs */
	struct list ready; /* may run now: next members of link chains */
	struct list again; /* used their share: retried in the next turn */
	bool queues_ready; /* requests that become ready go behind those */
	struct list arming; /* will wait for their files: issue_arm_all() */
	struct list polls; /* gathered to look once for all: see polls.h */
	uint32_t polls_gathered;
	uint32_t polls_epoch; /* moves when a number may be another file */
	struct req *chain_head; /* the link chain being submitted */
	struct req *chain_last;
	bool chain_failed;
	struct run run;
	bool drain_disabled; /* CQE_SKIP was used: no drains any more */
	/* Completions so far, but those of timeouts that count them. */
	uint64_t posted_total;
	uint64_t counted_total; /* the same when timeouts last checked */
	struct list counting; /* timeouts that wait for completions */

	/* from other threads */
	struct lock arrivals_lock;
	struct list arrivals; /* finished on a worker or at the disk */
	uint32_t punted; /* on workers or at the disk now */

	struct counters counters; /* never reset: part of the process's sum */

	/* threads in the ring */
	uint32_t inside; /* threads in enter */
	bool apart; /* of a guest with other files (base/process.h) */
	uint32_t away; /* threads that left a sleep, perhaps for a handler */
	bool in_slots; /* was registered: its fd may be another file */
	struct list sleepers; /* asleep in the reactor: struct sleeper */
	bool wake_out; /* a wake-up for one of them is under way */
	uint32_t wakers; /* threads that send one, without the lock */
	struct ctx *wakes_other; /* a sleeper of that ring is to be woken */
	uint32_t entered; /* counts enters: standby checks whether it changes */
	bool shows_taskrun; /* armed work shows as SQ_TASKRUN (D4) */
	bool watched; /* the application polls the ring fd */
	bool byte_out; /* the byte is in the socket */
	bool backlog_fresh; /* the backlog has unannounced completions */
	bool posted_async; /* some came from a worker */
	int event_fd;
	bool event_async_only;
	bool sqpoll_runs; /* its SQPOLL thread exists */
	bool locks_freely; /* whoever made it has no limit of locked memory */
	clockid_t clock; /* of absolute waits */
	struct io_uring_napi napi; /* as last set */
	uint32_t worker_bounds[2]; /* set by this ring; 0: never */
	struct restrictions restrictions;
	struct keeper *keeper; /* for entries of the enter; NULL: none */
	uint32_t keeper_thread; /* whose rights it keeps */
	int64_t sqpoll_idle_ns;
	uint32_t sqpoll_cpu; /* with SQ_AFF */

	/* for the standby thread */
	uint32_t standby_seen; /* ctx->entered when the thread last checked */
	bool attended; /* the thread waits for this ring's reactor */
	uint32_t attended_by; /* which of its epolls has it */
	bool attend_fired; /* that wait has reported an event, and is over */
	bool ending; /* a thread is about to end it */
	bool stray; /* its fd is closed, a duplicate is not */
	bool slept; /* an enter slept since the last leave */
	uint8_t waits; /* enters that slept, up to a bound */
	uint8_t unwaited; /* leaves in a row whose enter did not sleep */
	bool locked_for_fork; /* the forking thread has the lock */
	bool foreign; /* made by another process */
	bool wakes_others; /* this section ends with a wake-up for processes */
	bool disabled; /* R_DISABLED, until ENABLE_RINGS */
};

/* Is it for the application to use? Not under its lock: a hint. */
static inline bool ctx_is_open(const struct ctx *ctx)
{
	/* Pairs with the releases in publish() and ctx_inherit(), ctx_life.c.
	 */
	uint8_t state = load_acquire(&ctx->state);

	return state == CTX_OPEN || state == CTX_INHERITED;
}

/* SINGLE_ISSUER: is this thread the one? A forked one has another's name. */
static inline bool ctx_is_issuer(const struct ctx *ctx)
{
	return !ctx->foreign && pthread_equal(ctx->issuer, pthread_self());
}

#endif
