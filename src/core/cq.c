// SPDX-License-Identifier: MIT
#include "core/cq.h"

void cq_post_any(struct ctx *ctx, uint64_t user_data, int32_t res,
		 uint32_t flags, const uint64_t *extra)
{
	struct cqe cqe = {
		.user_data = user_data,
		.res = res,
		.flags = flags,
	};

	if (extra) {
		cqe.extra[0] = extra[0];
		cqe.extra[1] = extra[1];
	}
	if (!queue_post(&ctx->queue, &cqe))
		ctx->backlog_fresh = true;
	if (unlikely(ctx->queue.view.share))
		queue_share_posted(&ctx->queue, user_data, flags);
}
