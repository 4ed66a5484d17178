/* SPDX-License-Identifier: MIT */
/*
 * Trying a request, and acting on the result.
 *
 * Theory: an operation's issue returns one of a few values (enum issue_result),
 * and only this file defines what each means for the request's state: it
 * completes, arms its file, goes to a worker, or stays with its operation.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_ISSUE_H
#define POLYRING_SCHED_ISSUE_H

#include "core/ctx.h"
#include "core/req.h"

/* Try the operation and act on its result. */
void issue_request(struct req *req);

/*
 * The same for a request that waited for others, on whichever thread: if it
 * takes its submitter's rights, it is tried with those, or fails with EACCES.
 */
void issue_carried(struct req *req);

/* Act on the result of issue, wherever it ran. */
void issue_settle(struct req *req, int outcome);

/*
 * Hold a duplicate of the file while a worker or the disk uses it: the
 * application may close its fd meanwhile.
 */
void issue_keep_file(struct req *req);

/*
 * Does a waiting request whose file is ready end here, because the thread that
 * submitted it has ended? Nothing is transferred then, as in the kernel.
 */
bool issue_is_orphan(struct req *req);

/* The less usual half of issue_arm_all(): true. */
bool issue_arm_rest(struct ctx *ctx);

/*
 * Arm what waits to be armed: before the lock is dropped, and before an fd is
 * closed. Returns whether there was anything.
 */
static inline bool issue_arm_all(struct ctx *ctx)
{
	return !list_empty(&ctx->arming) && issue_arm_rest(ctx);
}

/* Try it again. */
void issue_retry(struct req *req);

/* Retry requests that used their share in an earlier turn (S12). */
void issue_again(struct ctx *ctx, uint32_t most);

/*
 * Take a request back from a worker that only waits for it (def->recalls).
 * True: its wait was interrupted; false: it has a result, which will arrive.
 */
bool issue_recall(struct req *req);

/* Take in results of workers. */
void issue_arrivals(struct ctx *ctx);

#endif
