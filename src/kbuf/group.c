// SPDX-License-Identifier: MIT
#include "kbuf/group.h"

#include <assert.h>
#include <errno.h>

#include "base/mem.h"

bool group_is_phantom(const struct kbuf_table *table, uint16_t bgid)
{
	return table->low_groups && bgid < LOW_GROUPS;
}

bool kbuf_group_exists(const struct kbuf_table *table, uint16_t bgid)
{
	return group_find(table, bgid) || group_is_phantom(table, bgid);
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

/*
 * Records of a classic group must be in the pool already, or it must close too.
 */
void group_free(struct kbuf_table *table, struct kbuf_group *group)
{
	/*
	 * A claim of a ring's buffer would point to the freed group (kbuf.h).
	 */
	if (POLYRING_CHECKED && group->kind != GROUP_CLASSIC)
		assert(!group->claimed);
	if (group->engine_memory)
		group_ops.memory_close(table, group);
	if (group->kind == GROUP_SHARED)
		group_ops.leave(group);
	mem_free(group);
}

void group_wanted(struct kbuf_table *table, uint16_t bgid)
{
	if (bgid < LOW_GROUPS && abi_has(table->profile, ABI_LOW_GROUPS))
		table->low_groups = true;
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
