/* SPDX-License-Identifier: MIT */
/*
 * Registered buffers.
 *
 * Theory: a slot refers to a node, and a node records where the application's
 * memory is; an empty slot is NULL, and a table may be sparse. A request that
 * uses a slot holds the node. The node's tag is posted when the slot and all
 * requests have dropped it. Registering writes to each page once, as the kernel
 * does when it pins them, so that missing memory is reported at registration.
 *
 * Differs: user space can't pin memory. If the application unmaps memory while
 * it is registered, a transfer answers EFAULT. A shared mapping of a file on a
 * disk is accepted.
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
	/* No slot and no request uses the buffer with @tag any more. */
	void (*release)(struct buffer_table *table, uint64_t tag);
	struct buffer_node **slots;
	uint32_t count;
};

/* Take the buffer in @slot for a request; NULL when empty or out of range. */
struct buffer_node *buffer_get(struct buffer_table *t, uint32_t slot);
void buffer_put(struct buffer_node *buffer);

/* Is [address, address + bytes) inside the buffer? Its end is, for 0 bytes. */
bool buffer_holds(const struct buffer_node *buffer, uint64_t address,
		  uint64_t bytes);

/*
 * The register opcodes; @vectors and @tags are the application's arrays.
 * Without @vectors all slots are empty. Returns 0, an update the number of
 * slots updated.
 */
int buffers_register(struct buffer_table *t, const struct iovec *vectors,
		     const uint64_t *tags, uint32_t count);
int buffers_unregister(struct buffer_table *t);
int buffers_update(struct buffer_table *t, uint32_t offset,
		   const struct iovec *vectors, const uint64_t *tags,
		   uint32_t count);

/*
 * Clone @how->nr buffers of @from, which may be @t, into @t: 0, -EINVAL,
 * -ENXIO, -EOVERFLOW, -ENOMEM. The clones have no tags.
 */
int buffers_clone(struct buffer_table *t, const struct buffer_table *from,
		  const struct io_uring_clone_buffers *how);

#endif
