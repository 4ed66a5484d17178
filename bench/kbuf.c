// SPDX-License-Identifier: MIT
/*
 * The cost of libkbuf: nanoseconds for each operation, single thread.
 *
 *	kbuf			all, in a table of few groups and in a full one
 *	kbuf --only NAME COUNT	one, COUNT times, for callgrind to count
 *
 * The operations and the tables take turns in short rounds, so that noise hits
 * all alike. The best round and the median one are printed, less the loop
 * around them, how much more they take in the full table, and the ratio to a
 * bare read(2) of 64 bytes from /dev/zero in the same run. The full table has
 * 65,536 groups, a million classic buffers in them, and a ring of 32,768.
 *
 * `far` operations use another group each time: they measure memory that is not
 * in a cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "polyring/kbuf.h"

#define ROUNDS 201
#define ENTRIES 256u
#define BUNDLE 16u
#define RING_BGID 0
#define INC_BGID 1
#define CLASSIC_BGID 2
#define SHARED_BGID 3
#define SHARED_CLASSIC_BGID 4
#define FIRST_IDLE_BGID 5
#define GROUPS_MAX 65536u
#define IDLE_BUFFERS 16u /* in each of the others */
#define OPERATIONS 20000u /* in a round */
#define READ 1 /* rows of the table below */

/* Two tables; the fields below belong to the one that is measured. */
static struct world {
	struct kbuf_table *table, *other_table;
	struct io_uring_buf_ring *ring, *inc_ring, *shared_ring;
	uint32_t entries, groups;
} worlds[] = {
	{.entries = ENTRIES, .groups = FIRST_IDLE_BGID + 1},
	{.entries = KBUF_RING_ENTRIES_MAX, .groups = GROUPS_MAX},
};
static struct kbuf_table *table;
static struct io_uring_buf_ring *ring, *inc_ring, *shared_ring;
static uint32_t groups;
static char buffers[ENTRIES][64];
static int zero_fd;
static volatile uint32_t sink;

static void fill(struct io_uring_buf_ring *of, uint32_t entries)
{
	unsigned int i;

	for (i = 0; i < entries; i++) {
		of->first[i].addr = (uintptr_t)buffers[i % ENTRIES];
		of->first[i].len = 64;
		of->first[i].bid = (uint16_t)i;
	}
}

static struct io_uring_buf_ring *ring_open(uint16_t bgid, uint32_t entries,
					   uint16_t flags)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = entries,
		.bgid = bgid,
		.flags = IOU_PBUF_RING_MMAP | flags,
	};
	long map;

	if (kbuf_ring_register(table, &reg) < 0)
		abort();
	map = kbuf_ring_map(table, bgid, NULL, entries * 16,
			    PROT_READ | PROT_WRITE, MAP_SHARED);
	if (map < 0)
		abort();
	return (void *)map;
}

/* The application's side: one more buffer. */
static void publish(struct io_uring_buf_ring *of, uint16_t count)
{
	store_release(&of->tail, (uint16_t)(of->tail + count));
}

static uint16_t ring_head_now(void)
{
	struct io_uring_buf_status status = {.buf_group = RING_BGID};

	if (kbuf_ring_status(table, &status) < 0)
		abort();
	return (uint16_t)status.head;
}

static void nothing(unsigned int count)
{
	for (; count; count--)
		sink = count;
}

static void bare_read(unsigned int count)
{
	for (; count; count--)
		if (read(zero_fd, buffers[0], 64) != 64)
			abort();
}

/* The application's part of the next one. */
static void ring_publish(unsigned int count)
{
	for (; count; count--) {
		publish(ring, 1);
		sink = count;
	}
	store_release(&ring->tail, (uint16_t)(ring_head_now() + 1));
}

static void ring_commit(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		publish(ring, 1);
		kbuf_claim(table, RING_BGID, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 64);
	}
}

static void ring_recycle(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		sink = (uint32_t)kbuf_claim(table, RING_BGID, 0, false, &claim);
		kbuf_recycle(table, &claim);
	}
}

static void classic_recycle(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		sink = (uint32_t)kbuf_claim(table, CLASSIC_BGID, 0, false,
					    &claim);
		kbuf_recycle(table, &claim);
	}
}

static void classic_commit(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		kbuf_claim(table, CLASSIC_BGID, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 64);
		kbuf_provide(table, CLASSIC_BGID, claim.addr, 64, 1, claim.bid);
	}
}

/* The same in one group after the other. */
static void classic_far(unsigned int count)
{
	const uint32_t idle = groups - FIRST_IDLE_BGID;
	struct kbuf_claim claim;
	uint16_t bgid;

	for (; count; count--) {
		bgid = (uint16_t)(FIRST_IDLE_BGID + count * 7919 % idle);
		kbuf_claim(table, bgid, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 64);
		kbuf_provide(table, bgid, claim.addr, 64, 1, claim.bid);
	}
}

/* The same of pools that two tables serve. */
static void shared_commit(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		publish(shared_ring, 1);
		kbuf_claim(table, SHARED_BGID, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 64);
	}
}

static void shared_classic_commit(unsigned int count)
{
	struct kbuf_claim claim;

	for (; count; count--) {
		kbuf_claim(table, SHARED_CLASSIC_BGID, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 64);
		kbuf_provide(table, SHARED_CLASSIC_BGID, claim.addr, 64, 1,
			     claim.bid);
	}
}

/* The entry is never used up: its length is restored each time. */
static void inc_step(unsigned int count)
{
	struct io_uring_buf *entry = inc_ring->first;
	struct kbuf_claim claim;

	for (; count; count--) {
		store_relaxed(&entry->len, 64);
		kbuf_claim(table, INC_BGID, 0, false, &claim);
		sink = kbuf_commit(table, &claim, 8);
	}
}

static void bundle_16(unsigned int count)
{
	struct iovec iov[BUNDLE];
	struct kbuf_claim_vec claim;

	for (; count; count--) {
		publish(ring, BUNDLE);
		kbuf_claim_many(table, RING_BGID, 0, BUNDLE, false, iov,
				&claim);
		sink = kbuf_commit_many(table, &claim, 64 * BUNDLE);
	}
}

static struct {
	const char *name;
	void (*run)(unsigned int count);
	unsigned int divisor; /* of the operations of a round: the slow ones */
	unsigned int base; /* the row whose time is not counted */
	double ns[array_size(worlds)][ROUNDS];
} benches[] = {
	{.name = "nothing", .run = nothing, .divisor = 1},
	{.name = "read-64", .run = bare_read, .divisor = 32},
	{.name = "ring-publish", .run = ring_publish, .divisor = 1},
	{.name = "ring-claim-commit",
	 .run = ring_commit,
	 .divisor = 1,
	 .base = 2},
	{.name = "ring-claim-recycle", .run = ring_recycle, .divisor = 1},
	{.name = "classic-claim-recycle", .run = classic_recycle, .divisor = 1},
	{.name = "classic-claim-commit-provide",
	 .run = classic_commit,
	 .divisor = 1},
	{.name = "inc-step", .run = inc_step, .divisor = 1},
	{.name = "bundle-16", .run = bundle_16, .divisor = 8},
	{.name = "classic-far", .run = classic_far, .divisor = 4},
	{.name = "shared-ring-claim-commit",
	 .run = shared_commit,
	 .divisor = 4,
	 .base = 2},
	{.name = "shared-classic-commit-provide",
	 .run = shared_classic_commit,
	 .divisor = 4},
};

static void world_use(const struct world *world)
{
	table = world->table;
	ring = world->ring;
	inc_ring = world->inc_ring;
	shared_ring = world->shared_ring;
	groups = world->groups;
}

static void share_open(struct world *world)
{
	world->shared_ring = ring_open(SHARED_BGID, ENTRIES, 0);
	fill(world->shared_ring, ENTRIES);
	kbuf_provide(table, SHARED_CLASSIC_BGID, (uintptr_t)buffers, 64,
		     ENTRIES, 0);
	if (kbuf_table_open(&world->other_table, 0) < 0 ||
	    kbuf_group_share(table, SHARED_BGID, world->other_table, 0) < 0 ||
	    kbuf_group_share(table, SHARED_CLASSIC_BGID, world->other_table,
			     1) < 0)
		abort();
}

static void world_open(struct world *world)
{
	unsigned int i;

	if (kbuf_table_open(&world->table, 0) < 0)
		abort();
	table = world->table;
	world->ring = ring_open(RING_BGID, world->entries, 0);
	fill(world->ring, world->entries);
	publish(world->ring, 1);
	world->inc_ring = ring_open(INC_BGID, ENTRIES, IOU_PBUF_RING_INC);
	fill(world->inc_ring, ENTRIES);
	publish(world->inc_ring, 1);
	kbuf_provide(table, CLASSIC_BGID, (uintptr_t)buffers, 64, ENTRIES, 0);
	share_open(world);
	for (i = FIRST_IDLE_BGID; i < world->groups; i++)
		kbuf_provide(table, (uint16_t)i, (uintptr_t)buffers, 64,
			     IDLE_BUFFERS, 0);
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double round_ns(unsigned int which)
{
	unsigned int count = OPERATIONS / benches[which].divisor;
	int64_t start = clock_now_ns(CLOCK_MONOTONIC);

	benches[which].run(count);
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - start) / count;
}

static void measure(unsigned int round)
{
	unsigned int world, which;

	for (world = 0; world < array_size(worlds); world++) {
		world_use(&worlds[world]);
		for (which = 0; which < array_size(benches); which++)
			benches[which].ns[world][round] = round_ns(which);
	}
}

static double net_ns(unsigned int which, unsigned int world, unsigned int rank)
{
	return benches[which].ns[world][rank] -
	       benches[benches[which].base].ns[world][rank];
}

static void print_all(void)
{
	const unsigned int median = ROUNDS / 2;
	unsigned int i, world;

	for (i = 0; i < array_size(benches); i++)
		for (world = 0; world < array_size(worlds); world++)
			qsort(benches[i].ns[world], ROUNDS, sizeof(double),
			      by_size);
	printf("%-30s %9s %9s %9s %9s\n", "operation", "best ns", "median ns",
	       "of a read", "full");
	for (i = READ; i < array_size(benches); i++)
		printf("%-30s %9.2f %9.2f %8.1f%% %9.2f\n", benches[i].name,
		       net_ns(i, 0, 0), net_ns(i, 0, median),
		       100 * net_ns(i, 0, 0) / net_ns(READ, 0, 0),
		       net_ns(i, 1, 0) / net_ns(i, 0, 0));
}

static int only(const char *name, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < array_size(benches); i++) {
		if (strcmp(benches[i].name, name) != 0)
			continue;
		benches[i].run(count);
		return 0;
	}
	fprintf(stderr, "kbuf: no operation %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	unsigned int i;

	zero_fd = open("/dev/zero", O_RDONLY);
	world_open(&worlds[0]);
	if (argc == 4 && !strcmp(argv[1], "--only")) {
		world_use(&worlds[0]);
		return only(argv[2], (unsigned int)atoi(argv[3]));
	}
	world_open(&worlds[1]);
	for (i = 0; i < ROUNDS; i++)
		measure(i);
	print_all();
	for (i = 0; i < array_size(worlds); i++) {
		kbuf_table_close(worlds[i].table);
		kbuf_table_close(worlds[i].other_table);
	}
	return 0;
}
