// SPDX-License-Identifier: MIT
#include "core/registry.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"

#define PAGE_BITS 10
#define PAGE_SLOTS (1u << PAGE_BITS)
#define PAGES 1024u

struct page {
	struct ctx *slots[PAGE_SLOTS];
};

struct known_ctx {
	struct ctx ctx;
	struct known_ctx *next; /* of all rings ever made */
	struct known_ctx *next_free;
};

static struct page *pages[PAGES];
static struct lock registry_lock;
static struct known_ctx *all GUARDED(&registry_lock); /* read unlocked, too */
static struct known_ctx *free_ones GUARDED(&registry_lock);

static struct ctx **registry_slot_of(int fd)
{
	struct page *page;

	if (fd < 0 || (uint32_t)fd >= PAGES * PAGE_SLOTS)
		return NULL;
	/* Pairs with the release in registry_set: a zeroed page. */
	page = load_acquire(&pages[(uint32_t)fd >> PAGE_BITS]);
	return page ? &page->slots[(uint32_t)fd & (PAGE_SLOTS - 1)] : NULL;
}

struct ctx *registry_new(void)
{
	struct known_ctx *known;

	lock_take(&registry_lock);
	known = free_ones;
	if (known)
		free_ones = known->next_free;
	lock_drop(&registry_lock);
	if (known)
		return &known->ctx;
	known = mem_new(1, sizeof(*known));
	if (!known)
		return NULL;
	known->ctx.ring_fd = -1;
	lock_take(&registry_lock);
	known->next = all;
	store_release(&all, known);
	lock_drop(&registry_lock);
	return &known->ctx;
}

void registry_recycle(struct ctx *ctx)
{
	struct known_ctx *known = container_of(ctx, struct known_ctx, ctx);

	lock_take(&registry_lock);
	known->next_free = free_ones;
	free_ones = known;
	lock_drop(&registry_lock);
}

int registry_set(struct ctx *ctx)
{
	uint32_t number = (uint32_t)ctx->ring_fd;
	struct page *page;

	if (number >= PAGES * PAGE_SLOTS)
		return -ENOMEM;
	lock_take(&registry_lock);
	page = pages[number >> PAGE_BITS];
	if (!page) {
		page = mem_new(1, sizeof(*page));
		if (page)
			store_release(&pages[number >> PAGE_BITS], page);
	}
	if (page)
		store_release(&page->slots[number & (PAGE_SLOTS - 1)], ctx);
	lock_drop(&registry_lock);
	return page ? 0 : -ENOMEM;
}

void registry_clear(struct ctx *ctx)
{
	struct ctx **slot = registry_slot_of(ctx->ring_fd);

	lock_take(&registry_lock);
	/* The fd may belong to a newer ring by now. */
	if (slot && *slot == ctx)
		store_release(slot, NULL);
	lock_drop(&registry_lock);
}

void registry_forget_lock(void)
{
	registry_lock.word = 0;
}

void registry_for_each(void (*visit)(struct ctx *ctx, void *argument),
		       void *argument)
{
	struct known_ctx *known;

	/* Pair with the releases in registry_new() and in publish(),
	 * ctx_life.c. */
	for (known = load_acquire(&all); known; known = known->next)
		if (load_acquire(&known->ctx.state) != CTX_FREE)
			visit(&known->ctx, argument);
}

void registry_counters(struct counters *sum)
{
	struct known_ctx *known;

	memset(sum, 0, sizeof(*sum));
	/* Pairs with the release in registry_new(). */
	for (known = load_acquire(&all); known; known = known->next)
		for (int i = 0; i < COUNTER_COUNT; i++)
			sum->value[i] +=
				load_relaxed(&known->ctx.counters.value[i]);
}

bool registry_verify(const struct ctx *ctx, int fd)
{
	struct stat st;

	return SYS_2(SYS_fstat, fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_ino == ctx->ring_inode;
}

struct search {
	uint64_t inode;
	struct ctx *found;
};

static void match_inode(struct ctx *ctx, void *argument)
{
	struct search *search = argument;

	if (ctx_is_open(ctx) && load_relaxed(&ctx->ring_inode) == search->inode)
		search->found = ctx;
}

/* A duplicate of a ring's socket has the same inode. */
static struct ctx *find_duplicate(int fd)
{
	struct search search = {.found = NULL};
	struct stat st;

	if (SYS_2(SYS_fstat, fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return NULL;
	search.inode = st.st_ino;
	registry_for_each(match_inode, &search);
	return search.found;
}

struct ctx *registry_find_ctx(int fd)
{
	struct ctx **slot = registry_slot_of(fd);
	/* Pairs with the release in registry_set(). */
	struct ctx *ctx = slot ? load_acquire(slot) : NULL;

	if (likely(ctx))
		return ctx;
	/* Pairs with the release in registry_new(). */
	return load_acquire(&all) ? find_duplicate(fd) : NULL;
}

struct ctx *registry_named(int fd)
{
	struct ctx **slot = registry_slot_of(fd);

	/* Pairs with the release in registry_set(). */
	return slot ? load_acquire(slot) : NULL;
}

bool registry_owns(int fd)
{
	struct ctx *ctx = registry_find_ctx(fd);

	return ctx && ctx_is_open(ctx) && registry_verify(ctx, fd);
}

int registry_refusal(int fd)
{
	return fd_is_open(fd) ? -EOPNOTSUPP : -EBADF;
}

struct ctx *registry_at(int fd)
{
	struct ctx *ctx = registry_named(fd);

	return unlikely(ctx) && registry_verify(ctx, fd) ? ctx : NULL;
}
