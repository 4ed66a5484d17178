/* SPDX-License-Identifier: MIT */
/*
 * Sharing: one group served to several tables (X2).
 *
 * Theory: what is shared is a *pool*: the group that it began as, with its
 * memory, its list, its level and its counters. In each table that serves it
 * stands a group of its own, of the kind GROUP_SHARED, which holds nothing but
 * what its table has claimed at the moment:
 *
 *	table 1: bgid -> outer group --+
 *	                               +--> pool { lock, group, back }
 *	table 2: bgid -> outer group --+
 *
 * A ring claim elsewhere is only a look at the entry at head, and stays valid
 * for as long as nobody else looks. Here others do, and a lock held from the
 * claim to the commit would be held across the transfer. So entries are taken
 * at selection, under the pool's lock: head moves on, and the entry is copied
 * to the outer group's own ring of KBUF_MANY_MAX entries. To claim, to commit
 * in whole or in part, and to recycle is then what it is for every ring, on
 * that one. What it leaves unused goes back to the pool and is claimed before
 * anything from the ring, so that nothing is lost and one table alone finds its
 * buffers in ring order (S5, S11). Buffers taken are in exactly one place:
 *
 *	the ring --claim--> outer group --commit--> the application
 *	                     ^       |
 *	                   claim  recycle
 *	                     |       v
 *	                       back
 *
 * so for each pool: taken == committed since it was shared + held + back.
 * At most one claim of a ring's buffers is out for each outer group, as for any
 * ring, and a ring is claimed from only when @back is empty, so room for
 * KBUF_MANY_MAX a user is enough.
 *
 * An INC buffer that was used in part stays with the outer group that began it
 * and is its next one. Completions tell only the bid, and the application must
 * know where in the buffer their bytes are: it can, by adding them up, as long
 * as all of them come through one table. A table that leaves drops it.
 *
 * A classic group needs no such detour: a claim takes a record off its list
 * anyway. Records of a pool belong to it, and name it while they are claimed:
 * they find their way back also where their table serves the pool no more.
 *
 * The shared memory of a ring is read, never written: what is left of an INC
 * entry is remembered in the outer group's ring. Head, which STATUS tells,
 * counts what was taken, also where it came back.
 *
 * Lifetime: a pool lives as long as a table serves it or a classic record of it
 * is claimed. Both are counted in @refs, which needs no lock, so that a table
 * of a forked child can be closed whatever the other threads were doing.
 *
 * Locks: the table's, then the pool's, which is held for the copying of entries
 * alone, never across a transfer. Readers as in group.h: an outer group and its
 * pool are published whole and freed after a grace period.
 * Cost: nothing for groups that are not shared. For those that are, two
 * uncontended exchanges at the claim and two at its end; 4 KiB a user.
 */
#ifndef POLYRING_KBUF_SHARED_H
#define POLYRING_KBUF_SHARED_H

#include "kbuf/pool.h"

/* ---- a shared ring ---- */

/* Take the lock and up to @count entries into the outer group's own ring. */
void shared_take(struct kbuf_pool *pool, struct kbuf_group *outer,
		 uint32_t count) TAKES(&pool->lock);
/* Keep the first @kept of what is left there, give back the others; unlock. */
void shared_settle(struct kbuf_pool *pool, struct kbuf_group *outer,
		   uint32_t kept) DROPS(&pool->lock);
/* A claim has ended: give back what it left. */
NOINLINE void shared_end(struct kbuf_group *outer);

/* ---- a shared classic group ---- */

int shared_record_claim(struct kbuf_group *outer, uint32_t want_bytes,
			struct kbuf_claim *claim);

/* A shared record's way back: used up or not. */
void shared_record_end(struct kbuf_record *record, bool used);

/* ---- lifetime ---- */

/* @outer is about to be freed. */
void shared_leave(struct kbuf_group *outer);

#endif
