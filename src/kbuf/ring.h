/* SPDX-License-Identifier: MIT */
/* Ring groups, for the rest of kbuf. Locks: the table's, except where a comment
 * names another. */
#ifndef POLYRING_KBUF_RING_H
#define POLYRING_KBUF_RING_H

#include <assert.h>

#include "base/fault.h"
#include "base/sys.h"
#include "kbuf/group.h"

/* Release what an engine-allocated group holds besides its own bytes. */
void ring_memory_close(struct kbuf_table *table, struct kbuf_group *group);

/* Unmap the part of the table's chunk that no ring uses. */
void ring_chunk_close(struct kbuf_table *table);

static inline uint16_t ring_head(const struct kbuf_group *group)
{
	return (uint16_t)group->committed;
}

/*
 * INC: take @bytes off the entry at head. Returns whether part of it is left
 * (I1-I3); if not, the caller advances head.
 */
bool ring_consume_part(struct kbuf_group *group, uint32_t bytes);

/* @count entries are used up; @left entries remain. */
static inline void ring_advance(struct kbuf_group *group, uint32_t count,
				uint32_t left)
{
	bump_by(&group->committed, count);
	group_level(group, left);
}

/* Consume @bytes of the entry at head; @left entries remain if that ends it. */
static inline bool ring_consume(struct kbuf_group *group, uint32_t bytes,
				uint32_t left)
{
	if (unlikely(group->inc) && ring_consume_part(group, bytes))
		return true;
	ring_advance(group, 1, left);
	return false;
}

/*
 * S11: a ring claim is still in the ring, so the only other claims may be those
 * @before it in its row; and all must have ended when the group is freed.
 */
static inline void ring_claim_begin(struct kbuf_group *group, uint32_t before)
{
	if (!POLYRING_CHECKED)
		return;
	assert(group->claimed == before);
	group->claimed++;
}

static inline void ring_claim_end(struct kbuf_group *group)
{
	if (!POLYRING_CHECKED)
		return;
	assert(group->kind != GROUP_CLASSIC && group->claimed);
	group->claimed--;
}

#endif
