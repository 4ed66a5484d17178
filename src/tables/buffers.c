// SPDX-License-Identifier: MIT
#include "tables/buffers.h"

#include <errno.h>
#include <sys/uio.h>

#include "abi/uring.h"
#include "base/fault.h"
#include "base/mem.h"

/* The kernel's limits. */
#define BUFFERS_MAX (1u << 14)
#define BUFFER_BYTES_MAX (UINT64_C(1) << 30)

struct buffer_node {
	struct buffer_table *table;
	uint64_t address;
	uint64_t bytes;
	uint64_t tag;
	uint32_t refs;
};

struct buffer_node *buffer_get(struct buffer_table *t, uint32_t slot)
{
	struct buffer_node *node = NULL;

	if (slot < t->count)
		node = t->slots[slot];
	if (node)
		node->refs++;
	return node;
}

void buffer_put(struct buffer_node *node)
{
	if (--node->refs)
		return;
	if (node->tag)
		node->table->release(node->table, node->tag);
	mem_free(node);
}

bool buffer_holds(const struct buffer_node *node, uint64_t address,
		  uint64_t bytes)
{
	uint64_t from = address - node->address;

	return address >= node->address && from <= node->bytes &&
	       bytes <= node->bytes - from;
}

static int touch_all(uint64_t address, uint64_t bytes)
{
	uint64_t end = address + bytes;

	while (address < end) {
		if (fault_touch((void *)(uintptr_t)address) < 0)
			return -EFAULT;
		address = (address / PAGE_BYTES + 1) * PAGE_BYTES;
	}
	return 0;
}

static int check_memory(uint64_t address, uint64_t bytes)
{
	uint64_t end;

	if (!address || !bytes || bytes > BUFFER_BYTES_MAX)
		return -EFAULT;
	if (__builtin_add_overflow(address, bytes, &end))
		return -EOVERFLOW;
	if (!fault_range_ok(address, bytes))
		return -EFAULT;
	return touch_all(address, bytes);
}

static bool fetch(void *to, const void *array, size_t index, size_t size)
{
	return fault_copy(to, (const uint8_t *)array + index * size, size) == 0;
}

/*
 * Make the node that entry @i of the application's arrays describes; NULL:
 * empty.
 */
static int node_from(struct buffer_table *t, const struct iovec *vectors,
		     const uint64_t *tags, uint32_t i,
		     struct buffer_node **made)
{
	struct iovec vector = {0};
	uint64_t tag = 0, address;
	int err;

	*made = NULL;
	if (vectors && !fetch(&vector, vectors, i, sizeof(vector)))
		return -EFAULT;
	if (tags && !fetch(&tag, tags, i, sizeof(tag)))
		return -EFAULT;
	address = (uintptr_t)vector.iov_base;
	if (!address && !vector.iov_len)
		return tag ? -EINVAL : 0;
	err = check_memory(address, vector.iov_len);
	if (err < 0)
		return err;
	*made = mem_new(1, sizeof(**made));
	if (!*made)
		return -ENOMEM;
	**made = (struct buffer_node){
		.table = t,
		.address = address,
		.bytes = vector.iov_len,
		.tag = tag,
		.refs = 1,
	};
	return 0;
}

/* A failed registration posts no tags. */
static void slots_free(struct buffer_node **slots, uint32_t count, bool tell)
{
	/*
	 * The last first: this is the order in which the kernel posts the tags.
	 */
	while (count--) {
		struct buffer_node *node = slots[count];

		if (!node)
			continue;
		if (!tell)
			node->tag = 0;
		buffer_put(node);
	}
	mem_free(slots);
}

int buffers_register(struct buffer_table *t, const struct iovec *vectors,
		     const uint64_t *tags, uint32_t count)
{
	struct buffer_node **slots;
	uint32_t done;
	int err = 0;

	if (t->count)
		return -EBUSY;
	if (!count || count > BUFFERS_MAX)
		return -EINVAL;
	slots = mem_new(count, sizeof(struct buffer_node *));
	if (!slots)
		return -ENOMEM;
	for (done = 0; done < count && !err; done++)
		err = node_from(t, vectors, tags, done, &slots[done]);
	if (err < 0) {
		slots_free(slots, done, false);
		return err;
	}
	t->slots = slots;
	t->count = count;
	return 0;
}

int buffers_unregister(struct buffer_table *t)
{
	struct buffer_node **slots = t->slots;
	uint32_t count = t->count;

	if (!count)
		return -ENXIO;
	t->slots = NULL;
	t->count = 0;
	slots_free(slots, count, true);
	return 0;
}

int buffers_update(struct buffer_table *t, uint32_t offset,
		   const struct iovec *vectors, const uint64_t *tags,
		   uint32_t count)
{
	uint32_t end, done;
	int err = 0;

	if (!t->count)
		return -ENXIO;
	if (__builtin_add_overflow(offset, count, &end))
		return -EOVERFLOW;
	if (end > t->count)
		return -EINVAL;
	if (!vectors)
		return -EFAULT;
	for (done = 0; done < count; done++) {
		struct buffer_node **slot = &t->slots[offset + done];
		struct buffer_node *before = *slot, *made;

		err = node_from(t, vectors, tags, done, &made);
		if (err < 0)
			break;
		*slot = made;
		if (before)
			buffer_put(before);
	}
	return done ? (int)done : err;
}

/* How many buffers to clone, or a negative errno. */
static int clone_count(const struct buffer_table *from,
		       const struct io_uring_clone_buffers *how)
{
	uint32_t count = how->nr, end;

	if (!from->count)
		return -ENXIO;
	if (count > from->count)
		return -EINVAL;
	if (!count && (how->src_off || how->dst_off))
		return -EINVAL;
	if (!count)
		count = from->count;
	if (__builtin_add_overflow(how->dst_off, count, &end))
		return -EOVERFLOW;
	if (end > BUFFERS_MAX)
		return -EINVAL;
	if (__builtin_add_overflow(how->src_off, count, &end) ||
	    end > from->count)
		return -EOVERFLOW;
	return (int)count;
}

static int node_clone(struct buffer_table *t, const struct buffer_node *from,
		      struct buffer_node **made)
{
	if (!from)
		return 0;
	*made = mem_new(1, sizeof(**made));
	if (!*made)
		return -ENOMEM;
	**made = *from;
	(*made)->table = t;
	(*made)->tag = 0;
	(*made)->refs = 1;
	return 0;
}

/* Make only the clones, in a table of @table->count. */
static int clones_make(struct buffer_table *t, struct buffer_table *table,
		       const struct buffer_table *from,
		       const struct io_uring_clone_buffers *how, uint32_t count)
{
	int err = 0;

	table->slots = mem_new(table->count, sizeof(struct buffer_node *));
	if (!table->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++)
		err = node_clone(t, from->slots[how->src_off + i],
				 &table->slots[how->dst_off + i]);
	if (err < 0)
		slots_free(table->slots, table->count, false);
	return err;
}

int buffers_clone(struct buffer_table *t, const struct buffer_table *from,
		  const struct io_uring_clone_buffers *how)
{
	struct buffer_table before = *t, table = before;
	int count = clone_count(from, how), err;
	uint32_t end;

	if (count < 0)
		return count;
	end = how->dst_off + (uint32_t)count;
	if (end > table.count)
		table.count = end;
	err = clones_make(t, &table, from, how, (uint32_t)count);
	if (err < 0)
		return err;
	*t = table;
	for (uint32_t i = 0; i < before.count; i++) {
		if (i < how->dst_off || i >= end)
			table.slots[i] = before.slots[i];
		else if (before.slots[i])
			buffer_put(before.slots[i]);
	}
	mem_free(before.slots);
	return 0;
}
