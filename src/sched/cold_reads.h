/* SPDX-License-Identifier: MIT */
/*
 * Reads that the page cache doesn't have (D7).
 *
 * Theory: a read with NOWAIT that finds its pages missing says EAGAIN, and has
 * started to read them: they come by themselves. So one such read goes to a
 * worker, to wait, and the others stay with the ring (REQ_F_COLD, REQ_ARMED, in
 * ctx->cold.reads). Whenever a cold read comes back from a worker, all of them
 * are tried again, the oldest first: a disk answers in about the order in which
 * it was asked. Handing one over and taking it back costs many times a try.
 *
 * Nothing is left to hope: where a file system starts nothing, or a device
 * hangs, a read goes to a worker of its own after COLD_TRIES, and all of them
 * go when nobody has come back for COLD_NS. Hence the invariant: while reads is
 * not empty, the timer is armed.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_COLD_READS_H
#define POLYRING_SCHED_COLD_READS_H

#include "core/ctx.h"
#include "core/req.h"

/*
 * @req would block and its file can't be polled. True: it will be tried again,
 * and the caller puts it into ctx->cold.reads. False: a worker has to wait.
 * @too_late is called when no cold read has come back for too long.
 */
bool cold_takes(struct req *req, void (*too_late)(struct timer *timer));

/* A worker gets it. */
static inline void cold_goes(const struct req *req)
{
	if (req->flags & REQ_F_COLD)
		req->ctx->cold.waiters++;
}

/* The worker has it no more. Returns whether it was a cold read. */
static inline bool cold_comes(struct req *req)
{
	if (likely(!(req->flags & REQ_F_COLD)))
		return false;
	req->flags &= ~REQ_F_COLD;
	req->ctx->cold.waiters--;
	return true;
}

/* One came back: move the others, which are to be tried again, to @reads. */
void cold_take_all(struct ctx *ctx, struct list *reads);

/* The oldest of @reads, taken from it; NULL when there is none. */
struct req *cold_next(struct list *reads);

#endif
