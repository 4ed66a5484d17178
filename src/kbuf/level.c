// SPDX-License-Identifier: MIT
/*
 * Seeing a group: its counters (X3) and its low water (X1).
 *
 * Theory: most counters are not counted. A ring's selections are its commits,
 * partial commits and recycles, because no ring claim outlives the lock; a
 * classic group's follow from its conservation law (classic.c). What is counted
 * has one writer, under the caller's lock, and is read without it: each value
 * is exact for some moment of the call, their sums only when the group is at
 * rest.
 *
 * The level has two states. Armed: it has been at the threshold or above since
 * the last signal; falling below it signals and disarms. Disarmed: rising to
 * the threshold arms. Being the lowest ever moves the mark in either state.
 */
#include "kbuf/group.h"

#include "base/fault.h"
#include "base/sys.h"

/* The next interval in which nothing is to be done. */
static void level_watch(struct kbuf_group *group)
{
	uint32_t from = group->low_mark, to = UINT32_MAX;

	if (group->low_armed && group->low_threshold > from)
		from = group->low_threshold;
	if (!group->low_armed && group->low_threshold)
		to = group->low_threshold - 1;
	/* An empty interval is one no level can be in. */
	group->level_from = from <= to ? from : UINT32_MAX;
	group->level_span = from <= to ? to - from : 0;
}

static void low_signal(struct kbuf_group *group)
{
	uint64_t one = 1;

	group->low_armed = false;
	bump(&group->low_signals);
	if (group->low_eventfd >= 0)
		SYS_3(SYS_write, group->low_eventfd, &one, sizeof(one));
}

void group_level_moved(struct kbuf_group *group, uint32_t left)
{
	if (left < group->low_mark)
		store_relaxed(&group->low_mark, left);
	if (group->low_armed && left < group->low_threshold)
		low_signal(group);
	else if (left >= group->low_threshold)
		group->low_armed = group->low_threshold > 0;
	level_watch(group);
}
