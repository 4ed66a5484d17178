// SPDX-License-Identifier: MIT
/*
 * X2: one pool, several tables. (The second walk of model_test.c plays random
 * programs over shared groups; these tests are for what it does not reach.)
 */
#include "kbuf/kbuf_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>

#include "base/inject.h"
#include "base/lock.h"

#define BASE UINT64_C(0x10000)
#define ENTRIES 8u
#define CLASSIC 3
#define OTHER 9

/* Two tables that serve the ring TEST_BGID; its bgid in the second is OTHER. */
struct two {
	struct kbuf_table *a, *b;
	struct io_uring_buf_ring *ring;
};

static struct two two_open(unsigned int flags, uint16_t buffers)
{
	struct two two = {.a = table_of(0), .b = table_of(0)};
	uint16_t i;

	two.ring = ring_of(two.a, ENTRIES, flags);
	for (i = 0; i < buffers; i++)
		ring_add(two.ring, ENTRIES, BASE + i * 100, 10, i);
	assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.b, OTHER), 0);
	return two;
}

static void two_close(struct two *two)
{
	kbuf_table_close(two->a);
	kbuf_table_close(two->b);
	pages_free(two->ring, ENTRIES * 16 + 4096);
}

static struct kbuf_claim claim_of(struct kbuf_table *table, uint16_t bgid,
				  int bid)
{
	struct kbuf_claim claim;

	assert_int_equal(kbuf_claim(table, bgid, 0, false, &claim), 0);
	assert_int_equal(claim.bid, bid);
	return claim;
}

static struct kbuf_counters counters_of(struct kbuf_table *table, uint16_t bgid)
{
	struct kbuf_counters now;

	assert_int_equal(kbuf_counters(table, bgid, &now), 0);
	assert_true(now.selected <= now.provided + now.partial + now.recycled);
	return now;
}

/* ---- what a call answers ----------------------------------------------- */

static void X2_sharing_is_refused_where_it_can_not_be(void **state)
{
	struct two two = two_open(0, 1);
	struct kbuf_claim claim;

	(void)state;
	assert_int_equal(kbuf_group_share(two.a, 1, two.b, 1), -ENOENT);
	assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.b, OTHER),
			 -EEXIST);
	assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.a, TEST_BGID),
			 -EEXIST);
	kbuf_provide(two.b, CLASSIC, BASE, 10, 1, 0);
	assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.b, CLASSIC),
			 -EEXIST);
	claim = claim_of(two.b, CLASSIC, 0);
	assert_int_equal(kbuf_group_share(two.b, CLASSIC, two.a, CLASSIC),
			 -EBUSY);
	assert_false(kbuf_group_exists(two.a, CLASSIC));
	/* The group is empty, so another may take its place. */
	assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.b, CLASSIC), 0);
	kbuf_recycle(two.b, &claim);
	assert_int_equal(take_one(two.b, CLASSIC), 0);
	assert_int_equal(take_one(two.b, CLASSIC), -ENOBUFS);
	two_close(&two);
}

static void X2_a_shared_group_is_of_its_kind_everywhere(void **state)
{
	struct two two = two_open(0, 0);
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)two.ring,
		.ring_entries = ENTRIES,
		.bgid = OTHER,
	};

	(void)state;
	assert_int_equal(kbuf_provide(two.b, OTHER, BASE, 10, 1, 0), -EINVAL);
	assert_int_equal(kbuf_remove(two.b, OTHER, 1), -EINVAL);
	assert_int_equal(kbuf_ring_register(two.b, &reg), -EEXIST);
	assert_false(kbuf_group_is_classic(two.b, OTHER));
	kbuf_provide(two.a, CLASSIC, BASE, 10, 1, 0);
	assert_int_equal(kbuf_group_share(two.a, CLASSIC, two.b, CLASSIC), 0);
	assert_true(kbuf_group_is_classic(two.b, CLASSIC));
	assert_int_equal(ring_drop(two.b, CLASSIC), -EINVAL);
	assert_int_equal(ring_status(two.b, CLASSIC), -EINVAL);
	two_close(&two);
}

static void D14_sharing_without_memory_changes_nothing(void **state)
{
	struct two two = {.ring = NULL};
	bool refused = true;
	int bgid, err;
	long nth;

	(void)state;
	for (bgid = CLASSIC; bgid <= TEST_BGID; bgid += TEST_BGID - CLASSIC)
		for (nth = 0, refused = true; refused; nth++) {
			two = two_open(0, 2);
			kbuf_provide(two.b, CLASSIC, BASE, 10, 2, 0);
			ring_drop(two.b, OTHER);
			inject_start();
			inject_allocation(nth);
			err = bgid == CLASSIC
				      ? kbuf_group_share(two.b, CLASSIC, two.a,
							 1000)
				      : kbuf_group_share(two.a, TEST_BGID,
							 two.b, 1000);
			refused = inject_stop();
			assert_int_equal(err, refused ? -ENOMEM : 0);
			assert_int_equal(take_one(two.a, TEST_BGID), 0);
			assert_int_equal(take_one(two.b, CLASSIC), 0);
			two_close(&two);
		}
	assert_true(nth > 3);
}

/* ---- one pool ---------------------------------------------------------- */

static void X2_S5_what_one_gives_back_another_gets(void **state)
{
	struct two two = two_open(0, 4);
	struct kbuf_claim a = claim_of(two.a, TEST_BGID, 0);
	struct kbuf_claim b = claim_of(two.b, OTHER, 1);

	(void)state;
	kbuf_recycle(two.a, &a);
	assert_int_equal(bid_of(kbuf_commit(two.b, &b, 1)), 1);
	assert_int_equal(counters_of(two.a, TEST_BGID).queued, 3);
	assert_int_equal(take_one(two.b, OTHER), 0);
	assert_int_equal(take_one(two.a, TEST_BGID), 2);
	assert_int_equal(take_one(two.b, OTHER), 3);
	assert_int_equal(take_one(two.a, TEST_BGID), -ENOBUFS);
	assert_int_equal(ring_status(two.b, OTHER), 4);
	two_close(&two);
}

static void X2_I1_the_rest_of_a_buffer_stays_where_it_was_begun(void **state)
{
	struct two two = two_open(IOU_PBUF_RING_INC, 2);
	struct kbuf_claim claim = claim_of(two.a, TEST_BGID, 0);

	(void)state;
	assert_int_equal(kbuf_commit(two.a, &claim, 4),
			 IORING_CQE_F_BUFFER | IORING_CQE_F_BUF_MORE);
	assert_int_equal(take_one(two.b, OTHER), 1);
	assert_int_equal(take_one(two.b, OTHER), -ENOBUFS);
	claim = claim_of(two.a, TEST_BGID, 0);
	assert_int_equal(claim.addr, BASE + 4);
	kbuf_recycle(two.a, &claim);
	assert_int_equal(take_one(two.b, OTHER), -ENOBUFS);
	claim = claim_of(two.a, TEST_BGID, 0);
	assert_int_equal(claim.len, 6);
	assert_int_equal(kbuf_commit(two.a, &claim, 6), IORING_CQE_F_BUFFER);
	/* The application's entry is unchanged. */
	assert_int_equal(two.ring->first[0].len, 10);
	two_close(&two);
}

static void X2_G9_what_was_begun_leaves_with_its_table(void **state)
{
	struct two two = two_open(IOU_PBUF_RING_INC, 2);
	struct kbuf_claim claim = claim_of(two.a, TEST_BGID, 0);
	struct kbuf_counters now;

	(void)state;
	kbuf_commit(two.a, &claim, 4);
	now = counters_of(two.b, OTHER);
	assert_int_equal(now.provided, 2);
	assert_int_equal(now.queued, 1);
	assert_int_equal(now.selected, 1);
	assert_int_equal(ring_drop(two.a, TEST_BGID), 0);
	assert_int_equal(take_one(two.b, OTHER), 1);
	assert_int_equal(take_one(two.b, OTHER), -ENOBUFS);
	now = counters_of(two.b, OTHER);
	assert_int_equal(now.provided, now.committed + now.returned);
	assert_int_equal(now.returned, 1);
	assert_int_equal(now.selected, now.committed + now.partial);
	two_close(&two);
}

static void X2_B4_two_bundles_have_no_buffer_in_common(void **state)
{
	struct two two = two_open(0, 6);
	struct kbuf_claim_vec a, b;
	struct iovec iov[2][ENTRIES];

	(void)state;
	assert_int_equal(kbuf_claim_many(two.a, TEST_BGID, 30, ENTRIES, false,
					 iov[0], &a),
			 0);
	assert_int_equal(
		kbuf_claim_many(two.b, OTHER, 0, ENTRIES, false, iov[1], &b),
		0);
	assert_int_equal(a.count, 3);
	assert_int_equal(b.count, 3);
	assert_int_equal(b.bid, 3);
	assert_true(b.last);
	/*
	 * Bytes reached one of the first three; the other two come back in
	 * order.
	 */
	assert_int_equal(bid_of(kbuf_commit_many(two.a, &a, 10)), 0);
	kbuf_recycle_many(two.b, &b);
	assert_int_equal(counters_of(two.b, OTHER).queued, 5);
	assert_int_equal(take_one(two.a, TEST_BGID), 3);
	assert_int_equal(counters_of(two.b, OTHER).committed, 2);
	two_close(&two);
}

static void X2_X1_low_water_is_the_pools(void **state)
{
	struct two two = two_open(0, 4);

	(void)state;
	assert_int_equal(kbuf_low_water(two.b, OTHER, 3, -1), 0);
	assert_int_equal(take_one(two.a, TEST_BGID), 0);
	assert_int_equal(counters_of(two.a, TEST_BGID).low_signals, 0);
	assert_int_equal(take_one(two.b, OTHER), 1);
	assert_int_equal(counters_of(two.a, TEST_BGID).low_signals, 1);
	assert_int_equal(counters_of(two.b, OTHER).low_mark, 2);
	two_close(&two);
}

/* ---- how long it lives ------------------------------------------------- */

static void X2_a_pool_lives_as_long_as_a_table_serves_it(void **state)
{
	struct two two = two_open(0, 3);
	struct kbuf_table *third = table_of(0);

	(void)state;
	/* Either table can share it further. */
	assert_int_equal(kbuf_group_share(two.b, OTHER, third, OTHER), 0);
	assert_int_equal(ring_drop(two.a, TEST_BGID), 0);
	assert_int_equal(take_one(two.a, TEST_BGID), -ENOBUFS);
	assert_int_equal(take_one(two.b, OTHER), 0);
	kbuf_table_close(two.b);
	two.b = table_of(0);
	assert_int_equal(take_one(third, OTHER), 1);
	assert_int_equal(kbuf_group_share(third, OTHER, two.a, TEST_BGID), 0);
	kbuf_table_close(third);
	assert_int_equal(take_one(two.a, TEST_BGID), 2);
	two_close(&two);
}

static void X2_G10_the_engines_memory_is_mapped_through_any(void **state)
{
	struct kbuf_table *a = table_of(0), *b = table_of(0);
	struct io_uring_buf_reg reg = {
		.ring_entries = ENTRIES,
		.bgid = TEST_BGID,
		.flags = IOU_PBUF_RING_MMAP,
	};
	struct io_uring_buf_ring *ring;
	long map;

	(void)state;
	assert_int_equal(kbuf_ring_register(a, &reg), 0);
	assert_int_equal(kbuf_group_share(a, TEST_BGID, b, OTHER), 0);
	kbuf_table_close(a);
	map = kbuf_ring_map(b, OTHER, NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED);
	assert_true(map > 0);
	ring = (void *)map;
	ring_add(ring, ENTRIES, BASE, 10, 4);
	assert_int_equal(take_one(b, OTHER), 4);
	kbuf_table_close(b);
	assert_int_equal(ring_memory_fd(), -1);
	ring_add(ring, ENTRIES, BASE, 10, 5);
	munmap(ring, 4096);
}

/* The table has meanwhile put a ring in the pool's place. */
static void X2_S7_a_claim_finds_its_pool_without_its_table(void **state)
{
	struct two two = two_open(0, 0);
	struct io_uring_buf_reg reg = {
		.ring_entries = ENTRIES,
		.bgid = CLASSIC,
		.flags = IOU_PBUF_RING_MMAP,
	};
	struct kbuf_claim back, used;

	(void)state;
	kbuf_provide(two.a, CLASSIC, BASE, 10, 2, 5);
	assert_int_equal(kbuf_group_share(two.a, CLASSIC, two.b, CLASSIC), 0);
	used = claim_of(two.a, CLASSIC, 5);
	back = claim_of(two.a, CLASSIC, 6);
	assert_int_equal(kbuf_ring_register(two.a, &reg), 0);
	kbuf_recycle(two.a, &back);
	assert_int_equal(bid_of(kbuf_commit(two.a, &used, 1)), 5);
	assert_int_equal(take_one(two.a, CLASSIC), -ENOBUFS);
	assert_int_equal(take_one(two.b, CLASSIC), 6);
	assert_int_equal(counters_of(two.b, CLASSIC).committed, 2);
	two_close(&two);
}

static void X2_S7_a_claim_outlives_all_who_serve(void **state)
{
	struct two two = two_open(0, 0);
	struct io_uring_buf_reg reg = {
		.ring_entries = ENTRIES,
		.bgid = CLASSIC,
		.flags = IOU_PBUF_RING_MMAP,
	};
	struct kbuf_claim claim;

	(void)state;
	kbuf_provide(two.a, CLASSIC, BASE, 10, 1, 5);
	assert_int_equal(kbuf_group_share(two.a, CLASSIC, two.b, CLASSIC), 0);
	claim = claim_of(two.b, CLASSIC, 5);
	assert_int_equal(kbuf_ring_register(two.a, &reg), 0);
	assert_int_equal(kbuf_ring_register(two.b, &reg), 0);
	kbuf_recycle(two.b, &claim);
	two_close(&two);
}

/* Joining and leaving many times leaks nothing. */
static void X2_many_come_and_go(void **state)
{
	struct two two = two_open(0, 1);
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		assert_int_equal(kbuf_group_share(two.a, TEST_BGID, two.b, 100),
				 0);
		assert_int_equal(ring_drop(two.b, i % 2 ? 100 : OTHER), 0);
		if (i % 2)
			continue;
		assert_int_equal(kbuf_group_share(two.b, 100, two.b, OTHER), 0);
		assert_int_equal(ring_drop(two.b, 100), 0);
	}
	assert_int_equal(take_one(two.b, OTHER), 0);
	two_close(&two);
}

/* ---- threads ----------------------------------------------------------- */

#define THREADS 4u
#define ROUNDS 3000u /* successful claims, for each thread */
#define BUFFERS 64u
#define BUFFER_BYTES 8u

struct crowd {
	struct io_uring_buf_ring *ring; /* NULL: the group is classic */
	pthread_mutex_t publish;
	uint32_t owners[BUFFERS]; /* how many claims hold it: never more than
				     one */
	uint32_t wrong;
};

struct member {
	struct crowd *crowd;
	struct kbuf_table *table;
	uint32_t random;
	pthread_t thread;
};

static uint32_t dice(struct member *me, uint32_t sides)
{
	me->random = me->random * 1103515245 + 12345;
	return (me->random >> 16) % sides;
}

static void hold(struct crowd *crowd, uint64_t addr)
{
	uint32_t *owners = &crowd->owners[(addr - BASE) / BUFFER_BYTES];

	if (__atomic_fetch_add(owners, 1, __ATOMIC_RELAXED))
		__atomic_add_fetch(&crowd->wrong, 1, __ATOMIC_RELAXED);
}

static void let_go(struct crowd *crowd, uint64_t addr)
{
	uint32_t *owners = &crowd->owners[(addr - BASE) / BUFFER_BYTES];

	__atomic_fetch_sub(owners, 1, __ATOMIC_RELAXED);
}

/*
 * The application provides a buffer again; one thread writes a ring's entries.
 */
static void provide(struct member *me, uint64_t addr)
{
	struct crowd *crowd = me->crowd;
	uint16_t bid = (uint16_t)((addr - BASE) / BUFFER_BYTES);

	if (!crowd->ring) {
		kbuf_provide(me->table, TEST_BGID, addr, BUFFER_BYTES, 1, bid);
		return;
	}
	pthread_mutex_lock(&crowd->publish);
	ring_add(crowd->ring, BUFFERS, addr, BUFFER_BYTES, bid);
	pthread_mutex_unlock(&crowd->publish);
}

/* Returns how many buffers it got. */
static uint32_t one_claim(struct member *me)
{
	struct kbuf_claim claim;
	uint64_t base;
	uint32_t flags;

	if (kbuf_claim(me->table, TEST_BGID, 0, !dice(me, 5), &claim) < 0)
		return 0;
	base = claim.addr & ~(uint64_t)(BUFFER_BYTES - 1);
	hold(me->crowd, base);
	if (!dice(me, 8))
		sched_yield();
	let_go(me->crowd, base);
	if (claim.kind != KBUF_TAKEN && !dice(me, 3)) {
		kbuf_recycle(me->table, &claim);
		return 1;
	}
	flags = kbuf_commit(me->table, &claim, 1 + dice(me, claim.len));
	if (!(flags & IORING_CQE_F_BUF_MORE))
		provide(me, base);
	return 1;
}

static uint32_t one_bundle(struct member *me)
{
	struct iovec iov[ENTRIES];
	struct kbuf_claim_vec claim;
	uint64_t base[ENTRIES];
	uint32_t i, flags, count;

	if (kbuf_claim_many(me->table, TEST_BGID, dice(me, 2) ? 20 : 0, ENTRIES,
			    false, iov, &claim) < 0)
		return 0;
	count = claim.count;
	for (i = 0; i < count; i++) {
		base[i] = (uintptr_t)iov[i].iov_base &
			  ~(uint64_t)(BUFFER_BYTES - 1);
		hold(me->crowd, base[i]);
	}
	if (!dice(me, 8))
		sched_yield();
	for (i = 0; i < count; i++)
		let_go(me->crowd, base[i]);
	flags = kbuf_commit_many(me->table, &claim, 1 + dice(me, claim.bytes));
	if (flags & IORING_CQE_F_BUF_MORE)
		claim.count--;
	for (i = 0; i < claim.count; i++)
		provide(me, base[i]);
	return count;
}

static void *member_runs(void *argument)
{
	struct member *me = argument;
	uint32_t met = 0;

	while (met < ROUNDS && !load_relaxed(&me->crowd->wrong)) {
		met += dice(me, 4) ? one_claim(me) : one_bundle(me);
		if (!dice(me, 16))
			counters_of(me->table, TEST_BGID);
	}
	return NULL;
}

static void crowd_runs(struct crowd *crowd, struct kbuf_table *first, bool inc)
{
	struct member members[THREADS];
	struct kbuf_counters now;
	uint32_t i;

	pthread_mutex_init(&crowd->publish, NULL);
	for (i = 0; i < THREADS; i++) {
		members[i] = (struct member){
			.crowd = crowd,
			.table = i ? table_of(0) : first,
			.random = i + 1,
		};
		if (i)
			assert_int_equal(kbuf_group_share(first, TEST_BGID,
							  members[i].table,
							  TEST_BGID),
					 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&members[i].thread, NULL, member_runs,
			       &members[i]);
	for (i = 0; i < THREADS; i++)
		pthread_join(members[i].thread, NULL);
	assert_int_equal(crowd->wrong, 0);
	/* All buffers are back, except those that a table has begun. */
	now = counters_of(first, TEST_BGID);
	assert_in_range(now.queued, inc ? BUFFERS - THREADS : BUFFERS, BUFFERS);
	assert_int_equal(now.provided, now.committed + BUFFERS);
	assert_int_equal(now.selected,
			 now.committed + now.partial + now.recycled);
	for (i = 0; i < THREADS; i++)
		kbuf_table_close(members[i].table);
}

static void ring_crowd(unsigned int flags)
{
	struct kbuf_table *table = table_of(0);
	struct crowd crowd = {.ring = ring_of(table, BUFFERS, flags)};
	uint16_t i;

	for (i = 0; i < BUFFERS; i++)
		ring_add(crowd.ring, BUFFERS, BASE + i * BUFFER_BYTES,
			 BUFFER_BYTES, i);
	crowd_runs(&crowd, table, flags);
	pages_free(crowd.ring, BUFFERS * 16 + 4096);
}

/* group.h (f) to (h). */
static void X2_S11_threads_on_one_ring(void **state)
{
	(void)state;
	ring_crowd(0);
}

static void X2_S11_threads_on_one_INC_ring(void **state)
{
	(void)state;
	ring_crowd(IOU_PBUF_RING_INC);
}

static void X2_S11_threads_on_one_classic_group(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct crowd crowd = {.ring = NULL};

	(void)state;
	assert_int_equal(
		kbuf_provide(table, TEST_BGID, BASE, BUFFER_BYTES, BUFFERS, 0),
		0);
	crowd_runs(&crowd, table, false);
}

int shared_tests_run(void)
{
	const struct CMUnitTest shared_tests[] = {
		cmocka_unit_test(X2_sharing_is_refused_where_it_can_not_be),
		cmocka_unit_test(X2_a_shared_group_is_of_its_kind_everywhere),
		cmocka_unit_test(D14_sharing_without_memory_changes_nothing),
		cmocka_unit_test(X2_S5_what_one_gives_back_another_gets),
		cmocka_unit_test(
			X2_I1_the_rest_of_a_buffer_stays_where_it_was_begun),
		cmocka_unit_test(X2_G9_what_was_begun_leaves_with_its_table),
		cmocka_unit_test(X2_B4_two_bundles_have_no_buffer_in_common),
		cmocka_unit_test(X2_X1_low_water_is_the_pools),
		cmocka_unit_test(X2_a_pool_lives_as_long_as_a_table_serves_it),
		cmocka_unit_test(
			X2_G10_the_engines_memory_is_mapped_through_any),
		cmocka_unit_test(
			X2_S7_a_claim_finds_its_pool_without_its_table),
		cmocka_unit_test(X2_S7_a_claim_outlives_all_who_serve),
		cmocka_unit_test(X2_many_come_and_go),
		cmocka_unit_test(X2_S11_threads_on_one_ring),
		cmocka_unit_test(X2_S11_threads_on_one_INC_ring),
		cmocka_unit_test(X2_S11_threads_on_one_classic_group),
	};

	return cmocka_run_group_tests(shared_tests, NULL, NULL);
}
