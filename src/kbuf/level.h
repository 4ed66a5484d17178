/* SPDX-License-Identifier: MIT */
/*
 * The flags of a completion that uses a buffer, and the group's new level.
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

/* A buffer is used up: check the group's new level, return the flags. */
uint32_t level_commit_moved(struct kbuf_group *group, uint16_t bid);

static inline uint32_t level_commit(struct kbuf_group *group, uint16_t bid)
{
	if (unlikely(group_level_is_new(group, group->queued)))
		return level_commit_moved(group, bid);
	return level_buffer_flags(bid, false);
}

/* Count an ENOBUFS, which is also the lowest level. */
static inline int level_group_starved(struct kbuf_group *group)
{
	bump(&group->starved);
	group_level(group, 0);
	return -ENOBUFS;
}

#endif
