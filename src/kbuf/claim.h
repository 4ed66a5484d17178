/* SPDX-License-Identifier: MIT */
/*
 * What claim.c, many.c and classic.c share: a completion's flags, and the rules
 * of holding a ring's buffers, which checked builds assert.
 */
#ifndef POLYRING_KBUF_CLAIM_H
#define POLYRING_KBUF_CLAIM_H

#include <assert.h>

#include "base/sys.h"
#include "kbuf/group.h"

static inline uint32_t buffer_flags(uint16_t bid, bool more)
{
	return IORING_CQE_F_BUFFER | (more ? IORING_CQE_F_BUF_MORE : 0) |
	       (uint32_t)bid << IORING_CQE_BUFFER_SHIFT;
}

/* A buffer is used up: its flags, once the group's new level is looked at. */
uint32_t commit_moved(struct kbuf_group *group, uint16_t bid);

static inline uint32_t commit_level(struct kbuf_group *group, uint16_t bid)
{
	if (unlikely(group_level_is_new(group, group->queued)))
		return commit_moved(group, bid);
	return buffer_flags(bid, false);
}

/* ENOBUFS: the lowest level there is. */
static inline int group_starved(struct kbuf_group *group)
{
	bump(&group->starved);
	group_level(group, 0);
	return -ENOBUFS;
}

/*
 * S11: a ring claim is still in the ring, so there must be no other than those
 * @before it in its row; and all must have ended when the group goes.
 */
static inline void ring_hold(struct kbuf_group *group, uint32_t before)
{
	if (!POLYRING_CHECKED)
		return;
	assert(group->claimed == before);
	group->claimed++;
}

static inline void ring_release(struct kbuf_group *group)
{
	if (!POLYRING_CHECKED)
		return;
	assert(group->kind != GROUP_CLASSIC && group->claimed);
	group->claimed--;
}

#endif
