// SPDX-License-Identifier: MIT
/*
 * One buffer for each message: several messages are received with one call,
 * each into a buffer of its own (D6).
 *
 * Theory: the number of messages isn't known before the call, so more buffers
 * are claimed than may be used. As in a bundle (claim_many.c), claiming changes
 * neither head nor the entries: the buffers that messages reached are committed
 * together, in ring order, and the rest stays in the ring. Each message gets
 * the buffer that kbuf_claim() would have given it.
 *
 * Only plain rings that belong to one table are supported. The next buffer of
 * an INC ring depends on how much the message before it used, and the buffers
 * of a classic group would have to be put back in order. An entry without an
 * address or a length ends the row; the caller then gets it through
 * kbuf_claim(), which handles it.
 *
 * Cost: O(buffers), no allocation. Keeps S3-S5, S11.
 */
#include <sys/uio.h>

#include "kbuf/level.h"
#include "kbuf/ring.h"

static bool each_add(struct kbuf_claim_vec *claim, uint16_t *bids,
		     uint32_t want_bytes, struct fault_peek entry)
{
	struct iovec *iov = &claim->iov[claim->count];

	if (entry.queued <= 0 || !entry.addr || !entry.len)
		return false;
	iov->iov_base = (void *)(uintptr_t)entry.addr;
	iov->iov_len = entry.len;
	/* One comparison: want_bytes 0 wraps to more than any length. */
	if (entry.len > want_bytes - 1)
		iov->iov_len = want_bytes;
	bids[claim->count++] = entry.bid;
	return true;
}

uint32_t kbuf_claim_each(struct kbuf_table *table, uint16_t bgid,
			 uint32_t want_bytes, uint32_t max, struct iovec *iov,
			 uint16_t *bids, struct kbuf_claim_vec *claim)
{
	struct kbuf_group *group = group_find(table, bgid);
	struct fault_peek entry;
	uint32_t left = 0;

	*claim = (struct kbuf_claim_vec){.iov = iov, .bgid = bgid};
	if (!group || group->kind != GROUP_RING || group->inc)
		return 0;
	while (claim->count < max) {
		entry = fault_ring_peek(group->ring,
					ring_head(group) + claim->count,
					group->mask);
		if (!each_add(claim, bids, want_bytes, entry))
			break;
		left = (uint32_t)entry.queued - 1;
	}
	if (!claim->count)
		return 0;
	store_relaxed(&group->queued, left);
	claim->kind = KBUF_RING;
	claim->where = group;
	ring_claim_begin(group, 0);
	return claim->count;
}

void kbuf_commit_each(struct kbuf_table *table, struct kbuf_claim_vec *claim,
		      uint32_t count)
{
	struct kbuf_group *group = claim->where;
	uint32_t unused = claim->count - count;

	(void)table;
	ring_claim_end(group);
	if (count)
		ring_advance(group, count, group->queued + unused);
	bump_by(&group->recycled, unused);
	claim->kind = KBUF_NONE;
}
