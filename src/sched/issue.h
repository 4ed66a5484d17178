/* SPDX-License-Identifier: MIT */
/*
 * Trying a request, and what follows from the answer.
 *
 * Theory: an operation's issue says one of a few things (enum issue_result)
 * and this file alone knows what each means for the request's state: it
 * completes, arms its file, goes to a worker, or is left to its operation.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_ISSUE_H
#define POLYRING_SCHED_ISSUE_H

#include "core/ctx.h"
#include "core/req.h"

/* Try the operation and act on what it says. */
void issue_request(struct req *req);

/* Act on what issue said, wherever it ran. */
void issue_settle(struct req *req, int said);

/*
 * Hold a duplicate of the file while somebody else works on it: the application
 * may close its number meanwhile.
 */
void issue_keep_file(struct req *req);

/*
 * A waiting request whose file is ready: does it end here, because the thread
 * that submitted it has ended? Nothing is transferred then, as in the kernel.
 */
bool issue_is_orphan(struct req *req);

/* It is its turn again. */
void issue_retry(struct req *req);

/* Requests that had their share in an earlier turn are tried again (S12). */
void issue_again(struct ctx *ctx, uint32_t most);

/*
 * Take a request back from the worker that only waits for it (def->recalls).
 * True: its wait was ended; false: it has a result, which will arrive.
 */
bool issue_recall(struct req *req);

/* Take in what workers have finished. */
void issue_arrivals(struct ctx *ctx);

#endif
