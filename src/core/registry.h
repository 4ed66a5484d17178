/* SPDX-License-Identifier: MIT */
/*
 * From a file descriptor number to the ring behind it.
 *
 * Theory: the application names rings by numbers that it may close, duplicate
 * and reuse without telling us (D2). The table maps a number to a ring; an
 * entry is a belief. It is right for as long as the ring's socket is open, and
 * the standby thread clears it when it sees the hang-up. The number of a
 * duplicate is not in the table: it is recognised by the inode of its socket.
 *
 * Locks: looking up takes none; writing takes the registry's own.
 * Progress: lookups are wait-free. Cost: two loads.
 */
#ifndef POLYRING_CORE_REGISTRY_H
#define POLYRING_CORE_REGISTRY_H

#include "core/ctx.h"

/* The open ring behind @fd, or NULL. No lock; check under the ring lock. */
struct ctx *registry_find_ctx(int fd);

/* A zeroed ring, recycled or new; NULL when out of memory. */
struct ctx *registry_new(void);
void registry_recycle(struct ctx *ctx);

/* Let ctx->ring_fd name @ctx. Returns 0 or -ENOMEM. */
int registry_set(struct ctx *ctx);
/* Nothing names @ctx any more. */
void registry_clear(struct ctx *ctx);

/* In a forked child: whoever held it is not here. */
void registry_forget_lock(void);

/* Call @visit for every ring that is not free, without any lock. */
void registry_for_each(void (*visit)(struct ctx *ctx, void *argument),
		       void *argument);

/* The sums over all rings the process ever had. */
void registry_counters(struct counters *sum);

/*
 * The ring that was made under the number @fd and still has it, or NULL. For
 * operations on files that hardly ever are rings: one load, no duplicates.
 */
struct ctx *registry_at(int fd);

/* The ring that was made under this number, whatever it is by now, or NULL. */
struct ctx *registry_named(int fd);

/* Does @fd still refer to the socket of @ctx? Costs a system call. */
bool registry_verify(const struct ctx *ctx, int fd);

/* Is @fd an open ring of ours? Costs a system call where it may be. */
bool registry_owns(int fd);

/* The errno for a call that names @fd, which is no ring of ours. */
int registry_refusal(int fd);

#endif
