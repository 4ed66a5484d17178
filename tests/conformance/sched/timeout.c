/* SPDX-License-Identifier: MIT */
/*
 * TIMEOUT, TIMEOUT_REMOVE (which also updates), LINK_TIMEOUT.
 *
 * Theory: a timeout is either short and waited for, or an hour long and never
 * fires. The order of two expiries is compared only if they are that far apart.
 */
#include "runner/scenario.h"

#include <time.h>

static const struct io_timespec soon = {.tv_nsec = 10 * 1000 * 1000};
static const struct io_timespec hour = {.tv_sec = 3600};
static char bytes[64];

static struct io_uring_sqe *timeout_remove(struct ring *r, uint64_t user_data,
					   uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_TIMEOUT_REMOVE, -1, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->op_flags = flags;
	return sqe;
}

static struct io_uring_sqe *timeout_update(struct ring *r, uint64_t user_data,
					   const struct io_timespec *ts,
					   uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = timeout_remove(r, user_data, IORING_TIMEOUT_UPDATE | flags);
	sqe->addr2 = (uintptr_t)ts;
	return sqe;
}

static struct io_uring_sqe *
link_timeout(struct ring *r, const struct io_timespec *ts, uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_LINK_TIMEOUT, -1, ts, 1, 0);
	sqe->op_flags = flags;
	return sqe;
}

/* ---- TIMEOUT ------------------------------------------------------------- */

static void fires(struct ring *r)
{
	sqe_timeout(r, &soon, 0, 0);
	go(r);
}

static void zero_fires_at_once(struct ring *r)
{
	static const struct io_timespec zero;

	sqe_timeout(r, &zero, 0, 0);
	go(r);
}

static void odd_times(struct ring *r)
{
	static const struct io_timespec times[] = {
		{-1, 0}, {0, -1},	 {0, 100000000000},
		{0, 1},	 {INT64_MAX, 0}, {1, INT64_MAX},
	};
	size_t i;

	for (i = 0; i < array_size(times); i++) {
		sqe_timeout(r, &times[i], 0, 0);
		submit(r);
		quiet(r);
	}
}

static void clocks(struct ring *r)
{
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_BOOTTIME);
	go(r);
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_REALTIME);
	go(r);
	sqe_timeout(r, &soon, 0,
		    IORING_TIMEOUT_REALTIME | IORING_TIMEOUT_BOOTTIME);
	go(r);
}

static void absolute(struct ring *r)
{
	static const struct io_timespec past = {.tv_sec = 1};
	struct timespec now;
	struct io_timespec at;

	sqe_timeout(r, &past, 0, IORING_TIMEOUT_ABS);
	go(r);
	clock_gettime(CLOCK_MONOTONIC, &now);
	at = (struct io_timespec){now.tv_sec, now.tv_nsec + 1000};
	if (at.tv_nsec > 999999999)
		at = (struct io_timespec){now.tv_sec + 1, 0};
	sqe_timeout(r, &at, 0, IORING_TIMEOUT_ABS);
	go(r);
	clock_gettime(CLOCK_REALTIME, &now);
	at = (struct io_timespec){now.tv_sec, 0};
	sqe_timeout(r, &at, 0, IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME);
	go(r);
}

static void errors(struct ring *r)
{
	unsigned int bit;

	sqe_timeout(r, nowhere(), 0, 0);
	go(r);
	sqe_timeout(r, NULL, 0, 0);
	go(r);
	sqe_timeout(r, &soon, 0, 0)->len = 0;
	go(r);
	sqe_timeout(r, &soon, 0, 0)->len = 2;
	go(r);
	sqe_timeout(r, &soon, 0, 0)->ioprio = 1;
	go(r);
	sqe_timeout(r, &soon, 0, 0)->buf_index = 1;
	go(r);
	sqe_timeout(r, &soon, 0, 0)->splice_fd_in = 1;
	go(r);
	for (bit = 7; bit < 32; bit++) {
		sqe_timeout(r, &soon, 0, 1u << bit);
		go(r);
	}
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_UPDATE);
	go(r);
	sqe_timeout(r, &soon, 0, IORING_LINK_TIMEOUT_UPDATE);
	go(r);
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_MULTISHOT | IORING_TIMEOUT_ABS);
	go(r);
}

static void time_is_read_once(struct ring *r)
{
	struct io_timespec *ts = pages(4096);

	*ts = soon;
	sqe_timeout(r, ts, 0, 0);
	submit(r);
	munmap(ts, 4096);
	reap(r, 1);
}

static void count_of_completions(struct ring *r)
{
	sqe_timeout(r, &hour, 2, 0);
	submit(r);
	quiet(r);
	sqe_nop(r);
	go(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void several_counts(struct ring *r)
{
	sqe_timeout(r, &hour, 3, 0);
	sqe_timeout(r, &hour, 1, 0);
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void count_and_time(struct ring *r)
{
	sqe_timeout(r, &soon, 5, 0);
	submit(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

static void multishot(struct ring *r)
{
	sqe_timeout(r, &soon, 3, IORING_TIMEOUT_MULTISHOT);
	submit(r);
	reap(r, 3);
	quiet(r);
}

/* How often it fires before it is removed depends on timing. */
static void multishot_without_end(struct ring *r)
{
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_MULTISHOT);
	submit(r);
	reap(r, 4);
	ring_close(r);
}

static void multishot_removed(struct ring *r)
{
	sqe_timeout(r, &hour, 0, IORING_TIMEOUT_MULTISHOT);
	submit(r);
	timeout_remove(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void etime_success(struct ring *r)
{
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS)->flags =
		IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	pause_ms(30);
	quiet(r);
	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	go(r);
}

/* ---- TIMEOUT_REMOVE ------------------------------------------------------ */

static void removed(struct ring *r)
{
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	timeout_remove(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	timeout_remove(r, 1, 0);
	go(r);
}

static void remove_errors(struct ring *r)
{
	timeout_remove(r, 9, 0);
	go(r);
	timeout_remove(r, 9, 0)->len = 1;
	go(r);
	timeout_remove(r, 9, 0)->ioprio = 1;
	go(r);
	timeout_remove(r, 9, 0)->buf_index = 1;
	go(r);
	timeout_remove(r, 9, 0)->splice_fd_in = 1;
	go(r);
	timeout_remove(r, 9, IORING_TIMEOUT_ABS);
	go(r);
	timeout_remove(r, 9, 0x80);
	go(r);
	timeout_update(r, 9, &soon, 0);
	go(r);
	timeout_update(r, 9, nowhere(), 0);
	go(r);
	timeout_update(r, 9, &soon, IORING_TIMEOUT_MULTISHOT);
	go(r);
	timeout_update(r, 9, &soon, IORING_LINK_TIMEOUT_UPDATE);
	go(r);
	timeout_remove(r, 9, IORING_LINK_TIMEOUT_UPDATE);
	go(r);
}

static void updated(struct ring *r)
{
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	timeout_update(r, 1, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
	sqe_timeout(r, &soon, 0, 0);
	submit(r);
	reap(r, 1);
	timeout_update(r, 3, &soon, 0);
	go(r);
}

static void updated_to_later(struct ring *r)
{
	static const struct io_timespec while_ = {.tv_sec = 5};

	sqe_timeout(r, &while_, 0, 0);
	submit(r);
	timeout_update(r, 1, &hour, 0);
	go(r);
	timeout_update(r, 1, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void updated_absolute(struct ring *r)
{
	static const struct io_timespec past = {.tv_sec = 1};

	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	timeout_update(r, 1, &past, IORING_TIMEOUT_ABS);
	submit(r);
	reap_sorted(r, 2);
}

static void cancelled(struct ring *r)
{
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void poll_remove_is_not_for_timeouts(struct ring *r)
{
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	sqe_new(r, IORING_OP_POLL_REMOVE, -1, NULL, 0, 0)->addr = 1;
	go(r);
	timeout_remove(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

/* ---- LINK_TIMEOUT -------------------------------------------------------- */

static struct io_uring_sqe *waiting_read(struct ring *r, int fd)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_READ, fd, bytes, 8, 0);
	sqe->flags = IOSQE_IO_LINK;
	return sqe;
}

static void link_fires(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
	put(fd[1], "abc");
	quiet(r);
}

static void link_is_not_needed(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, &hour, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abcdefgh");
	reap_sorted(r, 2);
	waiting_read(r, fd[0]);
	link_timeout(r, &hour, 0);
	put(fd[1], "abcdefgh");
	submit(r);
	reap_sorted(r, 2);
	waiting_read(r, fd[0]);
	link_timeout(r, &hour, 0);
	put(fd[1], "abc");
	submit(r);
	reap_sorted(r, 2);
}

static void link_in_a_longer_chain(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 3);
	waiting_read(r, fd[0]);
	link_timeout(r, &hour, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	put(fd[1], "abcdefgh");
	reap_sorted(r, 3);
}

static void link_of_the_second(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0);
	submit(r);
	reap_sorted(r, 3);
}

static void link_alone(struct ring *r)
{
	link_timeout(r, &soon, 0);
	go(r);
	sqe_nop(r);
	link_timeout(r, &soon, 0);
	submit(r);
	quiet(r);
}

static void link_twice(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0)->flags = IOSQE_IO_LINK;
	link_timeout(r, &soon, 0);
	submit(r);
	quiet(r);
}

static void link_errors(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, nowhere(), 0);
	submit(r);
	quiet(r);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0)->len = 2;
	submit(r);
	quiet(r);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0)->off = 1;
	submit(r);
	quiet(r);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, 0x80);
	submit(r);
	quiet(r);
	waiting_read(r, fd[0]);
	link_timeout(r, &soon, IORING_TIMEOUT_MULTISHOT);
	submit(r);
	quiet(r);
}

static void link_updated(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0]);
	link_timeout(r, &hour, 0);
	submit(r);
	quiet(r);
	timeout_update(r, 2, &soon, 0);
	go(r);
	timeout_remove(r, 2, IORING_LINK_TIMEOUT_UPDATE);
	submit(r);
	quiet(r);
	timeout_remove(r, 2, IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE)
		->addr2 = (uintptr_t)&soon;
	submit(r);
	reap_sorted(r, 3);
}

static void link_of_a_receive(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0)->flags = IOSQE_IO_LINK;
	link_timeout(r, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void link_of_a_selecting_receive(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, 1, 4, 16, 0, 4);
	sqe_select(r, IORING_OP_RECV, fd[0], 0, 1)->flags |= IOSQE_IO_LINK;
	link_timeout(r, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
	note_head(r, 1);
}

static void link_of_a_worker(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting_read(r, fd[0])->flags |= IOSQE_ASYNC;
	link_timeout(r, &soon, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void skipped_nop(struct ring *r)
{
	sqe_nop(r)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
}

/* Requests without a completion entry are not counted. */
static void counts_beside_skipped_entries(struct ring *r)
{
	sqe_timeout(r, &hour, 2, 0)->user_data = 100;
	submit(r);
	skipped_nop(r);
	skipped_nop(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	skipped_nop(r);
	quiet(r);
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 2);
}

/* Timeouts that end without an entry, by their count and by their time. */
static void counts_beside_silent_timeouts(struct ring *r)
{
	struct io_uring_sqe *sqe;
	int i;

	sqe = sqe_timeout(r, &hour, 1, 0);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = 100;
	sqe_timeout(r, &hour, 3, 0)->user_data = 101;
	submit(r);
	for (i = 0; i < 5; i++) {
		sqe_nop(r);
		submit(r);
		quiet(r);
	}
	sqe_cancel(r, 101, 0)->user_data = 102;
	submit(r);
	quiet(r);
	sqe_timeout(r, &hour, 2, 0)->user_data = 103;
	sqe = sqe_timeout(r, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = 104;
	submit(r);
	pause_ms(30);
	quiet(r);
	for (i = 0; i < 4; i++) {
		sqe_nop(r);
		submit(r);
		quiet(r);
	}
}

static const struct scenario rows[] = {
	SCENARIO(fires, NULL, .modes = MODES_ALL),
	SCENARIO(zero_fires_at_once, NULL),
	SCENARIO(odd_times, NULL),
	SCENARIO(clocks, NULL),
	SCENARIO(absolute, NULL),
	SCENARIO(errors, NULL),
	SCENARIO(time_is_read_once, NULL),
	SCENARIO(count_of_completions, NULL, .modes = MODES_ALL),
	SCENARIO(several_counts, NULL),
	SCENARIO(count_and_time, NULL),
	SCENARIO(multishot, NULL, .modes = MODES_ALL),
	SCENARIO(multishot_without_end, NULL),
	SCENARIO(multishot_removed, NULL, .modes = MODES_ALL),
	SCENARIO(etime_success, NULL),
	SCENARIO(removed, NULL, .modes = MODES_ALL),
	SCENARIO(remove_errors, NULL),
	SCENARIO(updated, NULL, .modes = MODES_ALL),
	SCENARIO(updated_to_later, NULL),
	SCENARIO(updated_absolute, NULL),
	SCENARIO(cancelled, NULL),
	SCENARIO(poll_remove_is_not_for_timeouts, NULL),
	SCENARIO(link_fires, NULL, .modes = MODES_ALL),
	SCENARIO(link_is_not_needed, NULL, .modes = MODES_ALL),
	SCENARIO(link_in_a_longer_chain, NULL),
	SCENARIO(link_of_the_second, NULL),
	SCENARIO(link_alone, NULL),
	SCENARIO(link_twice, NULL),
	SCENARIO(link_errors, NULL),
	SCENARIO(link_updated, NULL),
	SCENARIO(link_of_a_receive, NULL),
	SCENARIO(link_of_a_selecting_receive, "S5", .modes = MODES_ALL),
	SCENARIO(link_of_a_worker, NULL),
	SCENARIO(counts_beside_skipped_entries, NULL),
	SCENARIO(counts_beside_silent_timeouts, NULL),
};

FAMILY(timeout, rows);
