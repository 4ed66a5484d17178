/* SPDX-License-Identifier: MIT */
/*
 * CQE_MIXED: entries of 16 and of 32 bytes in one queue.
 */
#include "runner/scenario.h"

static void open_mixed(struct ring *r, uint32_t cq_entries)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQE_MIXED | IORING_SETUP_CQSIZE,
		.cq_entries = cq_entries,
	};

	if (ring_try(r, 4, &params) < 0)
		give_up("no ring of mixed entries");
	ring_map(r);
}

/* A slot has 16 bytes: a big entry has two. */
static struct io_uring_cqe *slot(const struct ring *r, uint32_t index)
{
	return (void *)(r->cqes +
			(size_t)(index & (r->params.cq_entries - 1)) * 16);
}

static void note_all(struct ring *r)
{
	uint32_t head = *r->cq_head;
	uint32_t tail = load_acquire(r->cq_tail);

	note("%u slots", tail - head);
	while (head != tail) {
		const struct io_uring_cqe *cqe = slot(r, head);

		if (cqe->flags & IORING_CQE_F_SKIP)
			note("at %u: to be skipped, data %llu, res %d flags "
			     "0x%x",
			     head & (r->params.cq_entries - 1),
			     (unsigned long long)cqe->user_data, cqe->res,
			     cqe->flags);
		else
			note("at %u: #%llu %d flags 0x%x",
			     head & (r->params.cq_entries - 1),
			     (unsigned long long)cqe->user_data, cqe->res,
			     cqe->flags);
		if (cqe->flags & IORING_CQE_F_32) {
			note("then %llx %llx",
			     (unsigned long long)cqe->big_cqe[0],
			     (unsigned long long)cqe->big_cqe[1]);
			head++;
		}
		head++;
	}
	store_release(r->cq_head, head);
}

static void big_nop(struct ring *r, uint64_t a, uint64_t b)
{
	struct io_uring_sqe *sqe = sqe_nop(r);

	sqe->op_flags = IORING_NOP_CQE32;
	sqe->off = a;
	sqe->addr = b;
}

static void both_kinds(struct ring *r)
{
	open_mixed(r, 8);
	sqe_nop(r);
	big_nop(r, 0x11, 0x22);
	sqe_nop(r);
	submit(r);
	note_all(r);
	big_nop(r, 0x33, 0x44);
	submit(r);
	note_all(r);
	/* Seven slots are used: one is left before the end. */
	sqe_nop(r);
	submit(r);
	note_all(r);
	sqe_nop(r);
	submit(r);
	note_all(r);
	ring_close(r);
}

/* A big entry does not wrap around the end: one slot is skipped. */
static void not_around_the_end(struct ring *r)
{
	int i;

	open_mixed(r, 4);
	for (i = 0; i < 3; i++)
		sqe_nop(r);
	submit(r);
	note_all(r);
	big_nop(r, 0x11, 0x22);
	submit(r);
	note_all(r);
	sqe_nop(r);
	submit(r);
	note_all(r);
	ring_close(r);
}

static void full(struct ring *r)
{
	int i;

	open_mixed(r, 4);
	for (i = 0; i < 3; i++) {
		big_nop(r, (uint64_t)i, 0x22);
		submit(r);
	}
	sqe_nop(r);
	submit(r);
	note("overflow %u flags 0x%x", *r->cq_overflow,
	     load_acquire(r->sq_flags));
	note_all(r);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note_all(r);
	note("flags 0x%x", load_acquire(r->sq_flags));
	ring_close(r);
}

/* Waits count slots. */
static void waits(struct ring *r)
{
	open_mixed(r, 8);
	big_nop(r, 1, 2);
	submit(r);
	enter(r, 0, 2, IORING_ENTER_GETEVENTS, NULL, 0);
	note_all(r);
	ring_close(r);
}

static void resized(struct ring *r)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQE_MIXED | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
	};
	struct io_uring_params to = {.sq_entries = 8};

	if (ring_try(r, 4, &params) < 0)
		give_up("no ring of mixed entries");
	ring_map(r);
	big_nop(r, 1, 2);
	submit(r);
	note_all(r);
	reg(r, IORING_REGISTER_RESIZE_RINGS, &to, 1);
	ring_close(r);
}

static void combinations(struct ring *r)
{
	static const uint32_t with[] = {0,
					IORING_SETUP_CQE32,
					IORING_SETUP_SQE128,
					IORING_SETUP_NO_SQARRAY,
					IORING_SETUP_SQPOLL,
					IORING_SETUP_SINGLE_ISSUER |
						IORING_SETUP_DEFER_TASKRUN};
	size_t i;

	for (i = 0; i < array_size(with); i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_CQE_MIXED | with[i],
		};
		int err = ring_try(r, 4, &params);

		note_result("setup", err < 0 ? err : 0);
		if (err < 0)
			continue;
		note("cq %u, cqes at %u", params.cq_entries,
		     params.cq_off.cqes);
		ring_map(r);
		ring_close(r);
	}
	for (i = 1; i < 4; i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_CQE_MIXED | IORING_SETUP_CQSIZE,
			.cq_entries = (uint32_t)i,
		};
		int err = ring_try(r, 1, &params);

		note_result("setup", err < 0 ? err : 0);
		if (err < 0)
			continue;
		note("cq %u", params.cq_entries);
		ring_map(r);
		ring_close(r);
	}
}

static const struct scenario rows[] = {
	SCENARIO(both_kinds, NULL, .bare = true),
	SCENARIO(not_around_the_end, NULL, .bare = true),
	SCENARIO(full, NULL, .bare = true),
	SCENARIO(waits, NULL, .bare = true),
	SCENARIO(resized, NULL, .bare = true),
	SCENARIO(combinations, NULL, .bare = true),
};

FAMILY(mixed, rows);
