/* SPDX-License-Identifier: MIT */
/*
 * Reads of pages that are not in the page cache (D7).
 *
 * Theory: a NOWAIT read of missing pages returns EAGAIN after it has started to
 * read them: they will be in the cache soon. So one such read goes to a worker,
 * to wait, and the others stay with the ring (REQ_F_COLD, REQ_ARMED, in
 * ctx->cold.reads). Whenever a cold read comes back from a worker, all of them
 * are tried again, the oldest first: a disk answers in about the order in which
 * it was asked. Passing a request to a worker and back costs many times a try.
 *
 * Where a file system starts no read, or a device hangs, a read goes to a
 * worker of its own after COLD_TRIES, and all of them do when none has come
 * back for COLD_NS. Hence the invariant: while reads is not empty, the timer is
 * armed.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_COLD_READS_H
#define POLYRING_SCHED_COLD_READS_H

#include "core/ctx.h"
#include "core/req.h"

/*
 * @req would block and its file can't be polled. True: it will be retried, and
 * the caller puts it into ctx->cold.reads. False: a worker has to wait for it.
 * @too_late is called when no cold read has come back for too long.
 */
bool cold_keeps(struct req *req, void (*too_late)(struct timer *timer));

/* @req was punted: a worker has it. */
static inline void cold_goes(const struct req *req)
{
	if (req->flags & REQ_F_COLD)
		req->ctx->cold.waiters++;
}

/* The worker has returned @req. Returns whether it was a cold read. */
static inline bool cold_returned(struct req *req)
{
	if (likely(!(req->flags & REQ_F_COLD)))
		return false;
	req->flags &= ~REQ_F_COLD;
	req->ctx->cold.waiters--;
	return true;
}

/*
 * A cold read came back: move the others, which are to be retried, to @reads.
 */
void cold_take_all(struct ctx *ctx, struct list *reads);

/* Remove and return the oldest of @reads; NULL when there is none. */
struct req *cold_next(struct list *reads);

#endif
