// SPDX-License-Identifier: MIT
/*
 * Claims: how everything that does I/O gets a buffer.
 *
 * Theory: a claim is a value that stands for one buffer held by one request. It
 * is made when data can move, never before (S1), and ends in exactly one commit
 * or recycle. What these do depends on the claim's kind:
 *
 *	kind	 claimed			commit		recycle
 *	CLASSIC	 off the list			to the pool	to the front
 *	RING	 still in the ring, at head	head advances	nothing
 *	TAKEN	 head has advanced already	nothing		nothing
 *	NONE	 nothing			nothing		nothing
 *
 * (For an INC ring a commit shortens the entry instead of advancing head.) A
 * RING claim is still in the ring, so a second claim before the first has ended
 * would get the same buffer (S11). Therefore a RING claim ends before the lock
 * is dropped. The exception is a row: its claims know how many claims of the
 * row precede them.
 *
 * Cost: no allocation, no system call, nothing that depends on how many groups
 * or buffers there are. Keeps S1-S9.
 */
#include "kbuf/classic.h"
#include "kbuf/level.h"
#include "kbuf/ring.h"
#include "kbuf/shared.h"

/* What a kind promises, and of a classic group S11 as a sum. */
static inline bool group_valid(const struct kbuf_group *group)
{
	switch (group->kind) {
	case GROUP_CLASSIC:
		return classic_valid(group);
	case GROUP_RING:
		return group->ring && group->min_left &&
		       is_power_of_two(group->mask + UINT64_C(1)) &&
		       group->special == group->inc;
	case GROUP_SHARED:
		return group->pool && group->special;
	default:
		return false;
	}
}

/* ---- claim ------------------------------------------------------------- */

/*
 * Cold parts of kbuf_claim(): outside of it, so that it needs no stack frame.
 */

static NOINLINE int claim_nothing(struct kbuf_group *group,
				  struct kbuf_claim *claim)
{
	claim->kind = KBUF_NONE;
	return group ? level_group_starved(group) : -ENOBUFS;
}

static NOINLINE int claim_taken(struct kbuf_group *group,
				struct kbuf_claim *claim)
{
	ring_claim_end(group);
	claim->more = ring_consume(group, claim->len, group->queued);
	claim->kind = KBUF_TAKEN;
	return 0;
}

static inline int ring_claim(struct kbuf_group *group, uint32_t want_bytes,
			     bool at_once, struct kbuf_claim *claim)
{
	struct fault_peek entry;

	entry = fault_ring_peek(group->ring, ring_head(group), group->mask);
	if (unlikely(entry.queued <= 0))
		return claim_nothing(group, claim);
	/* How many are left after this entry; see ring_consume(). */
	store_relaxed(&group->queued, (uint32_t)entry.queued - 1);
	claim->addr = entry.addr;
	claim->len = entry.len;
	/* One comparison: want_bytes 0 wraps to more than any length. */
	if (entry.len > want_bytes - 1)
		claim->len = want_bytes;
	claim->bid = entry.bid;
	claim->kind = KBUF_RING;
	claim->more = false;
	claim->where = group;
	ring_claim_begin(group, 0);
	return unlikely(at_once) ? claim_taken(group, claim) : 0;
}

static NOINLINE int claim_shared(struct kbuf_group *group, uint32_t want_bytes,
				 bool at_once, struct kbuf_claim *claim)
{
	struct kbuf_pool *pool = group->pool;
	int err;

	if (pool->group->kind == GROUP_CLASSIC)
		return shared_record_claim(group, want_bytes, claim);
	shared_take(pool, group, 1);
	err = ring_claim(group, want_bytes, at_once, claim);
	shared_settle(pool, group, claim->kind == KBUF_RING);
	return err;
}

int kbuf_claim(struct kbuf_table *table, uint16_t bgid, uint32_t want_bytes,
	       bool at_once, struct kbuf_claim *claim)
{
	struct kbuf_group *group = group_find(table, bgid);

	if (unlikely(!group))
		return claim_nothing(group, claim);
	CHECK(group_valid(group));
	claim->bgid = bgid;
	if (group->kind == GROUP_RING)
		return ring_claim(group, want_bytes, at_once, claim);
	if (unlikely(group->kind == GROUP_SHARED))
		return claim_shared(group, want_bytes, at_once, claim);
	return classic_claim(&table->pool, group, want_bytes, claim);
}

/* Advance @row over @len bytes of the entry that it has reached. */
static void row_step(const struct kbuf_group *group, struct kbuf_row *row,
		     uint32_t entry_len, uint32_t len)
{
	if (POLYRING_CHECKED)
		row->claims++;
	if (likely(!group->inc)) {
		row->entries++;
		return;
	}
	row->bytes += len;
	/* Agrees with what ring_consume() will do: I1, I3. */
	if (entry_len - row->bytes >= group->min_left)
		return;
	row->entries++;
	row->bytes = 0;
}

static int row_ring(struct kbuf_group *group, uint32_t want_bytes,
		    struct kbuf_row *row, struct kbuf_claim *claim)
{
	struct fault_peek entry = fault_ring_peek(
		group->ring, ring_head(group) + row->entries, group->mask);
	uint32_t left = entry.len - row->bytes;

	/*
	 * A row takes no entry twice; kbuf_claim() does, one claim at a time.
	 */
	if (entry.queued <= 0 || entry.len <= row->bytes ||
	    row->entries > group->mask)
		return -ENOBUFS;
	store_relaxed(&group->queued, (uint32_t)entry.queued - 1);
	*claim = (struct kbuf_claim){
		.addr = entry.addr + row->bytes,
		.len = left > want_bytes - 1 ? want_bytes : left,
		.bid = entry.bid,
		.bgid = group->bgid,
		.kind = KBUF_RING,
		.where = group,
	};
	ring_claim_begin(group, row->claims);
	row_step(group, row, entry.len, claim->len);
	return 0;
}

/* A classic group. Other tables may take from a shared one meanwhile. */
static NOINLINE int row_classic(struct kbuf_table *table,
				struct kbuf_group *group, uint32_t want_bytes,
				struct kbuf_claim *claim)
{
	if (!group || group->kind != GROUP_CLASSIC || !group->oldest)
		return -ENOBUFS;
	claim->bgid = group->bgid;
	return classic_claim(&table->pool, group, want_bytes, claim);
}

/*
 * A ring can't change within a row. A classic group only gives its first claim.
 */
int kbuf_claim_in_row(struct kbuf_table *table, uint16_t bgid,
		      uint32_t want_bytes, struct kbuf_row *row,
		      struct kbuf_claim *claim)
{
	struct kbuf_group *group = row->where;

	if (unlikely(!group)) {
		group = group_find(table, bgid);
		if (!group || group->kind != GROUP_RING)
			return row_classic(table, group, want_bytes, claim);
		row->where = group;
	}
	return row_ring(group, want_bytes, row, claim);
}

/* ---- commit and recycle ------------------------------------------------ */

static NOINLINE uint32_t commit_special(struct kbuf_claim *claim,
					uint32_t bytes)
{
	struct kbuf_group *group = claim->where;
	bool more = ring_consume(group, bytes, group->queued);

	if (group->kind == GROUP_SHARED)
		shared_end(group);
	return level_buffer_flags(claim->bid, more);
}

uint32_t kbuf_commit(struct kbuf_table *table, struct kbuf_claim *claim,
		     uint32_t bytes)
{
	struct kbuf_group *group = claim->where;
	uint8_t kind = claim->kind;

	claim->kind = KBUF_NONE;
	if (kind == KBUF_CLASSIC)
		return classic_commit(table, claim);
	if (unlikely(kind != KBUF_RING))
		return kind ? level_buffer_flags(claim->bid, claim->more) : 0;
	ring_claim_end(group);
	CHECK(group_valid(group));
	if (unlikely(group->special))
		return commit_special(claim, bytes);
	bump(&group->committed);
	return level_commit(group, claim->bid);
}

void kbuf_recycle(struct kbuf_table *table, struct kbuf_claim *claim)
{
	struct kbuf_group *group = claim->where;
	uint8_t kind = claim->kind;

	claim->kind = KBUF_NONE;
	if (kind == KBUF_RING) {
		ring_claim_end(group);
		CHECK(group_valid(group));
		bump(&group->recycled);
		if (unlikely(group->kind == GROUP_SHARED))
			shared_end(group);
	} else if (kind == KBUF_CLASSIC) {
		classic_recycle(table, claim);
	}
}
