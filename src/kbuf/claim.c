// SPDX-License-Identifier: MIT
/*
 * Claims: the door through which everything that does I/O comes.
 *
 * Theory: a claim is a value that stands for one buffer in one request's hands.
 * It is made when data can move, never before (S1), and ends in exactly one
 * commit or recycle. What these mean depends on its kind:
 *
 *	kind	 claimed			commit		recycle
 *	CLASSIC	 off the list			to the pool	to the front
 *	RING	 still in the ring, at head	head advances	nothing
 *	TAKEN	 head has advanced already	nothing		nothing
 *	NONE	 nothing			nothing		nothing
 *
 * (An INC ring shortens its entry where a plain one advances head.) Since a
 * RING claim is still in the ring, a second one before the first has ended
 * would be the same buffer (S11); that is why it ends before the lock does.
 *
 * Cost: no allocation, no system call, nothing that depends on how many groups
 * or buffers there are. Keeps S1-S9.
 */
#include "kbuf/classic.h"
#include "kbuf/ring.h"

#include "base/sys.h"

static inline uint32_t buffer_flags(const struct kbuf_claim *claim, bool more)
{
	return IORING_CQE_F_BUFFER | (more ? IORING_CQE_F_BUF_MORE : 0) |
	       (uint32_t)claim->bid << IORING_CQE_BUFFER_SHIFT;
}

int kbuf_claim(struct kbuf_table *table, uint16_t bgid, uint32_t want_bytes,
	       bool at_once, struct kbuf_claim *claim)
{
	struct kbuf_group *group = group_find(table, bgid);
	int err;

	claim->kind = KBUF_NONE;
	claim->more = false;
	claim->bgid = bgid;
	if (unlikely(!group))
		return -ENOBUFS;
	if (group->kind != GROUP_RING)
		return classic_claim(group, want_bytes, claim);
	err = ring_claim(group, want_bytes, claim);
	if (at_once && !err) {
		claim->more = ring_consume(group, claim->len);
		claim->kind = KBUF_TAKEN;
	}
	return err;
}

uint32_t kbuf_commit(struct kbuf_table *table, struct kbuf_claim *claim,
		     uint32_t bytes)
{
	bool more = claim->more;

	if (unlikely(claim->kind == KBUF_NONE))
		return 0;
	if (likely(claim->kind == KBUF_RING))
		more = ring_consume(claim->where, bytes);
	else if (claim->kind == KBUF_CLASSIC)
		classic_commit(table, claim);
	claim->kind = KBUF_NONE;
	return buffer_flags(claim, more);
}

void kbuf_recycle(struct kbuf_table *table, struct kbuf_claim *claim)
{
	struct kbuf_group *group = claim->where;

	if (claim->kind == KBUF_RING)
		bump(&group->recycled);
	else if (claim->kind == KBUF_CLASSIC)
		classic_recycle(table, claim);
	claim->kind = KBUF_NONE;
}
