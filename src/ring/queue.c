// SPDX-License-Identifier: MIT
#include "ring/queue.h"

#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"

struct backlog_entry {
	struct list node;
	struct cqe cqe;
};

void queue_init(struct queue *q)
{
	q->sq_head = 0;
	q->cq_tail = 0;
	q->cq_posted = 0;
	q->cq_head_seen = 0;
	q->cq_easy = 0;
	q->backlog_count = 0;
	list_init(&q->backlog);
	q->trace = NULL;
	q->fetches_more = false;
}

void queue_begin(struct queue *q, struct trace_channel *trace)
{
	q->trace = trace;
	q->fetches_more = trace || q->memory.sqe_shift == 7;
}

/* While processes share the ring, one of them can't end the channel. */
static void trace_close(struct queue *q)
{
	if (q->trace && !q->view.share)
		trace_channel_close(q->trace,
				    queue_ready(q) + q->backlog_count);
	q->trace = NULL;
}

void queue_close(struct queue *q)
{
	struct list *node;

	trace_close(q);
	while ((node = list_pop_front(&q->backlog)))
		mem_free(list_entry(node, struct backlog_entry, node));
	if (q->view.share)
		share_close(q->view.share);
	q->view.share = NULL;
	ring_shared_close(&q->memory);
}

/* Move entries [from, to) from a ring of @before slots to one of @after. */
static void move_entries(uint8_t *into, uint32_t after, const uint8_t *out_of,
			 uint32_t before, uint8_t shift, uint32_t from,
			 uint32_t to)
{
	for (uint32_t i = from; i != to; i++)
		fault_copy(into + ((size_t)(i & (after - 1)) << shift),
			   out_of + ((size_t)(i & (before - 1)) << shift),
			   (size_t)1 << shift);
}

static void move_words(struct ring_header *to, const struct ring_header *from)
{
	to->sq_dropped = from->sq_dropped;
	to->cq_overflow = from->cq_overflow;
	to->cq_flags = from->cq_flags;
	/* As in 6.18: these flags make the application enter once. */
	to->sq_flags =
		from->sq_flags | IORING_SQ_NEED_WAKEUP | IORING_SQ_TASKRUN;
}

/* Would a big entry wrap around the end of @slots? */
static bool splits_entry(const struct queue *q, uint32_t head, uint32_t slots)
{
	const struct ring_memory *m = &q->memory;
	uint32_t i = head;

	/*
	 * The application may have changed the flags, so the loop does not rely
	 * on them.
	 */
	while ((int32_t)(q->cq_posted - i) > 0) {
		const struct io_uring_cqe *cqe =
			(const void *)(m->cqes +
				       16 * (size_t)(i & (m->cq_entries - 1)));
		bool big = load_relaxed(&cqe->flags) & IORING_CQE_F_32;

		if (big && (i & (slots - 1)) == slots - 1)
			return true;
		i += big ? 2 : 1;
	}
	return false;
}

int queue_resize(struct queue *q, const struct ring_memory *fresh)
{
	const struct ring_memory *m = &q->memory;
	/* Both pair with the application's release stores. */
	uint32_t sq_tail = load_acquire(&m->header->sq_tail);
	uint32_t cq_head = load_acquire(&m->header->cq_head);

	if (sq_tail - q->sq_head > fresh->sq_entries ||
	    q->cq_posted - cq_head > fresh->cq_entries)
		return -EOVERFLOW;
	if (m->cqe_mixed && splits_entry(q, cq_head, fresh->cq_entries))
		return -EOVERFLOW;
	move_entries(fresh->sqes, fresh->sq_entries, m->sqes, m->sq_entries,
		     m->sqe_shift, q->sq_head, sq_tail);
	move_entries(fresh->cqes, fresh->cq_entries, m->cqes, m->cq_entries,
		     m->cqe_shift, cq_head, q->cq_posted);
	move_words(fresh->header, m->header);
	fresh->header->sq_head = q->sq_head;
	fresh->header->sq_tail = sq_tail;
	fresh->header->cq_head = cq_head;
	fresh->header->cq_tail = q->cq_tail;
	ring_shared_close(&q->memory);
	q->memory = *fresh;
	q->cq_head_seen = cq_head;
	q->cq_easy = q->cq_posted;
	return 0;
}

void queue_detach(struct queue *q)
{
	struct io_uring_params own = {
		.sq_entries = q->memory.sq_entries,
		.cq_entries = q->memory.cq_entries,
		.flags = (q->memory.cqe_shift == 5 ? IORING_SETUP_CQE32 : 0u) |
			 (q->memory.cqe_mixed ? IORING_SETUP_CQE_MIXED : 0u),
	};
	struct ring_memory fresh = {.memfd = -1};

	if (!q->memory.lent_rings || ring_shared_open(&fresh, &own) < 0)
		return;
	fresh.header->sq_tail = q->sq_head;
	fresh.header->cq_head = q->cq_posted;
	ring_shared_close(&q->memory);
	q->memory = fresh;
	q->cq_head_seen = q->cq_posted;
	q->cq_easy = q->cq_posted;
}

uint32_t queue_pending(const struct queue *q)
{
	/* Pairs with the application's release store of the tail. */
	uint32_t tail = load_acquire(&q->memory.header->sq_tail);
	uint32_t count = tail - q->sq_head;

	return count <= q->memory.sq_entries ? count : q->memory.sq_entries;
}

bool queue_sq_full(const struct queue *q)
{
	/* Pairs with the application's release store of the tail. */
	uint32_t tail = load_acquire(&q->memory.header->sq_tail);

	return tail - q->sq_head == q->memory.sq_entries;
}

static NOINLINE void drop_entry(const struct queue *q)
{
	struct ring_header *h = q->memory.header;

	store_relaxed(&h->sq_dropped, h->sq_dropped + 1);
}

static NOINLINE void fetch_more(struct queue *q, struct io_uring_sqe *sqe,
				const struct io_uring_sqe *from)
{
	if (q->memory.sqe_shift == 7)
		memcpy((uint8_t *)sqe + 64, (const uint8_t *)from + 64, 64);
	if (q->trace)
		trace_submit(q->trace, sqe);
}

bool queue_fetch(struct queue *q, struct io_uring_sqe *sqe)
{
	uint32_t slot = queue_slot(q, 0);
	const struct io_uring_sqe *from = queue_entry(q, slot);

	q->sq_head++;
	if (unlikely(slot >= q->memory.sq_entries)) {
		drop_entry(q);
		return false;
	}
	memcpy(sqe, from, 64);
	if (unlikely(q->fetches_more))
		fetch_more(q, sqe, from);
	return true;
}

bool queue_has_room(struct queue *q)
{
	if (likely(q->cq_posted - q->cq_head_seen < q->memory.cq_entries))
		return true;
	/* Pairs with the application's release store of its head. */
	q->cq_head_seen = load_acquire(&q->memory.header->cq_head);
	return q->cq_posted - q->cq_head_seen < q->memory.cq_entries;
}

static bool is_big(const struct queue *q, const struct cqe *cqe)
{
	return unlikely(q->memory.cqe_mixed) && cqe->flags & IORING_CQE_F_32;
}

/* One slot before the end, or none: the slots that a big entry skips. */
static uint32_t slots_left_out(const struct queue *q)
{
	const uint32_t mask = q->memory.cq_entries - 1;

	return (q->cq_posted & mask) == mask;
}

static bool has_room_for(struct queue *q, const struct cqe *cqe)
{
	uint32_t slots = 2 + slots_left_out(q);

	if (likely(!is_big(q, cqe)))
		return queue_has_room(q);
	/* Pairs with the application's release store of its head. */
	q->cq_head_seen = load_acquire(&q->memory.header->cq_head);
	return q->cq_posted - q->cq_head_seen + slots <= q->memory.cq_entries;
}

static void write_entry(struct queue *q, const struct cqe *cqe)
{
	const struct cqe skip = {.flags = IORING_CQE_F_SKIP};
	const struct ring_memory *m = &q->memory;
	bool big = is_big(q, cqe);
	struct io_uring_cqe *to;
	uint32_t slot;

	if (big && slots_left_out(q))
		write_entry(q, &skip);
	slot = q->cq_posted++ & (m->cq_entries - 1);
	to = (struct io_uring_cqe *)(m->cqes + ((size_t)slot << m->cqe_shift));
	to->user_data = cqe->user_data;
	to->res = cqe->res;
	to->flags = cqe->flags;
	if (m->cqe_shift == 5 || big)
		memcpy(to->big_cqe, cqe->extra, sizeof(cqe->extra));
	q->cq_posted += big;
}

void queue_sq_flags(struct queue *q, uint32_t set, uint32_t clear)
{
	struct ring_header *h = q->memory.header;

	store_release(&h->sq_flags, (h->sq_flags & ~clear) | set);
}

static bool backlog_keep(struct queue *q, const struct cqe *cqe)
{
	struct backlog_entry *entry;

	if (q->view.share)
		return share_keep(&q->view, cqe);
	entry = mem_new(1, sizeof(*entry));
	if (!entry)
		return false;
	entry->cqe = *cqe;
	list_push_back(&q->backlog, &entry->node);
	return true;
}

static void keep_for_later(struct queue *q, const struct cqe *cqe)
{
	if (!backlog_keep(q, cqe)) {
		struct ring_header *h = q->memory.header;

		store_relaxed(&h->cq_overflow, h->cq_overflow + 1);
		return;
	}
	if (!q->backlog_count++)
		queue_sq_flags(q, IORING_SQ_CQ_OVERFLOW, 0);
}

/* The oldest of the backlog, which is not empty. */
static const struct cqe *backlog_first(const struct queue *q)
{
	if (q->view.share)
		return share_kept(&q->view);
	return &list_entry(q->backlog.next, struct backlog_entry, node)->cqe;
}

static void backlog_drop_first(struct queue *q)
{
	if (q->view.share)
		share_kept_moved(&q->view);
	else
		mem_free(list_entry(list_pop_front(&q->backlog),
				    struct backlog_entry, node));
	if (!--q->backlog_count)
		queue_sq_flags(q, 0, IORING_SQ_CQ_OVERFLOW);
}

/*
 * Compute up to where queue_post_small() may be used. In a shared ring every
 * completion ends a record and in a watched one it is recorded, so it may not
 * be.
 */
static void find_easy(struct queue *q)
{
	const struct ring_memory *m = &q->memory;

	if (q->backlog_count || m->cqe_shift != 4 || m->cqe_mixed ||
	    q->view.share || q->trace)
		q->cq_easy = q->cq_posted;
	else
		q->cq_easy = q->cq_head_seen + m->cq_entries;
}

bool queue_post(struct queue *q, const struct cqe *cqe)
{
	bool fits = !q->backlog_count && has_room_for(q, cqe);

	if (likely(fits))
		write_entry(q, cqe);
	else
		keep_for_later(q, cqe);
	find_easy(q);
	if (unlikely(q->trace))
		trace_complete(q->trace, fits ? TRACE_COMPLETE : TRACE_OVERFLOW,
			       cqe->user_data, cqe->res, cqe->flags);
	return fits;
}

void queue_end_silently(struct queue *q, uint64_t user_data)
{
	if (unlikely(q->view.share))
		share_end(&q->view, user_data, true);
	if (unlikely(q->trace))
		trace_complete(q->trace, TRACE_SILENT, user_data, 0, 0);
}

bool queue_flush_backlog(struct queue *q)
{
	while (q->backlog_count) {
		const struct cqe *oldest = backlog_first(q);

		if (!has_room_for(q, oldest))
			break;
		write_entry(q, oldest);
		backlog_drop_first(q);
	}
	find_easy(q);
	return !q->backlog_count;
}

uint32_t queue_publish(struct queue *q)
{
	uint32_t fresh = q->cq_posted - q->cq_tail;

	if (fresh) {
		q->cq_tail = q->cq_posted;
		store_release(&q->memory.header->cq_tail, q->cq_tail);
	}
	return fresh;
}

int queue_share(struct queue *q)
{
	struct share *share = share_open();
	uint32_t kept = q->backlog_count;

	if (!share)
		return -ENOMEM;
	q->view.share = share;
	q->view.me = q->view.acts_for = ++share->owners;
	q->backlog_count = 0;
	while (kept--) {
		struct backlog_entry *entry =
			list_entry(list_pop_front(&q->backlog),
				   struct backlog_entry, node);

		keep_for_later(q, &entry->cqe);
		mem_free(entry);
	}
	find_easy(q);
	queue_share_commit(q);
	return 0;
}

void queue_share_load(struct queue *q)
{
	const struct share *share = q->view.share;
	const struct share_state *s = &q->view.state;

	/* Pairs with the release in share_commit(). */
	q->view.state = share->state[load_acquire(&share->current) & 1];
	q->sq_head = s->sq_head;
	q->cq_posted = s->cq_posted;
	q->cq_tail = s->cq_posted;
	q->cq_easy = s->cq_posted;
	q->backlog_count = s->backlog_end - s->backlog_first;
	/* Pairs with the application's release store of its head. */
	q->cq_head_seen = load_acquire(&q->memory.header->cq_head);
}

/* What the application sees comes after: it must not be taken back. */
void queue_share_commit(struct queue *q)
{
	q->view.state.sq_head = q->sq_head;
	q->view.state.cq_posted = q->cq_posted;
	share_commit(&q->view);
	queue_consume(q);
}

void queue_share_record(struct queue *q, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = queue_slot(q, i);

		if (slot >= q->memory.sq_entries)
			return;
		share_record(&q->view,
			     load_relaxed(&queue_entry(q, slot)->user_data),
			     q->sq_head + i);
	}
}

void queue_share_unrecord(struct queue *q, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = queue_slot(q, i);

		if (slot < q->memory.sq_entries)
			share_unrecord(
				&q->view,
				load_relaxed(&queue_entry(q, slot)->user_data),
				q->sq_head + i);
	}
}

void queue_share_posted(struct queue *q, uint64_t user_data, uint32_t flags)
{
	q->view.state.posted++;
	if (!(flags & IORING_CQE_F_MORE))
		share_end(&q->view, user_data, false);
}

void queue_share_reap(struct queue *q, struct share_reaper *reaper)
{
	q->view.state.sq_head = q->sq_head;
	share_reap(&q->view, q->memory.sq_entries, reaper);
	q->sq_head = q->view.state.sq_head;
}
