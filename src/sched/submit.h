/* SPDX-License-Identifier: MIT */
/*
 * From submission entries to requests.
 *
 * Theory: each entry is copied once (the application may scribble on it),
 * checked in the kernel's order, and handed on. A request whose checks fail
 * completes with the error and, unless the ring was set up with SUBMIT_ALL,
 * ends the batch. What was accepted completes (D14).
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_SUBMIT_H
#define POLYRING_SCHED_SUBMIT_H

#include "core/ctx.h"

/* Returns how many entries were consumed, -EAGAIN when out of memory. */
int submit(struct ctx *ctx, uint32_t count) HOLDS(&ctx->lock);

/*
 * An entry that was held back (read_runs.h): as if it came now. False, and
 * nothing is done, when out of memory.
 */
bool submit_again(struct ctx *ctx, const struct io_uring_sqe *sqe);

#endif
