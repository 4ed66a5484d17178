/* SPDX-License-Identifier: MIT */
/*
 * RESIZE_RINGS: the queues change size while the ring runs.
 */
#include "runner/scenario.h"

/* 6.18 leaves the offset of the array unchanged. */
static uint32_t array_offset(const struct ring *r,
			     const struct io_uring_params *p)
{
	bool big = r->params.flags & IORING_SETUP_CQE32;

	return (p->cq_off.cqes + 16 * p->cq_entries) << big;
}

/* Resize; on success the new queues are mapped in place of the old. */
static int resize_with(struct ring *r, struct io_uring_params *p)
{
	int result = reg(r, IORING_REGISTER_RESIZE_RINGS, p, 1);

	if (result < 0)
		return result;
	note("sq %u cq %u flags 0x%x", p->sq_entries, p->cq_entries, p->flags);
	r->params.sq_entries = p->sq_entries;
	r->params.cq_entries = p->cq_entries;
	r->params.sq_off = p->sq_off;
	r->params.cq_off = p->cq_off;
	r->params.sq_off.array = array_offset(r, p);
	ring_map(r);
	for (uint32_t i = 0; r->sq_array && i < p->sq_entries; i++)
		r->sq_array[i] = i;
	r->next = *r->sq_tail;
	note("sq head %u tail %u flags %u; cq head %u tail %u", *r->sq_head,
	     *r->sq_tail, *r->sq_flags, *r->cq_head, *r->cq_tail);
	return result;
}

static int resize(struct ring *r, uint32_t sq, uint32_t cq, uint32_t flags)
{
	struct io_uring_params p = {
		.sq_entries = sq,
		.cq_entries = cq,
		.flags = flags | (cq ? IORING_SETUP_CQSIZE : 0),
	};

	note("resize %u %u", sq, cq);
	return resize_with(r, &p);
}

static void nops(struct ring *r, int count)
{
	while (count--)
		sqe_nop(r);
}

static void idle(struct ring *r)
{
	resize(r, 128, 0, 0);
	nops(r, 100);
	go(r);
	resize(r, 4, 0, 0);
	nops(r, 4);
	go(r);
	resize(r, 8, 64, 0);
	nops(r, 8);
	go(r);
	resize(r, 5, 9, 0);
	nops(r, 5);
	go(r);
}

static void with_completions(struct ring *r)
{
	nops(r, 10);
	submit(r);
	resize(r, 4, 16, 0);
	reap(r, 10);
	nops(r, 3);
	go(r);
}

/* Then more completions than the smaller queue has room for: none is lost. */
static void smaller_and_full(struct ring *r)
{
	nops(r, 6);
	submit(r);
	resize(r, 4, 8, 0);
	for (int i = 0; i < 3; i++) {
		nops(r, 4);
		submit(r);
	}
	note("ready %u flags %u", ring_ready(r), *r->sq_flags);
	reap(r, 18);
}

/* If the entries don't fit, the call is refused and changes nothing. */
static void with_too_many_completions(struct ring *r)
{
	nops(r, 10);
	submit(r);
	resize(r, 4, 8, 0);
	reap(r, 10);
	nops(r, 3);
	go(r);
}

static void with_submissions(struct ring *r)
{
	nops(r, 6);
	store_release(r->sq_tail, r->next);
	resize(r, 16, 0, 0);
	enter(r, 6, 6, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 6);
	nops(r, 6);
	go(r);
}

static void with_too_many_submissions(struct ring *r)
{
	nops(r, 6);
	store_release(r->sq_tail, r->next);
	resize(r, 4, 0, 0);
	enter(r, 6, 6, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 6);
}

/* After the indices have wrapped more than once. */
static void after_a_while(struct ring *r)
{
	for (int i = 0; i < 5; i++) {
		nops(r, 50);
		store_release(r->sq_tail, r->next);
		side->enter(r->fd, 50, 50, IORING_ENTER_GETEVENTS, NULL, 0);
		while (ring_ready(r))
			ring_seen(r);
	}
	nops(r, 3);
	submit(r);
	nops(r, 2);
	store_release(r->sq_tail, r->next);
	resize(r, 8, 8, 0);
	enter(r, 2, 5, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 5);
}

static void with_a_backlog(struct ring *r)
{
	nops(r, 64);
	submit(r);
	nops(r, 64);
	submit(r);
	nops(r, 6);
	submit(r);
	note("ready %u overflow %u flags %u", ring_ready(r), *r->cq_overflow,
	     *r->sq_flags & IORING_SQ_CQ_OVERFLOW);
	resize(r, 64, 256, 0);
	note("ready %u overflow %u flags %u", ring_ready(r), *r->cq_overflow,
	     *r->sq_flags & IORING_SQ_CQ_OVERFLOW);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u", ring_ready(r));
}

/* A request that waits completes into the new queue. */
static void with_requests_that_wait(struct ring *r)
{
	char byte = 0;
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], &byte, 1, 0);
	submit(r);
	resize(r, 4, 4, 0);
	put(fd[1], "x");
	reap(r, 1);
}

static void limits(struct ring *r)
{
	const uint32_t sq[] = {0, 1, 2, 32768, 32769, 65536, UINT32_MAX};
	const uint32_t cq[] = {1, 4, 65536, 65537, UINT32_MAX};

	for (size_t i = 0; i < array_size(sq); i++) {
		resize(r, sq[i], 0, 0);
		resize(r, sq[i], 0, IORING_SETUP_CLAMP);
	}
	for (size_t i = 0; i < array_size(cq); i++) {
		resize(r, 4, cq[i], 0);
		resize(r, 4, cq[i], IORING_SETUP_CLAMP);
	}
	resize(r, 4, 0, IORING_SETUP_CQSIZE);
	nops(r, 3);
	go(r);
}

static void flags(struct ring *r)
{
	for (int bit = 0; bit < 32; bit++) {
		struct io_uring_params p = {
			.sq_entries = 8,
			.cq_entries = 16,
			.flags = 1u << bit,
		};
		uint32_t asked = p.flags;
		int result = reg(r, IORING_REGISTER_RESIZE_RINGS, &p, 1);

		note("flag 0x%x: %d, flags 0x%x", asked, result, p.flags);
	}
}

static void errors(struct ring *r)
{
	struct io_uring_params p = {.sq_entries = 8};

	reg(r, IORING_REGISTER_RESIZE_RINGS, NULL, 1);
	reg(r, IORING_REGISTER_RESIZE_RINGS, &p, 0);
	reg(r, IORING_REGISTER_RESIZE_RINGS, &p, 2);
	reg(r, IORING_REGISTER_RESIZE_RINGS, nowhere(), 1);
	reg(r, IORING_REGISTER_RESIZE_RINGS, read_only(), 1);
	p.resv[1] = 1;
	reg(r, IORING_REGISTER_RESIZE_RINGS, &p, 1);
	p.resv[1] = 0;
	p.wq_fd = 7;
	p.sq_thread_cpu = 9;
	p.sq_thread_idle = 9;
	p.features = 9;
	reg(r, IORING_REGISTER_RESIZE_RINGS, &p, 1);
	note("features 0x%x wq %u", p.features, p.wq_fd);
}

/* A resize whose result can't be written leaves the ring as it was. */
static void answer_not_writable(struct ring *r)
{
	struct io_uring_params *p = pages(4096);

	p->sq_entries = 8;
	mprotect(p, 4096, PROT_READ);
	reg(r, IORING_REGISTER_RESIZE_RINGS, p, 1);
	nops(r, 20);
	go(r);
}

static void try_ring(uint32_t setup)
{
	struct io_uring_params p = {.flags = setup};
	struct ring one;

	p.cq_off.user_addr = (uintptr_t)pages(65536);
	p.sq_off.user_addr = (uintptr_t)pages(65536);
	note("setup 0x%x", setup);
	if (ring_try(&one, 8, &p) < 0)
		give_up("no ring");
	p = (struct io_uring_params){.sq_entries = 4};
	p.cq_off.user_addr = (uintptr_t)pages(65536);
	p.sq_off.user_addr = (uintptr_t)pages(65536);
	reg(&one, IORING_REGISTER_RESIZE_RINGS, &p, 1);
	note("flags 0x%x", p.flags);
	close(one.fd);
}

static void kinds_of_rings(struct ring *r)
{
	const uint32_t defer =
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

	(void)r;
	try_ring(0);
	try_ring(IORING_SETUP_SINGLE_ISSUER);
	try_ring(IORING_SETUP_COOP_TASKRUN);
	try_ring(IORING_SETUP_SQPOLL);
	try_ring(defer);
	try_ring(defer | IORING_SETUP_SQE128);
	try_ring(defer | IORING_SETUP_CQE32);
	try_ring(defer | IORING_SETUP_CQE_MIXED);
	try_ring(defer | IORING_SETUP_NO_SQARRAY);
	try_ring(defer | IORING_SETUP_R_DISABLED);
	try_ring(defer | IORING_SETUP_NO_MMAP);
}

/* A ring with big entries, opened by the scenario. */
static void big_entries(struct ring *r)
{
	ring_open(r, 8,
		  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			  IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	nops(r, 6);
	submit(r);
	nops(r, 2);
	store_release(r->sq_tail, r->next);
	resize(r, 32, 0, 0);
	enter(r, 2, 8, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 8);
	nops(r, 30);
	go(r);
}

static void note_slots(const struct ring *r)
{
	const uint32_t mask = r->params.cq_entries - 1;

	for (uint32_t i = *r->cq_head; i != *r->cq_tail; i++) {
		const struct io_uring_cqe *cqe =
			(void *)(r->cqes + 16 * (size_t)(i & mask));

		note("slot %u: %llx %d 0x%x", i & mask,
		     (unsigned long long)cqe->user_data, cqe->res, cqe->flags);
	}
}

/* Entries of one slot and of two. */
static void mixed_entries(struct ring *r)
{
	struct io_uring_sqe *sqe;

	ring_open(r, 8,
		  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			  IORING_SETUP_CQE_MIXED);
	for (int i = 0; i < 6; i++) {
		sqe = sqe_new(r, IORING_OP_NOP, -1, (void *)0x22, 0, 0x11);
		sqe->op_flags = i % 2 ? IORING_NOP_CQE32 : 0;
	}
	submit(r);
	note_slots(r);
	resize(r, 16, 64, 0);
	note_slots(r);
	sqe = sqe_new(r, IORING_OP_NOP, -1, (void *)0x22, 0, 0x11);
	sqe->op_flags = IORING_NOP_CQE32;
	submit(r);
	resize(r, 16, 16, 0);
	note_slots(r);
	/* All completions are counted as seen here. */
	store_release(r->cq_head, *r->cq_tail);
}

static void without_array(struct ring *r)
{
	ring_open(r, 8,
		  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			  IORING_SETUP_NO_SQARRAY);
	nops(r, 8);
	go(r);
	nops(r, 3);
	submit(r);
	nops(r, 2);
	store_release(r->sq_tail, r->next);
	resize(r, 32, 0, 0);
	enter(r, 2, 5, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 5);
	nops(r, 30);
	go(r);
}

/* The old memory stays mapped, and is no longer used. */
static void old_memory(struct ring *r)
{
	struct ring old = *r;

	nops(r, 2);
	go(r);
	resize(r, 16, 0, 0);
	nops(r, 2);
	go(r);
	note("sq flags %u", *r->sq_flags);
	note("old: sq tail %u cq tail %u", *old.sq_tail, *old.cq_tail);
	store_release(old.sq_tail, 77);
	store_release(old.cq_head, 5);
	nops(r, 2);
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(idle, NULL, .modes = MODE_DEFER),
	SCENARIO(with_completions, NULL, .modes = MODE_DEFER),
	SCENARIO(smaller_and_full, NULL, .modes = MODE_DEFER),
	SCENARIO(with_too_many_completions, NULL, .modes = MODE_DEFER),
	SCENARIO(with_submissions, NULL, .modes = MODE_DEFER),
	SCENARIO(with_too_many_submissions, NULL, .modes = MODE_DEFER),
	SCENARIO(after_a_while, NULL, .modes = MODE_DEFER),
	SCENARIO(with_a_backlog, NULL, .modes = MODE_DEFER),
	SCENARIO(with_requests_that_wait, NULL, .modes = MODE_DEFER),
	SCENARIO(limits, NULL, .modes = MODE_DEFER),
	SCENARIO(flags, NULL, .modes = MODE_DEFER),
	SCENARIO(errors, NULL, .modes = MODE_DEFER),
	SCENARIO(answer_not_writable, NULL, .modes = MODE_DEFER),
	SCENARIO(kinds_of_rings, NULL, .bare = true),
	SCENARIO(big_entries, NULL, .bare = true),
	SCENARIO(mixed_entries, NULL, .bare = true),
	SCENARIO(without_array, NULL, .bare = true),
	SCENARIO(old_memory, NULL, .modes = MODE_DEFER),
};

FAMILY(resize, rows);
