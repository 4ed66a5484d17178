// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include <errno.h>
#include <sys/uio.h>

#define BASE UINT64_C(0x10000)
#define INC IOU_PBUF_RING_INC
#define ENTRIES 512u
#define LENS 8

struct bundle_world {
	struct kbuf_table *table;
	struct io_uring_buf_ring *ring;
	struct iovec iov[KBUF_MANY_MAX];
	struct kbuf_claim_vec claim;
};

static void bundle_open(struct bundle_world *world, unsigned int flags)
{
	world->table = table_of(0);
	world->ring = ring_of(world->table, ENTRIES, flags);
}

static void bundle_close(struct bundle_world *world)
{
	kbuf_table_close(world->table);
	pages_free(world->ring, ENTRIES * 16 + 4096);
}

/* Add buffers 50, 51, ... in a row; a length of -1 ends it. */
static void bundle_fill(struct bundle_world *world, const int64_t *lens)
{
	uint64_t at = BASE;
	unsigned int i;

	for (i = 0; i < LENS && lens[i] >= 0; i++) {
		ring_add(world->ring, ENTRIES, at, (uint32_t)lens[i],
			 (uint16_t)(50 + i));
		at += (uint64_t)lens[i];
	}
}

static int bundle_claim(struct bundle_world *world, uint32_t want, uint32_t max,
			bool at_once)
{
	return kbuf_claim_many(world->table, TEST_BGID, want, max, at_once,
			       world->iov, &world->claim);
}

struct choice_row {
	int64_t lens[LENS];
	uint32_t want, max;
	int err;
	/* of a plain ring, and of an INC one */
	uint32_t count[2], bytes[2];
	bool cut;
};

/* The chosen buffers agree with the completions and heads of a live 6.18. */
static const struct choice_row choice_rows[] = {
	{{10, 10, 10, 10, -1}, 0, 256, 0, {4, 4}, {40, 40}, false},
	{{10, 10, 10, 10, -1}, 0, 1, 0, {1, 1}, {10, 10}, false},
	{{10, 10, 10, 10, -1}, 5, 256, 0, {1, 1}, {5, 5}, true},
	{{10, 10, 10, 10, -1}, 10, 256, 0, {1, 1}, {10, 10}, false},
	/* B5: 25 are waiting, 20 are taken. */
	{{10, 10, 10, 10, -1}, 25, 256, 0, {2, 3}, {20, 25}, true},
	{{10, 10, 10, 10, -1}, 90, 256, 0, {4, 4}, {40, 40}, false},
	/* B3: as many as would do if all were as long as the first. */
	{{10, 1, 1, 1, 1, -1}, 25, 256, 0, {3, 3}, {12, 12}, false},
	{{1, 10, 10, 10, -1}, 25, 256, 0, {3, 4}, {21, 25}, true},
	{{10, 30, 10, -1}, 25, 256, 0, {1, 2}, {10, 25}, true},
	{{5, 10, 10, 10, -1}, 25, 256, 0, {3, 3}, {25, 25}, false},
	{{40, 10, 10, -1}, 25, 256, 0, {1, 1}, {25, 25}, true},
	{{24, 1, 10, -1}, 25, 256, 0, {2, 2}, {25, 25}, false},
	{{24, 2, 10, -1}, 25, 256, 0, {1, 2}, {24, 25}, true},
	{{1, 10, 10, -1}, 2, 256, 0, {1, 2}, {1, 2}, true},
	{{0, 10, 10, -1}, 25, 256, -ENOBUFS, {0}, {0}, false},
	{{0, 10, 10, -1}, 0, 256, 0, {3, 3}, {20, 20}, false},
	{{10, 0, 10, 10, -1}, 25, 256, 0, {3, 3}, {20, 20}, false},
	{{-1}, 25, 256, -ENOBUFS, {0}, {0}, false},
	{{-1}, 0, 256, -ENOBUFS, {0}, {0}, false},
	/* The cap on a transfer also bounds a bundle. */
	{{0x60000000, 0x60000000, -1},
	 0,
	 256,
	 0,
	 {1, 2},
	 {0x60000000, IORING_MAX_RW_COUNT},
	 true},
	{{UINT32_MAX, 5, -1},
	 UINT32_MAX,
	 256,
	 0,
	 {1, 1},
	 {INT32_MAX, INT32_MAX},
	 true},
	/* A send without a length asks for more than one transfer takes. */
	{{IORING_MAX_RW_COUNT, 5, -1},
	 INT32_MAX,
	 256,
	 0,
	 {2, 2},
	 {IORING_MAX_RW_COUNT + 5, IORING_MAX_RW_COUNT + 5},
	 false},
};

static void choice_row_check(const struct choice_row *row, bool inc)
{
	struct bundle_world world;
	uint64_t at = BASE;
	unsigned int i;
	int err;

	bundle_open(&world, inc ? INC : 0);
	bundle_fill(&world, row->lens);
	err = bundle_claim(&world, row->want, row->max, false);
	if (err != row->err || world.claim.count != row->count[inc] ||
	    world.claim.bytes != row->bytes[inc] ||
	    (!inc && world.claim.cut != row->cut))
		fail_msg("row %d, inc %d: %d, %u buffers, %u bytes",
			 (int)(row - choice_rows), inc, err, world.claim.count,
			 world.claim.bytes);
	for (i = 0; i < world.claim.count; i++) {
		assert_int_equal((uintptr_t)world.iov[i].iov_base, at);
		at += (uint64_t)row->lens[i];
	}
	/* A claim consumes nothing. */
	assert_int_equal(ring_status(world.table, TEST_BGID), 0);
	kbuf_recycle_many(world.table, &world.claim);
	assert_int_equal(world.claim.kind, KBUF_NONE);
	assert_int_equal(ring_status(world.table, TEST_BGID), 0);
	bundle_close(&world);
}

static void B3_B5_which_buffers_are_chosen(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(choice_rows); i++) {
		choice_row_check(&choice_rows[i], false);
		choice_row_check(&choice_rows[i], true);
	}
}

struct commit_row {
	int64_t lens[LENS];
	bool inc, at_once;
	uint32_t want, moved;
	uint32_t reached;
	bool more;
	int head;
	int64_t left[LENS]; /* the entries' lengths afterwards */
};

static const struct commit_row commit_rows[] = {
	/* B4: a receive commits what bytes reached. */
	{{10, 10, 10, -1}, false, false, 0, 1, 1, false, 1, {10, 10, 10, -1}},
	{{10, 10, 10, -1}, false, false, 0, 10, 1, false, 1, {10, 10, 10, -1}},
	{{10, 10, 10, -1}, false, false, 0, 11, 2, false, 2, {10, 10, 10, -1}},
	{{10, 10, 10, -1}, false, false, 0, 30, 3, false, 3, {10, 10, 10, -1}},
	{{0, 10, 10, -1}, false, false, 0, 15, 3, false, 3, {0, 10, 10, -1}},
	/* B5: a shortened first buffer doesn't shrink its entry. */
	{{10, 10, -1}, false, false, 4, 4, 1, false, 1, {10, 10, -1}},
	/* B4: a send commits all its buffers, however much was sent. */
	{{10, 10, 10, -1}, false, true, 0, 1, 1, false, 3, {10, 10, 10, -1}},
	{{10, 0, 10, 10, -1},
	 false,
	 true,
	 25,
	 20,
	 3,
	 false,
	 3,
	 {10, 0, 10, 10, -1}},
	/* B7 */
	{{10, 10, 10, -1}, true, false, 0, 5, 1, true, 0, {5, 10, 10, -1}},
	{{10, 10, 10, -1}, true, false, 0, 10, 1, false, 1, {0, 10, 10, -1}},
	{{10, 10, 10, -1}, true, false, 0, 15, 2, true, 1, {0, 5, 10, -1}},
	{{10, 10, 10, -1}, true, false, 25, 25, 3, true, 2, {0, 0, 5, -1}},
	{{10, 10, 10, -1}, true, false, 0, 30, 3, false, 3, {0, 0, 0, -1}},
	{{10, 10, 10, -1}, true, true, 25, 3, 1, true, 2, {0, 0, 5, -1}},
	{{10, 10, 10, -1}, true, true, 20, 20, 2, false, 2, {0, 0, 10, -1}},
	/* An empty entry stops an INC commit. */
	{{10, 0, 10, 10, -1},
	 true,
	 true,
	 0,
	 30,
	 4,
	 true,
	 1,
	 {0, 0, 10, 10, -1}},
	{{10, 10, 0, 10, -1},
	 true,
	 true,
	 25,
	 20,
	 2,
	 false,
	 2,
	 {0, 0, 0, 10, -1}},
};

static void commit_row_check(const struct commit_row *row)
{
	struct bundle_world world;
	unsigned int i;
	uint32_t flags;

	bundle_open(&world, row->inc ? INC : 0);
	bundle_fill(&world, row->lens);
	assert_int_equal(bundle_claim(&world, row->want, 256, row->at_once), 0);
	flags = kbuf_commit_many(world.table, &world.claim, row->moved);
	if (flags != (50u << 16 | IORING_CQE_F_BUFFER |
		      (row->more ? IORING_CQE_F_BUF_MORE : 0)) ||
	    world.claim.count != row->reached ||
	    ring_status(world.table, TEST_BGID) != row->head)
		fail_msg("row %d: flags %x, %u reached, head %d",
			 (int)(row - commit_rows), flags, world.claim.count,
			 ring_status(world.table, TEST_BGID));
	for (i = 0; row->left[i] >= 0; i++)
		assert_int_equal(world.ring->first[i].len, row->left[i]);
	assert_int_equal(kbuf_commit_many(world.table, &world.claim, 1), 0);
	bundle_close(&world);
}

static void B4_B5_B7_what_a_commit_consumes(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(commit_rows); i++)
		commit_row_check(&commit_rows[i]);
}

static void B1_a_classic_group_gives_one_buffer(void **state)
{
	struct bundle_world world;

	(void)state;
	bundle_open(&world, 0);
	assert_int_equal(kbuf_provide(world.table, 1, BASE, 10, 3, 40), 0);
	assert_int_equal(kbuf_claim_many(world.table, 1, 0, 256, false,
					 world.iov, &world.claim),
			 0);
	assert_int_equal(world.claim.count, 1);
	assert_int_equal(world.claim.bytes, 10);
	kbuf_recycle_many(world.table, &world.claim);
	assert_int_equal(kbuf_claim_many(world.table, 1, 4, 256, false,
					 world.iov, &world.claim),
			 0);
	assert_int_equal(world.claim.bytes, 4);
	kbuf_recycle_many(world.table, &world.claim);
	/* A send gets the complete buffer, as on a live 6.18. */
	assert_int_equal(kbuf_claim_many(world.table, 1, 4, 256, true,
					 world.iov, &world.claim),
			 0);
	assert_int_equal(world.claim.bytes, 10);
	assert_int_equal(kbuf_commit_many(world.table, &world.claim, 3),
			 IORING_CQE_F_BUFFER | 40u << 16);
	assert_int_equal(take_one(world.table, 1), 41);
	bundle_close(&world);
}

static void B2_a_missing_group_is_ENOENT(void **state)
{
	struct bundle_world world;

	(void)state;
	bundle_open(&world, 0);
	assert_int_equal(kbuf_claim_many(world.table, 1, 0, 256, false,
					 world.iov, &world.claim),
			 -ENOENT);
	assert_int_equal(world.claim.kind, KBUF_NONE);
	bundle_close(&world);
}

static void B3_at_most_256_buffers(void **state)
{
	struct bundle_world world;
	unsigned int i;

	(void)state;
	bundle_open(&world, 0);
	for (i = 0; i < ENTRIES; i++)
		ring_add(world.ring, ENTRIES, BASE + i, 1, (uint16_t)i);
	assert_int_equal(bundle_claim(&world, 0, UINT32_MAX, false), 0);
	assert_int_equal(world.claim.count, KBUF_MANY_MAX);
	kbuf_commit_many(world.table, &world.claim, 200);
	assert_int_equal(ring_status(world.table, TEST_BGID), 200);
	assert_int_equal(bundle_claim(&world, 500, 256, false), 0);
	assert_int_equal(world.claim.bid, 200);
	assert_int_equal(
		bid_of(kbuf_commit_many(world.table, &world.claim, 256)), 200);
	assert_int_equal(take_one(world.table, TEST_BGID), 456);
	bundle_close(&world);
}

static void B1_the_ring_wraps_inside_a_bundle(void **state)
{
	struct bundle_world world;
	unsigned int i;

	(void)state;
	bundle_open(&world, 0);
	for (i = 0; i < 65536 - 3; i++) {
		ring_add(world.ring, ENTRIES, BASE, 1, 0);
		assert_int_equal(take_one(world.table, TEST_BGID), 0);
	}
	for (i = 0; i < 8; i++)
		ring_add(world.ring, ENTRIES, BASE + i, 1, (uint16_t)i);
	assert_int_equal(bundle_claim(&world, 0, 256, false), 0);
	assert_int_equal(world.claim.count, 8);
	for (i = 0; i < 8; i++)
		assert_int_equal((uintptr_t)world.iov[i].iov_base, BASE + i);
	kbuf_commit_many(world.table, &world.claim, 8);
	assert_int_equal(ring_status(world.table, TEST_BGID), 5);
	bundle_close(&world);
}

static void S4_a_bundle_of_memory_that_is_gone(void **state)
{
	static const int64_t lens[] = {10, 10, -1};
	struct bundle_world world;

	(void)state;
	bundle_open(&world, INC);
	bundle_fill(&world, lens);
	assert_int_equal(bundle_claim(&world, 0, 256, false), 0);
	mprotect(world.ring, 4096, PROT_NONE);
	kbuf_commit_many(world.table, &world.claim, 15);
	assert_int_equal(bundle_claim(&world, 0, 256, false), -ENOBUFS);
	bundle_close(&world);
}

/* ---- a buffer for each message ---- */

struct each_row {
	int64_t lens[LENS];
	uint32_t want, max;
	uint32_t count; /* claimed */
	uint32_t used;
	uint32_t last_len; /* of what was claimed */
};

static const struct each_row each_rows[] = {
	{{10, 11, 12, 13, -1}, 0, 4, 4, 4, 13},
	{{10, 11, 12, 13, -1}, 0, 9, 4, 2, 13},
	{{10, 11, 12, 13, -1}, 0, 2, 2, 0, 11},
	{{10, 11, 12, 13, -1}, 11, 4, 4, 1, 11},
	/* kbuf_claim() handles empty entries. */
	{{10, 0, 12, -1}, 0, 4, 1, 1, 10},
	{{0, 10, -1}, 0, 4, 0, 0, 0},
	{{-1}, 0, 4, 0, 0, 0},
};

static void play_each(struct bundle_world *world, const struct each_row *row)
{
	struct kbuf_counters counters;
	uint16_t bids[KBUF_MANY_MAX];
	uint32_t count =
		kbuf_claim_each(world->table, TEST_BGID, row->want, row->max,
				world->iov, bids, &world->claim);

	assert_int_equal(count, row->count);
	if (!count)
		return;
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(bids[i], 50 + i);
	assert_int_equal(world->iov[count - 1].iov_len, row->last_len);
	assert_int_equal(ring_status(world->table, TEST_BGID), 0);
	kbuf_commit_each(world->table, &world->claim, row->used);
	assert_int_equal(ring_status(world->table, TEST_BGID), row->used);
	assert_int_equal(kbuf_counters(world->table, TEST_BGID, &counters), 0);
	assert_int_equal(counters.selected, count);
	assert_int_equal(counters.committed, row->used);
	assert_int_equal(counters.recycled, count - row->used);
}

static void S5_each_message_has_a_buffer(void **state)
{
	struct bundle_world world;

	(void)state;
	for (size_t i = 0; i < array_size(each_rows); i++) {
		bundle_open(&world, 0);
		bundle_fill(&world, each_rows[i].lens);
		play_each(&world, &each_rows[i]);
		bundle_close(&world);
	}
}

static void only_plain_rings_give_a_buffer_each(void **state)
{
	static const int64_t lens[] = {10, 10, -1};
	struct bundle_world world;
	uint16_t bids[2];

	(void)state;
	bundle_open(&world, INC);
	bundle_fill(&world, lens);
	assert_int_equal(kbuf_claim_each(world.table, TEST_BGID, 0, 2,
					 world.iov, bids, &world.claim),
			 0);
	assert_int_equal(kbuf_claim_each(world.table, TEST_BGID + 1, 0, 2,
					 world.iov, bids, &world.claim),
			 0);
	assert_int_equal(
		kbuf_provide(world.table, TEST_BGID + 1, BASE, 10, 2, 0), 0);
	assert_int_equal(kbuf_claim_each(world.table, TEST_BGID + 1, 0, 2,
					 world.iov, bids, &world.claim),
			 0);
	bundle_close(&world);
}

int many_tests_run(void)
{
	const struct CMUnitTest many_tests[] = {
		cmocka_unit_test(B3_B5_which_buffers_are_chosen),
		cmocka_unit_test(B4_B5_B7_what_a_commit_consumes),
		cmocka_unit_test(B1_a_classic_group_gives_one_buffer),
		cmocka_unit_test(B2_a_missing_group_is_ENOENT),
		cmocka_unit_test(B3_at_most_256_buffers),
		cmocka_unit_test(B1_the_ring_wraps_inside_a_bundle),
		cmocka_unit_test(S4_a_bundle_of_memory_that_is_gone),
		cmocka_unit_test(S5_each_message_has_a_buffer),
		cmocka_unit_test(only_plain_rings_give_a_buffer_each),
	};

	return cmocka_run_group_tests(many_tests, NULL, NULL);
}
