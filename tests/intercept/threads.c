// SPDX-License-Identifier: MIT
/*
 * Many threads trap at once, with signals blocked in all the ways in which
 * threads come to blocked signals.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "tap.h"

#define THREADS 8
#define CALLS 3000

static void *call_often(void *arg)
{
	long wrong = 0;

	(void)arg;
	for (int i = 0; i < CALLS; i++) {
		int fd = i % 50 ? -1 : inline_ring();

		if (i % 50 == 0)
			wrong += fd < 0 || close(fd) < 0;
		wrong += inline_enter(-1, 1, 0, 0) != -EBADF;
	}
	return (void *)wrong;
}

static void *block_and_call(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return call_often(arg);
}

static long run_threads(const pthread_attr_t *attr, void *(*body)(void *))
{
	pthread_t threads[THREADS];
	long wrong = 0;

	for (int i = 0; i < THREADS; i++)
		REQUIRE(!pthread_create(&threads[i], attr, body, NULL));
	for (int i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (long)result;
	}
	return wrong;
}

int main(void)
{
	pthread_attr_t attr;
	sigset_t all, before;

	CHECK("threads_call_at_once", run_threads(NULL, call_often) == 0);
	CHECK("threads_that_block_every_signal_call",
	      run_threads(NULL, block_and_call) == 0);

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	CHECK("threads_created_with_every_signal_blocked_call",
	      run_threads(&attr, call_often) == 0);

	pthread_sigmask(SIG_BLOCK, &all, &before);
	CHECK("threads_that_inherit_a_full_mask_call",
	      run_threads(NULL, call_often) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return tap_end();
}
