/* SPDX-License-Identifier: MIT */
/*
 * Announcing completions.
 *
 * Theory: completions are posted under the ring lock and announced when the
 * lock is dropped, once for the batch. There may be listeners of three kinds:
 * threads asleep in enter (woken through the reactor), a registered eventfd,
 * and pollers of the ring fd (one byte in its socket means "the queue is not
 * empty", D2). Without a listener, announcing must cost nothing.
 *
 * A thread that drops the lock leaves no thread asleep that has what it waits
 * for, and no timer that is due before every sleeper's own time. The kernel
 * chooses which of the sleepers a wake-up reaches; a sleeper that doesn't need
 * it passes it on, because it drops the lock as well. One wake-up is under way
 * at a time.
 *
 * The byte is exact only while ctx->watched: then it is in the socket if and
 * only if the application has completions to take, as of the last time that a
 * thread held the lock. The application takes completions without the lock, so
 * a thread that is about to poll a ring settles it first (polyring_settle). A
 * new completion makes a new edge.
 */
#ifndef POLYRING_CORE_NOTIFY_H
#define POLYRING_CORE_NOTIFY_H

#include "core/ctx.h"

/* Publish what was posted and announce it. */
void notify_posted(struct ctx *ctx) HOLDS(&ctx->lock);

/* Must one of ctx->sleepers wake up? */
bool notify_owes_wake(const struct ctx *ctx);

/* The application may have taken completions: make the byte exact again. */
void notify_taken(struct ctx *ctx) HOLDS(&ctx->lock);

/* The byte is in the socket, or is not. */
void notify_set_byte_out(struct ctx *ctx, bool out);

/* Does any ring have its byte in the socket? */
bool notify_any_byte_out(void);

/* The ring ends: its byte no longer counts. */
void notify_close(struct ctx *ctx);

/* A DEFER_TASKRUN ring has work, and its thread is not in enter. */
void notify_work_waits(struct ctx *ctx) HOLDS(&ctx->lock);

#endif
