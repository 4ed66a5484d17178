// SPDX-License-Identifier: MIT
/*
 * What libkbuf costs: nanoseconds for each operation, single thread.
 *
 *	kbuf [groups [operations]]	all of them, in one table of so many
 *groups kbuf --only NAME COUNT		one, COUNT times, for callgrind to count
 *
 * The operations take turns in short rounds, so that noise hits all alike; the
 * best round and the median one are printed, less the loop around them, and the
 * ratio to a bare read(2) of 64 bytes from /dev/zero in the same run.
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
#define READ 1 /* rows of the table below */
#define PUBLISH 2

static struct kbuf_table *table, *other_table;
static struct io_uring_buf_ring *ring, *inc_ring, *shared_ring;
static char buffers[ENTRIES][64];
static int zero_fd;
static volatile uint32_t sink;

static void fill(struct io_uring_buf_ring *of, uint32_t len)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		of->first[i].addr = (uintptr_t)buffers[i];
		of->first[i].len = len;
		of->first[i].bid = (uint16_t)i;
	}
}

static struct io_uring_buf_ring *ring_open(uint16_t bgid, uint16_t flags)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = ENTRIES,
		.bgid = bgid,
		.flags = IOU_PBUF_RING_MMAP | flags,
	};
	long map;

	if (kbuf_ring_register(table, &reg) < 0)
		abort();
	map = kbuf_ring_map(table, bgid, NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED);
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

/* The entry never ends: its length is put back each time. */
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
	double ns[ROUNDS];
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
	{.name = "shared-ring-claim-commit",
	 .run = shared_commit,
	 .divisor = 4,
	 .base = 2},
	{.name = "shared-classic-commit-provide",
	 .run = shared_classic_commit,
	 .divisor = 4},
};

static void world_open(unsigned int groups)
{
	unsigned int i;

	if (kbuf_table_open(&table, 0) < 0)
		abort();
	ring = ring_open(RING_BGID, 0);
	fill(ring, 64);
	publish(ring, 1);
	inc_ring = ring_open(INC_BGID, IOU_PBUF_RING_INC);
	fill(inc_ring, 64);
	publish(inc_ring, 1);
	kbuf_provide(table, CLASSIC_BGID, (uintptr_t)buffers, 64, ENTRIES, 0);
	shared_ring = ring_open(SHARED_BGID, 0);
	fill(shared_ring, 64);
	kbuf_provide(table, SHARED_CLASSIC_BGID, (uintptr_t)buffers, 64,
		     ENTRIES, 0);
	if (kbuf_table_open(&other_table, 0) < 0 ||
	    kbuf_group_share(table, SHARED_BGID, other_table, 0) < 0 ||
	    kbuf_group_share(table, SHARED_CLASSIC_BGID, other_table, 1) < 0)
		abort();
	for (i = FIRST_IDLE_BGID; i < groups; i++)
		kbuf_provide(table, (uint16_t)i, (uintptr_t)buffers, 64, 1, 0);
	zero_fd = open("/dev/zero", O_RDONLY);
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double round_ns(unsigned int which, unsigned int operations)
{
	unsigned int count = operations / benches[which].divisor;
	int64_t start = clock_now_ns(CLOCK_MONOTONIC);

	benches[which].run(count);
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - start) / count;
}

static double net_ns(unsigned int which, unsigned int rank)
{
	return benches[which].ns[rank] - benches[benches[which].base].ns[rank];
}

static void print_all(void)
{
	const unsigned int median = ROUNDS / 2;
	unsigned int i;

	printf("%-30s %9s %9s %9s\n", "operation", "best ns", "median ns",
	       "of a read");
	for (i = READ; i < array_size(benches); i++)
		printf("%-30s %9.2f %9.2f %8.1f%%\n", benches[i].name,
		       net_ns(i, 0), net_ns(i, median),
		       100 * net_ns(i, median) / net_ns(READ, median));
}

static int only(const char *name, unsigned int count)
{
	unsigned int i;

	world_open(0);
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
	unsigned int groups = argc > 1 ? (unsigned int)atoi(argv[1]) : 1;
	unsigned int operations =
		argc > 2 ? (unsigned int)atoi(argv[2]) : 20000;
	unsigned int i, j;

	if (argc == 4 && !strcmp(argv[1], "--only"))
		return only(argv[2], (unsigned int)atoi(argv[3]));
	if (operations < 32)
		operations = 32;
	world_open(groups);
	for (i = 0; i < ROUNDS; i++)
		for (j = 0; j < array_size(benches); j++)
			benches[j].ns[i] = round_ns(j, operations);
	for (j = 0; j < array_size(benches); j++)
		qsort(benches[j].ns, ROUNDS, sizeof(double), by_size);
	printf("%u groups, %d rounds of %u operations\n", groups, ROUNDS,
	       operations);
	print_all();
	kbuf_table_close(table);
	kbuf_table_close(other_table);
	return 0;
}
