// SPDX-License-Identifier: MIT
#include "drive/aio_now.h"

#include <errno.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "drive/aio_ring.h"

/* One that was closed: the next to be opened. */
static struct aio_now *spare;

/* Acquire and release pair with those of another thread's swap. */
static struct aio_now *spare_swap(struct aio_now *now)
{
	return __atomic_exchange_n(&spare, now, __ATOMIC_ACQ_REL);
}

static void aio_now_destroy(struct aio_now *now)
{
	if (!now)
		return;
	SYS_1(SYS_io_destroy, now->context);
	mem_free(now);
}

struct aio_now *aio_now_open(void)
{
	struct aio_now *now = spare_swap(NULL);

	if (now)
		return now;
	now = mem_new(1, sizeof(*now));
	if (!now)
		return NULL;
	now->context = 0;
	if (SYS_2(SYS_io_setup, AIO_NOW_MAX, &now->context) < 0)
		goto free_now;
	for (uint32_t i = 0; i < AIO_NOW_MAX; i++)
		now->list[i] = &now->entries[i];
	return now;
free_now:
	mem_free(now);
	return NULL;
}

void aio_now_close(struct aio_now *now)
{
	if (now)
		aio_now_destroy(spare_swap(now));
}

void aio_now_abandon(struct aio_now *now)
{
	mem_free(now);
}

void aio_now_forget(void)
{
	mem_free(spare_swap(NULL));
}

/* Wait for one event at least: a file answers later. How many, or an error. */
static long aio_now_wait(const struct aio_now *now, struct io_event *events,
			 uint32_t room)
{
	long n;

	do {
		n = SYS_5(SYS_io_getevents, now->context, 1, room, events,
			  NULL);
	} while (n == -EINTR);
	return n;
}

/* The memory of a read must not be written to after the call has returned. */
static void aio_now_take(struct aio_now *now, uint32_t started)
{
	struct io_event events[AIO_NOW_MAX];
	long n;

	while (started) {
		n = aio_ring_take(now->context, events, array_size(events));
		if (n <= 0)
			n = aio_now_wait(now, events, started);
		if (n < 0)
			return;
		for (long i = 0; i < n; i++)
			now->results[events[i].data] = events[i].res;
		started -= (uint32_t)n;
	}
}

/*
 * io_submit(2) stops before the first read that it refuses. That one and those
 * behind it are left to the caller.
 */
void aio_now_run(struct aio_now *now, uint32_t count)
{
	long started;

	for (uint32_t i = 0; i < count; i++)
		now->results[i] = -EAGAIN;
	started = SYS_3(SYS_io_submit, now->context, count, now->list);
	if (started > 0)
		aio_now_take(now, (uint32_t)started);
}
