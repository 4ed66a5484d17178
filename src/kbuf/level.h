/* SPDX-License-Identifier: MIT */
/*
 * What a completion says of its buffer, and what becomes of the group's level.
 *
 * Theory: whoever uses up a buffer compares the group's level with its bounds,
 * which is one comparison; level.c does the rest. Locks: the table's.
 */
#ifndef POLYRING_KBUF_LEVEL_H
#define POLYRING_KBUF_LEVEL_H

#include "base/sys.h"
#include "kbuf/group.h"

static inline uint32_t level_buffer_flags(uint16_t bid, bool more)
{
	return IORING_CQE_F_BUFFER | (more ? IORING_CQE_F_BUF_MORE : 0) |
	       (uint32_t)bid << IORING_CQE_BUFFER_SHIFT;
}

/* A buffer is used up: its flags, once the group's new level is looked at. */
uint32_t level_commit_moved(struct kbuf_group *group, uint16_t bid);

static inline uint32_t level_commit(struct kbuf_group *group, uint16_t bid)
{
	if (unlikely(group_level_is_new(group, group->queued)))
		return level_commit_moved(group, bid);
	return level_buffer_flags(bid, false);
}

/* ENOBUFS: the lowest level there is. */
static inline int level_group_starved(struct kbuf_group *group)
{
	bump(&group->starved);
	group_level(group, 0);
	return -ENOBUFS;
}

#endif
