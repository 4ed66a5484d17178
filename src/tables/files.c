// SPDX-License-Identifier: MIT
#include "tables/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "abi/uring.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"

/* The kernel's limit on a table of registered files. */
#define FILES_MAX (1u << 20)

static struct file_node *node_new(struct file_table *t, int fd, uint64_t tag)
{
	struct file_node *node = mem_new(1, sizeof(*node));

	if (!node)
		return NULL;
	node->table = t;
	node->fd = fd;
	fd_keep(&node->fd);
	node->refs = 1;
	node->tag = tag;
	return node;
}

struct file_node *file_get(struct file_table *t, uint32_t slot)
{
	struct file_node *node = NULL;

	if (slot < t->count)
		node = t->slots[slot];
	if (node)
		node->refs++;
	return node;
}

/* The tag is posted when the last user has dropped the node. */
void file_put(struct file_node *node)
{
	if (--node->refs)
		return;
	node->table->ops->release(node->table, node->fd, node->tag);
	mem_free(node);
}

static int slot_fill(struct file_table *t, uint32_t slot, int fd, uint64_t tag)
{
	struct file_node *node = node_new(t, fd, tag);

	if (!node)
		return -ENOMEM;
	if (t->slots[slot])
		file_put(t->slots[slot]);
	t->slots[slot] = node;
	return 0;
}

static int find_free(struct file_table *t)
{
	uint32_t span = t->alloc_to - t->alloc_from;

	if (!t->count)
		return -ENFILE;
	for (uint32_t i = 0; i < span; i++) {
		uint32_t slot = t->alloc_from + (t->hint + i) % span;

		if (!t->slots[slot])
			return (int)slot;
	}
	return -ENFILE;
}

static int choose_slot(struct file_table *t, uint32_t slot_plus_1)
{
	if (slot_plus_1 == IORING_FILE_INDEX_ALLOC && t->chooses)
		return find_free(t);
	if (!t->count)
		return -ENXIO;
	if (slot_plus_1 - 1 >= t->count)
		return -EINVAL;
	return (int)(slot_plus_1 - 1);
}

/*
 * The next slot to choose is the one after @slot, whether that was chosen or
 * given.
 */
static void set_hint(struct file_table *t, uint32_t slot)
{
	uint32_t span = t->alloc_to - t->alloc_from;

	if (slot >= t->alloc_from && slot < t->alloc_to)
		t->hint = (slot - t->alloc_from + 1) % span;
}

int files_install(struct file_table *t, uint32_t slot_plus_1, int fd)
{
	int slot = choose_slot(t, slot_plus_1);
	int high = fd_move_high(fd);
	int err = slot;

	if (slot >= 0)
		err = slot_fill(t, (uint32_t)slot, high, 0);
	if (err < 0) {
		fd_close(high);
		return err;
	}
	set_hint(t, (uint32_t)slot);
	return slot_plus_1 == IORING_FILE_INDEX_ALLOC ? slot : 0;
}

int files_remove(struct file_table *t, uint32_t slot)
{
	struct file_node *node;

	if (!t->count)
		return -ENXIO;
	if (slot >= t->count)
		return -EINVAL;
	node = t->slots[slot];
	if (!node)
		return -EBADF;
	t->slots[slot] = NULL;
	t->hint = slot >= t->alloc_from ? slot - t->alloc_from : 0;
	file_put(node);
	return 0;
}

static int read_word(const void *array, size_t index, size_t size, void *word)
{
	return fault_copy(word, (const uint8_t *)array + index * size, size);
}

/* A name alone, which nothing can be read from or written to. */
static bool is_path(int32_t fd)
{
	long flags = SYS_2(SYS_fcntl, fd, F_GETFL);

	return flags >= 0 && flags & O_PATH;
}

/* Fill a slot from the application's arrays; -1 and NULL mean empty. */
static int fill_from(struct file_table *t, uint32_t slot, const int32_t *fds,
		     const uint64_t *tags, uint32_t i, bool may_skip)
{
	uint64_t tag = 0;
	int32_t fd = -1;
	int err, own;

	if (tags && read_word(tags, i, sizeof(tag), &tag) < 0)
		return -EFAULT;
	if (fds && read_word(fds, i, sizeof(fd), &fd) < 0)
		return -EFAULT;
	if ((fd == IORING_REGISTER_FILES_SKIP || fd == -1) && tag)
		return -EINVAL;
	if (fd == IORING_REGISTER_FILES_SKIP && may_skip)
		return 0;
	if (fd == -1) {
		err = files_remove(t, slot);
		return err == -EBADF ? 0 : err;
	}
	if (is_path(fd))
		return -EBADF;
	own = t->ops->adopt(fd);
	if (own < 0)
		return own;
	err = slot_fill(t, slot, own, tag);
	if (err < 0)
		fd_close(own);
	return err;
}

static bool over_rlimit(uint32_t count)
{
	struct rlimit limit;

	return SYS_4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 &&
	       count > limit.rlim_cur;
}

/* A registration that failed posts no tags. */
static void forget_tags(struct file_table *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->slots[i])
			t->slots[i]->tag = 0;
}

int files_register(struct file_table *t, const int32_t *fds,
		   const uint64_t *tags, uint32_t count)
{
	int err = 0;

	if (t->count)
		return -EBUSY;
	if (!count)
		return -EINVAL;
	if (count > FILES_MAX || over_rlimit(count))
		return -EMFILE;
	t->slots = mem_new(count, sizeof(struct file_node *));
	if (!t->slots)
		return -ENOMEM;
	t->count = count;
	t->alloc_from = 0;
	t->alloc_to = count;
	t->hint = 0;
	for (uint32_t i = 0; !err && i < count; i++)
		err = fill_from(t, i, fds, tags, i, false);
	if (err < 0) {
		forget_tags(t);
		files_unregister(t);
	}
	return err;
}

int files_unregister(struct file_table *t)
{

	if (!t->count)
		return -ENXIO;
	for (uint32_t i = 0; i < t->count; i++)
		if (t->slots[i])
			file_put(t->slots[i]);
	mem_free(t->slots);
	t->slots = NULL;
	t->count = 0;
	return 0;
}

int files_update(struct file_table *t, uint32_t offset, const int32_t *fds,
		 const uint64_t *tags, uint32_t count)
{
	uint32_t end, done;
	int err = 0;

	if (!t->count)
		return -ENXIO;
	if (__builtin_add_overflow(offset, count, &end))
		return -EOVERFLOW;
	if (end > t->count)
		return -EINVAL;
	if (!fds)
		return -EFAULT;
	for (done = 0; done < count; done++) {
		err = fill_from(t, offset + done, fds, tags, done, true);
		if (err < 0)
			break;
	}
	return done ? (int)done : err;
}

static int allocate_one(struct file_table *t, int32_t *from)
{
	int32_t fd;
	int slot;

	if (fault_copy(&fd, from, sizeof(fd)) < 0)
		return -EFAULT;
	fd = t->ops->adopt(fd);
	if (fd < 0)
		return fd;
	slot = files_install(t, IORING_FILE_INDEX_ALLOC, fd);
	if (slot >= 0 && fault_copy(from, &slot, sizeof(slot)) < 0) {
		files_remove(t, (uint32_t)slot);
		return -EFAULT;
	}
	return slot;
}

int files_allocate(struct file_table *t, int32_t *fds, uint32_t count)
{
	uint32_t done;
	int slot = 0;

	if (!t->count)
		return -ENXIO;
	if (!fds && count)
		return -EFAULT;
	for (done = 0; done < count; done++) {
		slot = allocate_one(t, &fds[done]);
		if (slot < 0)
			break;
	}
	return done ? (int)done : slot;
}

int files_set_alloc_range(struct file_table *t, uint32_t from, uint32_t count)
{
	uint32_t end;

	if (__builtin_add_overflow(from, count, &end))
		return -EOVERFLOW;
	if (end > t->count)
		return -EINVAL;
	t->alloc_from = from;
	t->alloc_to = end;
	t->hint = 0;
	return 0;
}
