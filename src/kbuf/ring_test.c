// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inject.h"

enum where {
	GOOD, /* fresh pages */
	ODD, /* eight bytes into them */
	NOWHERE, /* 0 */
	UNMAPPED, /* page 1 */
	READ_ONLY,
	HOLE, /* the second page is missing */
	BEYOND, /* above user addresses */
	WRAPS,
};

struct pages {
	char *good;
	char *read_only;
};

static uint64_t address(const struct pages *pages, enum where where)
{
	switch (where) {
	case ODD:
		return (uintptr_t)pages->good + 8;
	case NOWHERE:
		return 0;
	case UNMAPPED:
		return 4096;
	case READ_ONLY:
		return (uintptr_t)pages->read_only;
	case HOLE:
		/* Four good pages precede the read-only one. */
		return (uintptr_t)pages->good + 3 * 4096;
	case BEYOND:
		return UINT64_C(1) << 47;
	case WRAPS:
		return UINT64_MAX - 4095;
	default:
		return (uintptr_t)pages->good;
	}
}

static struct pages pages_open(void)
{
	struct pages pages = {.good = pages_new((size_t)5 * 4096)};

	pages.read_only = pages.good + (size_t)4 * 4096;
	mprotect(pages.read_only, 4096, PROT_READ);
	return pages;
}

struct reg_row {
	uint16_t bgid; /* 1 is a ring, 2 a filled classic group, 3 an empty */
	enum where where;
	uint32_t entries;
	uint16_t flags;
	uint32_t min_left;
	unsigned int reserved; /* which of them is set; 0 none */
	int latest, v6_6;
};

#define MMAP IOU_PBUF_RING_MMAP
#define INC IOU_PBUF_RING_INC

static const struct reg_row reg_rows[] = {
	{9, GOOD, 8, 0, 0, 0, 0, 0},
	{9, GOOD, 1, 0, 0, 0, 0, 0},
	{9, GOOD, 8, INC, 0, 0, 0, -EINVAL},
	{9, NOWHERE, 32768, MMAP, 0, 0, 0, 0},
	{9, NOWHERE, 8, MMAP | INC, 0, 0, 0, -EINVAL},
	/* G2 */
	{9, GOOD, 8, 0, 0, 1, -EINVAL, -EINVAL},
	{9, NOWHERE, 3, 0, 0, 5, -EINVAL, -EINVAL},
	/* G3 */
	{9, GOOD, 8, 4, 0, 0, -EINVAL, -EINVAL},
	{1, GOOD, 8, 0x8000, 0, 0, -EINVAL, -EINVAL},
	/* G4 */
	{9, GOOD, 0, 0, 0, 0, -EINVAL, -EINVAL},
	{9, GOOD, 3, 0, 0, 0, -EINVAL, -EINVAL},
	{9, GOOD, 65536, 0, 0, 0, -EINVAL, -EINVAL},
	{9, GOOD, 1u << 31, 0, 0, 0, -EINVAL, -EINVAL},
	{9, NOWHERE, 3, 0, 0, 0, -EINVAL, -EFAULT},
	{1, GOOD, 3, 0, 0, 0, -EINVAL, -EINVAL},
	/* G5 */
	{9, GOOD, 8, 0, 1, 0, -EINVAL, -EINVAL},
	{9, GOOD, 8, INC, 1, 0, 0, -EINVAL},
	{9, GOOD, 8, INC, UINT32_MAX, 0, 0, -EINVAL},
	/* G6 */
	{1, GOOD, 8, 0, 0, 0, -EEXIST, -EEXIST},
	{1, NOWHERE, 8, 0, 0, 0, -EEXIST, -EFAULT},
	{1, ODD, 8, 0, 0, 0, -EEXIST, -EINVAL},
	{1, NOWHERE, 8, MMAP, 0, 0, -EEXIST, -EEXIST},
	{2, GOOD, 8, 0, 0, 0, -EEXIST, -EEXIST},
	{2, NOWHERE, 8, MMAP, 0, 0, -EEXIST, -EEXIST},
	{3, GOOD, 8, 0, 0, 0, 0, 0},
	{3, NOWHERE, 8, MMAP, 0, 0, 0, 0},
	/* G7 */
	{9, NOWHERE, 8, 0, 0, 0, -EFAULT, -EFAULT},
	{9, ODD, 8, 0, 0, 0, -EINVAL, -EINVAL},
	{9, UNMAPPED, 8, 0, 0, 0, -EFAULT, -EFAULT},
	{9, READ_ONLY, 8, 0, 0, 0, -EFAULT, -EFAULT},
	{9, HOLE, 256, 0, 0, 0, 0, 0},
	{9, HOLE, 512, 0, 0, 0, -EFAULT, -EFAULT},
	{9, BEYOND, 8, 0, 0, 0, -EFAULT, -EFAULT},
	{9, WRAPS, 1024, 0, 0, 0, -EOVERFLOW, -EOVERFLOW},
	/* G8 */
	{9, GOOD, 8, MMAP, 0, 0, 0, -EINVAL},
	{9, ODD, 8, MMAP, 0, 0, 0, -EINVAL},
};

static struct kbuf_table *table_with_groups(unsigned int version)
{
	struct kbuf_table *table = table_of(version);
	struct io_uring_buf_reg reg = {
		.bgid = 1,
		.flags = MMAP,
		.ring_entries = 4,
	};

	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	assert_int_equal(kbuf_provide(table, 2, 0x1000, 10, 1, 0), 0);
	assert_int_equal(kbuf_provide(table, 3, 0x1000, 10, 1, 0), 0);
	assert_int_equal(kbuf_remove(table, 3, 1), 1);
	return table;
}

static void reg_row_check(const struct reg_row *row)
{
	struct kbuf_table *table = table_with_groups(0);
	struct pages pages = pages_open();
	struct io_uring_buf_reg reg = {
		.ring_addr = address(&pages, row->where),
		.ring_entries = row->entries,
		.bgid = row->bgid,
		.flags = row->flags,
		.min_left = row->min_left,
	};

	if (row->reserved)
		reg.resv[row->reserved - 1] = 1;
	if (kbuf_ring_register(table, &reg) != row->latest)
		fail_msg("row %d", (int)(row - reg_rows));
	if (!row->latest)
		assert_int_equal(ring_drop(table, row->bgid), 0);
	/* G13: the groups are as before. */
	assert_int_equal(kbuf_remove(table, 1, 1), -EINVAL);
	assert_int_equal(kbuf_remove(table, 2, 9), 1);
	assert_int_equal(kbuf_remove(table, 9, 1), -ENOENT);
	pages_free(pages.good, (size_t)5 * 4096);
	kbuf_table_close(table);
}

static void G2_to_G8_are_checked_in_order(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(reg_rows); i++)
		reg_row_check(&reg_rows[i]);
}

/* Uses bgids that are not low ones (R4). */
static void G2_to_G8_in_6_6(void **state)
{
	struct kbuf_table *table = table_of(KVER(6, 6));
	struct pages pages = pages_open();
	unsigned int i;

	(void)state;
	assert_int_equal(kbuf_provide(table, 102, 0x1000, 10, 1, 0), 0);
	for (i = 0; i < array_size(reg_rows); i++) {
		const struct reg_row *row = &reg_rows[i];
		struct io_uring_buf_reg reg = {
			.ring_entries = 4,
			.bgid = 101,
			.flags = MMAP,
		};

		assert_int_equal(kbuf_ring_register(table, &reg), 0);
		reg.ring_addr = address(&pages, row->where);
		reg.ring_entries = row->entries;
		reg.bgid = (uint16_t)(row->bgid + 100);
		reg.flags = row->flags;
		reg.min_left = row->min_left;
		if (row->reserved)
			reg.resv[row->reserved - 1] = 1;
		if (kbuf_ring_register(table, &reg) != row->v6_6)
			fail_msg("row %u", i);
		if (!row->v6_6)
			assert_int_equal(ring_drop(table, reg.bgid), 0);
		assert_int_equal(ring_drop(table, 101), 0);
	}
	pages_free(pages.good, (size_t)5 * 4096);
	kbuf_table_close(table);
}

static void G9_unregister_is_checked_in_order(void **state)
{
	static const struct {
		uint16_t bgid, flags;
		unsigned int reserved;
		int expected;
	} rows[] = {
		{9, 0, 0, -ENOENT}, {9, 1, 0, -EINVAL}, {9, 0, 2, -EINVAL},
		{1, 1, 0, -EINVAL}, {1, 0, 5, -EINVAL}, {2, 0, 0, -EINVAL},
		{3, 0, 0, -EINVAL}, {1, 0, 0, 0},	{1, 0, 0, -ENOENT},
	};
	struct kbuf_table *table = table_with_groups(0);
	unsigned int i;

	(void)state;
	for (i = 0; i < array_size(rows); i++) {
		/* The fields that describe memory are not checked. */
		struct io_uring_buf_reg reg = {
			.ring_addr = 77,
			.ring_entries = 3,
			.bgid = rows[i].bgid,
			.flags = rows[i].flags,
			.min_left = 1,
		};

		if (rows[i].reserved)
			reg.resv[rows[i].reserved - 1] = 1;
		assert_int_equal(kbuf_ring_unregister(table, &reg),
				 rows[i].expected);
	}
	kbuf_table_close(table);
}

static void G9_an_upgraded_group_is_gone_with_its_ring(void **state)
{
	struct kbuf_table *table = table_of(0);
	void *ring;

	(void)state;
	assert_int_equal(kbuf_provide(table, TEST_BGID, 0x1000, 10, 1, 0), 0);
	assert_int_equal(take_one(table, TEST_BGID), 0);
	ring = ring_of(table, 4, 0);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_int_equal(kbuf_remove(table, TEST_BGID, 1), -ENOENT);
	pages_free(ring, 8192);
	kbuf_table_close(table);
}

static long map_ring(struct kbuf_table *table, size_t bytes)
{
	return kbuf_ring_map(table, TEST_BGID, NULL, bytes,
			     PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int register_engine_ring(struct kbuf_table *table, unsigned int entries)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = entries,
		.bgid = TEST_BGID,
		.flags = MMAP,
	};

	return kbuf_ring_register(table, &reg);
}

static void G10_mapped_memory_outlives_group_and_table(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring;

	(void)state;
	assert_int_equal(register_engine_ring(table, 8), 0);
	ring = (void *)map_ring(table, 4096);
	ring_add(ring, 8, 0x1000, 64, 5);
	assert_int_equal(take_one(table, TEST_BGID), 5);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	ring_add(ring, 8, 0x1000, 64, 6);
	assert_int_equal(register_engine_ring(table, 8), 0);
	/* The new ring has other memory. */
	assert_int_equal(take_one(table, TEST_BGID), -ENOBUFS);
	kbuf_table_close(table);
	ring_add(ring, 8, 0x1000, 64, 7);
	assert_int_equal(ring->tail, 3);
	assert_int_equal(ring->first[2].bid, 7);
	pages_free(ring, 4096);
}

static void G11_a_new_ring_starts_at_head_0(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring = ring_of(table, 4, 0);

	(void)state;
	ring_add(ring, 4, 0x1000, 64, 5);
	ring_add(ring, 4, 0x1000, 64, 6);
	assert_int_equal(take_one(table, TEST_BGID), 5);
	assert_int_equal(ring_status(table, TEST_BGID), 1);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	pages_free(ring, 8192);
	ring = ring_of(table, 4, 0);
	assert_int_equal(ring_status(table, TEST_BGID), 0);
	ring_add(ring, 4, 0x1000, 64, 8);
	assert_int_equal(take_one(table, TEST_BGID), 8);
	pages_free(ring, 8192);
	kbuf_table_close(table);
}

static void G11_in_6_6_a_low_ring_goes_on_where_one_ended(void **state)
{
	struct kbuf_table *table = table_of(KVER(6, 6));
	struct io_uring_buf_ring *ring = ring_of(table, 4, 0);

	(void)state;
	ring_add(ring, 4, 0x1000, 64, 5);
	ring_add(ring, 4, 0x1000, 64, 6);
	assert_int_equal(take_one(table, TEST_BGID), 5);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	pages_free(ring, 8192);
	ring = ring_of(table, 4, 0);
	ring_add(ring, 4, 0x1000, 64, 8);
	assert_int_equal(take_one(table, TEST_BGID), -ENOBUFS);
	ring_add(ring, 4, 0x1000, 64, 9);
	assert_int_equal(take_one(table, TEST_BGID), 9);
	pages_free(ring, 8192);
	kbuf_table_close(table);
}

static void G12_status(void **state)
{
	struct kbuf_table *table = table_with_groups(0);
	struct kbuf_table *old = table_with_groups(KVER(6, 6));
	struct io_uring_buf_status status = {.buf_group = 1, .head = 55};

	(void)state;
	assert_int_equal(kbuf_ring_status(table, &status), 0);
	assert_int_equal(status.head, 0);
	assert_int_equal(ring_status(table, 2), -EINVAL);
	assert_int_equal(ring_status(table, 9), -ENOENT);
	assert_int_equal(ring_status(table, 65536 + 1), -ENOENT);
	status.resv[7] = 1;
	assert_int_equal(kbuf_ring_status(table, &status), -EINVAL);
	status.buf_group = 9;
	assert_int_equal(kbuf_ring_status(table, &status), -EINVAL);
	assert_int_equal(ring_status(old, 1), -EINVAL);
	kbuf_table_close(old);
	kbuf_table_close(table);
}

/* A live 6.18 removes the empty group before it checks G7. */
static void G13_a_failed_upgrade_loses_the_empty_group(void **state)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = 4096,
		.ring_entries = 8,
		.bgid = 3,
	};
	struct kbuf_table *table = table_with_groups(0);

	(void)state;
	reg.ring_entries = 3;
	assert_int_equal(kbuf_ring_register(table, &reg), -EINVAL);
	assert_int_equal(kbuf_remove(table, 3, 1), 0);
	reg.ring_entries = 8;
	assert_int_equal(kbuf_ring_register(table, &reg), -EFAULT);
	assert_int_equal(kbuf_remove(table, 3, 1), -ENOENT);
	kbuf_table_close(table);
	table = table_with_groups(KVER(6, 6));
	assert_int_equal(kbuf_ring_register(table, &reg), -EFAULT);
	assert_int_equal(kbuf_remove(table, 3, 1), 0);
	kbuf_table_close(table);
}

/* As a live 6.18 answers, except for groups that it can't map (X6). */
static void mmap_arguments(void **state)
{
	static const struct {
		uint16_t bgid;
		bool hint;
		size_t bytes;
		int prot, flags;
		long expected;
	} rows[] = {
		{1, false, 65536, 3, MAP_SHARED, 1},
		{1, false, 65535, 3, MAP_SHARED, 1},
		{1, false, 65536, PROT_READ, MAP_SHARED, 1},
		{1, false, 65536, 0, MAP_SHARED, 1},
		{1, false, 65536, 3, MAP_PRIVATE, 1},
		{1, false, 65536, 3, MAP_SHARED | MAP_POPULATE, 1},
		{1, false, 65536 + 4096, 3, MAP_SHARED, 1},
		{1, false, 61440, 3, MAP_SHARED, -EFAULT},
		{1, false, 1, 3, MAP_SHARED, -EFAULT},
		{1, false, 0, 3, MAP_SHARED, -EINVAL},
		{1, true, 65536, 3, MAP_SHARED, -EINVAL},
		{1, true, 65536, 3, MAP_SHARED | MAP_FIXED, -EINVAL},
		{1, false, 65536, 3, 0, -EINVAL},
		{1, false, 65536, 7, MAP_SHARED, -EPERM},
		{2, false, 4096, 3, MAP_SHARED, -ENOMEM},
		{9, false, 4096, 3, MAP_SHARED, -ENOMEM},
		{9, true, 4096, 3, MAP_SHARED, -EINVAL},
		{TEST_BGID, false, 4096, 3, MAP_SHARED, -ENOMEM},
	};
	struct kbuf_table *table = table_with_groups(0);
	void *ring = ring_of(table, 4, 0);
	struct io_uring_buf_reg reg = {.ring_entries = 4096, .bgid = 1};
	unsigned int i;

	(void)state;
	assert_int_equal(kbuf_ring_unregister(table, &reg), 0);
	reg.flags = MMAP;
	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	for (i = 0; i < array_size(rows); i++) {
		long map = kbuf_ring_map(
			table, rows[i].bgid,
			rows[i].hint ? (void *)0x10000000 : NULL, rows[i].bytes,
			rows[i].prot, rows[i].flags);

		if ((map < 0 ? map : 1) != rows[i].expected)
			fail_msg("row %u answers %ld", i, map);
		if (map > 0)
			pages_free((void *)map, rows[i].bytes);
	}
	pages_free(ring, 8192);
	kbuf_table_close(table);
}

static void X6_groups_above_2047_can_be_mapped(void **state)
{
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_reg reg = {
		.ring_entries = 32768,
		.bgid = 65535,
		.flags = MMAP,
	};
	const size_t bytes = 32768 * 16;
	struct io_uring_buf_ring *ring;
	unsigned int i, lap;

	(void)state;
	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	ring = (void *)kbuf_ring_map(table, 65535, NULL, bytes, 3, MAP_SHARED);
	/*
	 * Fill and empty the ring three times, past the wrap of head and tail.
	 */
	for (lap = 0; lap < 3; lap++) {
		for (i = 0; i < 32768; i++)
			ring_add(ring, 32768, 0x1000, 64, (uint16_t)(i + lap));
		for (i = 0; i < 32768; i++)
			assert_int_equal(take_one(table, 65535), i + lap);
		assert_int_equal(take_one(table, 65535), -ENOBUFS);
	}
	assert_int_equal(ring_status(table, 65535), 32768);
	pages_free(ring, bytes);
	kbuf_table_close(table);
}

/* valgrind does not duplicate mappings. */
static bool can_map_again(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return !preloaded || !strstr(preloaded, "vgpreload");
}

/* closefrom() in the program closes the ring's file, and its fd is reused. */
static void D14_a_file_closed_behind_our_back_harms_nobody(void **state)
{
	struct kbuf_table *table;
	int fd, stranger;

	(void)state;
	if (can_map_again())
		skip(); /* the ring has no file */
	table = table_of(0);
	stranger = open("/dev/null", O_RDWR);
	assert_int_equal(register_engine_ring(table, 8), 0);
	fd = ring_memory_fd();
	assert_true(fd >= 0);
	assert_int_equal(dup2(stranger, fd), fd);
	assert_int_equal(take_one(table, TEST_BGID), -ENOBUFS);
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close(stranger);
	kbuf_table_close(table);
}

static unsigned int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	int c;

	assert_non_null(maps);
	while ((c = fgetc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

/* A process may have some 65,000 mappings, and as many groups. */
static void scale_engine_rings_share_mappings(void **state)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 8,
		.flags = MMAP,
	};
	struct kbuf_table *table = table_of(0);
	unsigned int before = mappings();

	(void)state;
	for (reg.bgid = 0; reg.bgid < 2000; reg.bgid++)
		assert_int_equal(kbuf_ring_register(table, &reg), 0);
	assert_true(mappings() < before + 500);
	for (reg.bgid = 0; reg.bgid < 2000; reg.bgid += 3)
		assert_int_equal(ring_drop(table, reg.bgid), 0);
	for (reg.bgid = 0; reg.bgid < 2000; reg.bgid += 3)
		assert_int_equal(kbuf_ring_register(table, &reg), 0);
	kbuf_table_close(table);
	assert_true(mappings() < before + 50);
}

static void scale_more_engine_rings_than_files(void **state)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 8,
		.flags = MMAP,
	};
	struct kbuf_table *table = table_of(0);
	struct io_uring_buf_ring *ring;
	struct rlimit before, few;
	long map;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (reg.bgid = 0; reg.bgid < 1000; reg.bgid++)
		assert_int_equal(kbuf_ring_register(table, &reg), 0);
	for (reg.bgid = 0; can_map_again() && reg.bgid < 1000; reg.bgid++) {
		map = kbuf_ring_map(table, reg.bgid, NULL, 4096,
				    PROT_READ | PROT_WRITE, MAP_SHARED);
		assert_true(map > 0);
		ring = (void *)map;
		ring_add(ring, 8, 0x1000, 64, reg.bgid);
		assert_int_equal(take_one(table, reg.bgid), reg.bgid);
		pages_free(ring, 4096);
		map = kbuf_ring_map(table, reg.bgid, NULL, 4096, PROT_READ,
				    MAP_SHARED);
		assert_int_equal(((struct io_uring_buf_ring *)map)->tail, 1);
		pages_free((void *)map, 4096);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	kbuf_table_close(table);
}

/* Making a file would use the program's lowest free fd for a moment. */
static void G10_a_ring_does_without_a_file(void **state)
{
	struct io_uring_buf_ring *ring;
	struct kbuf_table *table = table_of(0);

	(void)state;
	if (!can_map_again())
		skip();
	inject_start();
	inject_number(SYS_memfd_create, -ENFILE);
	assert_int_equal(register_engine_ring(table, 8), 0);
	assert_false(inject_stop());
	assert_int_equal(ring_memory_fd(), -1);
	ring = (void *)map_ring(table, 4096);
	ring_add(ring, 8, 0x1000, 64, 5);
	assert_int_equal(take_one(table, TEST_BGID), 5);
	kbuf_table_close(table);
	ring_add(ring, 8, 0x1000, 64, 6);
	assert_int_equal(ring->tail, 2);
	pages_free(ring, 4096);
}

static void D14_registering_undoes_what_it_did(void **state)
{
	struct kbuf_table *table = table_of(0);
	/* A refused munmap() in another test may have left some. */
	unsigned int mappings = ring_memory_mappings();

	(void)state;
	inject_start();
	inject_number(SYS_mmap, -ENFILE);
	assert_int_equal(register_engine_ring(table, 8), -ENFILE);
	assert_true(inject_stop());
	assert_false(kbuf_group_exists(table, TEST_BGID));
	assert_int_equal(ring_memory_fd(), -1);
	assert_int_equal(ring_memory_mappings(), mappings);
	assert_int_equal(register_engine_ring(table, 8), 0);
	assert_int_equal(ring_memory_fd() < 0, can_map_again());
	assert_int_equal(ring_drop(table, TEST_BGID), 0);
	assert_int_equal(ring_memory_fd(), -1);
	assert_int_equal(ring_memory_mappings(), mappings);
	kbuf_table_close(table);
}

int ring_tests_run(void)
{
	const struct CMUnitTest ring_tests[] = {
		cmocka_unit_test(G2_to_G8_are_checked_in_order),
		cmocka_unit_test(G2_to_G8_in_6_6),
		cmocka_unit_test(G9_unregister_is_checked_in_order),
		cmocka_unit_test(G9_an_upgraded_group_is_gone_with_its_ring),
		cmocka_unit_test(G10_mapped_memory_outlives_group_and_table),
		cmocka_unit_test(G11_a_new_ring_starts_at_head_0),
		cmocka_unit_test(G11_in_6_6_a_low_ring_goes_on_where_one_ended),
		cmocka_unit_test(G12_status),
		cmocka_unit_test(G13_a_failed_upgrade_loses_the_empty_group),
		cmocka_unit_test(mmap_arguments),
		cmocka_unit_test(X6_groups_above_2047_can_be_mapped),
		cmocka_unit_test(
			D14_a_file_closed_behind_our_back_harms_nobody),
		cmocka_unit_test(scale_more_engine_rings_than_files),
		cmocka_unit_test(scale_engine_rings_share_mappings),
		cmocka_unit_test(G10_a_ring_does_without_a_file),
		cmocka_unit_test(D14_registering_undoes_what_it_did),
	};

	return cmocka_run_group_tests(ring_tests, NULL, NULL);
}
