// SPDX-License-Identifier: MIT
/* See shared.h for the theory. Keeps X2, S5, S7, S11. */
#include "kbuf/shared.h"

#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "kbuf/classic.h"
#include "kbuf/ring.h"

#define OWN_ENTRIES KBUF_MANY_MAX /* of an outer group */

/* ---- rings ------------------------------------------------------------- */

static uint16_t *own_tail(struct kbuf_group *outer)
{
	return &((struct io_uring_buf_ring *)outer->ring)->tail;
}

/*
 * Take the next entry, first those that were given back. False if there is
 * none.
 */
static bool take_entry(struct kbuf_pool *pool, struct io_uring_buf *to)
	HOLDS(&pool->lock)
{
	const struct kbuf_group *group = pool->group;
	struct fault_peek entry;

	if (pool->back_count) {
		store_relaxed(&pool->back_count, pool->back_count - 1);
		*to = pool->back[pool->back_count];
		return true;
	}
	entry = fault_ring_peek(group->ring, pool->taken, group->mask);
	if (entry.queued <= 0)
		return false;
	store_relaxed(&pool->taken, pool->taken + 1);
	to->addr = entry.addr;
	to->len = entry.len;
	to->bid = entry.bid;
	return true;
}

void shared_take(struct kbuf_pool *pool, struct kbuf_group *outer,
		 uint32_t count)
{
	uint32_t has = *own_tail(outer), end = has;

	lock_take(&pool->lock);
	CHECK(pool_valid(pool));
	while (end < count && take_entry(pool, &outer->ring[end]))
		end++;
	*own_tail(outer) = (uint16_t)end;
	store_relaxed(&pool->held, pool->held + end - has);
}

/*
 * Move the counts of the outer group since the last call to the pool's group.
 */
static void tell_counters(struct kbuf_group *to, struct kbuf_group *from)
{
	bump_by(&to->committed, from->committed);
	bump_by(&to->parts, from->parts);
	bump_by(&to->recycled, from->recycled);
	bump_by(&to->starved, from->starved);
	from->committed = 0;
	from->parts = 0;
	from->recycled = 0;
	from->starved = 0;
}

/* How many entries are not taken; 0 if the memory is gone. */
static uint32_t pool_left(const struct kbuf_pool *pool) HOLDS(&pool->lock)
{
	const struct kbuf_group *group = pool->group;
	struct fault_peek entry =
		fault_ring_peek(group->ring, pool->taken, group->mask);

	return pool->back_count +
	       (entry.queued > 0 ? (uint32_t)entry.queued : 0);
}

/* Note whether the next entry of @outer has been used in part. */
static void settle_begun(struct kbuf_pool *pool, struct kbuf_group *outer)
	HOLDS(&pool->lock)
{
	bool was = outer->begun;

	if (outer->committed || outer->parts)
		outer->begun = outer->parts;
	store_relaxed(&pool->begun, pool->begun + outer->begun - was);
}

void shared_settle(struct kbuf_pool *pool, struct kbuf_group *outer,
		   uint32_t kept)
{
	uint32_t head = ring_head(outer), end = *own_tail(outer), i;
	bool moved = outer->committed || outer->starved;

	settle_begun(pool, outer);
	if (outer->begun && !kept)
		kept = 1;
	for (i = end; i-- > head + kept;) {
		pool->back[pool->back_count] = outer->ring[i];
		store_relaxed(&pool->back_count, pool->back_count + 1);
	}
	/* Only an entry that was used in part has others before it. */
	if (head)
		outer->ring[0] = outer->ring[head];
	*own_tail(outer) = (uint16_t)kept;
	store_relaxed(&pool->held, pool->held - (end - kept));
	tell_counters(pool->group, outer);
	if (moved)
		group_level(pool->group, pool_left(pool));
	CHECK(pool_valid(pool));
	lock_drop(&pool->lock);
}

void shared_end(struct kbuf_group *outer)
{
	struct kbuf_pool *pool = outer->pool;

	lock_take(&pool->lock);
	shared_settle(pool, outer, 0);
}

/* ---- classic groups ---------------------------------------------------- */

static void pool_free(struct kbuf_pool *pool)
{
	record_cache_close(&pool->records);
	group_free(NULL, pool->group);
	mem_free(pool->back);
	mem_free(pool);
}

static void pool_get(struct kbuf_pool *pool)
{
	__atomic_add_fetch(&pool->refs, 1, __ATOMIC_RELAXED);
}

/*
 * The decrements pair with one another: what the other users did before theirs
 * happens before the last one frees the pool.
 */
static void pool_put(struct kbuf_pool *pool)
{
	if (!__atomic_sub_fetch(&pool->refs, 1, __ATOMIC_ACQ_REL))
		pool_free(pool);
}

int shared_record_claim(struct kbuf_group *outer, uint32_t want_bytes,
			struct kbuf_claim *claim)
{
	struct kbuf_pool *pool = outer->pool;
	struct kbuf_record *record;
	int err;

	lock_take(&pool->lock);
	CHECK(pool_valid(pool));
	err = classic_claim(&pool->records, pool->group, want_bytes, claim);
	if (!err) {
		record = claim->where;
		record->owner = (uintptr_t)pool | RECORD_SHARED;
		pool_get(pool);
	}
	lock_drop(&pool->lock);
	return err;
}

void shared_record_end(struct kbuf_record *record, bool used)
{
	struct kbuf_pool *pool =
		(void *)(uintptr_t)(record->owner & ~RECORD_SHARED);

	lock_take(&pool->lock);
	classic_record_end(&pool->records, pool->group, record, used);
	CHECK(pool_valid(pool));
	lock_drop(&pool->lock);
	pool_put(pool);
}

/* ---- either ------------------------------------------------------------ */

void shared_leave(struct kbuf_group *outer)
{
	struct kbuf_pool *pool = outer->pool;

	if (outer->begun)
		__atomic_add_fetch(&pool->dropped, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&pool->users, 1, __ATOMIC_RELAXED);
	mem_free(outer->ring);
	pool_put(pool);
}

/* ---- sharing ----------------------------------------------------------- */

/* Make a pool around @group, without changing the group. */
static struct kbuf_pool *pool_new(struct kbuf_group *group)
{
	struct kbuf_pool *pool = mem_new(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->group = group;
	pool->taken = ring_head(group);
	if (group->kind == GROUP_CLASSIC &&
	    !record_cache_reserve(&pool->records, group->queued)) {
		record_cache_close(&pool->records);
		mem_free(pool);
		return NULL;
	}
	return pool;
}

/* Free a pool that no table serves: @group belongs to its table as before. */
static void pool_undo(struct kbuf_pool *pool)
{
	record_cache_close(&pool->records);
	mem_free(pool->back);
	mem_free(pool);
}

/* Make room in @back for @users; other tables may use @back meanwhile. */
static bool back_grow(struct kbuf_pool *pool, uint32_t users)
{
	struct io_uring_buf *back, *unused;

	back = mem_new(users, OWN_ENTRIES * sizeof(*back));
	if (!back)
		return false;
	unused = back;
	lock_take(&pool->lock);
	if (pool->back_users < users) {
		unused = pool->back;
		if (pool->back_count)
			memcpy(back, unused, pool->back_count * sizeof(*back));
		pool->back = back;
		pool->back_users = users;
	}
	lock_drop(&pool->lock);
	mem_free(unused);
	return true;
}

/* Add a user, with all that it needs. False without memory. */
static bool pool_join(struct kbuf_pool *pool, struct kbuf_group *outer)
{
	uint32_t users;

	users = __atomic_add_fetch(&pool->users, 1, __ATOMIC_RELAXED);
	pool_get(pool);
	outer->pool = pool;
	if (pool->group->kind == GROUP_CLASSIC)
		return true;
	outer->ring = mem_new(OWN_ENTRIES, sizeof(*outer->ring));
	return outer->ring && back_grow(pool, users);
}

static struct kbuf_group *outer_new(struct kbuf_table *table, uint16_t bgid,
				    struct kbuf_pool *pool)
{
	struct kbuf_group *outer = group_new(table, bgid, GROUP_SHARED);

	if (!outer)
		return NULL;
	outer->special = true;
	outer->inc = pool->group->inc;
	outer->min_left = pool->group->min_left;
	outer->mask = OWN_ENTRIES - 1;
	if (!pool_join(pool, outer)) {
		group_free(table, outer);
		return NULL;
	}
	return outer;
}

/* @group becomes the pool's, and @outer takes its place in the table. */
static void pool_take_over(struct kbuf_table *table, struct kbuf_pool *pool,
			   struct kbuf_group *outer)
{
	struct kbuf_group *group = pool->group;

	if (group->kind == GROUP_CLASSIC)
		classic_move(&table->pool, &pool->records, group);
	if (group->engine_memory && group->memory_fd >= 0)
		table->ring_files--;
	group_replace(table, outer);
}

/*
 * Publish @outer at a free bgid or over an empty classic group. 0 or -ENOMEM.
 */
static int outer_place(struct kbuf_table *table, struct kbuf_group *outer)
{
	struct kbuf_group *before = group_find(table, outer->bgid);

	if (before)
		group_retire(table, before);
	return group_publish(table, outer);
}

/* Let one more table serve @pool. */
static int share_pool(struct kbuf_pool *pool, struct kbuf_table *to,
		      uint16_t to_bgid)
{
	struct kbuf_group *outer = outer_new(to, to_bgid, pool);
	int err;

	if (!outer)
		return -ENOMEM;
	err = outer_place(to, outer);
	if (err < 0)
		group_free(to, outer);
	return err;
}

static int share_group(struct kbuf_table *from, struct kbuf_group *group,
		       struct kbuf_table *to, uint16_t to_bgid)
{
	struct kbuf_pool *pool = pool_new(group);
	struct kbuf_group *outer;
	int err = -ENOMEM;

	if (!pool)
		return -ENOMEM;
	/* Hold a reference, so that no error path below drops the last one. */
	pool_get(pool);
	outer = outer_new(from, group->bgid, pool);
	if (!outer)
		goto undo_pool;
	err = share_pool(pool, to, to_bgid);
	if (err < 0)
		goto free_outer;
	pool_take_over(from, pool, outer);
	pool_put(pool);
	return 0;
free_outer:
	group_free(from, outer);
undo_pool:
	pool_undo(pool);
	return err;
}

int kbuf_group_share(struct kbuf_table *from, uint16_t bgid,
		     struct kbuf_table *to, uint16_t to_bgid)
{
	struct kbuf_group *group = group_find(from, bgid);
	struct kbuf_group *there = group_find(to, to_bgid);

	if (!group)
		return -ENOENT;
	if (there == group || !group_is_vacant(there))
		return -EEXIST;
	if (group->kind == GROUP_SHARED)
		return share_pool(group->pool, to, to_bgid);
	if (group->kind == GROUP_CLASSIC && classic_held(group))
		return -EBUSY;
	return share_group(from, group, to, to_bgid);
}
