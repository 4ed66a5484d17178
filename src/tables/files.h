/* SPDX-License-Identifier: MIT */
/*
 * Registered files.
 *
 * Theory: a slot refers to a node, and a node is a file under an fd of the
 * engine's, so that the application may close its own fd. A request that uses
 * the slot holds the node; the engine's fd is closed when the slot and all
 * requests have dropped the node. An empty slot is NULL, and a table may be
 * sparse. The table has no reference to its ring: it calls the ring through its
 * ops.
 *
 * Locks: the lock of the ring that the table belongs to.
 */
#ifndef POLYRING_TABLES_FILES_H
#define POLYRING_TABLES_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct file_table;

/* The cached kind of an fd's socket: see recv_sock.c. */
struct socket_cache {
	int fd;
	uint8_t kind;
	uint8_t left;
};

/* A registered file: an fd of the engine's, counted by slots and requests. */
struct file_node {
	struct file_table *table;
	int fd;
	uint32_t refs;
	uint64_t tag;
	struct socket_cache socket;
};

/* How a table calls the ring that it belongs to. */
struct file_table_ops {
	/*
	 * Duplicate the application's @fd: an fd of the engine's, or a negative
	 * errno.
	 */
	int (*adopt)(int fd);
	/*
	 * No slot and no request uses @fd: close it, and post @tag if it is not
	 * 0.
	 */
	void (*release)(struct file_table *table, int fd, uint64_t tag);
};

struct file_table {
	const struct file_table_ops *ops;
	struct file_node **slots;
	uint32_t count;
	uint32_t alloc_from; /* the range in which FILE_INDEX_ALLOC chooses */
	uint32_t alloc_to;
	uint32_t hint;
	bool chooses; /* this kernel has FILE_INDEX_ALLOC */
};

/* Take the file in @slot for a request; NULL when empty or out of range. */
struct file_node *file_get(struct file_table *t, uint32_t slot);
void file_put(struct file_node *file);

/*
 * Put @fd, which the engine now owns, into @slot_plus_1, which is an SQE's
 * file_index (IORING_FILE_INDEX_ALLOC chooses one). Returns the slot for ALLOC,
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
/*
 * Like files_update(), but into free slots, whose indices are written to @fds.
 */
int files_allocate(struct file_table *t, int32_t *fds, uint32_t count);
int files_set_alloc_range(struct file_table *t, uint32_t from, uint32_t count);

#endif
