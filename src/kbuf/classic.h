/* SPDX-License-Identifier: MIT */
#ifndef POLYRING_KBUF_CLASSIC_H
#define POLYRING_KBUF_CLASSIC_H

#include "kbuf/group.h"

void record_pool_close(struct record_pool *pool);

/* The oldest buffer (S4): 0, or -ENOBUFS from an empty group. */
int classic_claim(struct record_pool *pool, struct kbuf_group *group,
		  uint32_t want_bytes, struct kbuf_claim *claim);

/* A claimed record's way back: with a completion, or to the front (S7). */
uint32_t classic_commit(struct kbuf_table *table,
			const struct kbuf_claim *claim);
void classic_recycle(struct kbuf_table *table, const struct kbuf_claim *claim);

/* ---- for shared.c: under the lock of the pool that has @group ---- */

/* Buffers of @group that requests hold. */
uint64_t classic_held(const struct kbuf_group *group);

/* Have @count records free. False without memory; what was got stays. */
bool record_pool_reserve(struct record_pool *pool, uint32_t count);

/* Let @to have the records that @group has queued; it has reserved as many. */
void classic_move(struct record_pool *from, struct record_pool *to,
		  struct kbuf_group *group);

/* The way back of a claimed record whose group is known. */
void record_end(struct record_pool *pool, struct kbuf_group *group,
		struct kbuf_record *record, bool used);

/* S11 for one group. */
bool classic_valid(const struct kbuf_group *group);

#endif
