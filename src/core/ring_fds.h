/* SPDX-License-Identifier: MIT */
/*
 * Registered rings: slots by which one thread refers to rings.
 *
 * Theory: each thread has a table of its own, as in the kernel. A slot holds
 * its ring open with a duplicate of the ring's file among the engine's fds, so
 * that the application may close its own fd. A program that closes all its fds
 * closes the duplicate too; then the ring ends, and the slot answers EBADF,
 * because it identifies the ring by its socket's inode.
 *
 * Tables are chained, so that a forked child, which has the duplicates but none
 * of the threads, can close them all. A thread that ends closes its own.
 *
 * Locks: the chain has its own; only its thread uses a table.
 * Cost: a ring is found by its slot in one load.
 */
#ifndef POLYRING_CORE_RING_FDS_H
#define POLYRING_CORE_RING_FDS_H

#include "core/ctx.h"

/* The calling thread makes a ring: allocate its table. 0 or -ENOMEM. */
int ring_fds_open(void);

/* The register opcodes: return how many were done. */
int ring_fds_register(void *updates, uint32_t count);
int ring_fds_unregister(void *updates, uint32_t count);

/*
 * Give a slot a ring whose only fd, @fd, becomes the slot's: the slot, or
 * -EBUSY, -ENOMEM; then @fd is still the caller's.
 */
int ring_fds_adopt(struct ctx *ctx, int fd);

/*
 * The ring in the calling thread's @slot, locked: 0, -EBADF, or -EINVAL for an
 * impossible slot and for a thread without a table.
 */
int ring_fds_lock(uint32_t slot, struct ctx **ctx) UNCHECKED_LOCKS;

/* The same without the lock: check that it is open when taking that. */
int ring_fds_find(uint32_t slot, struct ctx **ctx);

/* The thread's memory goes to another: as at its end. */
void ring_fds_thread_end(void);

/* Around fork(), and in the child, which has no registered rings. */
void ring_fds_before_fork(void) UNCHECKED_LOCKS;
void ring_fds_in_parent(void) UNCHECKED_LOCKS;
void ring_fds_in_child(void);

#endif
