// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include <unistd.h>

#include "base/inject.h"
#include "kbuf/group.h"

#define ALL_GROUPS 65536u

static void P8_groups_are_apart_and_all_65536_exist(void **state)
{
	struct kbuf_table *table = table_of(0);
	unsigned int i;

	(void)state;
	for (i = 0; i < ALL_GROUPS; i++)
		assert_int_equal(kbuf_provide(table, (uint16_t)i, 0x1000 + i,
					      64, 1, (uint16_t)~i),
				 0);
	for (i = 0; i < ALL_GROUPS; i++) {
		struct kbuf_claim claim;

		assert_int_equal(
			kbuf_claim(table, (uint16_t)i, 0, false, &claim), 0);
		assert_int_equal(claim.addr, 0x1000 + i);
		assert_int_equal(claim.bid, (uint16_t)~i);
		kbuf_commit(table, &claim, 1);
		assert_int_equal(take_one(table, (uint16_t)i), -ENOBUFS);
	}
	kbuf_table_close(table);
}

static void G_rings_in_every_65536_groups(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = pages_new(4096);
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)ring,
		.ring_entries = 4,
	};
	unsigned int i;

	(void)state;
	ring_add(ring, 4, 0x1000, 64, 9);
	for (i = 0; i < ALL_GROUPS; i++) {
		reg.bgid = (uint16_t)i;
		assert_int_equal(kbuf_ring_register(table, &reg), 0);
	}
	for (i = 0; i < ALL_GROUPS; i += 13)
		assert_int_equal(take_one(table, (uint16_t)i), 9);
	for (i = 0; i < ALL_GROUPS; i++)
		assert_int_equal(ring_status(table, i), i % 13 ? 0 : 1);
	kbuf_table_close(table);
	pages_free(ring, 4096);
}

static void an_idle_group_is_small(void **state)
{
	(void)state;
	/* As group.h and the documentation say. */
	assert_true(sizeof(struct kbuf_group) <= 160);
}

static void B2_a_group_exists_from_its_first_buffer_on(void **state)
{
	struct kbuf_table *table = table_of(0);

	(void)state;
	assert_false(kbuf_group_exists(table, 1));
	assert_int_equal(kbuf_provide(table, 1, 0x1000, 64, 1, 0), 0);
	assert_true(kbuf_group_exists(table, 1));
	assert_false(kbuf_group_exists(table, 2));
	assert_int_equal(take_one(table, 1), 0);
	assert_true(kbuf_group_exists(table, 1));
	kbuf_table_close(table);
}

static void R4_the_low_groups_of_6_6_exist_together(void **state)
{
	struct kbuf_table *table = table_of(KVER(6, 6));
	void *ring;

	(void)state;
	assert_int_equal(kbuf_remove(table, 5, 1), -ENOENT);
	assert_int_equal(kbuf_provide(table, 64, 0x1000, 64, 1, 0), 0);
	assert_int_equal(kbuf_remove(table, 5, 1), -ENOENT);
	assert_int_equal(ring_drop(table, 5), -ENOENT);
	assert_int_equal(kbuf_provide(table, 63, 0x1000, 64, 1, 0), 0);
	assert_int_equal(kbuf_remove(table, 5, 1), 0);
	assert_int_equal(ring_drop(table, 5), -EINVAL);
	assert_int_equal(kbuf_remove(table, 65, 1), -ENOENT);
	/* G9: a low group outlives its ring, empty and classic. */
	ring = ring_of(table, 4, 0);
	assert_int_equal(kbuf_remove(table, TEST_BGID, 1), -EINVAL);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_int_equal(kbuf_remove(table, TEST_BGID, 1), 0);
	assert_int_equal(ring_drop(table, TEST_BGID), -EINVAL);
	pages_free(ring, 8192);
	kbuf_table_close(table);
}

static void R4_latest_has_no_such_quirk(void **state)
{
	struct kbuf_table *table = table_of(0);

	(void)state;
	assert_int_equal(kbuf_provide(table, 63, 0x1000, 64, 1, 0), 0);
	assert_int_equal(kbuf_remove(table, 5, 1), -ENOENT);
	assert_int_equal(ring_drop(table, 5), -ENOENT);
	kbuf_table_close(table);
}

static void X5_every_answer_has_a_row(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < ABI_ANSWERS; i++) {
		const struct abi_row *row = &abi_rows[i];

		assert_non_null(row->name);
		assert_true(row->since && row->since < row->until);
		assert_false(abi_has(abi_profile(row->since - 1), i));
		assert_true(abi_has(abi_profile(row->since), i));
		assert_false(abi_has(abi_profile(row->until), i));
	}
	assert_true(abi_profile(0) == abi_profile(ABI_LATEST));
}

static void X5_every_flag_is_known_from_its_version_on(void **state)
{
	uint32_t seen[ABI_WORDS] = {0};
	struct abi_view view;
	unsigned int i;

	(void)state;
	for (i = 0; i < abi_flag_count; i++) {
		const struct abi_flag *flag = &abi_flags[i];

		assert_true(flag->bits && !(seen[flag->word] & flag->bits));
		seen[flag->word] |= flag->bits;
		abi_view_make(&view, flag->since - 1);
		/* A backported feature is known to the version that has it. */
		assert_int_equal(abi_knows(&view, flag->word, flag->bits),
				 view.version >= flag->since);
		abi_view_make(&view, flag->since);
		assert_true(abi_knows(&view, flag->word, flag->bits));
	}
}

static void X5_versions_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *text;
		int err;
		unsigned int version;
	} rows[] = {
		{"latest", 0, ABI_LATEST},  {"6.6", 0, KVER(6, 6)},
		{"5.15", 0, KVER(5, 15)},   {"6.18.44", 0, KVER(6, 18)},
		{"4.9.337", 0, KVER(4, 9)}, {"", -EINVAL, 9},
		{"6", -EINVAL, 9},	    {"6.", -EINVAL, 9},
		{".6", -EINVAL, 9},	    {"6.6.", -EINVAL, 9},
		{"6.6-rc1", -EINVAL, 9},    {"6.6.1.1", -EINVAL, 9},
		{"6.256", -EINVAL, 9},	    {"99999999999.1", -EINVAL, 9},
		{" 6.6", -EINVAL, 9},
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(rows); i++) {
		unsigned int version = 9;

		assert_int_equal(abi_version_parse(rows[i].text, &version),
				 rows[i].err);
		assert_int_equal(version, rows[i].version);
	}
}

/* Everything that a table does, once; each step may fail. */
static void everything_once(struct kbuf_table *table, uint64_t ring_addr)
{
	struct io_uring_buf_reg ring = {
		.bgid = 1,
		.flags = IOU_PBUF_RING_MMAP,
		.ring_entries = 8,
	};
	struct io_uring_buf_reg plain = {
		.bgid = 2,
		.ring_addr = ring_addr,
		.ring_entries = 8,
	};
	struct kbuf_claim claim;
	long map;

	kbuf_provide(table, 3, 0x1000, 64, 400, 0);
	kbuf_provide(table, 300, 0x1000, 64, 1, 0);
	if (!kbuf_claim(table, 3, 0, false, &claim))
		kbuf_recycle(table, &claim);
	kbuf_remove(table, 3, 400);
	kbuf_ring_register(table, &ring);
	map = kbuf_ring_map(table, 1, NULL, 4096, PROT_READ, MAP_SHARED);
	if (map > 0)
		munmap((void *)map, 4096);
	kbuf_ring_register(table, &plain);
	take_one(table, 2);
	ring.flags = 0;
	kbuf_ring_unregister(table, &ring);
}

static void D14_each_allocation_may_fail(void **state)
{
	void *pages = pages_new(4096);
	struct kbuf_table *table;
	bool refused = true;
	long nth;

	(void)state;
	for (nth = 0; refused; nth++) {
		inject_start();
		inject_allocation(nth);
		if (!kbuf_table_open(&table, 0)) {
			everything_once(table, (uintptr_t)pages);
			kbuf_table_close(table);
		}
		refused = inject_stop();
	}
	assert_true(nth > 8);
	pages_free(pages, 4096);
}

static void D14_each_system_call_may_fail(void **state)
{
	static const long answers[] = {-ENOMEM, -EMFILE, -ENOSYS};
	void *pages = pages_new(4096);
	int fd;
	unsigned int i;
	long nth;

	(void)state;
	for (i = 0; i < array_size(answers); i++) {
		bool refused = true;

		for (nth = 0; refused; nth++) {
			struct kbuf_table *table = table_of(0);

			inject_start();
			inject_call(nth, answers[i]);
			everything_once(table, (uintptr_t)pages);
			refused = inject_stop();
			kbuf_table_close(table);
			/* At most the file that could not be closed is left. */
			fd = ring_memory_fd();
			if (fd >= 0)
				close(fd);
			assert_int_equal(ring_memory_fd(), -1);
		}
		assert_true(nth > 2);
	}
	pages_free(pages, 4096);
}

int group_tests_run(void)
{
	const struct CMUnitTest group_tests[] = {
		cmocka_unit_test(P8_groups_are_apart_and_all_65536_exist),
		cmocka_unit_test(G_rings_in_every_65536_groups),
		cmocka_unit_test(an_idle_group_is_small),
		cmocka_unit_test(B2_a_group_exists_from_its_first_buffer_on),
		cmocka_unit_test(R4_the_low_groups_of_6_6_exist_together),
		cmocka_unit_test(R4_latest_has_no_such_quirk),
		cmocka_unit_test(X5_every_answer_has_a_row),
		cmocka_unit_test(X5_every_flag_is_known_from_its_version_on),
		cmocka_unit_test(X5_versions_are_read_as_they_are_written),
		cmocka_unit_test(D14_each_allocation_may_fail),
		cmocka_unit_test(D14_each_system_call_may_fail),
	};

	return cmocka_run_group_tests(group_tests, NULL, NULL);
}
