// SPDX-License-Identifier: MIT
#include "core/ctx_lock.h"

#include "base/sys.h"
#include "core/notify.h"
#include "core/registry.h"

struct ctx *ctx_lock_fd(int fd) UNCHECKED_LOCKS
{
	struct ctx *ctx = registry_find_ctx(fd);

	if (unlikely(!ctx))
		return NULL;
	lock_take(&ctx->lock);
	if (likely(ctx->state == CTX_OPEN))
		return ctx;
	lock_drop(&ctx->lock);
	return NULL;
}

void ctx_lock_second(struct ctx *ctx, struct ctx *other) UNCHECKED_LOCKS
{
	while (other != ctx && !lock_try(&other->lock)) {
		ctx_unlock(ctx);
		SYS_0(SYS_sched_yield);
		lock_take(&ctx->lock);
	}
}

void ctx_unlock(struct ctx *ctx)
{
	reactor_release_idle(&ctx->reactor);
	notify_posted(ctx);
	if (unlikely(!list_empty(&ctx->sleepers)) && !ctx->wake_out &&
	    notify_owes_wake(ctx)) {
		ctx->wake_out = true;
		reactor_wake(&ctx->reactor);
	}
	lock_drop(&ctx->lock);
}
