// SPDX-License-Identifier: MIT
#include "core/ring_fds.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "core/ctx_lock.h"
#include "core/registry.h"

#define SLOTS 16u

struct table {
	struct list node; /* in tables */
	struct slot {
		struct ctx *ctx; /* NULL: empty */
		uint64_t inode; /* of its socket */
		int fd; /* the engine's; holds the ring open */
	} slots[SLOTS];
};

static struct lock tables_lock;
static struct list tables GUARDED(&tables_lock) = {&tables, &tables};
static __thread struct table *mine;
static pthread_key_t ending;
static pthread_once_t ending_once = PTHREAD_ONCE_INIT;

static void table_close(struct table *table)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table->slots[i].ctx)
			fd_close(table->slots[i].fd);
	mem_free(table);
}

static void thread_ends(void *table)
{
	mine = NULL;
	lock_take(&tables_lock);
	list_remove(&((struct table *)table)->node);
	lock_drop(&tables_lock);
	table_close(table);
}

void ring_fds_thread_end(void)
{
	if (mine)
		thread_ends(mine);
}

static void ending_open(void)
{
	pthread_key_create(&ending, thread_ends);
}

static struct table *own_table(void)
{
	struct table *table = mine;

	if (table)
		return table;
	pthread_once(&ending_once, ending_open);
	table = mem_new(1, sizeof(*table));
	if (!table)
		return NULL;
	if (pthread_setspecific(ending, table)) {
		mem_free(table);
		return NULL;
	}
	lock_take(&tables_lock);
	list_push_back(&tables, &table->node);
	lock_drop(&tables_lock);
	mine = table;
	return table;
}

int ring_fds_open(void)
{
	return own_table() ? 0 : -ENOMEM;
}

/* The slot to fill: @wanted, or for ~0 the first that is free. */
static int free_slot(const struct table *table, uint32_t wanted)
{
	uint32_t i = wanted;

	if (wanted == ~0u)
		for (i = 0; i < SLOTS && table->slots[i].ctx; i++)
			;
	else if (wanted >= SLOTS)
		return -EINVAL;
	return i >= SLOTS || table->slots[i].ctx ? -EBUSY : (int)i;
}

static int fill(uint32_t wanted, struct ctx *ctx, int fd)
{
	struct table *table = own_table();
	int slot;

	if (!table)
		return -ENOMEM;
	slot = free_slot(table, wanted);
	if (slot < 0)
		return slot;
	store_relaxed(&ctx->in_slots, true);
	table->slots[slot].inode = ctx->ring_inode;
	table->slots[slot].fd = fd;
	table->slots[slot].ctx = ctx;
	return slot;
}

int ring_fds_adopt(struct ctx *ctx, int fd)
{
	return fill(~0u, ctx, fd);
}

static int ring_fds_add_fd(struct io_uring_rsrc_update *update)
{
	int number = (int)update->data, fd, slot;
	struct ctx *ctx;

	if (update->resv)
		return -EINVAL;
	if (update->offset != ~0u && update->offset >= SLOTS)
		return -EINVAL;
	slot = mine ? free_slot(mine, update->offset) : 0;
	if (slot < 0)
		return slot;
	ctx = registry_find_ctx(number);
	if (!ctx || !registry_owns(number))
		return registry_refusal(number);
	fd = fd_dup_high(number);
	if (fd < 0)
		return fd;
	slot = fill(update->offset, ctx, fd);
	if (slot < 0)
		fd_close(fd);
	return slot;
}

static int drop(const struct io_uring_rsrc_update *update)
{
	struct slot *slot;

	if (update->resv || update->data || update->offset >= SLOTS)
		return -EINVAL;
	slot = mine ? &mine->slots[update->offset] : NULL;
	if (!slot || !slot->ctx)
		return 0;
	slot->ctx = NULL;
	fd_close(slot->fd);
	return 0;
}

static int add_and_tell(struct io_uring_rsrc_update *user)
{
	struct io_uring_rsrc_update update;
	int slot;

	if (fault_copy(&update, user, sizeof(update)) < 0)
		return -EFAULT;
	slot = ring_fds_add_fd(&update);
	if (slot < 0 || !fault_store_u32(&user->offset, (uint32_t)slot))
		return slot;
	update = (struct io_uring_rsrc_update){.offset = (uint32_t)slot};
	drop(&update);
	return -EFAULT;
}

static int copy_and_drop(struct io_uring_rsrc_update *user)
{
	struct io_uring_rsrc_update update;

	if (fault_copy(&update, user, sizeof(update)) < 0)
		return -EFAULT;
	return drop(&update);
}

static int for_each(int (*change)(struct io_uring_rsrc_update *user),
		    struct io_uring_rsrc_update *updates, uint32_t count)
{
	uint32_t done;
	int err = 0;

	if (!count || count > SLOTS)
		return -EINVAL;
	if (!updates)
		return -EFAULT;
	for (done = 0; done < count; done++) {
		err = change(&updates[done]);
		if (err < 0)
			break;
	}
	return done ? (int)done : err;
}

int ring_fds_register(void *updates, uint32_t count)
{
	return for_each(add_and_tell, updates, count);
}

int ring_fds_unregister(void *updates, uint32_t count)
{
	return for_each(copy_and_drop, updates, count);
}

static int ring_fds_find_slot(uint32_t index, const struct slot **slot)
{
	if (unlikely(!mine || index >= SLOTS))
		return -EINVAL;
	*slot = &mine->slots[index];
	return likely((*slot)->ctx) ? 0 : -EBADF;
}

int ring_fds_find(uint32_t index, struct ctx **ctx)
{
	const struct slot *slot;
	int err = ring_fds_find_slot(index, &slot);

	if (!err)
		*ctx = slot->ctx;
	return err;
}

int ring_fds_lock(uint32_t index, struct ctx **ctx) UNCHECKED_LOCKS
{
	const struct slot *slot;
	int err = ring_fds_find_slot(index, &slot);

	if (unlikely(err < 0))
		return err;
	*ctx = slot->ctx;
	if (unlikely(!ctx_take_open(*ctx)))
		return -EBADF;
	if (likely((*ctx)->ring_inode == slot->inode))
		return 0;
	ctx_drop(*ctx);
	return -EBADF;
}

void ring_fds_before_fork(void) UNCHECKED_LOCKS
{
	lock_take(&tables_lock);
}

void ring_fds_in_parent(void) UNCHECKED_LOCKS
{
	lock_drop(&tables_lock);
}

void ring_fds_in_child(void)
{
	struct list *node;

	tables_lock.word = 0;
	while ((node = list_pop_front(&tables)))
		table_close(list_entry(node, struct table, node));
	if (mine)
		pthread_setspecific(ending, NULL);
	mine = NULL;
}
