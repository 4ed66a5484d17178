// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include <errno.h>

#define BASE UINT64_C(0x10000)
#define INC IOU_PBUF_RING_INC
#define ENTRIES 4u

struct ring_world {
	struct kbuf_table *table;
	struct io_uring_buf_ring *ring;
};

static struct ring_world world_open(unsigned int flags, uint32_t min_left)
{
	struct ring_world world = {
		.table = table_of(0),
		.ring = pages_new(4096),
	};
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)world.ring,
		.ring_entries = ENTRIES,
		.bgid = TEST_BGID,
		.flags = (uint16_t)flags,
		.min_left = min_left,
	};

	assert_int_equal(kbuf_ring_register(world.table, &reg), 0);
	return world;
}

static void world_close(struct ring_world *world)
{
	kbuf_table_close(world->table);
	pages_free(world->ring, 4096);
}

static void world_fill(struct ring_world *world, unsigned int count,
		       uint32_t len)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		ring_add(world->ring, ENTRIES, BASE + 1000 * i, len,
			 (uint16_t)(50 + i));
}

static void S2_nothing_there_is_ENOBUFS(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim = {.kind = KBUF_RING};

	(void)state;
	assert_int_equal(kbuf_claim(world.table, 999, 0, false, &claim),
			 -ENOBUFS);
	assert_int_equal(claim.kind, KBUF_NONE);
	claim.kind = KBUF_RING;
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, true, &claim),
			 -ENOBUFS);
	assert_int_equal(claim.kind, KBUF_NONE);
	kbuf_recycle(world.table, &claim);
	assert_int_equal(kbuf_commit(world.table, &claim, 5), 0);
	world_close(&world);
}

static void S3_the_shorter_of_wanted_and_there(void **state)
{
	static const struct {
		uint32_t want, there, expected;
	} rows[] = {
		{0, 100, 100},
		{1, 100, 1},
		{100, 100, 100},
		{101, 100, 100},
		{UINT32_MAX, 100, 100},
		{0, 0, 0},
		{7, 0, 0},
		{0, UINT32_MAX, UINT32_MAX},
		{7, UINT32_MAX, 7},
	};
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim;
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(rows); i++) {
		ring_add(world.ring, ENTRIES, BASE, rows[i].there, 3);
		assert_int_equal(kbuf_claim(world.table, TEST_BGID,
					    rows[i].want, false, &claim),
				 0);
		assert_int_equal(claim.len, rows[i].expected);
		assert_int_equal(claim.addr, BASE);
		kbuf_commit(world.table, &claim, claim.len);
	}
	world_close(&world);
}

static void S5_a_ring_claim_is_not_committed_until_bytes_move(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim;

	(void)state;
	world_fill(&world, 2, 100);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			 0);
	assert_int_equal(claim.kind, KBUF_RING);
	assert_int_equal(ring_status(world.table, TEST_BGID), 0);
	kbuf_recycle(world.table, &claim);
	assert_int_equal(ring_status(world.table, TEST_BGID), 0);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			 0);
	assert_int_equal(claim.bid, 50);
	assert_int_equal(kbuf_commit(world.table, &claim, 1),
			 IORING_CQE_F_BUFFER | 50u << 16);
	assert_int_equal(claim.kind, KBUF_NONE);
	assert_int_equal(ring_status(world.table, TEST_BGID), 1);
	assert_int_equal(take_one(world.table, TEST_BGID), 51);
	world_close(&world);
}

static void S6_at_once_is_committed_at_selection(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim;

	(void)state;
	world_fill(&world, 2, 100);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 9, true, &claim),
			 0);
	assert_int_equal(claim.kind, KBUF_TAKEN);
	assert_int_equal(claim.len, 9);
	assert_int_equal(ring_status(world.table, TEST_BGID), 1);
	/* The claim may outlive its group. */
	assert_int_equal(ring_drop(world.table, TEST_BGID), 0);
	assert_int_equal(kbuf_commit(world.table, &claim, 4),
			 IORING_CQE_F_BUFFER | 50u << 16);
	world_close(&world);
}

static void S8_a_classic_claim_outlives_its_group(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim;

	(void)state;
	assert_int_equal(kbuf_provide(world.table, 1, BASE, 10, 1, 3), 0);
	assert_int_equal(kbuf_claim(world.table, 1, 0, true, &claim), 0);
	assert_int_equal(claim.kind, KBUF_CLASSIC);
	assert_int_equal(kbuf_commit(world.table, &claim, 0),
			 IORING_CQE_F_BUFFER | 3u << 16);
	world_close(&world);
}

static void S10_address_0_and_length_0_are_handed_on(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_claim claim;

	(void)state;
	ring_add(world.ring, ENTRIES, 0, 50, 1);
	ring_add(world.ring, ENTRIES, UINT64_MAX, 0, 2);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			 0);
	assert_int_equal(claim.addr, 0);
	kbuf_commit(world.table, &claim, 0);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 9, false, &claim),
			 0);
	assert_int_equal(claim.addr, UINT64_MAX);
	assert_int_equal(claim.len, 0);
	kbuf_recycle(world.table, &claim);
	world_close(&world);
}

/* As on a live 6.18: a ring is empty only if tail == head. */
static void S4_a_tail_too_far_serves_old_entries_again(void **state)
{
	struct ring_world world = world_open(0, 0);
	int i;

	(void)state;
	world_fill(&world, ENTRIES, 100);
	store_release(&world.ring->tail, 10);
	for (i = 0; i < 10; i++)
		assert_int_equal(take_one(world.table, TEST_BGID), 50 + i % 4);
	assert_int_equal(take_one(world.table, TEST_BGID), -ENOBUFS);
	store_release(&world.ring->tail, 9);
	for (i = 10; i < 10 + 65535; i++)
		assert_int_equal(take_one(world.table, TEST_BGID), 50 + i % 4);
	assert_int_equal(take_one(world.table, TEST_BGID), -ENOBUFS);
	world_close(&world);
}

static void S4_memory_that_is_gone_is_an_empty_ring(void **state)
{
	struct ring_world world = world_open(0, 0);

	(void)state;
	world_fill(&world, 2, 100);
	assert_int_equal(take_one(world.table, TEST_BGID), 50);
	mprotect(world.ring, 4096, PROT_NONE);
	assert_int_equal(take_one(world.table, TEST_BGID), -ENOBUFS);
	assert_int_equal(ring_status(world.table, TEST_BGID), 1);
	mprotect(world.ring, 4096, PROT_READ | PROT_WRITE);
	/* No buffer was lost. */
	assert_int_equal(take_one(world.table, TEST_BGID), 51);
	assert_int_equal(ring_drop(world.table, TEST_BGID), 0);
	world_close(&world);
}

/* ---- incremental consumption ------------------------------------------- */

struct inc_row {
	uint32_t want, move;
	int bid;
	bool more;
	/* afterwards: the first two entries, and head */
	uint32_t addr0, len0, addr1, len1;
	int head;
};

static void inc_rows_check(struct ring_world *world, bool at_once,
			   const struct inc_row *rows, unsigned int count)
{
	const struct io_uring_buf *entry = world->ring->first;
	struct kbuf_claim claim;
	unsigned int i;
	uint32_t flags;

	for (i = 0; i < count; i++) {
		assert_int_equal(kbuf_claim(world->table, TEST_BGID,
					    rows[i].want, at_once, &claim),
				 0);
		flags = kbuf_commit(world->table, &claim, rows[i].move);
		assert_int_equal(bid_of(flags), rows[i].bid);
		assert_int_equal(!!(flags & IORING_CQE_F_BUF_MORE),
				 rows[i].more);
		assert_int_equal(entry[0].addr, BASE + rows[i].addr0);
		assert_int_equal(entry[0].len, rows[i].len0);
		assert_int_equal(entry[1].addr, BASE + rows[i].addr1);
		assert_int_equal(entry[1].len, rows[i].len1);
		assert_int_equal(ring_status(world->table, TEST_BGID),
				 rows[i].head);
	}
}

/* These rows are a transcript of a live 6.18. */
static void I1_I2_entries_shrink_in_place(void **state)
{
	static const struct inc_row rows[] = {
		{0, 5, 50, true, 5, 15, 1000, 20, 0},
		{3, 3, 50, true, 8, 12, 1000, 20, 0},
		{0, 2, 50, true, 10, 10, 1000, 20, 0},
		{0, 0, 50, true, 10, 10, 1000, 20, 0},
		{0, 10, 50, false, 10, 0, 1000, 20, 1},
		{0, 3, 51, true, 10, 0, 1003, 17, 1},
	};
	struct ring_world world = world_open(INC, 0);
	struct kbuf_claim claim;

	(void)state;
	world_fill(&world, 2, 20);
	inc_rows_check(&world, false, rows, array_size(rows));
	/* I2: the claim has the address from before the commit. */
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			 0);
	assert_int_equal(claim.addr, BASE + 1003);
	assert_int_equal(claim.len, 17);
	kbuf_recycle(world.table, &claim);
	world_close(&world);
}

static void I3_what_is_less_than_min_left_is_given_up(void **state)
{
	static const struct {
		uint32_t min_left, move;
		bool more;
	} rows[] = {
		{0, 15, true},	 {0, 20, false},	 {1, 19, true},
		{5, 15, true},	 {5, 16, false},	 {6, 15, false},
		{100, 1, false}, {UINT32_MAX, 1, false}, {0x80000001, 1, false},
		{100, 0, true},
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(rows); i++) {
		struct ring_world world = world_open(INC, rows[i].min_left);
		bool more = rows[i].more;
		struct inc_row row = {
			.move = rows[i].move,
			.bid = 50,
			.more = more,
			.addr0 = more ? rows[i].move : 0,
			.len0 = more ? 20 - rows[i].move : 0,
			.addr1 = 1000,
			.len1 = 20,
			.head = !more,
		};

		world_fill(&world, 2, 20);
		inc_rows_check(&world, false, &row, 1);
		world_close(&world);
	}
}

static void I4_at_selection_what_was_asked_for_is_consumed(void **state)
{
	static const struct inc_row rows[] = {
		{4, 1, 50, true, 4, 16, 1000, 20, 0},
		{0, 7, 50, false, 4, 0, 1000, 20, 1},
		{0, 0, 51, false, 4, 0, 1000, 0, 2},
	};
	struct ring_world world = world_open(INC, 0);

	(void)state;
	world_fill(&world, 2, 20);
	inc_rows_check(&world, true, rows, array_size(rows));
	world_close(&world);
}

/*
 * As on a live 6.18 an entry of length 0 stays at head: reading into it moves
 * no bytes.
 */
static void I2_an_empty_entry_stays(void **state)
{
	static const struct inc_row rows[] = {
		{5, 0, 50, true, 0, 0, 1000, 0, 0},
		{0, 0, 50, true, 0, 0, 1000, 0, 0},
	};
	struct ring_world world = world_open(INC, 0);

	(void)state;
	world_fill(&world, 2, 0);
	inc_rows_check(&world, false, rows, array_size(rows));
	world_close(&world);
}

static void I1_memory_that_goes_during_a_transfer_harms_nobody(void **state)
{
	static const int gone[] = {PROT_NONE, PROT_READ};
	struct kbuf_claim claim;
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(gone); i++) {
		struct ring_world world = world_open(INC, 0);

		world_fill(&world, 2, 20);
		assert_int_equal(
			kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			0);
		mprotect(world.ring, 4096, gone[i]);
		assert_int_equal(kbuf_commit(world.table, &claim, 5),
				 IORING_CQE_F_BUFFER | 50u << 16);
		world_close(&world);
	}
}

static void I1_the_application_shortens_an_entry_in_use(void **state)
{
	struct ring_world world = world_open(INC, 0);
	struct kbuf_claim claim;

	(void)state;
	world_fill(&world, 2, 20);
	assert_int_equal(kbuf_claim(world.table, TEST_BGID, 0, false, &claim),
			 0);
	world.ring->first[0].len = 3;
	assert_int_equal(kbuf_commit(world.table, &claim, 5),
			 IORING_CQE_F_BUFFER | 50u << 16);
	assert_int_equal(world.ring->first[0].len, 0);
	assert_int_equal(take_one(world.table, TEST_BGID), 51);
	world_close(&world);
}

/* The buffers that a row of claims gave, or that single claims gave. */
struct given {
	uint64_t addr[8];
	uint32_t len[8], flags[8];
	int64_t head;
};

#define ROW_WANT(i) (3 + 5 * (i) % 7)

/* Claim @count buffers in a row, of which @served are filled. */
static struct given give_row(struct ring_world *world, unsigned int count,
			     unsigned int served)
{
	struct given given = {.head = 0};
	struct kbuf_claim claims[8];
	struct kbuf_row row = {.claims = 0};
	unsigned int i, got;

	for (got = 0; got < count; got++)
		if (kbuf_claim_in_row(world->table, TEST_BGID, ROW_WANT(got),
				      &row, &claims[got]) < 0)
			break;
	for (i = 0; i < got && i < served; i++) {
		given.addr[i] = claims[i].addr;
		given.len[i] = claims[i].len;
		given.flags[i] =
			kbuf_commit(world->table, &claims[i], claims[i].len);
	}
	while (got-- > i)
		kbuf_recycle(world->table, &claims[got]);
	given.head = ring_status(world->table, TEST_BGID);
	return given;
}

static struct given give_singly(struct ring_world *world, unsigned int served)
{
	struct given given = {.head = 0};
	struct kbuf_claim claim;

	for (unsigned int i = 0; i < served; i++) {
		if (kbuf_claim(world->table, TEST_BGID, ROW_WANT(i), false,
			       &claim) < 0)
			break;
		given.addr[i] = claim.addr;
		given.len[i] = claim.len;
		given.flags[i] = kbuf_commit(world->table, &claim, claim.len);
	}
	given.head = ring_status(world->table, TEST_BGID);
	return given;
}

static void S4_a_row_is_as_one_after_the_other(void **state)
{
	static const struct {
		unsigned int flags;
		uint32_t min_left;
	} rows[] = {{0, 0}, {INC, 0}, {INC, 3}, {INC, 20}};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		for (unsigned int served = 0; served <= 8; served++) {
			struct ring_world a, b;
			struct given row, singly;

			a = world_open(rows[i].flags, rows[i].min_left);
			b = world_open(rows[i].flags, rows[i].min_left);
			world_fill(&a, 3, 12);
			world_fill(&b, 3, 12);
			row = give_row(&a, 8, served);
			singly = give_singly(&b, served);
			assert_memory_equal(&row, &singly, sizeof(row));
			assert_memory_equal(a.ring, b.ring, 4 * 16);
			world_close(&a);
			world_close(&b);
		}
}

static void S4_a_row_ends_where_a_claim_has_to_be_asked(void **state)
{
	struct ring_world world = world_open(0, 0);
	struct kbuf_row row = {.claims = 0};
	struct kbuf_counters counters;
	struct kbuf_claim claim[ENTRIES];

	(void)state;
	/* Even if tail is too far ahead, a row has no buffer twice. */
	world_fill(&world, ENTRIES, 10);
	world.ring->tail = 100;
	for (unsigned int i = 0; i < ENTRIES; i++)
		assert_int_equal(kbuf_claim_in_row(world.table, TEST_BGID, 0,
						   &row, &claim[i]),
				 0);
	assert_int_equal(
		kbuf_claim_in_row(world.table, TEST_BGID, 0, &row, &claim[0]),
		-ENOBUFS);
	for (unsigned int i = ENTRIES; i-- > 0;)
		kbuf_recycle(world.table, &claim[i]);
	assert_int_equal(
		kbuf_claim_in_row(world.table, 999, 0, &row, &claim[0]),
		-ENOBUFS);
	kbuf_counters(world.table, TEST_BGID, &counters);
	assert_int_equal(counters.starved, 0);
	assert_int_equal(counters.recycled, ENTRIES);
	world_close(&world);
}

int claim_tests_run(void)
{
	const struct CMUnitTest claim_tests[] = {
		cmocka_unit_test(S2_nothing_there_is_ENOBUFS),
		cmocka_unit_test(S3_the_shorter_of_wanted_and_there),
		cmocka_unit_test(
			S5_a_ring_claim_is_not_committed_until_bytes_move),
		cmocka_unit_test(S6_at_once_is_committed_at_selection),
		cmocka_unit_test(S8_a_classic_claim_outlives_its_group),
		cmocka_unit_test(S10_address_0_and_length_0_are_handed_on),
		cmocka_unit_test(S4_a_tail_too_far_serves_old_entries_again),
		cmocka_unit_test(S4_memory_that_is_gone_is_an_empty_ring),
		cmocka_unit_test(I1_I2_entries_shrink_in_place),
		cmocka_unit_test(I3_what_is_less_than_min_left_is_given_up),
		cmocka_unit_test(
			I4_at_selection_what_was_asked_for_is_consumed),
		cmocka_unit_test(I2_an_empty_entry_stays),
		cmocka_unit_test(
			I1_memory_that_goes_during_a_transfer_harms_nobody),
		cmocka_unit_test(I1_the_application_shortens_an_entry_in_use),
		cmocka_unit_test(S4_a_row_is_as_one_after_the_other),
		cmocka_unit_test(S4_a_row_ends_where_a_claim_has_to_be_asked),
	};

	return cmocka_run_group_tests(claim_tests, NULL, NULL);
}
