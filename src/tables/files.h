/* SPDX-License-Identifier: MIT */
/*
 * Registered files.
 *
 * Theory: a slot refers to a node, and a node is a file under a number of our
 * own, so that the application may close its number. A request that uses the
 * slot holds the node; the number is closed when slot and requests have let
 * go. An empty slot is NULL, and a table may be sparse.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_TABLES_FILES_H
#define POLYRING_TABLES_FILES_H

#include "core/ctx.h"

/* Take the file in @slot for a request; NULL when empty or out of range. */
struct file_node *file_get(struct ctx *ctx, uint32_t slot);
void file_put(struct file_node *file);

/*
 * Put @fd, which the engine now owns, into @slot_plus_1 as an SQE's file_index
 * gives it (IORING_FILE_INDEX_ALLOC chooses one). Returns the slot for ALLOC,
 * 0 for a given slot, or a negative errno (-ENXIO no table, -EINVAL out of
 * range, -ENFILE none free, -ENOMEM); on error @fd is closed.
 */
int files_install(struct ctx *ctx, uint32_t slot_plus_1, int fd);

/* Empty @slot: 0, -ENXIO (no table), -EINVAL (out of range), -EBADF (empty). */
int files_remove(struct ctx *ctx, uint32_t slot);

/* The register opcodes; @fds is the application's array, NULL: all empty. */
int files_register(struct ctx *ctx, const int32_t *fds, const uint64_t *tags,
		   uint32_t count);
int files_unregister(struct ctx *ctx);
int files_update(struct ctx *ctx, uint32_t offset, const int32_t *fds,
		 const uint64_t *tags, uint32_t count);
/* As files_update(), into free slots, whose numbers go back into @fds. */
int files_allocate(struct ctx *ctx, int32_t *fds, uint32_t count);
int files_set_alloc_range(struct ctx *ctx, uint32_t from, uint32_t count);

#endif
