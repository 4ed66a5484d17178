// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include "base/inject.h"

#define EMPTY UINT64_C(0x10000) /* an address that is not accessed (P11) */
#define LIMIT UINT64_C(0x7ffffffff000)

static void P2_to_P7_are_checked_in_order(void **state)
{
	static const struct {
		int32_t count;
		uint64_t addr;
		uint32_t len;
		uint64_t bid;
		int latest, v6_6;
	} rows[] = {
		{1, EMPTY, 10, 0, 0, 0},
		{65536, EMPTY, 10, 0, 0, 0},
		{1, 0, 10, 0, 0, 0},
		{0, EMPTY, 0, 0, -E2BIG, -E2BIG},
		{-1, EMPTY, 0, 70000, -E2BIG, -E2BIG},
		{INT32_MIN, EMPTY, 10, 0, -E2BIG, -E2BIG},
		{65537, EMPTY, 0, 0, -E2BIG, -E2BIG},
		{1, EMPTY, 0, 0, -EINVAL, 0},
		{1, EMPTY, 0, 70000, -EINVAL, -E2BIG},
		{2, UINT64_MAX - 4, 0, 0, -EINVAL, -EFAULT},
		{2, UINT64_MAX - 4, 10, 70000, -EOVERFLOW, -EOVERFLOW},
		{1, UINT64_C(1) << 47, 10, 70000, -EFAULT, -EFAULT},
		{1, LIMIT - 16, 16, 0, 0, 0},
		{1, LIMIT - 16, 17, 0, -EFAULT, -EFAULT},
		{65536, EMPTY, UINT32_MAX, 0, -EFAULT, -EFAULT},
		{2, EMPTY, 10, 65536, -E2BIG, -E2BIG},
		{2, EMPTY, 10, UINT64_C(1) << 32, -E2BIG, -E2BIG},
		{2, EMPTY, 10, 65535, -EINVAL, -EINVAL},
		{1, EMPTY, 10, 65535, 0, 0},
		{65536, EMPTY, 10, 1, -EINVAL, -EINVAL},
	};
	struct kbuf_table *latest = table_of(0), *old = table_of(KVER(6, 6));
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(rows); i++) {
		assert_int_equal(kbuf_provide_check(latest, rows[i].count,
						    rows[i].addr, rows[i].len,
						    rows[i].bid),
				 rows[i].latest);
		assert_int_equal(kbuf_provide_check(old, rows[i].count,
						    rows[i].addr, rows[i].len,
						    rows[i].bid),
				 rows[i].v6_6);
	}
	kbuf_table_close(old);
	kbuf_table_close(latest);
}

static void P8_a_ring_takes_no_classic_buffers(void **state)
{
	struct kbuf_table *table = table_of(0);
	void *ring = ring_of(table, 4, 0);

	(void)state;
	assert_int_equal(kbuf_provide(table, TEST_BGID, EMPTY, 10, 1, 0),
			 -EINVAL);
	assert_int_equal(kbuf_remove(table, TEST_BGID, 1), -EINVAL);
	kbuf_table_close(table);
	pages_free(ring, 8192);
}

static void P9_lengths_are_clamped_and_addresses_are_not(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim claim;
	uint64_t i;

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, EMPTY, UINT32_MAX, 3, 40), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(kbuf_claim(table, 1, 0, false, &claim), 0);
		assert_int_equal(claim.addr, EMPTY + i * UINT32_MAX);
		assert_int_equal(claim.len, IORING_MAX_RW_COUNT);
		assert_int_equal(claim.bid, 40 + i);
		assert_int_equal(claim.bgid, 1);
		kbuf_commit(table, &claim, 1);
	}
	kbuf_table_close(table);
}

static void P10_a_group_queues_65535_in_latest(void **state)
{
	struct kbuf_table *table = table_of(0);

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 60000, 0), 0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 10000, 0), 0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1, 0), -EOVERFLOW);
	assert_int_equal(take_one(table, 1), 0);
	/* The cap counts only queued buffers. */
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1, 7), 0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1, 0), -EOVERFLOW);
	assert_int_equal(kbuf_remove(table, 1, 65536), 65535);
	kbuf_table_close(table);
}

static void P10_a_group_queues_any_number_in_6_6(void **state)
{
	struct kbuf_table *table = table_of(KVER(6, 6));

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 65536, 0), 0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 65536, 0), 0);
	assert_int_equal(kbuf_remove(table, 1, 65536), 65536);
	assert_int_equal(kbuf_remove(table, 1, 65536), 65536);
	kbuf_table_close(table);
}

static void P10_some_is_success_and_none_is_ENOMEM(void **state)
{
	struct kbuf_table *table = table_of(0);
	int some;

	(void)state;
	inject_start();
	inject_allocation(0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1000, 0), -ENOMEM);
	assert_false(kbuf_group_exists(table, 1));
	/*
	 * Records, the group and its page are allocated; the next records fail.
	 */
	inject_allocation(3);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1000, 0), 0);
	assert_true(inject_stop());
	some = kbuf_remove(table, 1, 65536);
	assert_in_range(some, 1, 999);
	assert_int_equal(kbuf_remove(table, 1, 65536), 0);
	kbuf_table_close(table);
}

static void R2_R3_the_oldest_are_removed(void **state)
{
	struct kbuf_table *table = table_of(0);
	int i;

	(void)state;
	assert_int_equal(kbuf_remove(table, 1, 1), -ENOENT);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 10, 0), 0);
	assert_int_equal(kbuf_remove(table, 1, 3), 3);
	for (i = 3; i < 6; i++)
		assert_int_equal(take_one(table, 1), i);
	assert_int_equal(kbuf_remove(table, 1, 100), 4);
	assert_int_equal(kbuf_remove(table, 1, 100), 0);
	assert_int_equal(take_one(table, 1), -ENOBUFS);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 1, 77), 0);
	assert_int_equal(take_one(table, 1), 77);
	kbuf_table_close(table);
}

static void S4_classic_is_first_in_first_out(void **state)
{
	struct kbuf_table *table = table_of(0);
	int i;

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 4, 10), 0);
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 10, 4, 2), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(take_one(table, 1), 10 + i);
	for (i = 0; i < 4; i++)
		assert_int_equal(take_one(table, 1), 2 + i);
	kbuf_table_close(table);
}

static void S7_recycled_to_the_front(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim a, b;

	(void)state;
	assert_int_equal(kbuf_provide(table, 1, EMPTY, 100, 3, 0), 0);
	assert_int_equal(kbuf_claim(table, 1, 5, false, &a), 0);
	assert_int_equal(kbuf_claim(table, 1, 0, false, &b), 0);
	assert_int_equal(a.len, 5);
	kbuf_recycle(table, &a);
	assert_int_equal(a.kind, KBUF_NONE);
	kbuf_recycle(table, &b);
	/* The last one recycled is first in the group, with its full length. */
	assert_int_equal(kbuf_claim(table, 1, 0, false, &b), 0);
	assert_int_equal(b.bid, 1);
	assert_int_equal(take_one(table, 1), 0);
	assert_int_equal(take_one(table, 1), 2);
	kbuf_recycle(table, &b);
	assert_int_equal(kbuf_claim(table, 1, 0, false, &a), 0);
	assert_int_equal(a.len, 100);
	kbuf_recycle(table, &a);
	kbuf_recycle(table, &a); /* does nothing: the claim has ended */
	assert_int_equal(kbuf_commit(table, &a, 1), 0);
	assert_int_equal(kbuf_remove(table, 1, 9), 1);
	kbuf_table_close(table);
}

static void S7_a_group_that_became_a_ring_drops_it(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim claim, other;
	void *ring;

	(void)state;
	assert_int_equal(kbuf_provide(table, TEST_BGID, EMPTY, 10, 2, 0), 0);
	assert_int_equal(kbuf_claim(table, TEST_BGID, 0, false, &claim), 0);
	assert_int_equal(kbuf_claim(table, TEST_BGID, 0, false, &other), 0);
	ring = ring_of(table, 4, 0);
	kbuf_recycle(table, &claim);
	assert_int_equal(take_one(table, TEST_BGID), -ENOBUFS);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	/* The group of the other one is gone. */
	kbuf_recycle(table, &other);
	assert_false(kbuf_group_exists(table, TEST_BGID));
	kbuf_table_close(table);
	pages_free(ring, 8192);
}

static void S7_another_classic_group_in_its_place_gets_it(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim claim, other;
	void *ring;

	(void)state;
	assert_int_equal(kbuf_provide(table, TEST_BGID, EMPTY, 10, 2, 0), 0);
	assert_int_equal(kbuf_claim(table, TEST_BGID, 0, false, &claim), 0);
	assert_int_equal(kbuf_claim(table, TEST_BGID, 0, false, &other), 0);
	ring = ring_of(table, 4, 0);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_int_equal(kbuf_provide(table, TEST_BGID, EMPTY, 10, 1, 9), 0);
	kbuf_recycle(table, &claim);
	assert_int_equal(take_one(table, TEST_BGID), 0);
	assert_int_equal(bid_of(kbuf_commit(table, &other, 1)), 1);
	assert_int_equal(take_one(table, TEST_BGID), 9);
	kbuf_table_close(table);
	pages_free(ring, 8192);
}

/* One random step; returns the change of how many buffers are queued. */
static int random_step(struct kbuf_table *table, unsigned int random,
		       struct kbuf_claim *claim)
{
	uint16_t bgid = (uint16_t)(random >> 8 & 3);

	if (claim->kind != KBUF_NONE) {
		bool back = random & 1;

		if (back)
			kbuf_recycle(table, claim);
		else
			kbuf_commit(table, claim, 1);
		return back;
	}
	switch (random % 8) {
	case 0:
		return kbuf_provide(table, bgid, EMPTY, 10, 3, 0) ? 0 : 3;
	case 1:
		random = (unsigned int)kbuf_remove(table, bgid, 2);
		return (int)random > 0 ? -(int)random : 0;
	default:
		return kbuf_claim(table, bgid, 0, false, claim) ? 0 : -1;
	}
}

static void S11_every_buffer_is_in_one_place(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_claim claims[16] = {0};
	unsigned int random = 12345, i;
	int queued = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		random = random * 1103515245 + 12345;
		queued += random_step(table, random >> 12,
				      &claims[random >> 27 & 15]);
	}
	for (i = 0; i < array_size(claims); i++) {
		queued += claims[i].kind != KBUF_NONE;
		kbuf_recycle(table, &claims[i]);
	}
	for (i = 0; i < 4; i++) {
		int removed = kbuf_remove(table, (uint16_t)i, 65536);

		queued -= removed > 0 ? removed : 0;
	}
	assert_int_equal(queued, 0);
	kbuf_table_close(table);
}

static void scale_a_million_classic_buffers(void **state)
{
	struct kbuf_table *table = table_of(0);
	const unsigned int groups = 1000, each = 1000;
	unsigned int i, j;

	(void)state;
	for (i = 0; i < groups; i++)
		assert_int_equal(kbuf_provide(table, (uint16_t)(i * 65), EMPTY,
					      10, each, 0),
				 0);
	inject_start();
	inject_allocation(0);
	for (i = 0; i < groups; i++) {
		uint16_t bgid = (uint16_t)(i * 65);

		for (j = 0; j < each; j++)
			assert_int_equal(take_one(table, bgid), j);
		assert_int_equal(kbuf_provide(table, bgid, EMPTY, 10, each, 0),
				 0);
	}
	/* Buffers that circulate allocate nothing. */
	assert_false(inject_stop());
	kbuf_table_close(table);
}

int classic_tests_run(void)
{
	const struct CMUnitTest classic_tests[] = {
		cmocka_unit_test(P2_to_P7_are_checked_in_order),
		cmocka_unit_test(P8_a_ring_takes_no_classic_buffers),
		cmocka_unit_test(P9_lengths_are_clamped_and_addresses_are_not),
		cmocka_unit_test(P10_a_group_queues_65535_in_latest),
		cmocka_unit_test(P10_a_group_queues_any_number_in_6_6),
		cmocka_unit_test(P10_some_is_success_and_none_is_ENOMEM),
		cmocka_unit_test(R2_R3_the_oldest_are_removed),
		cmocka_unit_test(S4_classic_is_first_in_first_out),
		cmocka_unit_test(S7_recycled_to_the_front),
		cmocka_unit_test(S7_a_group_that_became_a_ring_drops_it),
		cmocka_unit_test(S7_another_classic_group_in_its_place_gets_it),
		cmocka_unit_test(S11_every_buffer_is_in_one_place),
		cmocka_unit_test(scale_a_million_classic_buffers),
	};

	return cmocka_run_group_tests(classic_tests, NULL, NULL);
}
