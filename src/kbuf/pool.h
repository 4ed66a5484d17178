/* SPDX-License-Identifier: MIT */
/*
 * The pool of groups that several tables share: its fields, and how a bgid
 * leads to it. shared.h has the theory. Locks: the table's, then the pool's.
 */
#ifndef POLYRING_KBUF_POOL_H
#define POLYRING_KBUF_POOL_H

#include "base/lock.h"
#include "kbuf/group.h"

struct kbuf_pool {
	struct lock lock;
	uint32_t refs; /* outer groups and claimed records; atomic */
	struct kbuf_group *group; /* the shared group */
	struct record_cache records; /* of a classic group */

	/* of a ring, read without the lock */
	uint32_t taken; /* entries: the low 16 bits are its head */
	uint32_t held; /* in outer groups, those dropped with them included */
	uint32_t begun; /* of these: used in part, and not claimed */
	uint32_t dropped; /* of both: dropped with outer groups; atomic */
	uint32_t back_count;

	uint32_t users; /* outer groups; atomic */
	uint32_t back_users; /* how many @back has room for */
	struct io_uring_buf *back; /* given back, the oldest last */
};

/* The checked build's invariant, under the lock. */
static inline bool pool_valid(const struct kbuf_pool *pool)
{
	return pool->group && load_relaxed(&pool->refs) >= 1 &&
	       pool->begun <= pool->held + load_relaxed(&pool->dropped) &&
	       (!pool->back_count ||
		(pool->back &&
		 pool->back_count <= pool->back_users * KBUF_MANY_MAX));
}

/* The group itself, or the one that it shares. */
static inline struct kbuf_group *group_itself(struct kbuf_group *group)
{
	return group && group->kind == GROUP_SHARED ? group->pool->group
						    : group;
}

/*
 * Take the pool's lock, if there is one, for changes to a group other than
 * claims. Returns the group itself.
 */
static inline struct kbuf_group *
group_enter(struct kbuf_group *group) UNCHECKED_LOCKS
{
	if (group && group->kind == GROUP_SHARED)
		lock_take(&group->pool->lock);
	return group_itself(group);
}

static inline void group_leave(struct kbuf_group *group) UNCHECKED_LOCKS
{
	if (group && group->kind == GROUP_SHARED)
		lock_drop(&group->pool->lock);
}

/* The pool of records that the group uses. */
static inline struct record_cache *group_records(struct kbuf_table *table,
						 struct kbuf_group *group)
{
	return group && group->kind == GROUP_SHARED ? &group->pool->records
						    : &table->pool;
}

/* May a new group take its place (G6)? Yes if missing, or classic and empty. */
static inline bool group_is_vacant(struct kbuf_group *group)
{
	const struct kbuf_group *itself = group_itself(group);

	return !itself || (itself->kind == GROUP_CLASSIC &&
			   !load_relaxed(&itself->queued));
}

/* The head that STATUS reports. Without the lock. */
static inline uint16_t shared_head(const struct kbuf_group *group)
{
	return (uint16_t)load_relaxed(&group->pool->taken);
}

/* Does the record belong to a shared pool? */
static inline bool record_is_shared(const struct kbuf_record *record)
{
	return record->owner & RECORD_SHARED;
}

#endif
