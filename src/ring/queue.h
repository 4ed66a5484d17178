/* SPDX-License-Identifier: MIT */
/*
 * Cursors of the two queues over shared memory.
 *
 * Theory: the engine keeps its own copy of the indices it owns (sq head, cq
 * tail) and publishes them with a release store; it reads the application's
 * (sq tail, cq head) with acquire, once, into a local. A hostile application
 * can only hurt itself: whatever the shared words say, at most one queue's
 * length of entries is used, and the engine's own counts are private.
 *
 * Completions are written at cq_posted and become visible when queue_publish()
 * stores the tail, once for a batch. When the queue is full a completion goes
 * to the *backlog*, in order, and nothing is lost (D14); the backlog moves into
 * the queue as room appears. SQ_CQ_OVERFLOW tells the application so.
 *
 * CQE_MIXED: an entry with F_32 takes two slots. It doesn't go round the end;
 * where one slot is left there, an entry with F_SKIP fills it. All that is
 * counted is slots.
 *
 * Locks: the ring lock, for everything here.
 */
#ifndef POLYRING_RING_QUEUE_H
#define POLYRING_RING_QUEUE_H

#include "base/list.h"
#include "ring/memory.h"

/* A completion as the engine passes it about. */
struct cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t extra[2]; /* with CQE32, and F_32 in a mixed queue */
};

struct queue {
	struct ring_memory memory;
	uint32_t sq_head; /* next submission to fetch */
	uint32_t cq_tail; /* published */
	uint32_t cq_posted; /* next completion slot to fill */
	uint32_t cq_head_seen; /* the application's head, as last read */
	uint32_t cq_easy; /* slots before it take a small entry, no questions */
	uint32_t backlog_count;
	struct list backlog;
};

void queue_init(struct queue *queue);
void queue_close(struct queue *queue);

/*
 * Go on in @fresh, which becomes the queue's, while the old memory goes: all
 * that waits is taken along under the same indices. -EOVERFLOW when there is
 * more of it than @fresh has room for, and nothing has changed.
 */
int queue_resize(struct queue *queue, const struct ring_memory *fresh);

/*
 * Nobody looks any more: let memory that the application lent go, and end in
 * memory of our own. Without memory for that all stays as it was.
 */
void queue_detach(struct queue *queue);

/* How many submissions wait, never more than the queue holds. */
uint32_t queue_pending(const struct queue *queue);

/*
 * Has the submission queue no room at all? A tail that was scribbled on is
 * further from the head than that, and the queue then counts as having room.
 */
bool queue_sq_full(const struct queue *queue);

/*
 * Where the submission entry @ahead of the next one is; not less than
 * memory.sq_entries when its index in the SQ array is out of range.
 */
static inline uint32_t queue_slot(const struct queue *queue, uint32_t ahead)
{
	const struct ring_memory *m = &queue->memory;
	uint32_t slot = (queue->sq_head + ahead) & (m->sq_entries - 1);

	return m->sq_array ? load_relaxed(&m->sq_array[slot]) : slot;
}

/* An entry as it stands in memory that is the application's, too. */
static inline const struct io_uring_sqe *queue_entry(const struct queue *queue,
						     uint32_t slot)
{
	const struct ring_memory *m = &queue->memory;

	return (const void *)(m->sqes + ((size_t)slot << m->sqe_shift));
}

/*
 * Copy the next submission entry. @sqe has room for 128 bytes. Returns false
 * when its index in the SQ array was out of range: it was counted as dropped.
 */
bool queue_fetch(struct queue *queue, struct io_uring_sqe *sqe);

/* Tell the application how far the engine has read. */
static inline void queue_consume(struct queue *queue)
{
	store_release(&queue->memory.header->sq_head, queue->sq_head);
}

/*
 * Append a completion. Returns true when it went into the queue, false when it
 * went to the backlog; only out of memory loses one, and then cq overflow
 * counts it, as the kernel's does.
 */
bool queue_post(struct queue *queue, const struct cqe *cqe);

/*
 * The common case of it, inline: a 16-byte entry, nothing in the backlog, room
 * as far as known: all that is in one number. False: nothing was done, call
 * queue_post().
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

/* Move what fits from the backlog. Returns true when nothing is left there. */
bool queue_flush_backlog(struct queue *queue);

/* Is there room for one more, so that queue_post would not overflow? */
bool queue_has_room(struct queue *queue);

/* Make posted completions visible. Returns how many are new. */
uint32_t queue_publish(struct queue *queue);

/* Completions that the application has not taken yet. */
static inline uint32_t queue_ready(const struct queue *queue)
{
	/* Pairs with the application's release store of its head. */
	return queue->cq_posted - load_acquire(&queue->memory.header->cq_head);
}

/* Set and clear bits of the word that tells the application to enter. */
void queue_sq_flags(struct queue *queue, uint32_t set, uint32_t clear);

#endif
