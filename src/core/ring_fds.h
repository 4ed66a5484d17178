/* SPDX-License-Identifier: MIT */
/*
 * Registered rings: numbers by which one thread names rings.
 *
 * Theory: each thread has a table of its own, as in the kernel, and a slot
 * holds its ring open: a duplicate of the ring's file lives among the engine's
 * numbers, so that the application may close its own. Whoever closes all
 * numbers of a process closes that one, too; then the ring ends, and the slot
 * says EBADF, because it knows the ring by its socket's inode.
 *
 * Tables are chained, so that a forked child, which has the duplicates but
 * none of the threads, can close them all. A thread that ends closes its own.
 *
 * Locks: the chain has its own; a slot is its thread's alone.
 * Cost: a ring named by its slot is found in one load.
 */
#ifndef POLYRING_CORE_RING_FDS_H
#define POLYRING_CORE_RING_FDS_H

#include "core/ctx.h"

/* The calling thread makes a ring: it gets its table. 0 or -ENOMEM. */
int ring_fds_open(void);

/* The register opcodes: how many were done. */
int ring_fds_register(void *updates, uint32_t count);
int ring_fds_unregister(void *updates, uint32_t count);

/*
 * Give the slot a ring whose only number, @fd, becomes the slot's: the slot, or
 * -EBUSY, -ENOMEM, and then @fd is the caller's still.
 */
int ring_fds_adopt(struct ctx *ctx, int fd);

/*
 * The ring in the calling thread's @slot, locked: 0, -EBADF, or -EINVAL for a
 * slot that can't be and for a thread that has no table.
 */
int ring_fds_lock(uint32_t slot, struct ctx **ctx) UNCHECKED_LOCKS;

/* The same without the lock: see that it is open when it is taken. */
int ring_fds_find(uint32_t slot, struct ctx **ctx);

/* Around fork(), and in the child, which has no registered rings. */
void ring_fds_before_fork(void) UNCHECKED_LOCKS;
void ring_fds_in_parent(void) UNCHECKED_LOCKS;
void ring_fds_in_child(void);

#endif
