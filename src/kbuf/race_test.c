// SPDX-License-Identifier: MIT
/*
 * kbuf_ring_map() and kbuf_counters(), the calls without the lock, in parallel
 * with all other calls. The readers do a fixed number of rounds and the writer
 * runs until they have finished; thread sanitizer checks the run.
 */
#include "kbuf/kbuf_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"

#define MAPS 100 /* successful maps, for each reader */
#define PATIENCE_NS (120 * NS_PER_SEC)
#define MAPPERS 2

struct race {
	struct kbuf_table *table;
	uint32_t mapped;
	uint32_t wrong;
	uint32_t done; /* mappers that have finished */
};

/* Returns whether a ring could be mapped. */
static bool map_once(struct race *race)
{
	struct io_uring_buf_ring *ring;
	long map = kbuf_ring_map(race->table, TEST_BGID, NULL, 4096,
				 PROT_READ | PROT_WRITE, MAP_SHARED);

	if (map < 0) {
		if (map != -ENOMEM)
			__atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
		return false;
	}
	/* Whatever group is there by now, this memory can be written (G10). */
	ring = (void *)map;
	store_relaxed(&ring->tail, 1);
	munmap(ring, 4096);
	return true;
}

/* Read counters, the other call without the lock. */
static void counters_once(struct race *race)
{
	struct kbuf_counters counters;
	int err = kbuf_counters(race->table, TEST_BGID, &counters);

	if (err && err != -ENOENT)
		__atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
}

static void *mapper(void *argument)
{
	struct race *race = argument;
	int64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	unsigned int maps = 0;

	while (maps < MAPS && clock_now_ns(CLOCK_MONOTONIC) < end_ns) {
		maps += map_once(race);
		counters_once(race);
		sched_yield();
	}
	__atomic_add_fetch(&race->mapped, maps, __ATOMIC_RELAXED);
	__atomic_add_fetch(&race->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Make a bgid an engine's ring, an application's ring, classic, and empty. */
static void churn(struct kbuf_table *table, void *pages)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 8,
		.bgid = TEST_BGID,
		.flags = IOU_PBUF_RING_MMAP,
	};

	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	take_one(table, TEST_BGID);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_int_equal(kbuf_provide(table, TEST_BGID, 0x1000, 8, 1, 0), 0);
	assert_int_equal(kbuf_remove(table, TEST_BGID, 1), 1);
	reg.flags = 0;
	reg.ring_addr = (uintptr_t)pages;
	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
}

/* group.h (a) to (d). */
static void G10_mmap_races_with_register_and_unregister(void **state)
{
	struct race race = {.table = table_of(0)};
	void *pages = pages_new(4096);
	pthread_t threads[MAPPERS];
	unsigned int i;

	(void)state;
	for (i = 0; i < MAPPERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, mapper, &race), 0);
	/* Until every reader has mapped the ring often enough. */
	while (load_acquire(&race.done) < MAPPERS)
		churn(race.table, pages);
	for (i = 0; i < MAPPERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.wrong, 0);
	assert_int_equal(race.mapped, MAPPERS * MAPS);
	kbuf_table_close(race.table);
	pages_free(pages, 4096);
}

int race_tests_run(void)
{
	const struct CMUnitTest race_tests[] = {
		cmocka_unit_test(G10_mmap_races_with_register_and_unregister),
	};

	return cmocka_run_group_tests(race_tests, NULL, NULL);
}
