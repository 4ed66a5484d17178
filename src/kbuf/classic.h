/* SPDX-License-Identifier: MIT */
/* Classic groups, for the rest of kbuf. Locks: the table's, except where a
 * comment names another. */
#ifndef POLYRING_KBUF_CLASSIC_H
#define POLYRING_KBUF_CLASSIC_H

#include "kbuf/group.h"

void record_cache_close(struct record_cache *pool);

/* Claim the oldest buffer (S4): 0, or -ENOBUFS from an empty group. */
int classic_claim(struct record_cache *pool, struct kbuf_group *group,
		  uint32_t want_bytes, struct kbuf_claim *claim);

/* End a claim: with a completion, or back to the front of the group (S7). */
uint32_t classic_commit(struct kbuf_table *table,
			const struct kbuf_claim *claim);
void classic_recycle(struct kbuf_table *table, const struct kbuf_claim *claim);

/* ---- for shared.c: under the lock of the pool that has @group ---- */

/* Buffers of @group that requests hold. */
uint64_t classic_held(const struct kbuf_group *group);

/* Have @count records free. False without memory; records got so far stay. */
bool record_cache_reserve(struct record_cache *pool, uint32_t count);

/*
 * Move the records that @group has queued to @to, which has reserved as many.
 */
void classic_move(struct record_cache *from, struct record_cache *to,
		  struct kbuf_group *group);

/* End the claim of a record whose group is known. */
void classic_record_end(struct record_cache *pool, struct kbuf_group *group,
			struct kbuf_record *record, bool used);

/* S11 for one group. */
bool classic_valid(const struct kbuf_group *group);

#endif
