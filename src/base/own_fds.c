// SPDX-License-Identifier: MIT
#include "base/own_fds.h"

#include "base/compiler.h"
#include "base/mem.h"

#define PAGE_BITS 10
#define PAGE_SLOTS (1u << PAGE_BITS)
/* As many numbers as OURS_MAX and BASE_MAX in base/fd.c allow, and some. */
#define PAGES 512u

struct own_page {
	uint32_t count;
	int *at[PAGE_SLOTS]; /* NULL: not ours */
};

static struct own_page *pages[PAGES];
static int nowhere; /* stands for a place that is not known */

static struct own_page *own_page_of(int fd)
{
	if (fd < 0 || (uint32_t)fd >= PAGES * PAGE_SLOTS)
		return NULL;
	/* Pairs with the release in own_fds_add(). */
	return load_acquire(&pages[(uint32_t)fd >> PAGE_BITS]);
}

static int **slot_of(struct own_page *page, int fd)
{
	return &page->at[(uint32_t)fd & (PAGE_SLOTS - 1)];
}

bool own_fds_has(int fd)
{
	struct own_page *page = own_page_of(fd);

	return unlikely(page) && load_relaxed(slot_of(page, fd));
}

int own_fds_next(int from)
{
	uint32_t fd = from < 0 ? 0 : (uint32_t)from;

	while (fd < PAGES * PAGE_SLOTS) {
		struct own_page *page = own_page_of((int)fd);

		if (!page || !load_relaxed(&page->count))
			fd = (fd | (PAGE_SLOTS - 1)) + 1;
		else if (load_relaxed(slot_of(page, (int)fd)))
			return (int)fd;
		else
			fd++;
	}
	return -1;
}

void own_fds_add(int fd)
{
	struct own_page *page = own_page_of(fd);
	int **slot;

	if (!page && fd >= 0 && (uint32_t)fd < PAGES * PAGE_SLOTS) {
		page = mem_new(1, sizeof(*page));
		if (page)
			store_release(&pages[(uint32_t)fd >> PAGE_BITS], page);
	}
	if (!page)
		return;
	slot = slot_of(page, fd);
	if (!*slot)
		store_relaxed(&page->count, page->count + 1);
	store_relaxed(slot, &nowhere);
}

void own_fds_place(int fd, int *at)
{
	if (own_fds_has(fd))
		store_relaxed(slot_of(own_page_of(fd), fd), at);
}

int *own_fds_at(int fd)
{
	int *at = own_fds_has(fd) ? load_relaxed(slot_of(own_page_of(fd), fd))
				  : NULL;

	return at == &nowhere ? NULL : at;
}

void own_fds_remove(int fd)
{
	struct own_page *page;

	if (!own_fds_has(fd))
		return;
	page = own_page_of(fd);
	store_relaxed(slot_of(page, fd), NULL);
	store_relaxed(&page->count, page->count - 1);
}
