/* SPDX-License-Identifier: MIT */
/*
 * Telling whoever may wait that completions are there.
 *
 * Theory: completions are posted under the ring lock and announced when the
 * lock is let go, once for the batch. Four may listen: threads asleep in enter
 * (woken through the reactor), a registered eventfd, somebody who polls the
 * ring fd (one byte in its socket means "the queue is not empty", D2), and
 * nobody, which must cost nothing.
 *
 * Whoever lets the lock go leaves no thread asleep that has what it waits for,
 * and no timer due before any sleeper's own time. The kernel chooses which of
 * the sleepers a wake-up reaches; one that it doesn't concern passes it on,
 * because it lets the lock go as well. One is on its way at a time.
 *
 * The byte is exact only while ctx->watched: then it is there if and only if
 * the application has completions to take, as of the last time that any thread
 * held the lock. The application takes them without the lock; so whoever is
 * about to look at a ring from outside settles it first (polyring_settle). A
 * new completion makes a new edge.
 */
#ifndef POLYRING_CORE_NOTIFY_H
#define POLYRING_CORE_NOTIFY_H

#include "core/ctx.h"

/* Publish what was posted and announce it. */
void notify_posted(struct ctx *ctx) HOLDS(&ctx->lock);

/* Must one of ctx->sleepers wake up? */
bool notify_owes_wake(const struct ctx *ctx);

/* The application may have taken completions: make the byte true again. */
void notify_taken(struct ctx *ctx) HOLDS(&ctx->lock);

/* Has any ring a byte out? */
bool notify_any_byte_out(void);

/* The ring ends, and its byte with it. */
void notify_close(struct ctx *ctx);

/* Work waits for a DEFER_TASKRUN ring whose thread is elsewhere. */
void notify_work_waits(struct ctx *ctx) HOLDS(&ctx->lock);

#endif
