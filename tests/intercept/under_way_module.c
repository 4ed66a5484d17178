// SPDX-License-Identifier: MIT
#include "under_way.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tap.h"

#define THREADS 3
#define CALLS_AFTER 200

static pthread_t threads[THREADS];
static atomic_bool loaded;
static atomic_long begun, wrong;

static long stop(void);

__attribute__((visibility("default"))) struct under_way under_way = {stop, 0};

/* The kernel, denied, returns EPERM, the engine EBADF. */
static void *call_often(void *arg)
{
	int after = 0;

	(void)arg;
	begun++;
	while (after < CALLS_AFTER) {
		bool must = atomic_load(&loaded);
		int answer = inline_enter(-1, 1, 0, 0);

		after += must;
		if (answer == -EBADF || (!must && answer == -EPERM))
			continue;
		under_way.answer = answer;
		wrong++;
	}
	return NULL;
}

static long stop(void)
{
	atomic_store(&loaded, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return wrong;
}

__attribute__((constructor)) static void start(void)
{
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_often, NULL);
	while (begun < THREADS)
		sched_yield();
}
