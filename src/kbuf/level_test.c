// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define BASE UINT64_C(0x10000)
#define ENTRIES 8u

static struct kbuf_counters counters_of(struct kbuf_table *table, uint16_t bgid)
{
	struct kbuf_counters counters;

	assert_int_equal(kbuf_counters(table, bgid, &counters), 0);
	return counters;
}

/* The sums of kbuf.h, which hold while no call is under way. */
static void counters_check(const struct kbuf_counters *now, uint64_t held)
{
	assert_true(now->provided ==
		    now->queued + now->committed + now->returned + held);
	assert_true(now->selected ==
		    now->committed + now->partial + now->recycled + held);
}

static void X3_a_classic_group_counts(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim claim, held;
	struct kbuf_counters now;

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, BASE, 10, 10, 0), 0);
	now = counters_of(table, 1);
	assert_int_equal(now.low_mark, UINT32_MAX);
	counters_check(&now, 0);
	take_one(table, 1);
	kbuf_claim(table, 1, 0, false, &claim);
	kbuf_recycle(table, &claim);
	kbuf_claim(table, 1, 0, false, &held);
	assert_int_equal(kbuf_remove(table, 1, 3), 3);
	now = counters_of(table, 1);
	counters_check(&now, 1);
	assert_int_equal(now.provided, 10);
	assert_int_equal(now.selected, 3);
	assert_int_equal(now.committed, 1);
	assert_int_equal(now.recycled, 1);
	assert_int_equal(now.returned, 3);
	assert_int_equal(now.queued, 5);
	assert_int_equal(now.low_mark, 9);
	kbuf_remove(table, 1, 100);
	take_one(table, 1);
	now = counters_of(table, 1);
	assert_int_equal(now.starved, 1);
	assert_int_equal(now.low_mark, 0);
	kbuf_commit(table, &held, 1);
	now = counters_of(table, 1);
	counters_check(&now, 0);
	kbuf_table_close(table);
}

static void X3_a_ring_counts(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring =
		ring_of(table, ENTRIES, IOU_PBUF_RING_INC);
	struct kbuf_claim_vec bundle;
	struct kbuf_counters now;
	struct kbuf_claim claim;
	struct iovec iov[4];
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		ring_add(ring, ENTRIES, BASE, 10, (uint16_t)i);
	take_one(table, TEST_BGID);
	kbuf_claim(table, TEST_BGID, 0, false, &claim);
	kbuf_recycle(table, &claim);
	kbuf_claim(table, TEST_BGID, 0, false, &claim);
	kbuf_commit(table, &claim, 3);
	/* Four buffers; 7 + 10 + 1 bytes use up two of them. */
	kbuf_claim_many(table, TEST_BGID, 0, 4, false, iov, &bundle);
	kbuf_commit_many(table, &bundle, 18);
	now = counters_of(table, TEST_BGID);
	counters_check(&now, 0);
	assert_int_equal(now.provided, 6);
	assert_int_equal(now.committed, 3);
	assert_int_equal(now.partial, 2);
	assert_int_equal(now.recycled, 2);
	assert_int_equal(now.queued, 3);
	assert_int_equal(now.low_mark, 3);
	assert_int_equal(kbuf_counters(table, 99, &now), -ENOENT);
	pages_free(ring, ENTRIES * 16 + 4096);
	assert_int_equal(counters_of(table, TEST_BGID).queued, 0);
	kbuf_table_close(table);
}

struct low_step {
	unsigned int add, take;
	uint64_t signals; /* so far */
};

static void low_steps_check(struct kbuf_table *table,
			    struct io_uring_buf_ring *ring,
			    const struct low_step *steps, unsigned int count)
{
	const uint16_t bgid = ring ? TEST_BGID : 1;
	int file = eventfd(0, EFD_NONBLOCK);
	uint64_t read_now, signals = 0;
	unsigned int i, j;

	assert_int_equal(kbuf_low_water(table, bgid, 3, file), 0);
	for (i = 0; i < count; i++) {
		for (j = 0; ring && j < steps[i].add; j++)
			ring_add(ring, ENTRIES, BASE, 10, 0);
		if (!ring && steps[i].add)
			kbuf_provide(table, 1, BASE, 10, steps[i].add, 0);
		for (j = 0; j < steps[i].take; j++)
			take_one(table, bgid);
		if (read(file, &read_now, sizeof(read_now)) > 0)
			signals += read_now;
		assert_int_equal(signals, steps[i].signals);
		assert_int_equal(counters_of(table, bgid).low_signals,
				 steps[i].signals);
	}
	close(file);
}

static void X1_low_water_is_signalled_before_ENOBUFS(void **state)
{
	static const struct low_step steps[] = {
		{6, 3, 0}, /* 3 are left */
		{0, 1, 1}, /* 2: below the threshold */
		{0, 2, 1}, /* once only */
		{0, 1, 1}, /* ENOBUFS */
		{3, 1, 1}, /* 2: it has not been at the threshold */
		{3, 1, 1}, /* 4: armed again */
		{0, 1, 1}, {0, 1, 2},
		{2, 1, 2}, /* 3: the threshold itself arms */
		{0, 1, 3}, {0, 2, 3},
		{0, 1, 3},
	};
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = ring_of(table, ENTRIES, 0);

	(void)state;
	low_steps_check(table, ring, steps, array_size(steps));
	kbuf_provide(table, 1, BASE, 10, 1, 0);
	kbuf_remove(table, 1, 1);
	low_steps_check(table, NULL, steps, array_size(steps));
	kbuf_table_close(table);
	pages_free(ring, ENTRIES * 16 + 4096);
}

static void X1_low_water_of_an_empty_group(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = ring_of(table, ENTRIES, 0);

	(void)state;
	assert_int_equal(kbuf_low_water(table, 99, 1, -1), -ENOENT);
	assert_int_equal(kbuf_low_water(table, TEST_BGID, 1, -1), 0);
	take_one(table, TEST_BGID);
	take_one(table, TEST_BGID);
	assert_int_equal(counters_of(table, TEST_BGID).low_signals, 1);
	/* Turn it off. */
	assert_int_equal(kbuf_low_water(table, TEST_BGID, 0, -1), 0);
	ring_add(ring, ENTRIES, BASE, 10, 0);
	ring_add(ring, ENTRIES, BASE, 10, 0);
	take_one(table, TEST_BGID);
	take_one(table, TEST_BGID);
	take_one(table, TEST_BGID);
	assert_int_equal(counters_of(table, TEST_BGID).low_signals, 1);
	kbuf_table_close(table);
	pages_free(ring, ENTRIES * 16 + 4096);
}

/*
 * Recycling does not count as leaving: idle connections don't lower the level.
 */
static void X1_what_comes_back_does_not_count(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = ring_of(table, ENTRIES, 0);
	struct kbuf_claim claim;
	unsigned int i;

	(void)state;
	ring_add(ring, ENTRIES, BASE, 10, 0);
	kbuf_provide(table, 1, BASE, 10, 1, 0);
	kbuf_low_water(table, TEST_BGID, 1, -1);
	kbuf_low_water(table, 1, 1, -1);
	for (i = 0; i < 10; i++) {
		kbuf_claim(table, TEST_BGID, 0, false, &claim);
		kbuf_recycle(table, &claim);
		kbuf_claim(table, 1, 0, false, &claim);
		kbuf_recycle(table, &claim);
	}
	assert_int_equal(counters_of(table, TEST_BGID).low_signals, 0);
	assert_int_equal(counters_of(table, 1).low_signals, 0);
	kbuf_table_close(table);
	pages_free(ring, ENTRIES * 16 + 4096);
}

static void X3_the_oldest_hold_is_told(void **state)
{
	struct kbuf_table *table = table_of(0);
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);
	uint32_t holds[40], i;

	(void)state;
	assert_int_equal(kbuf_hold(table, 1, now), 0);
	kbuf_provide(table, 1, BASE, 10, 3, 0);
	kbuf_provide(table, 2, BASE, 10, 3, 0);
	assert_int_equal(counters_of(table, 1).oldest_ns, 0);
	/*
	 * Each hold begins a second after the one before, in two groups in
	 * turn.
	 */
	for (i = 0; i < 40; i++) {
		holds[i] = kbuf_hold(table, (uint16_t)(1 + i % 2),
				     now - (40 - i) * NS_PER_SEC);
		assert_int_not_equal(holds[i], 0);
	}
	for (i = 0; i < 40; i += 2) {
		assert_in_range(counters_of(table, 1).oldest_ns,
				(40 - i) * NS_PER_SEC,
				(40 - i) * NS_PER_SEC + 600 * NS_PER_SEC);
		/* Ending a hold that is not the oldest changes nothing. */
		if (i < 36) {
			kbuf_hold_end(table, holds[i + 3]);
			kbuf_hold_end(table, holds[i]);
			holds[i + 3] = 0;
		} else {
			kbuf_hold_end(table, holds[i]);
		}
	}
	assert_int_equal(counters_of(table, 1).oldest_ns, 0);
	assert_true(counters_of(table, 2).oldest_ns >= 39u * NS_PER_SEC);
	kbuf_hold_end(table, holds[1]);
	assert_in_range(counters_of(table, 2).oldest_ns, NS_PER_SEC,
			600 * NS_PER_SEC);
	kbuf_hold_end(table, holds[39]);
	assert_int_equal(counters_of(table, 2).oldest_ns, 0);
	kbuf_hold_end(table, 0);
	kbuf_table_close(table);
}

/* Nothing reports a hold of a group that is gone. */
static void X3_a_hold_outlives_its_group(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = ring_of(table, ENTRIES, 0);
	uint32_t hold = kbuf_hold(table, TEST_BGID, 1);

	(void)state;
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	kbuf_provide(table, TEST_BGID, BASE, 10, 3, 0);
	assert_int_equal(counters_of(table, TEST_BGID).oldest_ns, 0);
	kbuf_hold_end(table, hold);
	assert_int_equal(counters_of(table, TEST_BGID).oldest_ns, 0);
	kbuf_table_close(table);
	pages_free(ring, ENTRIES * 16 + 4096);
}

int level_tests_run(void)
{
	const struct CMUnitTest level_tests[] = {
		cmocka_unit_test(X3_a_classic_group_counts),
		cmocka_unit_test(X3_a_ring_counts),
		cmocka_unit_test(X3_the_oldest_hold_is_told),
		cmocka_unit_test(X3_a_hold_outlives_its_group),
		cmocka_unit_test(X1_low_water_is_signalled_before_ENOBUFS),
		cmocka_unit_test(X1_low_water_of_an_empty_group),
		cmocka_unit_test(X1_what_comes_back_does_not_count),
	};

	return cmocka_run_group_tests(level_tests, NULL, NULL);
}
