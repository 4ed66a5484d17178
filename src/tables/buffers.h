/* SPDX-License-Identifier: MIT */
/*
 * Registered buffers.
 *
 * Theory: a slot refers to a node, and a node remembers where the application's
 * memory is; an empty slot is NULL, and a table may be sparse. A request that
 * uses a slot holds the node, whose tag is reported when slot and requests have
 * let go. All pages are written to once when they are registered, as the kernel
 * does when it pins them, so that memory which isn't there is told then.
 *
 * Differs: nothing can be pinned from here. Memory that the application unmaps
 * while it is registered is gone; a transfer then answers EFAULT. A shared
 * mapping of a file on a disk is accepted.
 *
 * Locks: the lock of the ring that the table belongs to.
 */
#ifndef POLYRING_TABLES_BUFFERS_H
#define POLYRING_TABLES_BUFFERS_H

#include <stdbool.h>
#include <stdint.h>

struct iovec;
struct io_uring_clone_buffers;
struct buffer_node;

struct buffer_table {
	/* Nobody uses a buffer any more that was registered with @tag. */
	void (*release)(struct buffer_table *table, uint64_t tag);
	struct buffer_node **slots;
	uint32_t count;
};

/* Take the buffer in @slot for a request; NULL when empty or out of range. */
struct buffer_node *buffer_get(struct buffer_table *t, uint32_t slot);
void buffer_put(struct buffer_node *buffer);

/* Is all of [address, address + bytes) inside? Its end is, for 0 bytes. */
bool buffer_holds(const struct buffer_node *buffer, uint64_t address,
		  uint64_t bytes);

/*
 * The register opcodes; @vectors and @tags are the application's arrays.
 * Without @vectors all slots are empty. 0, for an update the number done.
 */
int buffers_register(struct buffer_table *t, const struct iovec *vectors,
		     const uint64_t *tags, uint32_t count);
int buffers_unregister(struct buffer_table *t);
int buffers_update(struct buffer_table *t, uint32_t offset,
		   const struct iovec *vectors, const uint64_t *tags,
		   uint32_t count);

/*
 * Put @how->nr buffers of @from, which may be @ctx, into @ctx: 0, -EINVAL,
 * -ENXIO, -EOVERFLOW, -ENOMEM. The new ones have no tags.
 */
int buffers_clone(struct buffer_table *t, const struct buffer_table *from,
		  const struct io_uring_clone_buffers *how);

#endif
