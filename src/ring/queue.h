/* SPDX-License-Identifier: MIT */
/*
 * Cursors of the two queues over shared memory.
 *
 * Theory: the engine keeps its own copy of the indices it owns (sq head, cq
 * tail) and publishes them with a release store; it reads the application's (sq
 * tail, cq head) with acquire, once, into a local. A hostile application can
 * only harm itself: whatever the shared fields contain, at most one queue's
 * length of entries is used, and the engine's own counts are private.
 *
 * Completions are written at cq_posted and become visible when queue_publish()
 * stores the tail, once for a batch. When the queue is full a completion is
 * appended to the *backlog*, so that nothing is lost (D14); the backlog moves
 * to the queue when there is room. SQ_CQ_OVERFLOW informs the application.
 *
 * CQE_MIXED: an entry with F_32 takes two slots. It does not wrap around the
 * end of the queue: if only one slot is left there, an entry with F_SKIP fills
 * it. All counts are of slots.
 *
 * A ring that is watched (observe/trace.h) records each entry that it fetches
 * and each completion that it posts. Other rings do nothing for that: the two
 * tests that lead to the uncommon cases, 128-byte entries and completions that
 * queue_post_small() can't post, lead to the recording as well.
 *
 * Locks: the ring lock, for everything here.
 */
#ifndef POLYRING_RING_QUEUE_H
#define POLYRING_RING_QUEUE_H

#include "base/list.h"
#include "observe/trace.h"
#include "ring/memory.h"
#include "ring/share.h"

struct queue {
	struct ring_memory memory;
	uint32_t sq_head; /* next submission to fetch */
	uint32_t cq_tail; /* published */
	uint32_t cq_posted; /* next completion slot to fill */
	uint32_t cq_head_seen; /* the application's head, as last read */
	uint32_t cq_easy; /* queue_post_small() may use the slots before it */
	uint32_t backlog_count;
	struct list backlog; /* empty while the ring is shared: it has its own
			      */
	struct share_view view;
	struct trace_channel *trace; /* NULL: it is not watched */
	bool fetches_more; /* than 64 bytes an entry, or records what it fetches
			    */
};

void queue_init(struct queue *queue);
void queue_close(struct queue *queue);

/* The memory is there. @trace: record to it; NULL: nowhere. */
void queue_begin(struct queue *queue, struct trace_channel *trace);

/*
 * Replace the queue's memory by @fresh and free the old memory. Waiting entries
 * are copied under the same indices. -EOVERFLOW if @fresh has no room for them;
 * then nothing has changed.
 */
int queue_resize(struct queue *queue, const struct ring_memory *fresh);

/*
 * The application has gone: give back memory that it supplied, and use memory
 * of the engine's. Without memory for that nothing changes.
 */
void queue_detach(struct queue *queue);

/*
 * The checked build's invariant. Of cursors it says nothing: where they may be
 * depends on what the application stored beside them.
 */
static inline bool queue_valid(const struct queue *queue)
{
	return ring_memory_valid(&queue->memory) &&
	       (queue->view.share ||
		!queue->backlog_count == list_empty(&queue->backlog));
}

/* How many submissions wait, at most as many as the queue holds. */
uint32_t queue_pending(const struct queue *queue);

/*
 * Has the submission queue no room? If the application has stored a tail
 * further from the head than the queue is long, the queue counts as having
 * room.
 */
bool queue_sq_full(const struct queue *queue);

/*
 * The slot of the submission entry that is @ahead of the next one; at least
 * memory.sq_entries if its index in the SQ array is out of range.
 */
static inline uint32_t queue_slot(const struct queue *queue, uint32_t ahead)
{
	const struct ring_memory *m = &queue->memory;
	uint32_t slot = (queue->sq_head + ahead) & (m->sq_entries - 1);

	return m->sq_array ? load_relaxed(&m->sq_array[slot]) : slot;
}

/* An entry in shared memory, which the application may change. */
static inline const struct io_uring_sqe *queue_entry(const struct queue *queue,
						     uint32_t slot)
{
	const struct ring_memory *m = &queue->memory;

	return (const void *)(m->sqes + ((size_t)slot << m->sqe_shift));
}

/*
 * Copy the next submission entry. @sqe has room for 128 bytes. Returns false if
 * its index in the SQ array is out of range; the entry is then counted as
 * dropped.
 */
bool queue_fetch(struct queue *queue, struct io_uring_sqe *sqe);

/* Publish how far the engine has read. */
static inline void queue_consume(struct queue *queue)
{
	store_release(&queue->memory.header->sq_head, queue->sq_head);
}

/*
 * Append a completion. Returns true if it went into the queue, false if to the
 * backlog. A completion is lost only without memory; cq overflow then counts
 * it, as in the kernel.
 */
bool queue_post(struct queue *queue, const struct cqe *cqe);

/*
 * The common case of queue_post(), inline: a 16-byte entry, an empty backlog,
 * and room as far as known; one comparison checks all three. Returns false if
 * it did nothing; then call queue_post().
 */
static inline bool queue_post_small(struct queue *queue, uint64_t user_data,
				    int32_t res, uint32_t flags)
{
	const struct ring_memory *m = &queue->memory;
	uint32_t slot = queue->cq_posted;
	struct io_uring_cqe *to;

	if (unlikely(slot == queue->cq_easy))
		return false;
	to = (struct io_uring_cqe *)m->cqes + (slot & (m->cq_entries - 1));
	to->user_data = user_data;
	to->res = res;
	to->flags = flags;
	queue->cq_posted = slot + 1;
	return true;
}

/*
 * Move entries from the backlog while there is room. Returns true if it is
 * empty.
 */
bool queue_flush_backlog(struct queue *queue);

/* A request has ended without a completion. */
void queue_end_silently(struct queue *queue, uint64_t user_data);

/* Is there room for one more, so that queue_post would not overflow? */
bool queue_has_room(struct queue *queue);

/* Make posted completions visible. Returns how many are new. */
uint32_t queue_publish(struct queue *queue);

/* ---- between processes (share.h) ---- */

/* From now on other processes may have it, too: 0 or -ENOMEM. */
int queue_share(struct queue *queue);

/* Begin a locked section with what the others have left, and end it. */
void queue_share_load(struct queue *queue);
void queue_share_commit(struct queue *queue);

/* Make a record for each of the next @count entries; see share.h. */
void queue_share_record(struct queue *queue, uint32_t count);
/* Of these the last @count were not taken. */
void queue_share_unrecord(struct queue *queue, uint32_t count);
/* A completion was posted. */
void queue_share_posted(struct queue *queue, uint64_t user_data,
			uint32_t flags);
/* See share_reap(). */
void queue_share_reap(struct queue *queue, struct share_reaper *reaper);

/* Completions that the application has not taken yet. */
static inline uint32_t queue_ready(const struct queue *queue)
{
	/* Pairs with the application's release store of its head. */
	return queue->cq_posted - load_acquire(&queue->memory.header->cq_head);
}

/* Set and clear bits of the SQ flags, which ask the application to enter. */
void queue_sq_flags(struct queue *queue, uint32_t set, uint32_t clear);

#endif
