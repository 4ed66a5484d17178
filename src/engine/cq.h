/* SPDX-License-Identifier: MIT */
/*
 * Posting completions for a ring: the queue's own posting, plus what counts
 * completions (timeouts with a count) and what announces them.
 */
#ifndef POLYRING_ENGINE_CQ_H
#define POLYRING_ENGINE_CQ_H

#include "engine/ctx.h"

/*
 * @extra, two words, is looked at only on a CQE32 ring, and with F_32 among
 * @flags, which only a CQE_MIXED ring may be given. Never fails (D14).
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
	if (unlikely(flags & IORING_CQE_F_32 ||
		     !queue_post_small(&ctx->queue, user_data, res, flags)))
		cq_post_any(ctx, user_data, res, flags, extra);
}

#endif
