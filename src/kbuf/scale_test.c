// SPDX-License-Identifier: MIT
/*
 * A full table: every possible group, a ring of the greatest size, and a
 * million classic buffers. The test checks that calls do the right thing, and
 * that they make no allocation and no system call; bench/kbuf.c measures that
 * they take no longer than in an empty table.
 */
#include "base/inject.h"
#include "kbuf/group.h"
#include "kbuf/kbuf_test.h"

#define ALL_GROUPS 65536u
#define EACH 16u /* classic buffers in a group; all but one are classic */
#define RING_BGID 40000u
#define STEP 7919u /* visits every group before it visits one again */

static uint64_t address_of(uint32_t bgid, uint32_t nth)
{
	return UINT64_C(0x10000000) + (bgid * EACH + nth) * UINT64_C(64);
}

static struct io_uring_buf_ring *greatest_ring(struct kbuf_table *table)
{
	const uint32_t entries = KBUF_RING_ENTRIES_MAX;
	struct io_uring_buf_ring *ring =
		pages_new(entries * sizeof(struct io_uring_buf));
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)ring,
		.ring_entries = entries,
		.bgid = RING_BGID,
	};

	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	for (uint32_t i = 0; i < entries; i++)
		ring_add(ring, entries, 0x1000 + i, 64, (uint16_t)i);
	return ring;
}

static void fill_classic(struct kbuf_table *table)
{
	for (uint32_t bgid = 0; bgid < ALL_GROUPS; bgid++)
		if (bgid != RING_BGID)
			assert_int_equal(kbuf_provide(table, (uint16_t)bgid,
						      address_of(bgid, 0), 64,
						      EACH, 0),
					 0);
}

/* Take the oldest buffer of every group in turn, and provide it again. */
static void rotate(struct kbuf_table *table, uint32_t nth)
{
	struct kbuf_claim claim;
	uint32_t bgid = 0;

	for (uint32_t i = 0; i < ALL_GROUPS; i++, bgid += STEP) {
		const uint16_t at = (uint16_t)bgid;

		if (at == RING_BGID)
			continue;
		assert_int_equal(kbuf_claim(table, at, 0, false, &claim), 0);
		assert_int_equal(claim.addr, address_of(at, nth % EACH));
		if (i & 1) {
			/* S7: back to the front, and claimed again. */
			kbuf_recycle(table, &claim);
			kbuf_claim(table, at, 0, false, &claim);
		}
		assert_int_equal(bid_of(kbuf_commit(table, &claim, 64)),
				 nth % EACH);
		assert_int_equal(
			kbuf_provide(table, at, claim.addr, 64, 1, claim.bid),
			0);
	}
}

static void S4_a_million_buffers_keep_their_order(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct kbuf_counters counters;

	(void)state;
	fill_classic(table);
	rotate(table, 0);
	inject_start();
	for (uint32_t nth = 1; nth < EACH + 2; nth++)
		rotate(table, nth);
	/* Buffers that circulate need no allocation and no system call. */
	assert_int_equal(inject_allocations(), 0);
	assert_int_equal(inject_calls(), 0);
	inject_stop();
	assert_int_equal(kbuf_counters(table, 65535, &counters), 0);
	assert_int_equal(counters.queued, EACH);
	assert_int_equal(counters.committed, EACH + 2);
	for (uint32_t bgid = 0; bgid < ALL_GROUPS; bgid++)
		assert_int_equal(kbuf_remove(table, (uint16_t)bgid, 65536),
				 bgid == RING_BGID ? -ENOENT : (int)EACH);
	kbuf_table_close(table);
}

static void S4_a_ring_of_32768_among_all_groups(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring;
	const uint32_t entries = KBUF_RING_ENTRIES_MAX;

	(void)state;
	fill_classic(table);
	ring = greatest_ring(table);
	inject_start();
	/* Use the ring three times: head and tail wrap at 65,536. */
	for (uint32_t i = 0; i < 3 * entries; i++) {
		assert_int_equal(take_one(table, RING_BGID), i % entries);
		ring_add(ring, entries, 0x1000, 64, (uint16_t)(i % entries));
	}
	assert_int_equal(inject_allocations(), 0);
	assert_int_equal(inject_calls(), 0);
	inject_stop();
	assert_int_equal(ring_status(table, RING_BGID), 3 * entries % 65536);
	kbuf_table_close(table);
	pages_free(ring, entries * sizeof(struct io_uring_buf));
}

int scale_tests_run(void)
{
	const struct CMUnitTest scale_tests[] = {
		cmocka_unit_test(S4_a_million_buffers_keep_their_order),
		cmocka_unit_test(S4_a_ring_of_32768_among_all_groups),
	};

	return cmocka_run_group_tests(scale_tests, NULL, NULL);
}
