// SPDX-License-Identifier: MIT
#include "core/ctx_lock.h"

#include "base/sys.h"
#include "core/notify.h"
#include "core/registry.h"
#include "core/req.h"

/* The checked build's invariant, whenever nobody has the lock. */
static bool ctx_valid(const struct ctx *ctx)
{
	return queue_valid(&ctx->queue) && reactor_valid(&ctx->reactor) &&
	       !ctx->indexed == list_empty(&ctx->pending) &&
	       !ctx->chain_head == !ctx->chain_last &&
	       (!ctx->run.count || ctx->run.vectors <= ctx->run.count) &&
	       ctx->run.count <= RUN_MAX &&
	       (!ctx->free_reqs || req_is_clean(ctx->free_reqs));
}

bool ctx_take_open(struct ctx *ctx) UNCHECKED_LOCKS
{
	ctx_take(ctx);
	if (likely(ctx->state == CTX_OPEN))
		return true;
	ctx_drop(ctx);
	return false;
}

struct ctx *ctx_lock_fd(int fd) UNCHECKED_LOCKS
{
	struct ctx *ctx = registry_find_ctx(fd);

	if (unlikely(!ctx) || unlikely(!ctx_take_open(ctx)))
		return NULL;
	return ctx;
}

void ctx_lock_second(struct ctx *ctx, struct ctx *other) UNCHECKED_LOCKS
{
	while (other != ctx && !ctx_try(other)) {
		ctx_unlock(ctx);
		SYS_0(SYS_sched_yield);
		ctx_take(ctx);
	}
}

/* Publish and announce. Returns whether a sleeper is to be woken. */
static inline bool ctx_settle(struct ctx *ctx) HOLDS(&ctx->lock)
{
	reactor_release_idle(&ctx->reactor);
	if (unlikely(ctx->queue.view.share))
		ctx_share_commit(ctx);
	notify_posted(ctx);
	CHECK(ctx->state != CTX_OPEN || ctx_valid(ctx));
	if (likely(list_empty(&ctx->sleepers)) || ctx->wake_out ||
	    !notify_owes_wake(ctx))
		return false;
	ctx->wake_out = true;
	__atomic_fetch_add(&ctx->wakers, 1, __ATOMIC_RELAXED);
	return true;
}

static inline void ctx_let_go(struct ctx *ctx) UNCHECKED_LOCKS
{
	if (unlikely(ctx->queue.view.share))
		ctx_share_let_go(ctx);
	lock_drop(&ctx->lock);
}

static void ctx_wake(struct ctx *ctx)
{
	reactor_wake(&ctx->reactor);
	/* Pairs with the load in end(), sched/ctx_life.c. */
	__atomic_fetch_sub(&ctx->wakers, 1, __ATOMIC_RELEASE);
}

/* The thread that wakes up takes the lock next, so it is free by then. */
void ctx_unlock(struct ctx *ctx) UNCHECKED_LOCKS
{
	bool wakes = ctx_settle(ctx);
	struct ctx *other = ctx->wakes_other;

	ctx->wakes_other = NULL;
	ctx_let_go(ctx);
	if (unlikely(wakes))
		ctx_wake(ctx);
	if (unlikely(other))
		ctx_wake(other);
}

void ctx_unlock_second(struct ctx *ctx, struct ctx *other) UNCHECKED_LOCKS
{
	bool wakes = ctx_settle(other);

	ctx_let_go(other);
	if (!wakes)
		return;
	ctx_wake_other(ctx);
	ctx->wakes_other = other;
}

void ctx_wake_other(struct ctx *ctx)
{
	if (ctx->wakes_other)
		ctx_wake(ctx->wakes_other);
	ctx->wakes_other = NULL;
}
