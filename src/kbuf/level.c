// SPDX-License-Identifier: MIT
/*
 * A group's counters (X3) and its low water (X1).
 *
 * Theory: most counters are derived. The selections of a ring are its commits,
 * partial commits and recycles, because no ring claim outlives the lock; those
 * of a classic group follow from its conservation law (classic.c). A counter
 * that is kept has one writer, under the caller's lock, and is read without the
 * lock: each value is exact for some moment of the call, and their sums hold
 * only when the group is at rest.
 *
 * The level has two states. Armed: it has been at the threshold or above since
 * the last signal; falling below it signals and disarms. Disarmed: rising to
 * the threshold arms. A new lowest level moves the low-water mark in either
 * state.
 */
#include "kbuf/level.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/sys.h"
#include "kbuf/pool.h"

/* Set the interval of levels at which nothing is to be done. */
static void level_watch(struct kbuf_group *group)
{
	uint32_t from = group->low_mark, to = UINT32_MAX;

	if (group->low_armed && group->low_threshold > from)
		from = group->low_threshold;
	if (!group->low_armed && group->low_threshold)
		to = group->low_threshold - 1;
	/* If the interval is empty, use one that contains no possible level. */
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

void level_group_moved(struct kbuf_group *group, uint32_t left)
{
	if (left < group->low_mark)
		store_relaxed(&group->low_mark, left);
	if (group->low_armed && left < group->low_threshold)
		low_signal(group);
	else if (left >= group->low_threshold)
		group->low_armed = group->low_threshold > 0;
	level_watch(group);
}

int kbuf_low_water(struct kbuf_table *table, uint16_t bgid, uint32_t threshold,
		   int eventfd)
{
	struct kbuf_group *outer = group_find(table, bgid), *group;

	if (!outer)
		return -ENOENT;
	group = group_enter(outer);
	group->low_threshold = threshold;
	group->low_eventfd = eventfd;
	group->low_armed = threshold > 0;
	level_watch(group);
	group_leave(outer);
	return 0;
}

/* ---- counters ---------------------------------------------------------- */

/* A ring whose memory is unmapped has nothing queued. */
static uint32_t ring_queued(const struct kbuf_group *group, uint16_t head)
{
	int tail = fault_load_u16(
		&((struct io_uring_buf_ring *)group->ring)->tail);

	return tail < 0 ? 0 : (uint16_t)(tail - head);
}

/* Derive the counters of a ring. Returns how many claims have not ended. */
static uint64_t ring_derive(const struct kbuf_group *group,
			    struct kbuf_counters *counters)
{
	counters->queued = ring_queued(group, (uint16_t)counters->committed);
	counters->provided = counters->committed + counters->queued;
	return 0;
}

/*
 * The same for a pool, whose buffers leave the ring when claimed: see shared.h.
 */
static uint64_t pool_derive(const struct kbuf_pool *pool,
			    struct kbuf_counters *counters)
{
	uint32_t dropped = load_relaxed(&pool->dropped);
	uint32_t held = load_relaxed(&pool->held) - dropped;
	uint32_t begun = load_relaxed(&pool->begun) - dropped;
	uint16_t head = (uint16_t)load_relaxed(&pool->taken);

	counters->queued = ring_queued(pool->group, head) +
			   load_relaxed(&pool->back_count);
	counters->returned = dropped;
	counters->provided =
		counters->committed + counters->queued + held + dropped;
	return held - begun;
}

static uint64_t classic_derive(const struct kbuf_group *group,
			       struct kbuf_counters *counters)
{
	counters->queued = load_relaxed(&group->queued);
	counters->provided = load_relaxed(&group->provided);
	return counters->provided - counters->queued - counters->committed -
	       counters->returned;
}

/* For how long the oldest hold has lasted. */
static uint64_t hold_age_ns(const struct kbuf_group *group)
{
	int64_t since_ns = load_relaxed(&group->hold_since_ns);

	return since_ns ? (uint64_t)(clock_now_ns(CLOCK_MONOTONIC) - since_ns)
			: 0;
}

/* @pool is NULL for a group that is not shared. */
static void counters_read(const struct kbuf_pool *pool,
			  const struct kbuf_group *group,
			  struct kbuf_counters *counters)
{
	uint64_t held;

	*counters = (struct kbuf_counters){
		.committed = load_relaxed(&group->committed),
		.partial = load_relaxed(&group->parts),
		.recycled = load_relaxed(&group->recycled),
		.returned = load_relaxed(&group->returned),
		.starved = load_relaxed(&group->starved),
		.low_signals = load_relaxed(&group->low_signals),
		.low_mark = load_relaxed(&group->low_mark),
	};
	if (group->kind == GROUP_CLASSIC)
		held = classic_derive(group, counters);
	else if (pool)
		held = pool_derive(pool, counters);
	else
		held = ring_derive(group, counters);
	counters->selected = counters->committed + counters->partial +
			     counters->recycled + held;
}

int kbuf_counters(const struct kbuf_table *table, uint16_t bgid,
		  struct kbuf_counters *counters)
{
	struct kbuf_group *group;

	rcu_enter();
	group = group_find(table, bgid);
	if (group) {
		counters_read(group->kind == GROUP_SHARED ? group->pool : NULL,
			      group_itself(group), counters);
		counters->oldest_ns = hold_age_ns(group);
	}
	rcu_leave();
	return group ? 0 : -ENOENT;
}

NOINLINE uint32_t level_commit_moved(struct kbuf_group *group, uint16_t bid)
{
	level_group_moved(group, group->queued);
	return level_buffer_flags(bid, false);
}
