/* SPDX-License-Identifier: MIT */
/*
 * Polls for one event, many with one call.
 *
 * Theory: such a poll looks first, and waits when nothing is there. Polls that
 * follow one another in the submission queue are gathered: one poll(2) looks
 * for all of them, and reactor_arm_once() starts those that wait. What is ready
 * completes in the order of submission. The entry behind a poll says whether
 * it is the last; that is a hint, and a hint that was wrong costs order alone:
 * what is gathered is served at the latest when the submission ends.
 *
 * A request that comes here has its mask in req->wait.mask and its callback in
 * req->wait.ready, which is told what woke it where AIO waits (WAIT_KEPT), and
 * has to look for itself where epoll does.
 *
 * Locks: the ring lock. Bound: REACTOR_ONCE_MAX at a time.
 */
#ifndef POLYRING_SCHED_POLLS_H
#define POLYRING_SCHED_POLLS_H

#include "core/ctx.h"
#include "core/req.h"

/* Look for @req, and for those gathered before it; returns as issue does. */
int polls_issue(struct req *req);

/* Serve what is gathered. */
void polls_serve(struct ctx *ctx);

/* The same. Returns whether there was anything. */
static inline bool polls_settle(struct ctx *ctx)
{
	if (likely(list_empty(&ctx->polls)))
		return false;
	polls_serve(ctx);
	return true;
}

#endif
