/* SPDX-License-Identifier: MIT */
/* What a completion says of the buffers it used: shared by claim.c, many.c. */
#ifndef POLYRING_KBUF_CLAIM_H
#define POLYRING_KBUF_CLAIM_H

#include "base/sys.h"
#include "kbuf/group.h"

static inline uint32_t buffer_flags(uint16_t bid, bool more)
{
	return IORING_CQE_F_BUFFER | (more ? IORING_CQE_F_BUF_MORE : 0) |
	       (uint32_t)bid << IORING_CQE_BUFFER_SHIFT;
}

/* ENOBUFS: the lowest level there is. */
static inline int group_starved(struct kbuf_group *group)
{
	bump(&group->starved);
	group_level(group, 0);
	return -ENOBUFS;
}

#endif
