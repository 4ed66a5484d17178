/* SPDX-License-Identifier: MIT */
#ifndef POLYRING_KBUF_RING_H
#define POLYRING_KBUF_RING_H

#include "base/fault.h"
#include "base/sys.h"
#include "kbuf/group.h"

/* Undo what an engine-allocated group holds besides its own bytes. */
void ring_memory_close(struct kbuf_group *group);

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

static inline bool ring_consume(struct kbuf_group *group, uint32_t bytes)
{
	if (unlikely(group->inc) && ring_consume_part(group, bytes))
		return true;
	bump(&group->committed);
	group_level(group, group->queued);
	return false;
}

#endif
