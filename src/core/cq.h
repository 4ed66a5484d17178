/* SPDX-License-Identifier: MIT */
/*
 * Posting completions for a ring: adds to the queue's own posting the counting
 * of completions (for timeouts with a count) and the announcement.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_CQ_H
#define POLYRING_CORE_CQ_H

#include "base/probe.h"
#include "core/ctx.h"

/*
 * @extra: the two further fields of an entry of a CQE32 ring, or of one with
 * F_32 in its @flags on a CQE_MIXED ring. NULL: zero. Never fails (D14).
 */
static inline void cq_post(struct ctx *ctx, uint64_t user_data, int32_t res,
			   uint32_t flags, const uint64_t *extra)
	HOLDS(&ctx->lock);

/* The uncommon cases. */
void cq_post_any(struct ctx *ctx, uint64_t user_data, int32_t res,
		 uint32_t flags, const uint64_t *extra) HOLDS(&ctx->lock);

static inline void cq_post(struct ctx *ctx, uint64_t user_data, int32_t res,
			   uint32_t flags, const uint64_t *extra)
{
	PROBE4(complete, PROBE_ARG(1, ctx->ring_fd), PROBE_ARG(2, user_data),
	       PROBE_ARG(3, res), PROBE_ARG(4, flags));
	ctx->posted_total++;
	if (unlikely(!queue_post_small(&ctx->queue, user_data, res, flags)))
		cq_post_any(ctx, user_data, res, flags, extra);
}

#endif
