// SPDX-License-Identifier: MIT
#include "kbuf/group.h"

#include <assert.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/sys.h"
#include "kbuf/classic.h"
#include "kbuf/ring.h"
#include "kbuf/shared.h"

int kbuf_table_open(struct kbuf_table **opened, unsigned int kernel_version)
{
	struct kbuf_table *table;
	int err = fault_handler_install();

	if (err < 0)
		return err;
	table = mem_new(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->profile = abi_profile(kernel_version);
	*opened = table;
	return 0;
}

bool kbuf_fault_recover(void *ucontext)
{
	return fault_recover(ucontext);
}

/* Nobody may be inside kbuf_ring_map() any more, as with any closing. */
void kbuf_table_close(struct kbuf_table *table)
{
	unsigned int i, j;

	for (i = 0; i < TABLE_PAGES; i++) {
		for (j = 0; table->pages[i] && j < PAGE_GROUPS; j++)
			if (table->pages[i]->groups[j])
				group_free(table, table->pages[i]->groups[j]);
		mem_free(table->pages[i]);
	}
	ring_chunk_close(table);
	record_pool_close(&table->pool);
	mem_free(table->holds.all);
	mem_free(table);
}

bool group_is_phantom(const struct kbuf_table *table, uint16_t bgid)
{
	return table->low_groups && bgid < LOW_GROUPS;
}

bool kbuf_group_exists(const struct kbuf_table *table, uint16_t bgid)
{
	return group_find(table, bgid) || group_is_phantom(table, bgid);
}

bool kbuf_group_is_classic(const struct kbuf_table *table, uint16_t bgid)
{
	struct kbuf_group *group = group_find(table, bgid);

	return group && group_itself(group)->kind == GROUP_CLASSIC;
}

struct kbuf_group *group_new(struct kbuf_table *table, uint16_t bgid,
			     enum group_kind kind)
{
	struct kbuf_group *group = mem_new(1, sizeof(*group));

	if (!group)
		return NULL;
	group->kind = (uint8_t)kind;
	group->bgid = bgid;
	group->serial = ++table->serials;
	group->memory_fd = -1;
	group->low_eventfd = -1;
	group->low_mark = UINT32_MAX;
	group->level_from = UINT32_MAX;
	return group;
}

/* A classic group's records must be back in the pool, or close with it. */
void group_free(struct kbuf_table *table, struct kbuf_group *group)
{
	/* A claim of a ring's buffer would point here (kbuf.h). */
	if (POLYRING_CHECKED && group->kind != GROUP_CLASSIC)
		assert(!group->claimed);
	if (group->engine_memory)
		ring_memory_close(table, group);
	if (group->kind == GROUP_SHARED) {
		shared_leave(group);
	}
	mem_free(group);
}

void group_wanted(struct kbuf_table *table, uint16_t bgid)
{
	if (bgid < LOW_GROUPS && abi_has(table->profile, ABI_LOW_GROUPS))
		table->low_groups = true;
}

bool group_is_vacant(struct kbuf_group *group)
{
	const struct kbuf_group *itself = group_itself(group);

	return !itself || (itself->kind == GROUP_CLASSIC &&
			   !load_relaxed(&itself->queued));
}

int group_publish(struct kbuf_table *table, struct kbuf_group *group)
{
	struct group_page **slot = &table->pages[group->bgid / PAGE_GROUPS];
	struct group_page *page = *slot;

	if (!page) {
		page = mem_new(1, sizeof(*page));
		if (!page)
			return -ENOMEM;
		rcu_publish(slot, page);
	}
	rcu_publish(&page->groups[group->bgid % PAGE_GROUPS], group);
	group_wanted(table, group->bgid);
	return 0;
}

void group_replace(struct kbuf_table *table, struct kbuf_group *group)
{
	struct group_page *page = table->pages[group->bgid / PAGE_GROUPS];

	rcu_publish(&page->groups[group->bgid % PAGE_GROUPS], group);
}

void group_retire(struct kbuf_table *table, struct kbuf_group *group)
{
	struct group_page *page = table->pages[group->bgid / PAGE_GROUPS];
	struct kbuf_group *nobody = NULL;

	rcu_publish(&page->groups[group->bgid % PAGE_GROUPS], nobody);
	rcu_wait_for_readers();
	group_free(table, group);
}
