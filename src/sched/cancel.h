/* SPDX-License-Identifier: MIT */
/*
 * Ending requests before their time.
 *
 * Theory: what can be cancelled stands in the index of pending requests.
 * Armed and parked requests end with -ECANCELED; so do those queued for a
 * worker. They are detached at once and complete from ctx->ready, after
 * whoever cancelled them: the kernel's order. One that a worker has begun
 * cannot be stopped: the answer is -EALREADY, and it completes in its own
 * time. A claim that a cancelled request holds goes back (S7). What waits for
 * a drain or for its predecessor has not begun and is not found; a
 * LINK_TIMEOUT ends with the request that it watches and not otherwise.
 *
 * Two numbers name the same file when they name the same open file, as after
 * dup(2). kcmp(2) says so; where it is refused, the same number or the same
 * inode and flags have to do.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_CANCEL_H
#define POLYRING_SCHED_CANCEL_H

#include "core/ctx.h"
#include "core/req.h"

/* Whom to cancel: the words of ASYNC_CANCEL and SYNC_CANCEL. */
struct cancel_match {
	uint64_t user_data;
	uint32_t flags; /* IORING_ASYNC_CANCEL_ */
	int32_t fd; /* any number of the file; see cancel_find_file() */
	uint8_t opcode;
	const struct req *self; /* never cancels itself */
};

/*
 * With FD, let match->fd, a slot when @fixed, be a number that names the file.
 * 0 or -EBADF.
 */
int cancel_find_file(const struct ctx *ctx, struct cancel_match *match,
		     bool fixed);

/*
 * End this one: 0, or 1 where a worker's wait was ended (def->recalls). Or
 * -EALREADY when a worker runs it: its call was interrupted, if it waits.
 */
int cancel_request(struct req *req);

/*
 * End what @match names. Returns how many with ALL or ANY; else 0 or 1, -ENOENT
 * or -EALREADY.
 */
int cancel_matching(struct ctx *ctx, const struct cancel_match *match);

/*
 * The register opcode: cancels, and waits for what runs on a worker, at most
 * for reg->timeout. As cancel_matching(), or -EINVAL, -EBADF, -ETIME, -EINTR.
 */
int cancel_sync(struct ctx *ctx, const struct io_uring_sync_cancel_reg *reg)
	HOLDS(&ctx->lock);

/* End everything: the ring closes. Returns how many are still on workers. */
uint32_t cancel_all(struct ctx *ctx);

/* The timer of a LINK_TIMEOUT fires: it ends the request that it watches. */
void cancel_timed(struct timer *timer);

#endif
