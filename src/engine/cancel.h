/* SPDX-License-Identifier: MIT */
/*
 * Ending requests before their time.
 *
 * Theory: what can be cancelled stands in the index of pending requests or in
 * the drain list. Armed and parked requests end at once with -ECANCELED; so do
 * those queued for a worker. One that a worker has begun cannot be stopped:
 * the answer is -EALREADY, and it completes in its own time. A claim that a
 * cancelled request holds goes back (S7).
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_ENGINE_CANCEL_H
#define POLYRING_ENGINE_CANCEL_H

#include "engine/ctx.h"

/* Whom to cancel: the words of ASYNC_CANCEL and SYNC_CANCEL. */
struct cancel_match {
	uint64_t user_data;
	uint32_t flags; /* IORING_ASYNC_CANCEL_ */
	int32_t fd;
	const struct file_node *file; /* with FD_FIXED */
	uint8_t opcode;
	const struct req *self; /* never cancels itself */
};

/* End this one: 0, or -EALREADY when a worker runs it. */
int cancel_request(struct req *req);

/*
 * End what @match names. Returns how many with ALL or ANY; else 0, -ENOENT or
 * -EALREADY.
 */
int cancel_matching(struct ctx *ctx, const struct cancel_match *match);

/* End everything: the ring closes. Returns how many are still on workers. */
uint32_t cancel_all(struct ctx *ctx);

#endif
