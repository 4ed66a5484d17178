// SPDX-License-Identifier: MIT
#include "drive/drive_test.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inject.h"
#include "drive/aio_polls.h"

#define PATIENCE_MS 20000
#define MANY 200

static struct {
	struct aio_polls *polls;
	int event_fd;
	int pair[2];
	int fired[MANY]; /* how often */
	uint32_t events;
} asked;

static int polls_open(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof(asked));
	asked.event_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, asked.pair), 0);
	asked.polls = aio_polls_open(&asked.event_fd);
	if (!asked.polls)
		skip();
	return 0;
}

static int polls_close(void **state)
{
	(void)state;
	aio_polls_close(asked.polls);
	close(asked.pair[0]);
	close(asked.pair[1]);
	close(asked.event_fd);
	return 0;
}

static void poll_fired(void *owner, uint32_t events)
{
	(*(int *)owner)++;
	asked.events = events;
}

static int start(int which, int fd)
{
	struct aio_poll_start one = {
		.fd = fd,
		.mask = POLLIN,
		.owner = &asked.fired[which],
	};

	aio_polls_start(asked.polls, &one, 1);
	return one.result;
}

/* Until the eventfd was signaled, and nothing more comes. */
static void wait_and_reap(void)
{
	struct pollfd signaled = {.fd = asked.event_fd, .events = POLLIN};

	assert_int_equal(poll(&signaled, 1, PATIENCE_MS), 1);
	assert_int_equal(aio_polls_reap(asked.polls, poll_fired), 0);
}

static void an_event_stays_when_the_data_is_taken(void **state)
{
	char byte;

	(void)state;
	assert_true(start(0, asked.pair[0]) >= 0);
	assert_int_equal(write(asked.pair[1], "a", 1), 1);
	assert_int_equal(read(asked.pair[0], &byte, 1), 1);
	wait_and_reap();
	assert_int_equal(asked.fired[0], 1);
	assert_int_equal(asked.events & POLLIN, POLLIN);
	assert_int_equal(aio_polls_reap(asked.polls, poll_fired), 0);
	assert_int_equal(asked.fired[0], 1);
}

static void more_than_a_context_holds(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			assert_true(start(i, asked.pair[0]) >= 0);
		assert_int_equal(write(asked.pair[1], "a", 1), 1);
		wait_and_reap();
		for (int i = 0; i < MANY; i++)
			assert_int_equal(asked.fired[i], round + 1);
		assert_int_equal(read(asked.pair[0], &(char){0}, 1), 1);
	}
}

static void without_a_larger_context_some_wait(void **state)
{
	int refused = 0, started = 0;

	(void)state;
	inject_start();
	inject_number(SYS_io_setup, -EAGAIN);
	for (int i = 0; i < MANY; i++) {
		int outcome = start(i, asked.pair[0]);

		started += outcome >= 0;
		refused += outcome == -EAGAIN;
	}
	inject_stop();
	assert_true(started > 0);
	assert_int_equal(started + refused, MANY);
	assert_int_equal(write(asked.pair[1], "a", 1), 1);
	wait_and_reap();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(asked.fired[i], i < started);
}

static void what_cannot_be_polled_keeps_no_other_back(void **state)
{
	struct aio_poll_start all[3] = {
		{.fd = -1}, {.fd = asked.pair[0]}, {.fd = -1}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		all[i].mask = POLLIN;
		all[i].owner = &asked.fired[i];
	}
	aio_polls_start(asked.polls, all, 3);
	assert_int_equal(all[0].result, -EBADF);
	assert_true(all[1].result >= 0);
	assert_int_equal(all[2].result, -EBADF);
	assert_int_equal(write(asked.pair[1], "a", 1), 1);
	wait_and_reap();
	assert_int_equal(asked.fired[1], 1);
}

static void a_canceled_one_lets_its_file_go(void **state)
{
	struct pollfd end = {.fd = asked.pair[1], .events = POLLIN};
	int number = start(0, asked.pair[0]);

	(void)state;
	assert_true(number >= 0);
	aio_polls_cancel(asked.polls, (uint32_t)number);
	close(asked.pair[0]);
	asked.pair[0] = -1;
	assert_int_equal(poll(&end, 1, PATIENCE_MS), 1);
	assert_int_equal(aio_polls_reap(asked.polls, poll_fired), 0);
	assert_int_equal(asked.fired[0], 0);
}

static void one_canceled_too_late_has_no_event(void **state)
{
	int number = start(0, asked.pair[0]);

	(void)state;
	assert_true(number >= 0);
	assert_int_equal(write(asked.pair[1], "a", 1), 1);
	aio_polls_cancel(asked.polls, (uint32_t)number);
	assert_int_equal(aio_polls_reap(asked.polls, poll_fired), 0);
	assert_int_equal(asked.fired[0], 0);
}

static void without_aio_there_are_none(void **state)
{
	(void)state;
	inject_start();
	inject_number(SYS_io_setup, -EAGAIN);
	assert_null(aio_polls_open(&asked.event_fd));
	inject_stop();
	for (long n = 0; n < 2; n++) {
		inject_start();
		inject_allocation(n);
		assert_null(aio_polls_open(&asked.event_fd));
		inject_stop();
	}
}

int aio_polls_tests_run(void)
{
#define POLLS_ROW(test) \
	cmocka_unit_test_setup_teardown(test, polls_open, polls_close)
	const struct CMUnitTest tests[] = {
		POLLS_ROW(an_event_stays_when_the_data_is_taken),
		POLLS_ROW(more_than_a_context_holds),
		POLLS_ROW(without_a_larger_context_some_wait),
		POLLS_ROW(what_cannot_be_polled_keeps_no_other_back),
		POLLS_ROW(a_canceled_one_lets_its_file_go),
		POLLS_ROW(one_canceled_too_late_has_no_event),
		POLLS_ROW(without_aio_there_are_none),
	};

	return cmocka_run_group_tests_name("aio_polls", tests, NULL, NULL);
}
