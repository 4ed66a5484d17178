/* SPDX-License-Identifier: MIT */
/*
 * What the processes that have a ring after a fork share of it.
 *
 * Theory: the first fork makes an area of shared memory for each ring. From
 * then on whoever takes the ring's lock in its process also takes the area's,
 * a robust mutex, loads the cursors of both queues from the area, and stores
 * them before it lets go. Between these two moments a ring is as it was before
 * the fork; nothing else of the engine knows.
 *
 * A process may die at any instruction. What a locked section changes takes
 * effect with one store, share->current, which names one of two states: a
 * process that dies before it leaves the ring as the section found it.
 *
 * A *record* stands for each submission entry that was taken and has not
 * completed: its user_data and its *owner*, the process that took it. An entry
 * is taken by its record: after its owner's death sq_head is at least behind
 * it. A record with @ended has completed if so many completions were posted.
 * So a survivor knows which requests a dead process leaves, and completes each
 * once.
 *
 * Owners are numbers that are never used twice. A process is alive for as long
 * as it has the POSIX lock of its number's byte on the ring's socket: the
 * kernel drops that lock when the process ends or executes another program.
 *
 * The backlog (D14) lives here, too. Both it and the records have a bound; a
 * request beyond has no record, and a completion beyond is counted as lost. The
 * memory is reserved, not taken: pages come with their use.
 *
 * Locks: the ring lock, and share->mutex for all but share_open().
 */
#ifndef POLYRING_RING_SHARE_H
#define POLYRING_RING_SHARE_H

#include <pthread.h>

#include "base/compiler.h"

#define SHARE_RECORDS_MAX 65536u
#define SHARE_BACKLOG_MAX 65536u
#define SHARE_CHAINS 1024u

/* The owner that made the ring: its number is the first. */
#define SHARE_MAKER 1u

/* It ended without a completion. */
#define SHARE_ENDED_SILENTLY UINT64_MAX

/* A completion inside the engine. */
struct cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t extra[2]; /* with CQE32, and F_32 in a mixed queue */
};

struct share_record {
	uint64_t owner; /* 0: free */
	uint64_t user_data;
	uint64_t ended; /* 0: not yet; posted completions then, or silently */
	uint32_t sq_index; /* its place in the order of submission */
	uint32_t next; /* in its chain, or of the free ones; 0: none */
	uint32_t ended_next; /* of those that this section ended */
};

struct share_state {
	uint32_t sq_head;
	uint32_t cq_posted;
	uint32_t backlog_first;
	uint32_t backlog_end;
	uint64_t posted; /* completions ever */
	uint64_t posted_total; /* as timeouts count them */
};

struct share {
	pthread_mutex_t mutex;
	uint64_t owners; /* the last number given out */
	uint64_t holder; /* who is in a locked section; 0: nobody */
	uint32_t sleepers; /* threads asleep in the ring, those of the dead too
			    */
	uint32_t current; /* the state that holds: 0 or 1 */
	struct share_state state[2];
	bool byte_out; /* as ctx's */
	bool watched;
	bool disabled;
	bool drain_disabled;
	uint64_t issuer; /* SINGLE_ISSUER: the owner that is it; 0: none yet */
	uint32_t records_made; /* records[1..] that were ever used */
	uint32_t records_live;
	uint32_t free_records; /* through next */
	uint32_t chains[SHARE_CHAINS];
	struct share_record records[SHARE_RECORDS_MAX + 1]; /* none is 0 */
	struct cqe backlog[SHARE_BACKLOG_MAX];
};

/* One process's view of it, in its queue. */
struct share_view {
	struct share *share; /* NULL: the ring is this process's alone */
	uint64_t me; /* this process's number */
	uint64_t acts_for; /* mostly the same; a dead one while it is reaped */
	uint32_t ended; /* records that this section ended; 0: none */
	struct share_state state; /* loaded, and changed by this section */
};

/* Make the area. NULL: no memory. */
struct share *share_open(void);
/* This process's mapping of it goes. */
void share_close(struct share *share);

/* This process begins its section, which share_unlock() ends. */
static inline void share_hold(struct share_view *view)
{
	store_release(&view->share->holder, view->me);
}

/* How the lock was found, or that a try did not get it. */
enum share_found { SHARE_BUSY, SHARE_WHOLE, SHARE_OWNER_DIED };

/* After SHARE_OWNER_DIED repair it. */
enum share_found share_lock(struct share *share);
enum share_found share_try(struct share *share);
void share_unlock(struct share *share);

/* Chains and free records may be half changed: make them anew. */
void share_repair(struct share *share);

/* An entry is taken. */
void share_record(struct share_view *view, uint64_t user_data,
		  uint32_t sq_index);
/* It was not taken after all. */
void share_unrecord(struct share_view *view, uint64_t user_data,
		    uint32_t sq_index);
/*
 * A request of view->acts_for has completed, with the last completion that was
 * posted, or silently. Without a record nothing happens.
 */
void share_end(struct share_view *view, uint64_t user_data, bool silently);

/* Let the section's state hold from now on. Then share_forget_ended(). */
void share_commit(struct share_view *view);
void share_forget_ended(struct share_view *view);

/* Keep a completion that the queue has no room for. False: no room here. */
bool share_keep(struct share_view *view, const struct cqe *cqe);

/* The oldest that is kept; NULL: none. And it has moved up. */
const struct cqe *share_kept(const struct share_view *view);
void share_kept_moved(struct share_view *view);

/* Has another process records? */
bool share_waits_for_others(const struct share_view *view);

struct share_reaper {
	bool (*lives)(struct share_reaper *reaper, uint64_t owner);
	/* Post a completion for the request. */
	void (*cancel)(struct share_reaper *reaper, uint64_t user_data);
};

/* Complete what dead processes have left. */
void share_reap(struct share_view *view, uint32_t sq_entries,
		struct share_reaper *reaper);

#endif
