/* SPDX-License-Identifier: MIT */
#ifndef POLYRING_KBUF_RING_H
#define POLYRING_KBUF_RING_H

#include "base/fault.h"
#include "base/sys.h"
#include "kbuf/group.h"

/* Undo what an engine-allocated group holds besides its own bytes. */
void ring_memory_close(struct kbuf_group *group);

/* The entry at head (S4): 0, or -ENOBUFS. Nothing is consumed yet (S5). */
static inline int ring_claim(struct kbuf_group *group, uint32_t want_bytes,
			     struct kbuf_claim *claim);

/*
 * @bytes of the entry at head are used. Returns whether some of it is left,
 * which only an INC ring knows (I1, I2).
 */
static inline bool ring_consume(struct kbuf_group *group, uint32_t bytes);

/* ring_consume() for INC rings. */
bool ring_consume_part(struct kbuf_group *group, uint32_t bytes);

static inline uint16_t ring_head(const struct kbuf_group *group)
{
	return (uint16_t)group->committed;
}

static inline int ring_claim(struct kbuf_group *group, uint32_t want_bytes,
			     struct kbuf_claim *claim)
{
	struct fault_peek entry =
		fault_ring_peek(group->ring, ring_head(group), group->mask);
	uint32_t len = (uint32_t)entry.bits;

	if (unlikely(entry.bits >= FAULT_PEEK_FAILED)) {
		bump(&group->starved);
		return -ENOBUFS;
	}
	/* What is left when this one is gone; see ring_consume(). */
	store_relaxed(&group->queued, (uint32_t)(entry.bits >> 48));
	claim->addr = entry.addr;
	claim->len = want_bytes && want_bytes < len ? want_bytes : len;
	claim->bid = (uint16_t)(entry.bits >> 32);
	claim->kind = KBUF_RING;
	claim->where = group;
	return 0;
}

static inline bool ring_consume(struct kbuf_group *group, uint32_t bytes)
{
	if (unlikely(group->inc) && ring_consume_part(group, bytes))
		return true;
	bump(&group->committed);
	group_level(group, group->queued);
	return false;
}

#endif
