/* SPDX-License-Identifier: MIT */
/*
 * Cancelling requests.
 *
 * Theory: requests that can be cancelled are in the index of pending requests.
 * Armed and parked requests end with -ECANCELED; so do those queued for a
 * worker. They are detached immediately and complete from ctx->ready, after the
 * request that cancelled them: the kernel's order. A request that a worker has
 * begun can't be stopped: the result is -EALREADY, and the request completes
 * when the worker is done. A claim that a cancelled request holds is recycled
 * (S7). A request that waits for a drain or for its predecessor has not begun
 * and is not found; a LINK_TIMEOUT ends only with the request that it watches.
 *
 * Two fds refer to the same file if they refer to the same open file
 * description, as after dup(2). kcmp(2) shows that; where it is refused, the
 * same fd or the same inode and flags are taken for the same file.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_CANCEL_H
#define POLYRING_SCHED_CANCEL_H

#include "core/ctx.h"
#include "core/req.h"

/* What to cancel: the fields of ASYNC_CANCEL and SYNC_CANCEL. */
struct cancel_match {
	uint64_t user_data;
	uint32_t flags; /* IORING_ASYNC_CANCEL_ */
	int32_t fd; /* any fd of the file; see cancel_find_file() */
	uint8_t opcode;
	const struct req *self; /* never cancels itself */
};

/*
 * With FD, replace match->fd, a slot when @fixed, by an fd of the file. 0 or
 * -EBADF.
 */
int cancel_find_file(const struct ctx *ctx, struct cancel_match *match,
		     bool fixed);

/*
 * Cancel this request: 0, or 1 if a worker's wait was interrupted
 * (def->recalls). Or -EALREADY if a worker runs it: its call was interrupted,
 * if it waits.
 */
int cancel_request(struct req *req);

/*
 * Cancel the requests that @match selects. Returns how many with ALL or ANY;
 * else 0 or 1, -ENOENT or -EALREADY.
 */
int cancel_matching(struct ctx *ctx, const struct cancel_match *match);

/*
 * The register opcode: cancels, and waits for requests that run on workers, at
 * most for reg->timeout. Returns as cancel_matching(), or -EINVAL, -EBADF,
 * -ETIME, -EINTR.
 */
int cancel_sync(struct ctx *ctx, const struct io_uring_sync_cancel_reg *reg)
	HOLDS(&ctx->lock);

/* Cancel everything: the ring closes. Returns how many are still on workers. */
uint32_t cancel_all(struct ctx *ctx);

/* The timer of a LINK_TIMEOUT fires: cancel the request that it watches. */
void cancel_timed(struct timer *timer);

#endif
