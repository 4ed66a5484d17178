/* SPDX-License-Identifier: MIT */
/*
 * Groups: how a bgid is looked up, and for how long a group lives.
 *
 * Theory: a table is two levels of pointers, 256 pages of 256 groups, so that a
 * lookup is two loads however many groups there are. A page is allocated with
 * its first group and stays until the table closes. An idle group costs 160
 * bytes (176 with malloc's own) and 8 in its page; the first group of a page
 * also costs the page, 2 KiB. A table without groups is 2 KiB.
 *
 * A group is built in private and published when complete. From then on its
 * kind, memory and size never change: when an empty classic group becomes a
 * ring (G6), a new group replaces it, and when a group is shared (shared.h),
 * another one takes its place in the table and refers to it.
 *
 * Which calls may run in parallel (group_share is a call on two tables):
 *
 *			the other	  ring_map,	the other calls	  table
 *			calls		  counters	on other tables	  close
 *	the other calls	  caller's lock	  yes		yes		  no
 *	ring_map, counters  yes		  yes		yes		  no
 *	table_close	  no		  no		yes		  no
 *
 * ring_map and counters need no lock: they are RCU readers. The guarantees have
 * letters, which tests cite (race_test.c, shared_test.c, and
 * tests/unit/torture.c, which runs for as long as you like). For the readers:
 *	(a) they see no group or a complete one;
 *	(b) a group that they see, its file and its mapping exist until the
 *	    read section ends;
 *	(c) ring_map reads only fields that never change; every counter is
 *	    written by one writer, with bump() or a similar function, and is
 *	    never seen half written;
 *	(d) a map that succeeded is of the group that was at the bgid at some
 *	    moment of the call, and its memory outlives group and table (G10);
 *	(e) they wait for no other thread, except in the system calls they make
 *	    and in a thread's first call, which registers it with liburcu.
 * Between tables that serve the same pool (shared.h):
 *	(f) no two claims hold the same buffer, whatever tables made them (S11);
 *	(g) a buffer provided, given back or left over by a call that has
 *	    returned is there for every call that begins afterwards: ENOBUFS
 *	    means that at some moment of the call all were claimed or used, or
 *	    used in part by another table (INC);
 *	(h) a pool's counters change with its lock held, so that at rest their
 *	    sums hold, whichever tables changed them.
 * Progress: claim, commit, recycle, provide and remove never wait, except for a
 * pool's lock if the group is shared. It is held for at most KBUF_MANY_MAX
 * copies of 16 bytes, or for the length of a provide or remove, and for the
 * write to a low-water eventfd; its holder takes no other lock and does not
 * wait. So some call always proceeds; no particular call is guaranteed to.
 *
 * The writer's part of (b) is group_retire(): unpublish, wait for the readers,
 * free. Only two kinds of call do it: unregistering, and registering or sharing
 * over an empty group. No reader takes the caller's lock inside a read section,
 * so the wait ends when the sections that had begun before it have ended.
 *
 * Every group has a serial number that is never used twice. A claimed classic
 * record identifies its group by it, whatever group is at that bgid later (S7).
 */
#ifndef POLYRING_KBUF_GROUP_H
#define POLYRING_KBUF_GROUP_H

#include "abi/profile.h"
#include "abi/uring.h"
#include "base/compiler.h"
#include "base/rcu.h"
#include "polyring/kbuf.h"

#define PAGE_GROUPS 256u
#define TABLE_PAGES (65536u / PAGE_GROUPS)
#define LOW_GROUPS 64u /* R4 */

/*
 * A classic buffer: queued in its group, claimed by a request, or in the pool.
 */
struct kbuf_record {
	union {
		struct kbuf_record *next; /* on a list or in the pool */
		uint64_t owner; /* while claimed: the serial of its group,
				 * or RECORD_SHARED and its kbuf_pool */
	};
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
};

#define RECORD_SHARED (UINT64_C(1) << 63) /* of a pool: see shared.h */

struct record_chunk;
struct kbuf_pool;

/* Records are not freed before the table closes. */
struct record_cache {
	struct kbuf_record *free;
	struct record_chunk *chunks;
	uint64_t claimed; /* of all groups; kept in checked builds only */
};

enum group_kind {
	GROUP_CLASSIC,
	GROUP_RING,
	GROUP_SHARED, /* refers to a pool: see shared.h */
};

/* Fields that never change while a group is published come first. */
struct kbuf_group {
	uint8_t kind; /* enum group_kind */
	bool inc; /* SPEC 6 */
	bool special; /* INC or shared: a commit has more work */
	bool engine_memory; /* the ring is ours and can be mapped */
	bool begun; /* shared: its next entry was used in part */
	bool low_armed; /* X1: a signal is due when the level falls */
	uint16_t bgid;
	uint32_t mask; /* ring: entries less one */
	uint32_t min_left; /* I3; at least 1 */
	struct io_uring_buf *ring;
	uint64_t serial;

	/*
	 * How many buffers were used up with a completion. The low 16 bits of a
	 * ring's count are its head.
	 */
	uint64_t committed;
	uint64_t parts; /* INC: selections that left some of the entry */
	uint64_t recycled;
	uint64_t returned; /* dropped or removed, without a completion */
	uint64_t starved; /* ENOBUFS */

	struct kbuf_record *oldest; /* classic: the list */
	struct kbuf_record *newest;
	uint64_t provided;
	uint32_t queued; /* classic: now; ring: as of the last claim */
	uint32_t claimed; /* kept in checked builds only */

	/* See group_level(). */
	uint32_t level_from;
	uint32_t level_span;
	uint32_t low_mark;
	uint32_t low_threshold;
	uint64_t low_signals;
	int low_eventfd;

	/* engine_memory: the memfd, or -1, and what identifies it. */
	int memory_fd;
	union {
		uint64_t memory_identity;
		struct kbuf_pool *pool; /* GROUP_SHARED */
	};

	/* Holds: see hold.c. */
	uint32_t hold_first;
	uint32_t hold_last;
	int64_t hold_since_ns; /* of the first; 0: none */
};

/* All holds of a table, by index. */
struct hold_list {
	struct hold *all;
	uint32_t count; /* of @all, including index 0, which means none */
	uint32_t free;
};

struct group_page {
	struct kbuf_group *groups[PAGE_GROUPS];
};

/* Calls that depend on a group's kind: see table.c. */
struct group_ops {
	/* Release what an engine-allocated ring holds besides its own bytes. */
	void (*memory_close)(struct kbuf_table *table,
			     struct kbuf_group *group);
	/* A shared group is about to be freed. */
	void (*leave)(struct kbuf_group *group);
	/* The claim of a shared record ends: used up or not. */
	void (*classic_record_end)(struct kbuf_record *record, bool used);
};

extern const struct group_ops group_ops;

struct kbuf_table {
	struct group_page *pages[TABLE_PAGES];
	uint64_t profile; /* of abi_profile() */
	struct record_cache pool;
	struct hold_list holds;
	uint64_t serials; /* how many serial numbers were assigned */
	uint32_t ring_files; /* memfds of its rings */
	/* The mapping that rings without a file share: see ring.c. */
	uintptr_t chunk;
	size_t chunk_left; /* bytes from @chunk on that no ring uses */
	uint16_t low_heads[LOW_GROUPS]; /* G11 */
	bool low_groups; /* R4: one of the first 64 has existed */
};

static inline struct kbuf_group *group_find(const struct kbuf_table *table,
					    uint16_t bgid)
{
	/* Both pair with the publishing stores in group_publish(). */
	struct group_page *page = rcu_fetch(&table->pages[bgid / PAGE_GROUPS]);

	if (unlikely(!page))
		return NULL;
	return rcu_fetch(&page->groups[bgid % PAGE_GROUPS]);
}

/* R4: is @bgid a group that 6.6 shows although it was never created? */
bool group_is_phantom(const struct kbuf_table *table, uint16_t bgid);

/* A call wants @bgid to exist; from then on there may be phantoms. */
void group_wanted(struct kbuf_table *table, uint16_t bgid);

/* A private group, to be published or freed. NULL without memory. */
struct kbuf_group *group_new(struct kbuf_table *table, uint16_t bgid,
			     enum group_kind kind);
/* @table is NULL for a group that a pool has taken over. */
void group_free(struct kbuf_table *table, struct kbuf_group *group);

/* Make @group visible at a bgid that is free. 0 or -ENOMEM. */
int group_publish(struct kbuf_table *table, struct kbuf_group *group);

/* Make @group visible instead of another one, which is not freed. */
void group_replace(struct kbuf_table *table, struct kbuf_group *group);

/* Unpublish, wait for the readers, free. */
void group_retire(struct kbuf_table *table, struct kbuf_group *group);

/* A counter with one writer and readers that hold no lock. */
static inline void bump(uint64_t *counter)
{
	store_relaxed(counter, load_relaxed(counter) + 1);
}

static inline void bump_by(uint64_t *counter, uint64_t by)
{
	store_relaxed(counter, load_relaxed(counter) + by);
}

/*
 * The level of a group, how many buffers it has left, is checked whenever a
 * buffer leaves it. Inside [level_from, level_from + level_span] nothing is to
 * be done; that is one comparison. level_group_moved() keeps the low-water
 * mark, signals low water (X1) and sets the next interval.
 */
void level_group_moved(struct kbuf_group *group, uint32_t left);

static inline bool group_level_is_new(const struct kbuf_group *group,
				      uint32_t left)
{
	return left - group->level_from > group->level_span;
}

static inline void group_level(struct kbuf_group *group, uint32_t left)
{
	if (unlikely(group_level_is_new(group, left)))
		level_group_moved(group, left);
}

#endif
