/* SPDX-License-Identifier: MIT */
/*
 * POLL_ADD, once and many times, and POLL_REMOVE, which also updates.
 */
#include "runner/scenario.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static struct io_uring_sqe *poll_multi(struct ring *r, int fd, uint32_t events)
{
	struct io_uring_sqe *sqe = sqe_poll(r, fd, events);

	sqe->len = IORING_POLL_ADD_MULTI;
	return sqe;
}

static struct io_uring_sqe *poll_remove(struct ring *r, uint64_t user_data)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_POLL_REMOVE, -1, NULL, 0, 0);
	sqe->addr = user_data;
	return sqe;
}

static struct io_uring_sqe *poll_update(struct ring *r, uint64_t user_data,
					uint32_t flags, uint32_t events,
					uint64_t new_user_data)
{
	struct io_uring_sqe *sqe = poll_remove(r, user_data);

	sqe->len = flags;
	sqe->op_flags = events;
	sqe->off = new_user_data;
	return sqe;
}

static void take_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		give_up("read");
}

static void once(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	quiet(r);
	put(fd[1], "a");
	reap(r, 1);
	put(fd[1], "b");
	quiet(r);
}

static void already_ready(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "a");
	sqe_poll(r, fd[0], POLLIN);
	go(r);
	sqe_poll(r, fd[0], POLLIN | POLLOUT);
	go(r);
	sqe_poll(r, fd[0], POLLOUT);
	go(r);
	sqe_poll(r, fd[0], POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI);
	go(r);
	sqe_poll(r, fd[0], 0xffff);
	go(r);
}

static void hang_up_and_error(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, fd[0], POLLIN);
	sqe_poll(r, fd[0], 0);
	submit(r);
	quiet(r);
	close(fd[1]);
	reap_sorted(r, 2);
	pair(fd, PAIR_PIPE);
	close(fd[0]);
	sqe_poll(r, fd[1], POLLOUT);
	go(r);
	pair(fd, PAIR_STREAM);
	shutdown(fd[1], SHUT_WR);
	sqe_poll(r, fd[0], POLLIN | POLLRDHUP);
	go(r);
	close(fd[1]);
	sqe_poll(r, fd[0], POLLIN | POLLRDHUP);
	go(r);
}

static void files_always_ready(struct ring *r)
{
	sqe_poll(r, file_with("abc"), POLLIN | POLLOUT);
	go(r);
	sqe_poll(r, device("/dev/null"), POLLIN | POLLOUT);
	go(r);
	sqe_poll(r, device("/dev/zero"), POLLIN);
	go(r);
}

static void errors(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, -1, POLLIN);
	go(r);
	sqe_poll(r, fd[0], POLLIN)->addr = 1;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->off = 1;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->len = 16;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->len = IORING_POLL_UPDATE_EVENTS;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->len = IORING_POLL_UPDATE_USER_DATA;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->ioprio = 1;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->buf_index = 1;
	go(r);
	poll_multi(r, fd[0], POLLIN)->flags = IOSQE_CQE_SKIP_SUCCESS;
	go(r);
	sqe_poll(r, open("/", O_PATH), POLLIN);
	go(r);
}

static void multishot(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	poll_multi(r, fd[0], POLLIN);
	submit(r);
	quiet(r);
	put(fd[1], "a");
	reap(r, 1);
	quiet(r);
	put(fd[1], "b");
	reap(r, 1);
	take_byte(fd[0]);
	quiet(r);
	put(fd[1], "c");
	reap(r, 1);
	close(fd[1]);
	quiet(r);
	poll_remove(r, 1);
	submit(r);
	quiet(r);
}

static void multishot_already_ready(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "a");
	poll_multi(r, fd[0], POLLIN);
	submit(r);
	reap(r, 1);
	put(fd[1], "b");
	reap(r, 1);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void level_is_refused(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	poll_multi(r, fd[0], POLLIN)->len |= IORING_POLL_ADD_LEVEL;
	go(r);
	sqe_poll(r, fd[0], POLLIN)->len = IORING_POLL_ADD_LEVEL;
	go(r);
}

static void edge_and_oneshot_bits(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	put(fd[1], "a");
	sqe_poll(r, fd[0], POLLIN | EPOLLET);
	go(r);
	sqe_poll(r, fd[0], POLLIN | EPOLLONESHOT);
	go(r);
	sqe_poll(r, fd[0], POLLIN | EPOLLEXCLUSIVE);
	go(r);
}

static void removed(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	poll_remove(r, 1);
	submit(r);
	reap_sorted(r, 2);
	poll_remove(r, 1);
	go(r);
	put(fd[1], "a");
	quiet(r);
}

static void remove_only_polls(struct ring *r)
{
	static char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	submit(r);
	poll_remove(r, 1);
	go(r);
	put(fd[1], "a");
	reap(r, 1);
}

static void remove_errors(struct ring *r)
{
	poll_remove(r, 1)->off = 1;
	go(r);
	poll_remove(r, 1)->op_flags = 1;
	go(r);
	poll_remove(r, 1)->len = 1;
	go(r);
	poll_remove(r, 1)->len = 16;
	go(r);
	poll_remove(r, 1)->len = 8;
	go(r);
	poll_remove(r, 1)->buf_index = 1;
	go(r);
	poll_remove(r, 1)->splice_fd_in = 1;
	go(r);
	poll_update(r, 1, IORING_POLL_UPDATE_EVENTS, POLLIN, 0);
	go(r);
	poll_update(r, 1, IORING_POLL_UPDATE_USER_DATA, 0, 5);
	go(r);
	poll_update(r, 1, IORING_POLL_UPDATE_EVENTS, POLLIN, 5);
	go(r);
	poll_update(r, 1, IORING_POLL_UPDATE_USER_DATA, POLLIN, 5);
	go(r);
}

static void events_updated(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	poll_update(r, 1, IORING_POLL_UPDATE_EVENTS, POLLOUT, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void events_updated_and_still_waiting(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLPRI);
	submit(r);
	put(fd[1], "a");
	quiet(r);
	poll_update(r, 1, IORING_POLL_UPDATE_EVENTS, POLLRDHUP, 0);
	go(r);
	quiet(r);
	poll_update(r, 1, IORING_POLL_UPDATE_EVENTS, POLLIN, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void user_data_updated(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	poll_update(r, 1, IORING_POLL_UPDATE_USER_DATA, 0, 77);
	go(r);
	poll_remove(r, 1);
	go(r);
	put(fd[1], "a");
	reap(r, 1);
}

static void both_updated_of_a_multishot(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	poll_multi(r, fd[0], POLLIN);
	submit(r);
	put(fd[1], "a");
	reap(r, 1);
	poll_update(r, 1,
		    IORING_POLL_UPDATE_USER_DATA | IORING_POLL_UPDATE_EVENTS |
			    IORING_POLL_ADD_MULTI,
		    POLLRDHUP, 77);
	go(r);
	quiet(r);
	shutdown(fd[1], SHUT_WR);
	quiet(r);
	poll_remove(r, 77);
	submit(r);
	quiet(r);
}

static void several_on_one_file(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN);
	sqe_poll(r, fd[0], POLLIN);
	sqe_poll(r, fd[0], POLLRDHUP);
	submit(r);
	quiet(r);
	put(fd[1], "a");
	reap_sorted(r, 2);
	quiet(r);
	shutdown(fd[1], SHUT_WR);
	reap(r, 1);
}

static void polling_another_ring(struct ring *r)
{
	struct ring other;

	ring_open(&other, 4, 0);
	sqe_poll(r, other.fd, POLLIN);
	submit(r);
	quiet(r);
	sqe_nop(&other);
	submit(&other);
	reap(r, 1);
	reap(&other, 1);
	ring_close(&other);
}

static void linked(struct ring *r)
{
	static char bytes[8];
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, fd[0], POLLIN)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	reap(r, 2);
}

/* The data is taken before any poll runs; its arrival was still an event. */
static void consumed_before_anybody_looked(struct ring *r)
{
	static const enum pair_kind kinds[] = {PAIR_PIPE, PAIR_STREAM,
					       PAIR_DGRAM, PAIR_TCP, PAIR_UDP};

	for (size_t i = 0; i < array_size(kinds); i++) {
		int fd[2];

		pair(fd, kinds[i]);
		sqe_poll(r, fd[0], POLLIN);
		submit(r);
		quiet(r);
		put(fd[1], "a");
		wait_readable(fd[0]);
		take_byte(fd[0]);
		reap(r, 1);
		quiet(r);
	}
}

static void consumed_count(struct ring *r)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	int event = eventfd(0, EFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t count = 1;

	sqe_poll(r, event, POLLIN);
	sqe_poll(r, timer, POLLIN);
	submit(r);
	quiet(r);
	if (write(event, &count, 8) != 8 || read(event, &count, 8) != 8)
		give_up("eventfd");
	timerfd_settime(timer, 0, &soon, NULL);
	wait_readable(timer);
	if (read(timer, &count, 8) != 8)
		give_up("timerfd");
	reap_sorted(r, 2);
	quiet(r);
}

static void consumed_room(struct ring *r)
{
	static char page[4096];
	int fd[2], full = 0;

	pair(fd, PAIR_PIPE);
	nonblocking(fd[1]);
	while (write(fd[1], page, sizeof(page)) > 0)
		full++;
	sqe_poll(r, fd[1], POLLOUT);
	submit(r);
	quiet(r);
	for (int i = 0; i < full; i++)
		if (read(fd[0], page, sizeof(page)) < 0)
			give_up("read");
	while (write(fd[1], page, sizeof(page)) > 0)
		;
	reap(r, 1);
	quiet(r);
}

static void urgent_data_alone_wakes_nobody(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	sqe_poll(r, fd[0], POLLPRI);
	sqe_poll(r, fd[0], POLLIN | POLLPRI | POLLRDNORM);
	submit(r);
	if (send(fd[1], "a", 1, MSG_OOB) != 1)
		give_up("send");
	reap(r, 1);
	quiet(r);
	sqe_poll(r, fd[0], POLLPRI);
	go(r);
}

/* Requests that are ready complete at once and in order, between others. */
static void many_in_one_submission(struct ring *r)
{
	int empty[2], full[2];
	struct ring other;

	ring_open(&other, 128, 0);
	pair(empty, PAIR_PIPE);
	pair(full, PAIR_STREAM);
	put(full[1], "a");
	for (int i = 0; i < 90; i++) {
		int fd = i % 7 == 3 ? full[0] : i % 11 == 5 ? -1 : empty[0];

		sqe_poll(&other, fd, POLLIN);
	}
	sqe_nop(&other);
	submit(&other);
	reap(&other, 21);
	put(empty[1], "b");
	reap_sorted(&other, 70);
	quiet(&other);
	ring_close(&other);
	sqe_poll(r, full[0], POLLIN);
	sqe_poll(r, full[0], POLLIN)->len = 16;
	sqe_nop(r);
	submit(r);
	quiet(r);
}

/* A poll is woken by the request submitted after it. */
static void woken_by_the_next_request(struct ring *r)
{
	static char byte;
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_poll(r, fd[0], POLLIN);
	sqe_new(r, IORING_OP_WRITE, fd[1], "a", 1, (uint64_t)-1);
	sqe_new(r, IORING_OP_READ, fd[0], &byte, 1, (uint64_t)-1);
	submit(r);
	reap_sorted(r, 3);
	quiet(r);
}

/* The poll has the last reference to the file, which closes with it. */
static void the_file_goes_with_the_poll(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	close(fd[0]);
	put(fd[1], "a");
	reap(r, 1);
	wait_readable(fd[1]);
	note_result("write", write(fd[1], "a", 1) < 0 ? -errno : 0);
	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN)->user_data = 77;
	submit(r);
	close(fd[0]);
	sqe_cancel(r, 77, 0);
	submit(r);
	reap_sorted(r, 2);
	wait_readable(fd[1]);
	get(fd[1], 1);
}

static void canceled_and_armed_again(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	for (uint64_t i = 0; i < 3; i++) {
		sqe_poll(r, fd[0], POLLIN)->user_data = 77;
		submit(r);
		sqe_cancel(r, 77, 0);
		submit(r);
		reap_sorted(r, 2);
	}
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	quiet(r);
	put(fd[1], "a");
	reap(r, 1);
	quiet(r);
}

static const struct scenario rows[] = {
	SCENARIO(once, NULL, .modes = MODES_ALL),
	SCENARIO(already_ready, NULL),
	SCENARIO(hang_up_and_error, NULL, .modes = MODES_ALL),
	SCENARIO(files_always_ready, NULL),
	SCENARIO(errors, NULL),
	SCENARIO(multishot, NULL, .modes = MODES_ALL),
	SCENARIO(multishot_already_ready, NULL),
	SCENARIO(level_is_refused, NULL),
	SCENARIO(edge_and_oneshot_bits, NULL),
	SCENARIO(removed, NULL, .modes = MODES_ALL),
	SCENARIO(remove_only_polls, NULL),
	SCENARIO(remove_errors, NULL),
	SCENARIO(events_updated, NULL, .modes = MODES_ALL),
	SCENARIO(events_updated_and_still_waiting, NULL),
	SCENARIO(user_data_updated, NULL),
	SCENARIO(both_updated_of_a_multishot, NULL),
	SCENARIO(several_on_one_file, NULL),
	SCENARIO(polling_another_ring, NULL),
	SCENARIO(linked, NULL, .modes = MODES_ALL),
	SCENARIO(consumed_before_anybody_looked, NULL, .modes = MODES_ALL),
	SCENARIO(consumed_count, NULL, .modes = MODES_ALL),
	SCENARIO(consumed_room, NULL, .modes = MODES_ALL),
	SCENARIO(urgent_data_alone_wakes_nobody, NULL),
	SCENARIO(many_in_one_submission, NULL),
	SCENARIO(woken_by_the_next_request, NULL),
	SCENARIO(the_file_goes_with_the_poll, NULL, .modes = MODES_ALL),
	SCENARIO(canceled_and_armed_again, NULL, .modes = MODES_ALL),
};

FAMILY(poll, rows);
