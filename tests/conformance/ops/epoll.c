/* SPDX-License-Identifier: MIT */
/*
 * EPOLL_CTL and EPOLL_WAIT.
 */
#include "runner/scenario.h"

#include <sys/epoll.h>

static struct io_uring_sqe *control(struct ring *r, int epoll, int fd,
				    uint32_t op, const void *event)
{
	return sqe_new(r, IORING_OP_EPOLL_CTL, epoll, event, op, (uint32_t)fd);
}

static int open_epoll(void)
{
	int epoll = epoll_create1(0);

	if (epoll < 0)
		give_up("epoll_create1: %s", strerror(errno));
	return epoll;
}

static void note_events(int epoll, int timeout_ms)
{
	struct epoll_event event = {0};

	note_result("epoll_wait", epoll_wait(epoll, &event, 1, timeout_ms));
	note("events %x data %u\n", event.events, event.data.u32);
}

static void added_changed_removed(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
	int epoll = open_epoll(), p[2];

	pair(p, PAIR_PIPE);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event);
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event);
	go(r);
	note_events(epoll, 0);
	put(p[1], "x");
	note_events(epoll, -1);
	event.data.u32 = 8;
	control(r, epoll, p[0], EPOLL_CTL_MOD, &event);
	/* The event was copied at submission. */
	submit(r);
	event.data.u32 = 9;
	reap(r, 1);
	note_events(epoll, -1);
	control(r, epoll, p[0], EPOLL_CTL_DEL, NULL);
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_DEL, &event);
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_MOD, &event);
	go(r);
	note_events(epoll, 0);
}

static void errors(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = open_epoll(), file = file_with("abc"), p[2];

	pair(p, PAIR_PIPE);
	control(r, epoll, p[0], EPOLL_CTL_ADD, nowhere());
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, NULL);
	go(r);
	control(r, epoll, p[0], 0, nowhere());
	go(r);
	control(r, epoll, p[0], 9, &event);
	go(r);
	control(r, epoll, 12345, EPOLL_CTL_ADD, &event);
	go(r);
	control(r, epoll, -1, EPOLL_CTL_ADD, &event);
	go(r);
	control(r, 12345, p[0], EPOLL_CTL_ADD, &event);
	go(r);
	control(r, p[1], p[0], EPOLL_CTL_ADD, &event);
	go(r);
	control(r, epoll, epoll, EPOLL_CTL_ADD, &event);
	go(r);
	control(r, epoll, file, EPOLL_CTL_ADD, &event);
	go(r);
}

static void words(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = open_epoll(), p[2];

	pair(p, PAIR_PIPE);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->buf_index = 1;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->splice_fd_in = 1;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->ioprio = 1;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->flags =
		IOSQE_BUFFER_SELECT;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->op_flags = 1;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_DEL, NULL)->flags = IOSQE_FIXED_FILE;
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->flags = IOSQE_ASYNC;
	go(r);
}

static void an_error_breaks_the_chain(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = open_epoll(), p[2];

	pair(p, PAIR_PIPE);
	control(r, epoll, p[0], EPOLL_CTL_MOD, &event)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	control(r, epoll, p[0], EPOLL_CTL_ADD, &event)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
}

/* A ring's own fd becomes readable when something completes. */
static void watches_a_ring(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 5};
	int epoll = open_epoll();
	struct ring other;

	ring_open(&other, 4, 0);
	control(r, epoll, other.fd, EPOLL_CTL_ADD, &event);
	go(r);
	note_events(epoll, 0);
	sqe_nop(&other);
	submit(&other);
	note_events(epoll, -1);
	reap(&other, 1);
	control(r, epoll, other.fd, EPOLL_CTL_DEL, NULL);
	go(r);
	ring_close(&other);
}

static void watches_itself(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 6};
	int epoll = open_epoll();

	control(r, epoll, r->fd, EPOLL_CTL_ADD, &event);
	go(r);
	sqe_nop(r);
	submit(r);
	note_events(epoll, -1);
	reap(r, 1);
}

static struct io_uring_sqe *wait_sqe(struct ring *r, int epoll,
				     struct epoll_event *events, uint32_t room)
{
	return sqe_new(r, IORING_OP_EPOLL_WAIT, epoll, events, room, 0);
}

static void watch(int epoll, int fd, uint32_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = data};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl");
}

static void waited_for(struct ring *r)
{
	struct epoll_event events[4] = {{0}};
	int epoll = open_epoll(), a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	watch(epoll, a[0], 1);
	watch(epoll, b[0], 2);
	wait_sqe(r, epoll, events, 4);
	submit(r);
	quiet(r);
	put(a[1], "x");
	reap(r, 1);
	note("events %x data %u", events[0].events, events[0].data.u32);
	put(b[1], "x");
	wait_sqe(r, epoll, events, 4);
	go(r);
	wait_sqe(r, epoll, events, 1);
	go(r);
	wait_sqe(r, epoll, events, 1)->flags = IOSQE_ASYNC;
	go(r);
	wait_sqe(r, epoll, events, 1)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	reg(r, IORING_REGISTER_FILES, &epoll, 1);
	wait_sqe(r, 0, events, 4)->flags = IOSQE_FIXED_FILE;
	go(r);
	get(a[0], 1);
	get(b[0], 1);
	wait_sqe(r, 0, events, 4)->flags = IOSQE_FIXED_FILE;
	submit(r);
	quiet(r);
	put(a[1], "x");
	reap(r, 1);
}

static void wait_canceled(struct ring *r)
{
	struct epoll_event events[4] = {{0}};
	int epoll = open_epoll(), a[2];

	pair(a, PAIR_PIPE);
	watch(epoll, a[0], 1);
	wait_sqe(r, epoll, events, 4)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0)->user_data = 50;
	submit(r);
	reap_sorted(r, 3);
	put(a[1], "x");
	note_events(epoll, -1);
}

static void wait_errors(struct ring *r)
{
	struct epoll_event events[4] = {{0}};
	int epoll = open_epoll(), a[2], file = file_with("x");

	pair(a, PAIR_PIPE);
	put(a[1], "x");
	watch(epoll, a[0], 1);
	wait_sqe(r, epoll, nowhere(), 4);
	go(r);
	wait_sqe(r, epoll, NULL, 4);
	go(r);
	wait_sqe(r, epoll, (void *)-4096L, 4);
	go(r);
	wait_sqe(r, epoll, events, 0);
	go(r);
	wait_sqe(r, epoll, events, 0x80000000);
	go(r);
	wait_sqe(r, epoll, events, 0x7fffffff);
	go(r);
	wait_sqe(r, a[0], events, 4);
	go(r);
	wait_sqe(r, file, events, 4);
	go(r);
	wait_sqe(r, 12345, events, 4);
	go(r);
	wait_sqe(r, r->fd, events, 4);
	go(r);
	wait_sqe(r, 12345, events, 0);
	go(r);
	wait_sqe(r, epoll, events, 4)->off = 1;
	go(r);
	wait_sqe(r, epoll, events, 4)->op_flags = 1;
	go(r);
	wait_sqe(r, epoll, events, 4)->buf_index = 1;
	go(r);
	wait_sqe(r, epoll, events, 4)->splice_fd_in = 1;
	go(r);
	wait_sqe(r, epoll, events, 4)->flags = IOSQE_BUFFER_SELECT;
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(added_changed_removed, NULL, .modes = MODES_ALL),
	SCENARIO(errors, NULL),
	SCENARIO(words, "P13"),
	SCENARIO(an_error_breaks_the_chain, "P12"),
	SCENARIO(watches_a_ring, NULL),
	SCENARIO(watches_itself, NULL),
	SCENARIO(waited_for, NULL, .modes = MODES_ALL),
	SCENARIO(wait_canceled, NULL),
	SCENARIO(wait_errors, "P13"),
};

FAMILY(epoll, rows);
