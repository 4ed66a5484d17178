// SPDX-License-Identifier: MIT
/*
 * Four ways to share a group: threads claim a buffer, read(2) into it, commit
 * and publish it again. Reads of 0 bytes stand for transfers that have to wait,
 * for a page or a disk: they sleep for some 100 us.
 *
 *	kbuf-threads [threads [milliseconds [bytes]]]
 *
 *	own	a table and a ring for each thread: nothing is shared
 *	shared	a table for each, one pool (kbuf_group_share)
 *	held	one table, and its lock held from the claim to the commit
 *	dropped	one table, claimed at selection: its lock is let go meanwhile
 *
 * The ways take turns, ROUNDS times; the median of each is printed: elapsed
 * time for one buffer of all threads together, and the same over `own`.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/lock.h"
#include "polyring/kbuf.h"

#define ROUNDS 11
#define THREADS_MAX 64
#define ENTRIES 256u /* a ring */
#define GROUP 1

enum way { OWN, SHARED, HELD, DROPPED, WAYS };

static const char *const names[WAYS] = {"own", "shared", "held", "dropped"};

struct user {
	enum way way;
	struct kbuf_table *table;
	struct io_uring_buf_ring *ring;
	struct lock *publish; /* of the ring */
	uint64_t count;
	pthread_t thread;
};

static struct user users[THREADS_MAX];
static struct io_uring_buf_ring *rings[THREADS_MAX];
static struct lock publish_locks[THREADS_MAX];
static struct lock table_lock;
static char memory[THREADS_MAX][ENTRIES][4096];
static unsigned int threads, bytes;
static bool stop;
static int zero_fd;

static void give(struct user *me, uint64_t addr, uint16_t bid) UNCHECKED_LOCKS
{
	struct io_uring_buf_ring *ring = me->ring;
	struct io_uring_buf *entry;

	lock_take(me->publish);
	entry = &ring->first[ring->tail & (ENTRIES - 1)];
	entry->addr = addr;
	entry->len = bytes ? bytes : 1;
	entry->bid = bid;
	store_release(&ring->tail, (uint16_t)(ring->tail + 1));
	lock_drop(me->publish);
}

static void lock_if(bool wanted) UNCHECKED_LOCKS
{
	if (wanted)
		lock_take(&table_lock);
}

static void unlock_if(bool wanted) UNCHECKED_LOCKS
{
	if (wanted)
		lock_drop(&table_lock);
}

static void transfer(const struct kbuf_claim *claim)
{
	if (!bytes)
		usleep(50);
	else if (read(zero_fd, (void *)(uintptr_t)claim->addr, claim->len) < 0)
		abort();
}

static bool use_one(struct user *me)
{
	bool locks = me->way == HELD || me->way == DROPPED;
	struct kbuf_claim claim;
	int err;

	lock_if(locks);
	err = kbuf_claim(me->table, GROUP, 0, me->way == DROPPED, &claim);
	unlock_if(me->way == DROPPED || (locks && err));
	if (err)
		return false;
	transfer(&claim);
	lock_if(me->way == DROPPED);
	kbuf_commit(me->table, &claim, claim.len);
	unlock_if(locks);
	give(me, claim.addr, claim.bid);
	return true;
}

static void *runs(void *argument)
{
	struct user *me = argument;

	while (!load_relaxed(&stop))
		me->count += use_one(me);
	return NULL;
}

static void ring_open(unsigned int i)
{
	struct io_uring_buf_reg reg = {.ring_entries = ENTRIES, .bgid = GROUP};

	memset(rings[i], 0, 4096);
	reg.ring_addr = (uintptr_t)rings[i];
	users[i].ring = rings[i];
	users[i].publish = &publish_locks[i];
	if (kbuf_ring_register(users[i].table, &reg) < 0)
		abort();
	for (uint16_t bid = 0; bid < ENTRIES; bid++)
		give(&users[i], (uintptr_t)memory[i][bid], bid);
}

static void user_open(unsigned int i, enum way way)
{
	bool one_table = way == HELD || way == DROPPED;

	users[i] = (struct user){.way = way};
	if (i && one_table)
		users[i].table = users[0].table;
	else if (kbuf_table_open(&users[i].table, 0) < 0)
		abort();
	if (!i || way == OWN) {
		ring_open(i);
		return;
	}
	users[i].ring = users[0].ring;
	users[i].publish = users[0].publish;
	if (way == SHARED &&
	    kbuf_group_share(users[0].table, GROUP, users[i].table, GROUP) < 0)
		abort();
}

static double round_ns(enum way way, unsigned int ms)
{
	uint64_t count = 0;
	int64_t start;

	for (unsigned int i = 0; i < threads; i++)
		user_open(i, way);
	store_relaxed(&stop, false);
	start = clock_now_ns(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < threads; i++)
		pthread_create(&users[i].thread, NULL, runs, &users[i]);
	usleep(ms * 1000);
	store_relaxed(&stop, true);
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(users[i].thread, NULL);
		count += users[i].count;
	}
	for (unsigned int i = 0; i < threads; i++)
		if (!i || way == OWN || way == SHARED)
			kbuf_table_close(users[i].table);
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - start) / (double)count;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned int ms = argc > 2 ? (unsigned int)atoi(argv[2]) : 100;
	double ns[WAYS][ROUNDS];

	threads = argc > 1 ? (unsigned int)atoi(argv[1]) : 4;
	bytes = argc > 3 ? (unsigned int)atoi(argv[3]) : 64;
	if (!threads || threads > THREADS_MAX || bytes > 4096)
		return 2;
	zero_fd = open("/dev/zero", O_RDONLY);
	for (unsigned int i = 0; i < threads; i++)
		rings[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned int i = 0; i < ROUNDS; i++)
		for (unsigned int way = 0; way < WAYS; way++)
			ns[way][i] = round_ns(way, ms);
	printf("%u threads, reads of %u bytes, %d rounds of %u ms\n", threads,
	       bytes, ROUNDS, ms);
	for (unsigned int way = 0; way < WAYS; way++) {
		qsort(ns[way], ROUNDS, sizeof(double), by_size);
		printf("%-8s %9.1f ns %6.2f of own\n", names[way],
		       ns[way][ROUNDS / 2],
		       ns[way][ROUNDS / 2] / ns[OWN][ROUNDS / 2]);
	}
	return 0;
}
