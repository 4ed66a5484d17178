// SPDX-License-Identifier: MIT
/* Workers that wait: begun at once, and interrupted. */
#include "drive/worker.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/inject.h"
#include "drive/drive_test.h"

struct task {
	struct work work;
	int fd; /* to read a byte from */
	long outcome;
	sem_t began, ended;
};

static void reads(struct work *work)
{
	struct task *t = container_of(work, struct task, work);
	char byte;

	sem_post(&t->began);
	t->outcome =
		worker_call(work, SYS_read, t->fd, (long)&byte, 1, 0, 0, 0);
	sem_post(&t->ended);
}

static void task_start(struct task *t, int fd)
{
	memset(t, 0, sizeof(*t));
	t->work.run = reads;
	t->work.unbounded = true;
	t->work.at_once = true;
	t->fd = fd;
	sem_init(&t->began, 0, 0);
	sem_init(&t->ended, 0, 0);
	list_init(&t->work.node);
	assert_int_equal(worker_start(&t->work), 0);
}

/* At whatever moment it comes: before the call, just before, or inside. */
static void an_interrupt_is_never_lost(void **state)
{
	struct task t;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	for (int i = 0; i < 2000; i++) {
		task_start(&t, fd[0]);
		sem_wait(&t.began);
		for (volatile int n = 0; n < i; n++)
			;
		worker_interrupt(&t.work);
		sem_wait(&t.ended);
		assert_int_equal(t.outcome, -EINTR);
	}
	close(fd[0]);
	close(fd[1]);
}

static void a_result_is_kept(void **state)
{
	struct task t;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	task_start(&t, fd[0]);
	assert_int_equal(write(fd[1], "x", 1), 1);
	sem_wait(&t.ended);
	worker_interrupt(&t.work);
	assert_int_equal(t.outcome, 1);
	/* The thread is none the worse for it. */
	task_start(&t, fd[0]);
	assert_int_equal(write(fd[1], "x", 1), 1);
	sem_wait(&t.ended);
	assert_int_equal(t.outcome, 1);
	close(fd[0]);
	close(fd[1]);
}

static void *waits_for_cancel(void *argument)
{
	sem_post(argument);
	for (;;)
		poll(NULL, 0, -1);
	return argument;
}

/* Both want the same signal. */
static void glibc_still_cancels_threads(void **state)
{
	void *how = NULL;
	struct task t;
	int fd[2];
	sem_t up;

	(void)state;
	sem_init(&up, 0, 0);
	assert_int_equal(pipe(fd), 0);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		assert_int_equal(
			pthread_create(&thread, NULL, waits_for_cancel, &up),
			0);
		sem_wait(&up);
		poll(NULL, 0, i % 3); /* it mostly sleeps by now, or not */
		pthread_cancel(thread);
		pthread_join(thread, &how);
		assert_true(how == PTHREAD_CANCELED);
		task_start(&t, fd[0]);
		sem_wait(&t.began);
		worker_interrupt(&t.work);
		sem_wait(&t.ended);
		assert_int_equal(t.outcome, -EINTR);
	}
	close(fd[0]);
	close(fd[1]);
}

static void a_refused_signal_is_told(void **state)
{
	struct task t;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	task_start(&t, fd[0]);
	sem_wait(&t.began);
	inject_start();
	inject_number(SYS_rt_tgsigqueueinfo, -EPERM);
	assert_false(worker_interrupt(&t.work));
	inject_stop();
	assert_true(worker_interrupt(&t.work));
	sem_wait(&t.ended);
	assert_int_equal(t.outcome, -EINTR);
	close(fd[0]);
	close(fd[1]);
}

#define TASKS 40

static void at_once_goes_beyond_the_bound(void **state)
{
	uint32_t before = worker_limit(true, 1);
	static struct task tasks[TASKS];
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	for (int i = 0; i < TASKS; i++)
		task_start(&tasks[i], fd[0]);
	for (int i = 0; i < TASKS; i++)
		sem_wait(&tasks[i].began);
	for (int i = 0; i < TASKS; i++)
		worker_interrupt(&tasks[i].work);
	for (int i = 0; i < TASKS; i++)
		sem_wait(&tasks[i].ended);
	worker_limit(true, before);
	close(fd[0]);
	close(fd[1]);
}

int interrupt_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupt_is_never_lost),
		cmocka_unit_test(a_result_is_kept),
		cmocka_unit_test(glibc_still_cancels_threads),
		cmocka_unit_test(a_refused_signal_is_told),
		cmocka_unit_test(at_once_goes_beyond_the_bound),
	};

	return cmocka_run_group_tests_name("drive/interrupt", tests, NULL,
					   NULL);
}
