// SPDX-License-Identifier: MIT
#include "drive/keeper.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/thread.h"

struct keeper {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list queue; /* struct work, by its node `kept` */
	uint32_t holders; /* not its thread */
	bool started;
};

struct keeper *keeper_new(void)
{
	struct keeper *keeper = mem_new(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->more, NULL);
	list_init(&keeper->queue);
	keeper->holders = 1;
	return keeper;
}

struct keeper *keeper_get(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	keeper->holders++;
	pthread_mutex_unlock(&keeper->lock);
	return keeper;
}

static void keeper_free(struct keeper *keeper)
{
	pthread_cond_destroy(&keeper->more);
	pthread_mutex_destroy(&keeper->lock);
	mem_free(keeper);
}

/* The thread, if there is one, frees it. */
void keeper_put(struct keeper *keeper)
{
	bool last;

	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	last = !--keeper->holders && !keeper->started;
	pthread_cond_signal(&keeper->more);
	pthread_mutex_unlock(&keeper->lock);
	if (last)
		keeper_free(keeper);
}

bool keeper_is_shared(struct keeper *keeper)
{
	bool shared;

	pthread_mutex_lock(&keeper->lock);
	shared = keeper->holders > 1;
	pthread_mutex_unlock(&keeper->lock);
	return shared;
}

static void *keeper_main(void *argument)
{
	struct keeper *keeper = argument;
	struct list *node;

	thread_is_ours = true;
	pthread_mutex_lock(&keeper->lock);
	while (keeper->holders) {
		node = list_pop_front(&keeper->queue);
		if (!node) {
			pthread_cond_wait(&keeper->more, &keeper->lock);
			continue;
		}
		pthread_mutex_unlock(&keeper->lock);
		list_entry(node, struct work, kept)
			->run(list_entry(node, struct work, kept));
		pthread_mutex_lock(&keeper->lock);
	}
	pthread_mutex_unlock(&keeper->lock);
	keeper_free(keeper);
	return NULL;
}

void keeper_start(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	if (!keeper->started)
		keeper->started = !worker_thread(keeper_main, keeper,
						 "polyring-work", NULL);
	pthread_mutex_unlock(&keeper->lock);
}

bool keeper_run(struct keeper *keeper, struct work *work)
{
	bool started;

	pthread_mutex_lock(&keeper->lock);
	started = keeper->started;
	if (started) {
		list_push_back(&keeper->queue, &work->kept);
		pthread_cond_signal(&keeper->more);
	}
	pthread_mutex_unlock(&keeper->lock);
	return started;
}
