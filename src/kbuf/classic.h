/* SPDX-License-Identifier: MIT */
#ifndef POLYRING_KBUF_CLASSIC_H
#define POLYRING_KBUF_CLASSIC_H

#include "kbuf/group.h"

void record_pool_close(struct record_pool *pool);

/* The oldest buffer (S4): 0, or -ENOBUFS from an empty group. */
int classic_claim(struct kbuf_table *table, struct kbuf_group *group,
		  uint32_t want_bytes, struct kbuf_claim *claim);

/* A claimed record's way back: with a completion, or to the front (S7). */
uint32_t classic_commit(struct kbuf_table *table,
			const struct kbuf_claim *claim);
void classic_recycle(struct kbuf_table *table, const struct kbuf_claim *claim);

/* S11 for one group. */
bool classic_valid(const struct kbuf_group *group);

#endif
