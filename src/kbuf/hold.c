// SPDX-License-Identifier: MIT
/*
 * Holds: for how long requests have been holding buffers (X3).
 *
 * Theory: nearly every claim ends before the table's lock is dropped, and costs
 * nothing here: no clock is read for it. When a request keeps a buffer beyond
 * that (a classic buffer of a request that waits, a buffer filled in part, a
 * buffer used by a worker), its owner records a hold with the time, and ends
 * the hold later.
 *
 * The holds of a group are a list in the order in which they began, so the
 * first is the oldest. They are in one array of the table, which grows and is
 * not freed before the table, and refer to one another by index. A hold
 * identifies its group by serial number, as a claimed record does: after the
 * group is gone nothing reads the hold.
 *
 * Locks: the caller's, except for a group's hold_since_ns, which has one writer
 * and is read without a lock. O(1), except for growing.
 */
#include <string.h>

#include "base/mem.h"
#include "kbuf/group.h"

#define FIRST_HOLDS 16u

struct hold {
	uint64_t serial; /* of its group */
	int64_t since_ns;
	uint32_t next; /* in its group's list, or free; 0: none */
	uint32_t before;
	uint16_t bgid;
};

static bool holds_grow(struct hold_list *holds)
{
	uint32_t count = holds->count ? 2 * holds->count : FIRST_HOLDS, i;
	struct hold *grown = mem_new(count, sizeof(*grown));

	if (!grown)
		return false;
	if (holds->count)
		memcpy(grown, holds->all, holds->count * sizeof(*grown));
	/* Index 0 means none. */
	for (i = count - 1; i >= holds->count && i; i--) {
		grown[i].next = holds->free;
		holds->free = i;
	}
	mem_free(holds->all);
	holds->all = grown;
	holds->count = count;
	return true;
}

/* The list has a new first hold, or is empty. */
static void show_oldest(const struct hold_list *holds, struct kbuf_group *group)
{
	int64_t since_ns = 0;

	if (group->hold_first)
		since_ns = holds->all[group->hold_first].since_ns;
	store_relaxed(&group->hold_since_ns, since_ns);
}

uint32_t kbuf_hold(struct kbuf_table *table, uint16_t bgid, int64_t now_ns)
{
	struct kbuf_group *group = group_find(table, bgid);
	struct hold_list *holds = &table->holds;
	uint32_t number;

	if (!group || (!holds->free && !holds_grow(holds)))
		return 0;
	number = holds->free;
	holds->free = holds->all[number].next;
	holds->all[number] = (struct hold){
		.serial = group->serial,
		.since_ns = now_ns,
		.before = group->hold_last,
		.bgid = bgid,
	};
	if (group->hold_last)
		holds->all[group->hold_last].next = number;
	else
		group->hold_first = number;
	group->hold_last = number;
	show_oldest(holds, group);
	return number;
}

void kbuf_hold_end(struct kbuf_table *table, uint32_t number)
{
	struct hold_list *holds = &table->holds;
	struct hold *hold;
	struct kbuf_group *group;

	if (!number)
		return;
	hold = &holds->all[number];
	group = group_find(table, hold->bgid);
	if (group && group->serial == hold->serial) {
		if (group->hold_first == number)
			group->hold_first = hold->next;
		if (group->hold_last == number)
			group->hold_last = hold->before;
		show_oldest(holds, group);
	}
	if (hold->before)
		holds->all[hold->before].next = hold->next;
	if (hold->next)
		holds->all[hold->next].before = hold->before;
	hold->next = holds->free;
	holds->free = number;
}
