/* SPDX-License-Identifier: MIT */
/*
 * Taking and dropping a ring's lock.
 *
 * Theory: every locked section ends in ctx_unlock(), which publishes and
 * announces all posted completions, once for the section. core/ctx.h has the
 * order of locks.
 */
#ifndef POLYRING_CORE_CTX_LOCK_H
#define POLYRING_CORE_CTX_LOCK_H

#include "core/ctx.h"
#include "core/ctx_share.h"

/*
 * Publish and announce completions, and drop the lock: the end of every locked
 * section. Files of requests that have ended are closed before their
 * completions can be seen: the application may close its own fd next, and the
 * peer must get the hang-up then.
 */
void ctx_unlock(struct ctx *ctx) DROPS(&ctx->lock);

/*
 * The same for @other, under the lock of @ctx, and without waking its sleeper:
 * that is done when @ctx is unlocked, as the sleeper may need its lock next.
 */
void ctx_unlock_second(struct ctx *ctx, struct ctx *other) DROPS(&other->lock);

/* Do so now. */
void ctx_wake_other(struct ctx *ctx) HOLDS(&ctx->lock);

/*
 * Take the lock, and drop it where nothing was posted. Of a ring that processes
 * share each takes two locks: see core/ctx_share.h.
 */
static inline void ctx_take(struct ctx *ctx) TAKES(&ctx->lock) UNCHECKED_LOCKS
{
	lock_take(&ctx->lock);
	if (unlikely(ctx->queue.view.share))
		ctx_share_take(ctx);
}

static inline void ctx_drop(struct ctx *ctx) DROPS(&ctx->lock) UNCHECKED_LOCKS
{
	if (unlikely(ctx->queue.view.share))
		ctx_share_drop(ctx);
	lock_drop(&ctx->lock);
}

/* The second half of trying it: the first has succeeded. */
static inline bool ctx_try_share(struct ctx *ctx) UNCHECKED_LOCKS
{
	if (likely(!ctx->queue.view.share) || ctx_share_try(ctx))
		return true;
	lock_drop(&ctx->lock);
	return false;
}

static inline bool ctx_try(struct ctx *ctx)
	TRIES(true, &ctx->lock) UNCHECKED_LOCKS
{
	return lock_try(&ctx->lock) && ctx_try_share(ctx);
}

/* The open ring of @fd, locked; NULL when @fd is not a ring of the engine's. */
struct ctx *ctx_lock_fd(int fd) UNCHECKED_LOCKS;
/* Take the lock of @ctx if it is open; false, and no lock, if it is not. */
bool ctx_take_open(struct ctx *ctx) TRIES(true, &ctx->lock) UNCHECKED_LOCKS;
/*
 * With @ctx's lock held, take @other's too, if it is another ring. No thread
 * waits for one ring's lock while it holds another's: @ctx's lock may be
 * dropped for a moment, after which either ring may have been closed.
 */
void ctx_lock_second(struct ctx *ctx, struct ctx *other) UNCHECKED_LOCKS;

#endif
