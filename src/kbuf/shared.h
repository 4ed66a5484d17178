/* SPDX-License-Identifier: MIT */
/*
 * Sharing: one group served to several tables (X2).
 *
 * Theory: the shared object is a *pool*: the original group with its memory,
 * its list, its level and its counters. Each table that serves the pool has a
 * group of its own, of the kind GROUP_SHARED, the *outer group*, which holds
 * only what that table has claimed at the moment:
 *
 *	table 1: bgid -> outer group --+
 *	                               +--> pool { lock, group, back }
 *	table 2: bgid -> outer group --+
 *
 * A claim from an unshared ring only reads the entry at head, and stays valid
 * for as long as no other claim reads it. Here other tables do, and a lock held
 * from the claim to the commit would be held across the transfer. So entries
 * are taken at selection, under the pool's lock: head advances, and the entry
 * is copied to the outer group's own ring of KBUF_MANY_MAX entries. Claim,
 * commit and recycle then work on that ring as on any other. Entries that it
 * does not use go back to the pool and are claimed before any from the ring, so
 * that no entry is lost, and a single table gets its buffers in ring order (S5,
 * S11). Taken buffers are in exactly one place:
 *
 *	the ring --claim--> outer group --commit--> the application
 *	                     ^       |
 *	                   claim  recycle
 *	                     |       v
 *	                       back
 *
 * so for each pool: taken == committed since it was shared + held + back. Each
 * outer group has at most one claim of a ring's buffers at a time, as any ring
 * has, and entries are taken from the ring only when @back is empty, so @back
 * needs room for KBUF_MANY_MAX entries for each user.
 *
 * An INC buffer that was used in part stays with the outer group that began it
 * and is the next one of that group. A completion carries only the bid, and the
 * application must know where in the buffer its bytes are: it adds up the
 * lengths, which works because all of them come through one table. A table that
 * leaves the pool drops such a buffer.
 *
 * A classic group needs no entries of its own in the outer group: a claim takes
 * a record off the list anyway. Records of a pool belong to the pool, and point
 * to it while they are claimed, so they return to it even after their table has
 * left the pool.
 *
 * The shared memory of a ring is read, never written: how much is left of an
 * INC entry is recorded in the outer group's ring. Head, which STATUS reports,
 * counts taken entries, including those that were given back.
 *
 * Lifetime: a pool lives as long as a table serves it or a classic record of it
 * is claimed. @refs counts both and needs no lock, so that a forked child can
 * close its copy of a table whatever the other threads were doing at the fork.
 *
 * Locks: the table's, then the pool's, which is held only to copy entries,
 * never across a transfer. Readers as in group.h: an outer group and its pool
 * are published complete and freed after a grace period.
 * Cost: nothing for groups that are not shared. For those that are, two
 * uncontended exchanges at the claim and two at its end; 4 KiB a user.
 */
#ifndef POLYRING_KBUF_SHARED_H
#define POLYRING_KBUF_SHARED_H

#include "kbuf/pool.h"

/* ---- a shared ring ---- */

/* Take the lock, and up to @count entries into the outer group's own ring. */
void shared_take(struct kbuf_pool *pool, struct kbuf_group *outer,
		 uint32_t count) TAKES(&pool->lock);
/*
 * Keep the first @kept of the remaining entries, give back the others; unlock.
 */
void shared_settle(struct kbuf_pool *pool, struct kbuf_group *outer,
		   uint32_t kept) DROPS(&pool->lock);
/* A claim has ended: give back the entries that it did not use. */
NOINLINE void shared_end(struct kbuf_group *outer);

/* ---- a shared classic group ---- */

int shared_record_claim(struct kbuf_group *outer, uint32_t want_bytes,
			struct kbuf_claim *claim);

/* End the claim of a shared record: used up or not. */
void shared_record_end(struct kbuf_record *record, bool used);

/* ---- lifetime ---- */

/* @outer is about to be freed. */
void shared_leave(struct kbuf_group *outer);

#endif
