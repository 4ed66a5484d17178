/* SPDX-License-Identifier: MIT */
/*
 * Taking a ring's lock, and letting it go.
 *
 * Theory: every locked section ends in ctx_unlock(), and there what was posted
 * becomes visible and is announced, once for all of it. The order of locks
 * stands in core/ctx.h.
 */
#ifndef POLYRING_CORE_CTX_LOCK_H
#define POLYRING_CORE_CTX_LOCK_H

#include "core/ctx.h"

/*
 * Publish, announce, and drop the lock: the end of every locked section. Files
 * of requests that have ended are closed before their completions can be seen:
 * the application may close its own number next, and the peer must notice.
 */
void ctx_unlock(struct ctx *ctx) DROPS(&ctx->lock);

/* The open ring behind @fd, with its lock taken; NULL when it is none of ours.
 */
struct ctx *ctx_lock_fd(int fd) UNCHECKED_LOCKS;
/*
 * Holding @ctx's lock, take @other's too, if it is another. Nobody waits for
 * one while holding the other: the first may be let go for a moment, after
 * which either may have been closed.
 */
void ctx_lock_second(struct ctx *ctx, struct ctx *other) UNCHECKED_LOCKS;

#endif
