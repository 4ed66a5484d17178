// SPDX-License-Identifier: MIT
/*
 * Classic groups: a FIFO of records, filled by PROVIDE_BUFFERS (SPEC 2, 3).
 *
 * Theory: a record is in exactly one place (S11):
 *
 *	pool --provide--> queued --claim--> claimed --commit--> pool
 *	                    |  ^               |
 *	                  remove  <--recycle----
 *	                    v     (to the front, S7)
 *	                  pool
 *
 * so for each group: provided == queued + claimed + committed + returned, where
 * returned counts the removed records. Checked builds count the claimed records
 * separately and assert the sum whenever a call enters or leaves a group.
 *
 * A claimed record is on no list and has no pointer to its group: it carries
 * the group's serial number. When it is recycled its bgid is looked up again.
 * If a classic group has that bgid, its own or a later one, the record goes to
 * the front of that group; if a ring or no group has it, to the pool (S7).
 *
 * Records come from a pool of the table, 24 bytes each in chunks of 170, and
 * return to it. Buffers that circulate allocate nothing; a table keeps the
 * largest number of records that it ever needed. Every step is O(1) except
 * provide and remove, which are O(count). The caller's lock serialises all
 * calls.
 *
 * Keeps P8-P11, R2-R4, S2-S4, S7, S11.
 */
#include "kbuf/classic.h"

#include <assert.h>

#include "base/fault.h"
#include "base/mem.h"
#include "kbuf/level.h"
#include "kbuf/pool.h"

#define CLASSIC_QUEUED_MAX 65535u /* P10, with ABI_CLASSIC_CAP */
#define CHUNK_RECORDS 170u

struct record_chunk {
	struct record_chunk *next;
	struct kbuf_record records[CHUNK_RECORDS];
};

_Static_assert(sizeof(struct kbuf_record) == 24, "what the theory says");
_Static_assert(sizeof(struct record_chunk) <= 4096, "a page at most");

/* ---- the pool ---------------------------------------------------------- */

void record_cache_close(struct record_cache *pool)
{
	struct record_chunk *chunk = pool->chunks, *next;

	/* Every claim must have ended, or a buffer is lost (S11). */
	if (POLYRING_CHECKED)
		assert(!pool->claimed);
	for (; chunk; chunk = next) {
		next = chunk->next;
		mem_free(chunk);
	}
}

static void record_put(struct record_cache *pool, struct kbuf_record *record)
{
	record->next = pool->free;
	pool->free = record;
}

static NOINLINE bool record_pool_grow(struct record_cache *pool)
{
	struct record_chunk *chunk = mem_new(1, sizeof(*chunk));
	unsigned int i;

	if (!chunk)
		return false;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	for (i = CHUNK_RECORDS; i-- > 0;)
		record_put(pool, &chunk->records[i]);
	return true;
}

/* Is a record free? Allocates a chunk if not. */
static inline bool record_pool_ready(struct record_cache *pool)
{
	return likely(pool->free) || record_pool_grow(pool);
}

/* ---- the list ---------------------------------------------------------- */

bool classic_valid(const struct kbuf_group *group)
{
	if (group->kind != GROUP_CLASSIC || !group->oldest != !group->queued)
		return false;
	return group->provided == group->queued + (uint64_t)group->claimed +
					  group->committed + group->returned;
}

static inline void classic_check(const struct kbuf_group *group)
{
	if (POLYRING_CHECKED)
		assert(classic_valid(group));
}

static inline void count_queued(struct kbuf_group *group, int change)
{
	store_relaxed(&group->queued, group->queued + (uint32_t)change);
}

static inline void count_claimed(struct kbuf_group *group, int change)
{
	if (POLYRING_CHECKED)
		group->claimed += (uint32_t)change;
}

static inline void count_held(struct record_cache *pool, int change)
{
	if (POLYRING_CHECKED)
		pool->claimed += (uint64_t)(int64_t)change;
}

static void list_append(struct kbuf_group *group, struct kbuf_record *record)
{
	record->next = NULL;
	if (group->oldest)
		group->newest->next = record;
	else
		group->oldest = record;
	group->newest = record;
	count_queued(group, 1);
}

static void list_prepend(struct kbuf_group *group, struct kbuf_record *record)
{
	if (!group->oldest)
		group->newest = record;
	record->next = group->oldest;
	group->oldest = record;
	count_queued(group, 1);
}

/* The group must not be empty. */
static struct kbuf_record *list_take(struct kbuf_group *group)
{
	struct kbuf_record *record = group->oldest;

	group->oldest = record->next;
	count_queued(group, -1);
	return record;
}

/* ---- provide and remove ------------------------------------------------ */

int kbuf_provide_check(const struct kbuf_table *table, int32_t count,
		       uint64_t addr, uint32_t len, uint64_t first_bid)
{
	uint64_t bytes, end;

	if (count < 1 || count > (int32_t)KBUF_BIDS_MAX)
		return -E2BIG;
	/* A live 6.18 checks the length here, before P3. */
	if (!len && !abi_has(table->profile, ABI_PROVIDE_EMPTY))
		return -EINVAL;
	bytes = (uint64_t)len * (uint64_t)count;
	if (__builtin_add_overflow(addr, bytes, &end))
		return -EOVERFLOW;
	if (!fault_range_ok(addr, bytes))
		return -EFAULT;
	if (first_bid >= KBUF_BIDS_MAX)
		return -E2BIG;
	if (first_bid + (uint64_t)count > KBUF_BIDS_MAX)
		return -EINVAL;
	return 0;
}

/* How many buffers the group may still queue, at most @count. */
static uint32_t classic_room(const struct kbuf_table *table,
			     const struct kbuf_group *group, uint32_t count)
{
	uint32_t queued = group ? group->queued : 0, room;

	if (!abi_has(table->profile, ABI_CLASSIC_CAP))
		return count;
	/* Recycling may have brought it above the cap. */
	room = queued < CLASSIC_QUEUED_MAX ? CLASSIC_QUEUED_MAX - queued : 0;
	return count < room ? count : room;
}

/* P8: create a missing group. NULL without memory. */
static NOINLINE struct kbuf_group *classic_new(struct kbuf_table *table,
					       uint16_t bgid)
{
	struct kbuf_group *group = group_new(table, bgid, GROUP_CLASSIC);

	if (!group)
		return NULL;
	if (group_publish(table, group) < 0) {
		group_free(table, group);
		return NULL;
	}
	return group;
}

/* Append one buffer; the pool must not be empty. */
static inline void classic_append(struct record_cache *pool,
				  struct kbuf_group *group, uint64_t addr,
				  uint32_t len, uint16_t bid)
{
	struct kbuf_record *record = pool->free;

	pool->free = record->next;
	record->addr = addr;
	record->len = len < IORING_MAX_RW_COUNT ? len : IORING_MAX_RW_COUNT;
	record->bid = bid;
	list_append(group, record);
	bump(&group->provided);
}

struct provided {
	uint64_t addr;
	uint32_t len;
	uint32_t count;
	uint16_t bid;
};

/* P8, P10: first a group with room, then as many buffers as memory allows. */
static int provide_to(struct kbuf_table *table, struct record_cache *pool,
		      struct kbuf_group *group, uint16_t bgid,
		      struct provided of)
{
	if (group && group->kind == GROUP_RING)
		return -EINVAL;
	of.count = classic_room(table, group, of.count);
	if (!of.count)
		return -EOVERFLOW;
	/*
	 * Get the first record first: without one the group must not be
	 * created.
	 */
	if (!record_pool_ready(pool))
		return -ENOMEM;
	if (!group)
		group = classic_new(table, bgid);
	if (!group)
		return -ENOMEM;
	classic_check(group);
	for (; of.count && record_pool_ready(pool);
	     of.count--, of.addr += of.len)
		classic_append(pool, group, of.addr, of.len, of.bid++);
	classic_check(group);
	return 0;
}

static NOINLINE int provide_some(struct kbuf_table *table, uint16_t bgid,
				 uint64_t addr, uint32_t len, uint32_t count,
				 uint16_t bid)
{
	struct kbuf_group *group = group_find(table, bgid);
	struct provided of = {addr, len, count, bid};
	int err;

	if (!count || count > KBUF_BIDS_MAX - bid)
		return -EINVAL;
	err = provide_to(table, group_records(table, group), group_enter(group),
			 bgid, of);
	group_leave(group);
	return err;
}

/* The common case: one buffer goes back to an existing group. */
int kbuf_provide(struct kbuf_table *table, uint16_t bgid, uint64_t addr,
		 uint32_t len, uint32_t count, uint16_t first_bid)
{
	struct kbuf_group *group = group_find(table, bgid);

	if (unlikely(count != 1 || !group || group->kind != GROUP_CLASSIC ||
		     group->queued >= CLASSIC_QUEUED_MAX || !table->pool.free))
		return provide_some(table, bgid, addr, len, count, first_bid);
	classic_check(group);
	classic_append(&table->pool, group, addr, len, first_bid);
	classic_check(group);
	return 0;
}

static int classic_remove(struct record_cache *pool, struct kbuf_group *group,
			  uint32_t count)
{
	uint32_t removed;

	classic_check(group);
	for (removed = 0; removed < count && group->oldest; removed++)
		record_put(pool, list_take(group));
	bump_by(&group->returned, removed);
	classic_check(group);
	return (int)removed;
}

int kbuf_remove(struct kbuf_table *table, uint16_t bgid, uint32_t count)
{
	struct kbuf_group *group = group_find(table, bgid);
	int removed;

	if (!group)
		return group_is_phantom(table, bgid) ? 0 : -ENOENT;
	if (group_itself(group)->kind != GROUP_CLASSIC)
		return -EINVAL;
	removed = classic_remove(group_records(table, group),
				 group_enter(group), count);
	group_leave(group);
	return removed;
}

/* ---- claim, commit, recycle -------------------------------------------- */

int classic_claim(struct record_cache *pool, struct kbuf_group *group,
		  uint32_t want_bytes, struct kbuf_claim *claim)
{
	struct kbuf_record *record;

	classic_check(group);
	if (unlikely(!group->oldest)) {
		claim->kind = KBUF_NONE;
		return level_group_starved(group);
	}
	record = list_take(group);
	record->owner = group->serial;
	count_claimed(group, 1);
	count_held(pool, 1);
	claim->addr = record->addr;
	claim->len = record->len;
	if (want_bytes && want_bytes < record->len)
		claim->len = want_bytes;
	claim->bid = record->bid;
	claim->kind = KBUF_CLASSIC;
	claim->more = false;
	claim->where = record;
	classic_check(group);
	return 0;
}

/* The record's group is gone, or it is a shared pool. */
static NOINLINE uint32_t commit_stray(struct kbuf_table *table,
				      struct kbuf_record *record)
{
	uint16_t bid = record->bid;

	if (record_is_shared(record)) {
		group_ops.classic_record_end(record, true);
	} else {
		count_held(&table->pool, -1);
		record_put(&table->pool, record);
	}
	return level_buffer_flags(bid, false);
}

uint32_t classic_commit(struct kbuf_table *table,
			const struct kbuf_claim *claim)
{
	struct kbuf_group *group = group_find(table, claim->bgid);
	struct kbuf_record *record = claim->where;

	if (unlikely(!group || group->serial != record->owner))
		return commit_stray(table, record);
	count_held(&table->pool, -1);
	record_put(&table->pool, record);
	bump(&group->committed);
	count_claimed(group, -1);
	classic_check(group);
	return level_commit(group, claim->bid);
}

/* S7: for a later classic group at its bgid the record is a new buffer. */
static NOINLINE void recycle_stray(struct kbuf_table *table,
				   struct kbuf_group *group,
				   struct kbuf_record *record)
{
	if (record_is_shared(record)) {
		group_ops.classic_record_end(record, false);
		return;
	}
	count_held(&table->pool, -1);
	if (!group || group->kind != GROUP_CLASSIC) {
		record_put(&table->pool, record);
		return;
	}
	bump(&group->provided);
	list_prepend(group, record);
	classic_check(group);
}

void classic_recycle(struct kbuf_table *table, const struct kbuf_claim *claim)
{
	struct kbuf_group *group = group_find(table, claim->bgid);
	struct kbuf_record *record = claim->where;

	if (unlikely(!group || group->serial != record->owner)) {
		recycle_stray(table, group, record);
		return;
	}
	count_held(&table->pool, -1);
	bump(&group->recycled);
	count_claimed(group, -1);
	list_prepend(group, record);
	classic_check(group);
}

/* ---- shared (shared.h) ------------------------------------------------- */

uint64_t classic_held(const struct kbuf_group *group)
{
	return group->provided - group->queued - group->committed -
	       group->returned;
}

bool record_cache_reserve(struct record_cache *pool, uint32_t count)
{
	uint32_t chunks = (count + CHUNK_RECORDS - 1) / CHUNK_RECORDS;

	while (chunks--)
		if (!record_pool_grow(pool))
			return false;
	return true;
}

void classic_move(struct record_cache *from, struct record_cache *to,
		  struct kbuf_group *group)
{
	uint32_t count = group->queued;

	while (count--) {
		struct kbuf_record *old = list_take(group), *record = to->free;

		to->free = record->next;
		record->addr = old->addr;
		record->len = old->len;
		record->bid = old->bid;
		list_append(group, record);
		record_put(from, old);
	}
}

void classic_record_end(struct record_cache *pool, struct kbuf_group *group,
			struct kbuf_record *record, bool used)
{
	count_held(pool, -1);
	count_claimed(group, -1);
	if (used) {
		record_put(pool, record);
		bump(&group->committed);
		group_level(group, group->queued);
	} else {
		list_prepend(group, record);
		bump(&group->recycled);
	}
	classic_check(group);
}
