/* SPDX-License-Identifier: MIT */
/*
 * Order among requests: link chains and drains.
 *
 * Theory: a chain is a list through req->link. Only its head is issued; each
 * member that completes hands over to the next. A result below zero, or one
 * that its operation marks (REQ_F_FAIL_LINK: a short transfer), cancels the
 * rest (P12), unless the link is a hard one. A chain is collected while it is
 * submitted and queued with its last member.
 *
 * LINK_TIMEOUT is a member that is never issued: its timer starts when its
 * predecessor has to wait; the first of the two to finish ends the other.
 *
 * A drain waits until everything accepted before it has finished, and holds
 * back everything after it: ctx->deferred, in order of submission.
 *
 * Nothing here recurses: requests that may run next go to ctx->ready, and
 * order_run_ready() runs them. The list is bounded by the requests accepted.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_ORDER_H
#define POLYRING_SCHED_ORDER_H

#include "core/ctx.h"
#include "core/req.h"

/*
 * Place a checked request, in order of submission: it runs, joins a chain, or
 * is deferred. @failed: its checks failed (req->res), and its chain is
 * cancelled with it.
 */
void order_submit(struct req *req, bool failed);

/*
 * The submission ends: a chain whose last member still has a link flag ends as
 * well.
 */
void order_submit_end(struct ctx *ctx);

/* For order_leave(). */
void order_settle_keeper(struct ctx *ctx, bool leaves);

/*
 * The calling thread has submitted, or @leaves the ring. Requests of its that
 * take its rights and still wait for others get a thread that keeps the rights,
 * if another thread may continue their chain.
 */
static inline void order_leave(struct ctx *ctx, bool leaves)
{
	if (unlikely(ctx->keeper != NULL))
		order_settle_keeper(ctx, leaves);
}

/* Run the requests that are ready, until there are none. */
void order_run_ready(struct ctx *ctx);

/* Finish deferred requests that match with ECANCELED; returns how many. */
uint32_t order_cancel_deferred(struct ctx *ctx,
			       bool (*match)(struct req *, const void *),
			       const void *argument, bool all);

#endif
