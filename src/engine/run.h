/* SPDX-License-Identifier: MIT */
/*
 * Runs: reads that one system call serves (D6).
 *
 * Theory: a small read costs little beside the way into the kernel. So the
 * reads of one submission that stand next to each other, in the queue and in
 * their file, are gathered and made by one vector call, whose bytes are dealt
 * out in order. A run is in one of these states:
 *
 *   empty      no request is held back
 *   candidate  one read is, in case the next one continues it
 *   open       its file is known to be fit: it grows
 *
 * A request that does not fit ends the run and is looked at anew, so that all
 * happens in the order of submission; the submission ends the last one.
 *
 * What makes it the same as one call after the other:
 *  1. The file is a regular one, each read begins where the one before ends,
 *     and all end within the file: then a vector read is by its definition the
 *     same. Or it is /dev/zero, where positions mean nothing. Pipes, sockets
 *     and other devices have messages, or records, or somebody who waits.
 *     What kind of file it is, fstat(2) says once a run; a number's answer is
 *     not kept, for numbers are reused. The call has RWF_NOWAIT, as each read
 *     alone would, so that whatever the number is by then, nobody waits.
 *  2. Only a read that got all it asked for is served by the run. The first one
 *     that did not (the file was cut, its address is bad, the page is not
 *     there) and all after it are issued one by one, as if there were no runs.
 *  3. Buffers are chosen in order, when a request joins, and each request has
 *     its own. What the call did not fill goes back, the newest first, before
 *     the rest is issued (S5, S7).
 *  4. Requests that are part of a chain, wait for a drain or ask for anything
 *     special never join. Those that wait for nothing (NOP, PROVIDE_BUFFERS)
 *     are issued at once and may stand in a run; they complete in their turn.
 *
 * Cost: a read that no other continues pays some 250 instructions for having
 * been looked at, a submission of one nothing. Two that are continuous cost
 * about as much as alone, with the fstat; 64 a fifth of it.
 * Bound: RUN_MAX requests. Locks: the ring lock, which is held throughout.
 */
#ifndef POLYRING_ENGINE_RUN_H
#define POLYRING_ENGINE_RUN_H

#include "engine/cq.h"

/*
 * Finish a request that was never armed, punted or linked and holds no claim:
 * what it may owe nevertheless, its flags say.
 */
static inline void run_finish(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (unlikely(req->flags)) {
		req_finish(req);
		return;
	}
	lock_assume(&ctx->lock);
	cq_post(ctx, req->user_data, req->res, req->cflags, req->big_cqe);
	req_give_back(req);
}

/* Issue one that waits for nothing: afterwards it has a result. */
static inline void run_at_once(struct req *req)
{
	int said = req->def->issue(req, ISSUE_NONBLOCK);

	if (said < 0)
		req->res = said;
}

/*
 * Offer the run a checked request that neither waits for others nor links; it
 * has the request from now on, or returns false. @more: the submission goes
 * on, so that it is worth beginning one.
 */
bool run_takes(struct ctx *ctx, struct req *req, bool more);

/* Serve what is held back; the run is empty. */
void run_end(struct ctx *ctx);

/* The same at the end of a submission, when files may begin to change. */
void run_submit_end(struct ctx *ctx);

#endif
