/* SPDX-License-Identifier: MIT */
/*
 * Registered files.
 *
 * Theory: a slot refers to a node, and a node is a file under a number of our
 * own, so that the application may close its number. A request that uses the
 * slot holds the node; the number is closed when slot and requests have let
 * go. An empty slot is NULL, and a table may be sparse. The table knows nothing
 * of its ring: what the ring has to do, it asks for through its ops.
 *
 * Locks: the lock of the ring that the table belongs to.
 */
#ifndef POLYRING_TABLES_FILES_H
#define POLYRING_TABLES_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct file_table;

/* The kind of the socket that a number is believed to be: see recv.c. */
struct socket_belief {
	int fd;
	uint8_t kind;
	uint8_t left;
};

/* A registered file: an fd of ours, counted by slots and requests. */
struct file_node {
	struct file_table *table;
	int fd;
	uint32_t refs;
	uint64_t tag;
	struct socket_belief socket;
};

/* What a table asks of the ring that it belongs to. */
struct file_table_ops {
	/* An fd of our own for the application's @fd, or a negative errno. */
	int (*adopt)(int fd);
	/* Nobody uses @fd any more: close it, and post @tag if it is not 0. */
	void (*release)(struct file_table *table, int fd, uint64_t tag);
};

struct file_table {
	const struct file_table_ops *ops;
	struct file_node **slots;
	uint32_t count;
	uint32_t alloc_from; /* where FILE_INDEX_ALLOC may choose */
	uint32_t alloc_to;
	uint32_t hint;
	bool chooses; /* this kernel knows FILE_INDEX_ALLOC */
};

/* Take the file in @slot for a request; NULL when empty or out of range. */
struct file_node *file_get(struct file_table *t, uint32_t slot);
void file_put(struct file_node *file);

/*
 * Put @fd, which the engine now owns, into @slot_plus_1 as an SQE's file_index
 * gives it (IORING_FILE_INDEX_ALLOC chooses one). Returns the slot for ALLOC,
 * 0 for a given slot, or a negative errno (-ENXIO no table, -EINVAL out of
 * range, -ENFILE none free, -ENOMEM); on error @fd is closed.
 */
int files_install(struct file_table *t, uint32_t slot_plus_1, int fd);

/* Empty @slot: 0, -ENXIO (no table), -EINVAL (out of range), -EBADF (empty). */
int files_remove(struct file_table *t, uint32_t slot);

/* The register opcodes; @fds is the application's array, NULL: all empty. */
int files_register(struct file_table *t, const int32_t *fds,
		   const uint64_t *tags, uint32_t count);
int files_unregister(struct file_table *t);
int files_update(struct file_table *t, uint32_t offset, const int32_t *fds,
		 const uint64_t *tags, uint32_t count);
/* As files_update(), into free slots, whose numbers go back into @fds. */
int files_allocate(struct file_table *t, int32_t *fds, uint32_t count);
int files_set_alloc_range(struct file_table *t, uint32_t from, uint32_t count);

#endif
