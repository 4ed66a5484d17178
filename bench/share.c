// SPDX-License-Identifier: MIT
/*
 * Four rings on four threads, and their buffers: one pool that all share, or a
 * pool for each with a quarter of the buffers (polyring_group_share()).
 *
 *	share pool|pools MILLISECONDS [classic]
 *
 * The load is skewed: each thread gets bursts of messages, most of them short
 * and one in four longer than a quarter of all the buffers. A burst's buffers
 * are kept until it is complete, and given back together. A thread that runs
 * out of buffers before (ENOBUFS, which ends the multishot receive) gives back
 * what it has and arms again: sharing is to avoid that.
 */
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <polyring/polyring.h>

#include "common.h"

#define THREADS 4u
#define BUFFERS 256u /* of all */
#define BUFFER_BYTES 256u
#define MESSAGE_BYTES 64u
#define SHORT_BURST 8u
#define LONG_BURST 96u
#define CQ_ENTRIES 1024u
#define GROUP 1

/* What a group's users share: its memory and, for a ring, its tail. */
struct pool {
	struct io_uring_buf_ring *ring;
	pthread_spinlock_t lock;
	uint32_t count;
	uint32_t first; /* bid: where its part of the memory begins */
};

struct server {
	int fd;
	int ends[2];
	struct io_uring_params params;
	char *queues;
	struct io_uring_sqe *sqes;
	struct pool *pool;
	uint32_t random;
	uint32_t held_count;
	uint16_t held[BUFFERS];
	uint32_t to_submit;
	uint64_t messages, bursts, dry;
	pthread_t thread;
};

static char memory[BUFFERS][BUFFER_BYTES];
static struct pool pools[THREADS];
static struct server servers[THREADS];
static bool classic;
static volatile bool stop;

/* ---- a ring, by hand ---- */

static void *map(int fd, size_t bytes, uint64_t offset)
{
	return (void *)check(polyring_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
					   MAP_SHARED, fd, offset),
			     "mmap");
}

static uint32_t *word(struct server *me, uint32_t offset)
{
	return (uint32_t *)(void *)(me->queues + offset);
}

static void ring_open(struct server *me)
{
	me->params.flags = IORING_SETUP_CQSIZE;
	me->params.cq_entries = CQ_ENTRIES;
	me->fd = (int)check(polyring_setup(BUFFERS, &me->params), "setup");
	me->queues = map(me->fd,
			 me->params.cq_off.cqes +
				 CQ_ENTRIES * sizeof(struct io_uring_cqe),
			 IORING_OFF_SQ_RING);
	me->sqes =
		map(me->fd, me->params.sq_entries * sizeof(struct io_uring_sqe),
		    IORING_OFF_SQES);
	for (uint32_t i = 0; i < me->params.sq_entries; i++)
		word(me, me->params.sq_off.array)[i] = i;
}

static struct io_uring_sqe *next_sqe(struct server *me, uint8_t opcode)
{
	uint32_t *tail = word(me, me->params.sq_off.tail);
	struct io_uring_sqe *sqe =
		&me->sqes[*tail & (me->params.sq_entries - 1)];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	me->to_submit++;
	return sqe;
}

static void enter(struct server *me, uint32_t wait_for)
{
	check(polyring_enter(me->fd, me->to_submit, wait_for,
			     IORING_ENTER_GETEVENTS, NULL, 0),
	      "enter");
	me->to_submit = 0;
}

/* ---- buffers ---- */

static void provide(struct server *me, uint16_t bid)
{
	struct io_uring_sqe *sqe = next_sqe(me, IORING_OP_PROVIDE_BUFFERS);

	sqe->fd = 1;
	sqe->addr = (uint64_t)(uintptr_t)memory[bid];
	sqe->len = BUFFER_BYTES;
	sqe->off = bid;
	sqe->buf_group = GROUP;
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
}

static void publish(struct pool *pool, const uint16_t *bids, uint32_t count)
{
	uint32_t mask = pool->count - 1;
	uint16_t tail;

	pthread_spin_lock(&pool->lock);
	tail = pool->ring->tail;
	for (uint32_t i = 0; i < count; i++, tail++) {
		struct io_uring_buf *buf = &pool->ring->bufs[tail & mask];

		buf->addr = (uint64_t)(uintptr_t)memory[bids[i]];
		buf->len = BUFFER_BYTES;
		buf->bid = bids[i];
	}
	__atomic_store_n(&pool->ring->tail, tail, __ATOMIC_RELEASE);
	pthread_spin_unlock(&pool->lock);
}

static void give_back(struct server *me)
{
	if (classic)
		for (uint32_t i = 0; i < me->held_count; i++)
			provide(me, me->held[i]);
	else
		publish(me->pool, me->held, me->held_count);
	me->held_count = 0;
}

/* All of a pool's buffers, through the first ring that has it. */
static void pool_fill(struct server *me, struct pool *pool)
{
	struct io_uring_buf_reg reg = {.ring_entries = pool->count,
				       .bgid = GROUP};

	me->pool = pool;
	pthread_spin_init(&pool->lock, PTHREAD_PROCESS_PRIVATE);
	if (!classic) {
		pool->ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		reg.ring_addr = (uint64_t)(uintptr_t)pool->ring;
		check(polyring_register(me->fd, IORING_REGISTER_PBUF_RING, &reg,
					1),
		      "register");
	}
	for (uint32_t i = 0; i < pool->count; i++)
		me->held[me->held_count++] = (uint16_t)(pool->first + i);
	give_back(me);
	enter(me, 0);
}

static void pools_open(bool one)
{
	uint32_t each = one ? BUFFERS : BUFFERS / THREADS;

	for (uint32_t i = 0; i < THREADS; i++) {
		pools[i] = (struct pool){.count = each, .first = i * each};
		if (!one || !i) {
			pool_fill(&servers[i], &pools[i]);
			continue;
		}
		servers[i].pool = &pools[0];
		check(polyring_group_share(servers[0].fd, GROUP, servers[i].fd,
					   GROUP),
		      "share");
	}
}

/* ---- the work ---- */

static void arm(struct server *me)
{
	struct io_uring_sqe *sqe = next_sqe(me, IORING_OP_RECV);

	sqe->fd = me->ends[0];
	sqe->ioprio = IORING_RECV_MULTISHOT;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/* Returns the count of messages received. */
static uint32_t reap(struct server *me)
{
	const struct io_cqring_offsets *cq = &me->params.cq_off;
	const struct io_uring_cqe *cqes = (const void *)(me->queues + cq->cqes);
	uint32_t *head = word(me, cq->head), came = 0;
	uint32_t tail = __atomic_load_n(word(me, cq->tail), __ATOMIC_ACQUIRE);
	bool ended = false;

	for (; *head != tail;
	     __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE)) {
		const struct io_uring_cqe *cqe =
			&cqes[*head & (CQ_ENTRIES - 1)];

		ended = ended || !(cqe->flags & IORING_CQE_F_MORE);
		if (cqe->res == -ENOBUFS) {
			me->dry++;
			if (!me->held_count)
				sched_yield(); /* others have them */
			give_back(me);
			continue;
		}
		check(cqe->res, "recv");
		me->held[me->held_count++] =
			(uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		came++;
	}
	if (ended)
		arm(me);
	return came;
}

static void burst(struct server *me, uint32_t count)
{
	static const char message[MESSAGE_BYTES];
	uint32_t came = 0;

	for (uint32_t i = 0; i < count; i++)
		check_libc((int)send(me->ends[1], message, sizeof(message), 0),
			   "send");
	while (came < count) {
		enter(me, 1);
		came += reap(me);
	}
	give_back(me);
	me->messages += count;
	me->bursts++;
}

static void *serve(void *argument)
{
	struct server *me = argument;

	arm(me);
	while (!stop) {
		me->random = me->random * 1103515245 + 12345;
		burst(me, me->random >> 16 & 3 ? SHORT_BURST : LONG_BURST);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int ms = argument(argc, argv, 2, 500);
	uint64_t messages = 0, bursts = 0, dry = 0, wall, cpu;

	classic = argc > 3 && !strcmp(argv[3], "classic");
	for (uint32_t i = 0; i < THREADS; i++) {
		servers[i].random = i + 1;
		ring_open(&servers[i]);
		check_libc(
			socketpair(AF_UNIX, SOCK_SEQPACKET, 0, servers[i].ends),
			"socketpair");
	}
	pools_open(argc > 1 && !strcmp(argv[1], "pool"));
	wall = wall_ns();
	cpu = cpu_ns();
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
	usleep(ms * 1000);
	stop = true;
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(servers[i].thread, NULL);
		messages += servers[i].messages;
		bursts += servers[i].bursts;
		dry += servers[i].dry;
	}
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu,"
	       "\"bursts\":%llu,\"dry\":%llu}\n",
	       (unsigned long long)messages,
	       (unsigned long long)(wall_ns() - wall),
	       (unsigned long long)(cpu_ns() - cpu), (unsigned long long)bursts,
	       (unsigned long long)dry);
	return 0;
}
