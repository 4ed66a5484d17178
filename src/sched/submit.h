/* SPDX-License-Identifier: MIT */
/*
 * From submission entries to requests.
 *
 * Theory: each entry is copied once (the application may write to it), checked
 * in the kernel's order, and passed on. A request whose checks fail completes
 * with the error and, unless the ring was set up with SUBMIT_ALL, ends the
 * batch. An accepted request completes (D14).
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_SUBMIT_H
#define POLYRING_SCHED_SUBMIT_H

#include "core/ctx.h"

/* Returns how many entries were consumed, -EAGAIN when out of memory. */
int submit(struct ctx *ctx, uint32_t count) HOLDS(&ctx->lock);

/*
 * Submit an entry that was held back (read_runs.h), as if it came now. Returns
 * false when out of memory; then it has done nothing.
 */
bool submit_again(struct ctx *ctx, const struct io_uring_sqe *sqe);

#endif
