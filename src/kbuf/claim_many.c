// SPDX-License-Identifier: MIT
/*
 * Bundles: one transfer over several buffers (SPEC 7).
 *
 * Theory: a claim reads a ring's entries one by one from head on, and changes
 * neither head nor the entries. So giving a bundle back costs nothing, and a
 * commit takes as many steps as bytes reached buffers. The claimed buffers are
 * recorded only in the caller's iovecs, and a commit counts by these: what the
 * application writes to its entries meanwhile changes nothing, except in an INC
 * ring, whose entry records how much of the buffer is left (ring.c).
 *
 * A bundle ends at @max buffers, at as many as would do if all were as long as
 * the first, at the end of the ring, or when the bytes wanted are reached.
 * Where the last buffer would be used in part, an INC ring shortens the iovec
 * and keeps the rest; a plain ring can't, and ends before that buffer (B5).
 *
 * An empty entry inside an INC bundle stops the commit there, as on a live
 * 6.18: it can't be used up, and the entries after it stay in the ring.
 *
 * Cost: O(buffers), no allocation. Keeps B1-B5, B7.
 */
#include "kbuf/level.h"

#include <sys/uio.h>

#include "kbuf/classic.h"
#include "kbuf/ring.h"
#include "kbuf/shared.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- claim ------------------------------------------------------------- */

/* B3: how many buffers are needed if all are as long as the first. */
static uint32_t many_needed(uint32_t want, uint32_t first_len, uint32_t max)
{
	uint64_t needed = ((uint64_t)want + first_len - 1) / first_len;

	return needed < max ? (uint32_t)needed : max;
}

/* The state of a bundle while it is gathered. */
struct gather {
	uint32_t max; /* buffers */
	uint32_t room; /* bytes */
	uint32_t count;
	uint32_t queued; /* left after the last of them */
	bool inc;
	bool cut;
};

/* Returns whether the entry is part of the bundle. */
static bool many_add(struct gather *gather, struct iovec *iov,
		     struct fault_peek entry)
{
	uint32_t len = entry.len;

	if (len > gather->room) {
		gather->cut = !gather->inc;
		if (!gather->inc && gather->count)
			return false;
		len = gather->room;
	}
	iov->iov_base = (void *)(uintptr_t)entry.addr;
	iov->iov_len = len;
	gather->room -= len;
	gather->count++;
	gather->queued = (uint32_t)entry.queued - 1;
	return true;
}

static void many_gather(struct kbuf_group *group, struct gather *gather,
			struct iovec *iov)
{
	const uint32_t head = ring_head(group), mask = group->mask;
	const struct io_uring_buf *ring = group->ring;
	struct fault_peek entry;

	while (gather->count < gather->max && gather->room) {
		entry = fault_ring_peek(ring, head + gather->count, mask);
		if (entry.queued <= 0)
			break;
		if (!many_add(gather, &iov[gather->count], entry))
			break;
	}
}

static int many_ring(struct kbuf_group *group, uint32_t want, uint32_t max,
		     struct kbuf_claim_vec *claim)
{
	uint32_t most = IORING_MAX_RW_COUNT;
	struct gather gather = {.max = max, .inc = group->inc};
	struct fault_peek first =
		fault_ring_peek(group->ring, ring_head(group), group->mask);

	if (first.queued <= 0)
		return level_group_starved(group);
	if (want && !first.len) {
		bump(&group->starved);
		return -ENOBUFS;
	}
	if (want) {
		most = least(want, INT32_MAX);
		gather.max = many_needed(most, first.len, max);
	}
	gather.room = most;
	many_add(&gather, claim->iov, first);
	many_gather(group, &gather, claim->iov);
	store_relaxed(&group->queued, gather.queued);
	claim->count = gather.count;
	claim->bytes = most - gather.room;
	claim->cut = gather.cut;
	claim->last = !gather.queued && !gather.cut &&
		      gather.count < KBUF_MANY_MAX &&
		      (!want || claim->bytes < want);
	claim->bid = first.bid;
	return 0;
}

/* The single buffer of a classic group. */
static int many_classic(struct kbuf_table *table, struct kbuf_group *group,
			uint32_t want, struct kbuf_claim_vec *claim)
{
	struct kbuf_claim one;
	int err;

	if (group->kind == GROUP_SHARED)
		err = shared_record_claim(group, want, &one);
	else
		err = classic_claim(&table->pool, group, want, &one);
	if (err < 0)
		return err;
	claim->iov[0].iov_base = (void *)(uintptr_t)one.addr;
	claim->iov[0].iov_len = one.len;
	claim->count = 1;
	claim->bytes = one.len;
	claim->bid = one.bid;
	claim->last = !load_relaxed(&group_itself(group)->queued);
	claim->kind = KBUF_CLASSIC;
	claim->where = one.where;
	return 0;
}

/* ---- commit ------------------------------------------------------------ */

/* How many buffers of a plain ring @bytes reached, with empty ones between. */
static uint32_t many_reached(const struct kbuf_claim_vec *claim, uint32_t bytes)
{
	uint32_t i = 0;

	do
		bytes -= least(bytes, (uint32_t)claim->iov[i++].iov_len);
	while (bytes && i < claim->count);
	return i;
}

/* Consume @bytes. Returns whether part of the last buffer reached is left. */
static bool many_consume_parts(struct kbuf_group *group,
			       struct kbuf_claim_vec *claim, uint32_t bytes)
{
	uint32_t last = group->queued + claim->count - 1, i = 0, part;
	bool more;

	do {
		part = least(bytes, (uint32_t)claim->iov[i].iov_len);
		/* part is 0 here only if the entry has no length. */
		more = ring_consume(group, part, last - i);
		bytes -= part;
		i++;
	} while (bytes && i < claim->count && !more);
	bump_by(&group->recycled, claim->count - i);
	claim->count = i;
	return more;
}

static bool many_consume(struct kbuf_group *group, struct kbuf_claim_vec *claim,
			 uint32_t reached)
{
	uint32_t unused = claim->count - reached;

	ring_advance(group, reached, group->queued + unused);
	bump_by(&group->recycled, unused);
	claim->count = reached;
	return false;
}

static int many_take(struct kbuf_group *group, uint32_t want_bytes,
		     uint32_t max, bool at_once, struct kbuf_claim_vec *claim)
{
	int err = many_ring(group, want_bytes, max, claim);

	if (err < 0)
		return err;
	claim->kind = at_once ? KBUF_TAKEN : KBUF_RING;
	claim->where = group;
	if (!at_once)
		ring_claim_begin(group, 0);
	if (at_once && group->inc) {
		uint32_t count = claim->count;

		claim->more = many_consume_parts(group, claim, claim->bytes);
		claim->count = count;
	} else if (at_once) {
		many_consume(group, claim, claim->count);
	}
	return 0;
}

/*
 * From a pool one buffer more than @max is taken, to see whether it is the
 * last.
 */
int kbuf_claim_many(struct kbuf_table *table, uint16_t bgid,
		    uint32_t want_bytes, uint32_t max, bool at_once,
		    struct iovec *iov,
		    struct kbuf_claim_vec *claim) UNCHECKED_LOCKS
{
	struct kbuf_group *group = group_find(table, bgid);
	bool shared;
	int err;

	*claim = (struct kbuf_claim_vec){.iov = iov, .bgid = bgid};
	if (!group)
		return -ENOENT;
	/*
	 * On a live 6.18 a send gets the complete buffer, whatever length it
	 * asks for.
	 */
	if (group_itself(group)->kind == GROUP_CLASSIC)
		return many_classic(table, group, at_once ? 0 : want_bytes,
				    claim);
	max = least(max, KBUF_MANY_MAX);
	shared = group->kind == GROUP_SHARED;
	if (unlikely(shared))
		shared_take(group->pool, group, least(max + 1, KBUF_MANY_MAX));
	err = many_take(group, want_bytes, max, at_once, claim);
	if (unlikely(shared))
		shared_settle(group->pool, group,
			      claim->kind == KBUF_RING ? claim->count : 0);
	return err;
}

uint32_t kbuf_commit_many(struct kbuf_table *table,
			  struct kbuf_claim_vec *claim, uint32_t bytes)
{
	struct kbuf_claim one = {.bgid = claim->bgid, .where = claim->where};
	struct kbuf_group *group = claim->where;
	bool more = claim->more;

	switch (claim->kind) {
	case KBUF_NONE:
		return 0;
	case KBUF_CLASSIC:
		classic_commit(table, &one);
		break;
	case KBUF_TAKEN:
		claim->count = many_reached(claim, bytes);
		break;
	default:
		ring_claim_end(group);
		if (group->inc)
			more = many_consume_parts(group, claim, bytes);
		else
			many_consume(group, claim, many_reached(claim, bytes));
		if (group->kind == GROUP_SHARED)
			shared_end(group);
	}
	claim->kind = KBUF_NONE;
	return level_buffer_flags(claim->bid, more);
}

void kbuf_recycle_many(struct kbuf_table *table, struct kbuf_claim_vec *claim)
{
	struct kbuf_claim one = {.bgid = claim->bgid, .where = claim->where};
	struct kbuf_group *group = claim->where;

	if (claim->kind == KBUF_CLASSIC) {
		classic_recycle(table, &one);
	} else if (claim->kind == KBUF_RING) {
		ring_claim_end(group);
		bump_by(&group->recycled, claim->count);
		if (group->kind == GROUP_SHARED)
			shared_end(group);
	}
	claim->kind = KBUF_NONE;
}
