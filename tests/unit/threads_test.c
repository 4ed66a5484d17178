// SPDX-License-Identifier: MIT
/*
 * Several threads in one ring: no thread sleeps on when the completions that it
 * waits for are there (see core/notify.h). Each wait is without a deadline, so
 * that a lost wake-up fails the test instead of costing time.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

/* ---- a thread that waits ---- */

struct waiter {
	struct ring *ring;
	uint32_t want;
	int result;
	pthread_t thread;
	pid_t tid;
};

static void *waits(void *argument)
{
	struct waiter *w = argument;

	store_release(&w->tid, gettid());
	w->result = ring_wait(w->ring, w->want, -1);
	return NULL;
}

/* It sleeps: /proc shows that, and in which call. */
static bool sleeps(void *argument)
{
	const struct waiter *w = argument;
	char path[64], call[16] = "";
	FILE *file;

	if (!load_acquire(&w->tid))
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", w->tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(call, sizeof(call), file))
		call[0] = 0;
	fclose(file);
	return atoi(call) == SYS_epoll_pwait2 || atoi(call) == SYS_epoll_pwait;
}

static void start_waiter(struct waiter *w, struct ring *ring, uint32_t want)
{
	*w = (struct waiter){.ring = ring, .want = want};
	assert_int_equal(pthread_create(&w->thread, NULL, waits, w), 0);
	expect_soon(sleeps, w);
}

static void expect_end(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
}

static void expect_woken(struct waiter *w)
{
	expect_end(w->thread);
	assert_int_equal(w->result, 0);
}

static void submit_nop(struct ring *ring)
{
	ring_sqe(ring, IORING_OP_NOP, -1, 1);
	ring_push(ring);
	assert_int_equal(ring_submit(ring, 1), 1);
}

static void submit_timeout(struct ring *ring, struct io_timespec *span)
{
	struct io_uring_sqe *sqe = ring_sqe(ring, IORING_OP_TIMEOUT, -1, 2);

	sqe->addr = (uintptr_t)span;
	sqe->len = 1;
	ring_push(ring);
	assert_int_equal(ring_submit(ring, 1), 1);
}

/* ---- who is woken ---- */

static void a_timer_of_another_ends_a_sleep(void **state)
{
	struct io_timespec soon = {0, 1000000};
	struct waiter w;
	struct ring ring;

	(void)state;
	ring_open(&ring, 8, 0, 0);
	start_waiter(&w, &ring, 1);
	submit_timeout(&ring, &soon);
	expect_woken(&w);
	assert_int_equal(ring_next(&ring).res, -ETIME);
	ring_close(&ring);
}

static void each_is_woken_when_there_is_enough_for_him(void **state)
{
	struct waiter w[6];
	struct ring ring;

	(void)state;
	for (int round = 0; round < 20; round++) {
		ring_open(&ring, 16, 0, 0);
		/*
		 * The thread that wants most completions falls asleep last and
		 * is woken first.
		 */
		for (uint32_t i = 0; i < 6; i++)
			start_waiter(&w[i], &ring, round % 2 ? i + 1 : 6 - i);
		for (uint32_t i = 0; i < 6; i++) {
			submit_nop(&ring);
			expect_woken(&w[round % 2 ? i : 5 - i]);
		}
		ring_close(&ring);
	}
}

static void those_who_want_more_let_each_other_sleep(void **state)
{
	struct timespec before, after;
	struct waiter w[2];
	struct ring ring;
	clockid_t clock[2];
	int64_t used_ns = 0;

	(void)state;
	ring_open(&ring, 8, 0, 0);
	for (int i = 0; i < 2; i++)
		start_waiter(&w[i], &ring, 2);
	submit_nop(&ring);
	for (int i = 0; i < 2; i++)
		pthread_getcpuclockid(w[i].thread, &clock[i]);
	clock_gettime(clock[0], &before);
	/* Busy waiting would have used nine tenths of this time. */
	usleep(200000);
	clock_gettime(clock[0], &after);
	used_ns = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
		  before.tv_nsec;
	assert_true(used_ns < 20000000);
	submit_nop(&ring);
	for (int i = 0; i < 2; i++)
		expect_woken(&w[i]);
	ring_close(&ring);
}

static void the_poller_is_woken_beside_a_sleeper(void **state)
{
	struct waiter w;
	struct ring ring;

	(void)state;
	ring_open(&ring, 8, 0, IORING_SETUP_SQPOLL);
	for (uint32_t i = 1; i <= 20; i++) {
		uint32_t *flags =
			(uint32_t *)(void *)(ring.shared + ring.p.sq_off.flags);

		start_waiter(&w, &ring, 1);
		ring_sqe(&ring, IORING_OP_NOP, -1, i);
		ring_push(&ring);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (load_relaxed(flags) & IORING_SQ_NEED_WAKEUP)
			polyring_enter(ring.fd, 1, 0, IORING_ENTER_SQ_WAKEUP,
				       NULL, 0);
		expect_woken(&w);
		assert_int_equal(ring_next(&ring).user_data, i);
	}
	ring_close(&ring);
}

/* ---- with work held back on a worker ---- */

static sem_t held, release;

static long holding_invoke(long number, long a, long b, long c, long d, long e,
			   long f)
{
	if (number == SYS_fsync) {
		sem_post(&held);
		while (sem_wait(&release) < 0)
			;
	}
	return sys_direct(number, a, b, c, d, e, f);
}

static void hold_begin(struct ring *ring, int fd)
{
	sem_init(&held, 0, 0);
	sem_init(&release, 0, 0);
	set_invoke(holding_invoke);
	ring_sqe(ring, IORING_OP_FSYNC, fd, 3);
	ring_push(ring);
	assert_int_equal(ring_submit(ring, 1), 1);
	while (sem_wait(&held) < 0)
		;
}

static void hold_end(void)
{
	sem_post(&release);
}

static void *cancels(void *argument)
{
	struct waiter *w = argument;
	struct io_uring_sync_cancel_reg reg = {
		.addr = 3,
		.timeout = {-1, -1},
	};

	store_release(&w->tid, gettid());
	w->result = polyring_register(w->ring->fd, IORING_REGISTER_SYNC_CANCEL,
				      &reg, 1);
	return NULL;
}

static void sync_cancel_is_told_beside_a_sleeper(void **state)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	struct waiter w, canceler;
	struct ring ring;

	(void)state;
	ring_open(&ring, 8, 0, 0);
	for (int i = 0; i < 10; i++) {
		hold_begin(&ring, fd);
		canceler = (struct waiter){.ring = &ring};
		pthread_create(&canceler.thread, NULL, cancels, &canceler);
		expect_soon(sleeps, &canceler);
		start_waiter(&w, &ring, 1);
		hold_end();
		expect_woken(&w);
		expect_woken(&canceler);
		assert_int_equal(ring_next(&ring).user_data, 3);
	}
	set_invoke(NULL);
	ring_close(&ring);
	close(fd);
}

/* The held call returns when the ring is about to be freed. */
static void a_ring_ends_when_its_last_worker_comes_back(void **state)
{
	struct ring ring;

	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = open("/tmp", O_RDONLY | O_DIRECTORY);

		ring_open(&ring, 8, 0, 0);
		hold_begin(&ring, fd);
		ring_close(&ring);
		close(fd);
		hold_end();
		expect_nothing_left();
	}
	set_invoke(NULL);
}

/* ---- all at once ---- */

#define CROWD 4
#define ROUNDS 2000

static struct {
	struct ring ring;
	pthread_mutex_t submit, take;
	uint32_t done[CROWD];
} crowd;

static void crowd_take(void)
{
	struct io_uring_cqe cqe;

	pthread_mutex_lock(&crowd.take);
	while (ring_pop(&crowd.ring, &cqe))
		__atomic_add_fetch(&crowd.done[cqe.user_data], 1,
				   __ATOMIC_RELAXED);
	pthread_mutex_unlock(&crowd.take);
}

static void crowd_submit(uint32_t who, const int *ends)
{
	static char byte[CROWD];
	static struct io_timespec soon = {0, 10000};
	static const uint8_t kinds[] = {IORING_OP_NOP, IORING_OP_READ,
					IORING_OP_TIMEOUT};
	uint8_t opcode = kinds[load_relaxed(&crowd.done[who]) % 3];
	struct io_uring_sqe *sqe;

	pthread_mutex_lock(&crowd.submit);
	sqe = ring_sqe(&crowd.ring, opcode, ends[0], who);
	if (opcode == IORING_OP_READ) {
		sqe->addr = (uintptr_t)&byte[who];
		sqe->len = 1;
	} else if (opcode == IORING_OP_TIMEOUT) {
		sqe->addr = (uintptr_t)&soon;
		sqe->len = 1;
	}
	ring_push(&crowd.ring);
	assert_int_equal(ring_submit(&crowd.ring, 1), 1);
	pthread_mutex_unlock(&crowd.submit);
	if (opcode == IORING_OP_READ)
		assert_int_equal(write(ends[1], "x", 1), 1);
}

/* Another thread may have taken its completion; then this one does not wait. */
static void *crowd_body(void *argument)
{
	uint32_t who = (uint32_t)(uintptr_t)argument;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		crowd_submit(who, ends);
		while (load_relaxed(&crowd.done[who]) == i) {
			ring_wait(&crowd.ring, 1, 5);
			crowd_take();
		}
	}
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

static void a_crowd_gets_each_completion_once(void **state)
{
	pthread_t threads[CROWD];

	(void)state;
	memset(&crowd, 0, sizeof(crowd));
	pthread_mutex_init(&crowd.submit, NULL);
	pthread_mutex_init(&crowd.take, NULL);
	ring_open(&crowd.ring, 16, 0, 0);
	for (uintptr_t i = 0; i < CROWD; i++)
		pthread_create(&threads[i], NULL, crowd_body, (void *)i);
	for (int i = 0; i < CROWD; i++)
		expect_end(threads[i]);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(crowd.done[i], ROUNDS);
	ring_close(&crowd.ring);
}

/* ---- a handler that enters ---- */

static struct {
	struct ring ring;
	uint32_t served;
	uint32_t refused;
	uint32_t wrong;
	bool over;
} handled;

static void enters_in_a_handler(int signo)
{
	int result = polyring_enter(handled.ring.fd, 0, 0,
				    IORING_ENTER_GETEVENTS, NULL, 0);

	(void)signo;
	if (!result)
		handled.served++;
	else if (result == -EAGAIN)
		handled.refused++;
	else
		handled.wrong++;
}

static void *enters_on_and_on(void *argument)
{
	struct io_uring_cqe cqe;

	while (!load_acquire(&handled.over)) {
		ring_sqe(&handled.ring, IORING_OP_NOP, -1, 1);
		ring_push(&handled.ring);
		ring_submit(&handled.ring, 1);
		ring_wait(&handled.ring, 1, -1);
		while (ring_pop(&handled.ring, &cqe))
			;
	}
	return argument;
}

/*
 * The handler may interrupt a holder of the ring's lock; no thread waits for
 * itself.
 */
static void a_handler_may_interrupt_a_call(void **state)
{
	struct sigaction action = {.sa_handler = enters_in_a_handler};
	pthread_t thread;

	(void)state;
	memset(&handled, 0, sizeof(handled));
	ring_open(&handled.ring, 16, 0, 0);
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, enters_on_and_on, NULL);
	for (int i = 0; i < 20000; i++) {
		pthread_kill(thread, SIGUSR1);
		sched_yield();
	}
	store_release(&handled.over, true);
	expect_end(thread);
	assert_int_equal(handled.wrong, 0);
	assert_true(handled.served + handled.refused > 0);
	ring_close(&handled.ring);
}

int threads_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_of_another_ends_a_sleep),
		cmocka_unit_test(each_is_woken_when_there_is_enough_for_him),
		cmocka_unit_test(those_who_want_more_let_each_other_sleep),
		cmocka_unit_test(the_poller_is_woken_beside_a_sleeper),
		cmocka_unit_test(sync_cancel_is_told_beside_a_sleeper),
		cmocka_unit_test(a_ring_ends_when_its_last_worker_comes_back),
		cmocka_unit_test(a_crowd_gets_each_completion_once),
		cmocka_unit_test(a_handler_may_interrupt_a_call),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
