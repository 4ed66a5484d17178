/* SPDX-License-Identifier: MIT */
/*
 * Finding the ring of a file descriptor.
 *
 * Theory: the application refers to rings by fds that it may close, duplicate
 * and reuse without the engine's knowledge (D2). The table maps an fd to a
 * ring; an entry is a cached value. It is right for as long as the ring's
 * socket is open, and it is cleared when the ring ends. The fd of a duplicate
 * is not in the table: it is recognised by the inode of its socket.
 *
 * Locks: lookups take none; writing takes the registry's own.
 * Progress: lookups are wait-free. Cost: two loads.
 */
#ifndef POLYRING_CORE_REGISTRY_H
#define POLYRING_CORE_REGISTRY_H

#include "core/ctx.h"

/*
 * The open ring of @fd, or NULL. Takes no lock; check again under the ring
 * lock.
 */
struct ctx *registry_find_ctx(int fd);

/* A zeroed ring, recycled or new; NULL when out of memory. */
struct ctx *registry_new(void);
void registry_recycle(struct ctx *ctx);

/* Map ctx->ring_fd to @ctx. Returns 0 or -ENOMEM. */
int registry_set(struct ctx *ctx);
/* Remove @ctx from the table. */
void registry_clear(struct ctx *ctx);

/* In a forked child: the thread that held the lock does not exist here. */
void registry_forget_lock(void);

/* Call @visit for every ring that is not free, without any lock. */
void registry_for_each(void (*visit)(struct ctx *ctx, void *argument),
		       void *argument);

/* The sums over all rings the process ever had. */
void registry_counters(struct counters *sum);

/*
 * The ring that was made with the fd @fd and still has it, or NULL. For
 * operations on files that are rarely rings: one load, does not find
 * duplicates.
 */
struct ctx *registry_at(int fd);

/* The ring that was made with this fd, whatever file it is by now, or NULL. */
struct ctx *registry_named(int fd);

/* Does @fd still refer to the socket of @ctx? Costs a system call. */
bool registry_verify(const struct ctx *ctx, int fd);

/* Is @fd an open ring of the engine's? Costs a system call if it may be. */
bool registry_owns(int fd);

/* The errno for a call on @fd, which is no ring of the engine's. */
int registry_refusal(int fd);

#endif
