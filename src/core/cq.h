/* SPDX-License-Identifier: MIT */
/*
 * Posting completions for a ring: the queue's own posting, plus what counts
 * completions (timeouts with a count) and what announces them.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_CQ_H
#define POLYRING_CORE_CQ_H

#include "core/ctx.h"

/*
 * @extra: the two words that a CQE32 ring's entry has beside, or one with F_32
 * among its @flags on a CQE_MIXED ring. NULL: zero. Never fails (D14).
 */
static inline void cq_post(struct ctx *ctx, uint64_t user_data, int32_t res,
			   uint32_t flags, const uint64_t *extra)
	HOLDS(&ctx->lock);

/* Its less usual half. */
void cq_post_any(struct ctx *ctx, uint64_t user_data, int32_t res,
		 uint32_t flags, const uint64_t *extra) HOLDS(&ctx->lock);

static inline void cq_post(struct ctx *ctx, uint64_t user_data, int32_t res,
			   uint32_t flags, const uint64_t *extra)
{
	ctx->posted_total++;
	if (unlikely(!queue_post_small(&ctx->queue, user_data, res, flags)))
		cq_post_any(ctx, user_data, res, flags, extra);
}

#endif
