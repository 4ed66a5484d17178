/* SPDX-License-Identifier: MIT */
/*
 * Chains, hard chains, drain, skipped completions, ASYNC.
 *
 * Theory: only completions that depend on one another have a defined order;
 * completions of independent requests are sorted.
 */
#include "runner/scenario.h"

static const struct io_timespec soon = {.tv_nsec = 10 * 1000 * 1000};

static struct io_uring_sqe *flagged(struct io_uring_sqe *sqe, uint8_t flags)
{
	sqe->flags |= flags;
	return sqe;
}

static struct io_uring_sqe *link_nop(struct ring *r)
{
	return flagged(sqe_nop(r), IOSQE_IO_LINK);
}

/* A request that fails when it is issued, not when it is prepared. */
static struct io_uring_sqe *failing(struct ring *r)
{
	return sqe_new(r, IORING_OP_READ, -1, NULL, 0, 0);
}

static struct io_uring_sqe *failing_nop(struct ring *r, uint32_t result)
{
	struct io_uring_sqe *sqe = sqe_nop(r);

	sqe->op_flags = IORING_NOP_INJECT_RESULT;
	sqe->len = result;
	return sqe;
}

static void chain_in_order(struct ring *r)
{
	link_nop(r);
	link_nop(r);
	link_nop(r);
	sqe_nop(r);
	go(r);
}

static void chain_ends_with_the_submission(struct ring *r)
{
	link_nop(r);
	flagged(failing(r), IOSQE_IO_LINK);
	submit(r);
	reap(r, 2);
	sqe_nop(r);
	go(r);
}

static void failure_cancels_the_rest(struct ring *r)
{
	link_nop(r);
	flagged(failing(r), IOSQE_IO_LINK);
	link_nop(r);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 5);
}

static void hard_chain_goes_on(struct ring *r)
{
	flagged(failing(r), IOSQE_IO_HARDLINK);
	flagged(failing(r), IOSQE_IO_HARDLINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 3);
}

static void hard_then_soft(struct ring *r)
{
	flagged(failing(r), IOSQE_IO_HARDLINK);
	flagged(failing(r), IOSQE_IO_LINK);
	link_nop(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 4);
}

static void hard_and_soft_together(struct ring *r)
{
	flagged(failing(r), IOSQE_IO_HARDLINK | IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void unprepared_member(struct ring *r)
{
	link_nop(r);
	flagged(sqe_new(r, 200, -1, NULL, 0, 0), IOSQE_IO_LINK);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void unprepared_head(struct ring *r)
{
	flagged(sqe_new(r, 200, -1, NULL, 0, 0), IOSQE_IO_LINK);
	link_nop(r);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void unprepared_tail(struct ring *r)
{
	link_nop(r);
	link_nop(r);
	sqe_new(r, 200, -1, NULL, 0, 0);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void unprepared_in_a_hard_chain(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_IO_HARDLINK);
	flagged(sqe_new(r, 200, -1, NULL, 0, 0), IOSQE_IO_HARDLINK);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void injected_results(struct ring *r)
{
	flagged(failing_nop(r, 7), IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
	flagged(failing_nop(r, (uint32_t)-EIO), IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void waits_for_what_waits(struct ring *r)
{
	char bytes[8] = "";
	int fd[2];

	pair(fd, PAIR_STREAM);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 4, 0), IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	quiet(r);
	put(fd[1], "abcd");
	reap(r, 2);
}

static void short_transfer(struct ring *r, enum io_uring_op op,
			   enum pair_kind kind, uint32_t flags)
{
	char bytes[8] = "";
	int fd[2];

	pair(fd, kind);
	put(fd[1], "ab");
	flagged(sqe_new(r, op, fd[0], bytes, 4, 0), IOSQE_IO_LINK)->op_flags =
		flags;
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void short_read_cancels(struct ring *r)
{
	short_transfer(r, IORING_OP_READ, PAIR_PIPE, 0);
	short_transfer(r, IORING_OP_READ, PAIR_STREAM, 0);
}

static void short_receive(struct ring *r)
{
	short_transfer(r, IORING_OP_RECV, PAIR_STREAM, 0);
}

static void short_receive_waitall(struct ring *r)
{
	char bytes[8] = "";
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "ab");
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 4, 0), IOSQE_IO_LINK)
		->op_flags = MSG_WAITALL;
	sqe_nop(r);
	submit(r);
	quiet(r);
	close(fd[1]);
	reap_sorted(r, 2);
}

static void short_read_of_a_file(struct ring *r)
{
	char bytes[8] = "";

	flagged(sqe_new(r, IORING_OP_READ, file_with("abc"), bytes, 8, 0),
		IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void copies_through_a_chain(struct ring *r)
{
	int from = file_with("0123456789");
	int to = file_with("");
	char bytes[16] = "";

	flagged(sqe_new(r, IORING_OP_READ, from, bytes, 10, 0), IOSQE_IO_LINK);
	flagged(sqe_new(r, IORING_OP_WRITE, to, bytes, 10, 0), IOSQE_IO_LINK);
	sqe_new(r, IORING_OP_READ, to, bytes + 1, 4, 5);
	go(r);
	note_bytes("bytes", bytes, 12);
}

static void head_of_a_chain_cancelled(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0), IOSQE_IO_LINK);
	link_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 4);
}

static void member_of_a_chain_cancelled(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 1, 0), IOSQE_IO_LINK);
	link_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_cancel(r, 2, 0);
	go(r);
	put(fd[1], "x");
	reap_sorted(r, 3);
}

static void two_chains(struct ring *r)
{
	flagged(failing(r), IOSQE_IO_LINK);
	sqe_nop(r);
	link_nop(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 4);
}

static void chain_of_timeouts(struct ring *r)
{
	flagged(sqe_timeout(r, &soon, 0, 0), IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
	flagged(sqe_timeout(r, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS),
		IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void long_chain(struct ring *r)
{
	int i;

	for (i = 0; i < 62; i++)
		link_nop(r);
	flagged(failing(r), IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 64);
}

/* ---- drain --------------------------------------------------------------- */

static void drain_waits_for_all_before(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap(r, 2);
}

static void drain_holds_what_comes_after(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap_sorted(r, 5);
	sqe_nop(r);
	go(r);
}

static void drain_with_nothing_before(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	sqe_nop(r);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	reap(r, 3);
}

static void drain_in_a_chain(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	link_nop(r);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN | IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	quiet(r);
}

/* While it runs, nothing that comes after it starts. */
static void drain_runs_alone(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0), IOSQE_IO_DRAIN);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap_sorted(r, 3);
	sqe_nop(r);
	go(r);
}

static void drain_chain_runs_alone(struct ring *r)
{
	static const uint8_t flags[][2] = {
		{IOSQE_IO_DRAIN | IOSQE_IO_LINK, 0},
		{IOSQE_IO_LINK, IOSQE_IO_DRAIN},
		{IOSQE_IO_DRAIN | IOSQE_IO_HARDLINK, IOSQE_IO_DRAIN},
	};
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	for (size_t i = 0; i < array_size(flags); i++) {
		note("flags 0x%x, 0x%x", flags[i][0], flags[i][1]);
		flagged(sqe_nop(r), flags[i][0]);
		flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0),
			flags[i][1]);
		sqe_nop(r);
		submit(r);
		reap(r, 1);
		quiet(r);
		put(fd[1], "x");
		reap_sorted(r, 2);
	}
}

/* Each waits for the one before it, and holds the one behind it. */
static void drains_in_links(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 1, 0);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN | IOSQE_IO_LINK);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 1, 0);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 1, 0),
		IOSQE_IO_DRAIN | IOSQE_IO_LINK);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 1, 0);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	quiet(r);
	for (int i = 0; i < 4; i++) {
		put(fd[1], "x");
		reap(r, i == 1 ? 1 : 2);
	}
	sqe_nop(r);
	go(r);
}

static void drain_waits_for_a_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, 1, 8, 8, 0, 8);
	sqe_recv_multi(r, fd[0], 1);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	put(fd[1], "x");
	quiet(r);
	close(fd[1]);
	quiet(r);
}

static void drained_request_cancelled(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	quiet(r);
	close(r->fd);
	r->fd = -1;
}

/* ---- skipping ------------------------------------------------------------ */

static void skip_success(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS);
	flagged(failing(r), IOSQE_CQE_SKIP_SUCCESS);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
	quiet(r);
}

static void skip_in_a_chain(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	reap(r, 1);
	quiet(r);
}

static void skip_in_a_chain_that_fails(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	flagged(failing(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	quiet(r);
	flagged(failing(r), IOSQE_IO_LINK);
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	quiet(r);
	flagged(failing(r), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void skip_what_waits(struct ring *r)
{
	char bytes[8] = "";
	int fd[2];

	pair(fd, PAIR_STREAM);
	flagged(sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0),
		IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	put(fd[1], "x");
	quiet(r);
	note_bytes("bytes", bytes, 2);
	flagged(sqe_timeout(r, &soon, 0, 0), IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	reap(r, 1);
}

static void skip_with_drain(struct ring *r)
{
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN);
	submit(r);
	quiet(r);
	flagged(sqe_nop(r), IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	quiet(r);
	flagged(sqe_nop(r), IOSQE_CQE_SKIP_SUCCESS);
	submit(r);
	quiet(r);
}

/* ---- async --------------------------------------------------------------- */

static void async(struct ring *r)
{
	char bytes[16] = "";
	int fd[2];

	pair(fd, PAIR_PIPE);
	flagged(sqe_nop(r), IOSQE_ASYNC);
	go(r);
	flagged(sqe_new(r, IORING_OP_READ, file_with("abc"), bytes, 8, 0),
		IOSQE_ASYNC);
	go(r);
	flagged(sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0), IOSQE_ASYNC);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap(r, 1);
}

static void async_in_a_chain(struct ring *r)
{
	char bytes[16] = "";
	int fd[2];

	pair(fd, PAIR_PIPE);
	flagged(sqe_new(r, IORING_OP_WRITE, fd[1], "hello", 5, 0),
		IOSQE_ASYNC | IOSQE_IO_LINK);
	flagged(sqe_new(r, IORING_OP_READ, fd[0], bytes, 5, 0), IOSQE_ASYNC);
	go(r);
	note_bytes("bytes", bytes, 8);
}

static void async_many_blocking_reads(struct ring *r)
{
	static char bytes[32];
	int fd[32][2];
	int i;

	for (i = 0; i < 32; i++) {
		pair(fd[i], PAIR_PIPE);
		flagged(sqe_new(r, IORING_OP_READ, fd[i][0], bytes + i, 1, 0),
			IOSQE_ASYNC);
	}
	submit(r);
	flagged(sqe_new(r, IORING_OP_READ, file_with("z"), bytes, 1, 0),
		IOSQE_ASYNC);
	go(r);
	for (i = 31; i >= 0; i--) {
		put(fd[i][1], "y");
		reap(r, 1);
	}
}

static const struct scenario rows[] = {
	SCENARIO(chain_in_order, NULL, .modes = MODES_ALL),
	SCENARIO(chain_ends_with_the_submission, NULL),
	SCENARIO(failure_cancels_the_rest, NULL, .modes = MODES_ALL),
	SCENARIO(hard_chain_goes_on, NULL),
	SCENARIO(hard_then_soft, NULL),
	SCENARIO(hard_and_soft_together, NULL),
	SCENARIO(unprepared_member, NULL),
	SCENARIO(unprepared_head, NULL),
	SCENARIO(unprepared_tail, NULL),
	SCENARIO(unprepared_in_a_hard_chain, NULL),
	SCENARIO(injected_results, NULL),
	SCENARIO(waits_for_what_waits, NULL, .modes = MODES_ALL),
	SCENARIO(short_read_cancels, NULL),
	SCENARIO(short_receive, NULL),
	SCENARIO(short_receive_waitall, NULL),
	SCENARIO(short_read_of_a_file, NULL),
	SCENARIO(copies_through_a_chain, NULL, .modes = MODES_ALL),
	SCENARIO(head_of_a_chain_cancelled, NULL),
	SCENARIO(member_of_a_chain_cancelled, NULL),
	SCENARIO(two_chains, NULL),
	SCENARIO(chain_of_timeouts, NULL),
	SCENARIO(long_chain, NULL),
	SCENARIO(drain_waits_for_all_before, NULL, .modes = MODES_ALL),
	SCENARIO(drain_holds_what_comes_after, NULL, .modes = MODES_ALL),
	SCENARIO(drain_with_nothing_before, NULL),
	SCENARIO(drain_in_a_chain, NULL),
	SCENARIO(drain_runs_alone, NULL, .modes = MODES_ALL),
	SCENARIO(drain_chain_runs_alone, NULL, .modes = MODES_ALL),
	SCENARIO(drains_in_links, NULL, .modes = MODES_ALL),
	SCENARIO(drain_waits_for_a_multishot, NULL),
	SCENARIO(drained_request_cancelled, NULL),
	SCENARIO(skip_success, NULL, .modes = MODES_ALL),
	SCENARIO(skip_in_a_chain, NULL),
	SCENARIO(skip_in_a_chain_that_fails, NULL),
	SCENARIO(skip_what_waits, NULL),
	SCENARIO(skip_with_drain, NULL),
	SCENARIO(async, NULL),
	SCENARIO(async_in_a_chain, NULL),
	SCENARIO(async_many_blocking_reads, NULL),
};

FAMILY(link, rows);
