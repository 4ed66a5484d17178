// SPDX-License-Identifier: MIT
/*
 * Rings that processes share, while processes die.
 *
 *	share_torture [--seconds N]
 *
 * Theory: a parent makes rings and forks processes, which submit and wait in
 * rings that they choose at random. The parent kills them at random, with
 * SIGKILL, and forks others in their place. The application's own order, one
 * that submits and one that takes completions at a time, is kept with robust
 * mutexes. An entry is named by its place in its ring's submission queue.
 *
 * Checked: each entry that a ring has taken completes once, and when all is
 * over every ring is empty. There are requests that end by themselves, on a
 * worker, and with a timer, and polls and reads that end only with their
 * process. A completion that was taken is recorded together with its place in
 * the completion queue. So a completion that another process takes again after
 * a death differs from one that was posted twice.
 *
 * Without --seconds there is a fixed number of deaths.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "polyring/polyring.h"

#define RINGS 16u
#define PROCESSES 8u
#define ENTRIES 32u
#define DEATHS 150u
#define NAMES (1u << 20) /* entries of one ring, ever */
#define END_PATIENCE_S 60

struct queue {
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	int fd;
};

/* Memory that all processes share. */
static struct board {
	pthread_mutex_t submits[RINGS], takes[RINGS];
	uint32_t taken_at[RINGS][NAMES]; /* place in the CQ, and 1; 0: not yet
					  */
	const char *wrong;
	bool over;
} * board;

static struct queue queues[RINGS];
static int never[2]; /* a pipe into which nobody writes */
static uint32_t randomness;

static uint32_t random_below(uint32_t n)
{
	randomness = randomness * 1664525u + 1013904223u;
	return (randomness >> 8) % n;
}

static void lock(pthread_mutex_t *mutex)
{
	if (pthread_mutex_lock(mutex) == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
}

static void *map(size_t bytes, int fd, uint64_t offset)
{
	void *at =
		fd < 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
		       : (void *)polyring_mmap(NULL, bytes,
					       PROT_READ | PROT_WRITE,
					       MAP_SHARED, fd, offset);

	if ((long)at < 0 && (long)at > -4096) {
		fprintf(stderr, "Bail out! no memory\n");
		exit(1);
	}
	return at;
}

static void queue_open(struct queue *q)
{
	struct io_uring_params p = {.flags = IORING_SETUP_NO_SQARRAY};
	uint8_t *rings;

	q->fd = polyring_setup(ENTRIES, &p);
	if (q->fd < 0) {
		fprintf(stderr, "Bail out! no ring: %d\n", q->fd);
		exit(1);
	}
	rings = map(p.cq_off.cqes + p.cq_entries * sizeof(*q->cqes), q->fd,
		    IORING_OFF_SQ_RING);
	q->sqes = map(p.sq_entries * sizeof(*q->sqes), q->fd, IORING_OFF_SQES);
	q->sq_head = (uint32_t *)(rings + p.sq_off.head);
	q->sq_tail = (uint32_t *)(rings + p.sq_off.tail);
	q->cq_head = (uint32_t *)(rings + p.cq_off.head);
	q->cq_tail = (uint32_t *)(rings + p.cq_off.tail);
	q->cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
	q->cq_mask = p.cq_entries - 1;
}

static void fill(struct io_uring_sqe *sqe, uint32_t name)
{
	static char bytes[512];
	static const struct io_timespec soon = {.tv_nsec = 2000000};

	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = name;
	sqe->fd = never[0];
	switch (random_below(5)) {
	case 0:
		sqe->opcode = IORING_OP_NOP;
		break;
	case 1:
		sqe->opcode = IORING_OP_NOP;
		sqe->flags = IOSQE_ASYNC;
		break;
	case 2:
		sqe->opcode = IORING_OP_TIMEOUT;
		sqe->addr = (uintptr_t)&soon;
		sqe->len = 1;
		break;
	case 3:
		sqe->opcode = IORING_OP_POLL_ADD;
		sqe->op_flags = POLLIN;
		break;
	default:
		sqe->opcode = IORING_OP_READ;
		sqe->addr = (uintptr_t)bytes;
		sqe->len = sizeof(bytes);
		sqe->off = (uint64_t)-1;
		sqe->flags = random_below(2) ? IOSQE_ASYNC : 0;
	}
}

static void submit(uint32_t ring)
{
	struct queue *q = &queues[ring];
	uint32_t count = 1 + random_below(4), tail;

	lock(&board->submits[ring]);
	tail = load_acquire(q->sq_tail);
	while (count-- && tail < NAMES &&
	       tail - load_acquire(q->sq_head) < ENTRIES) {
		fill(&q->sqes[tail % ENTRIES], tail);
		store_release(q->sq_tail, ++tail);
	}
	polyring_enter(q->fd, tail - load_acquire(q->sq_head), 0, 0, NULL, 0);
	pthread_mutex_unlock(&board->submits[ring]);
}

static void note(uint32_t ring, uint64_t name, uint32_t place)
{
	uint32_t *taken_at = &board->taken_at[ring][name % NAMES];

	if (name >= NAMES)
		store_relaxed(&board->wrong,
			      "a completion that none asked for");
	else if (*taken_at && *taken_at != place + 1)
		store_relaxed(&board->wrong, "a completion came twice");
	*taken_at = place + 1;
}

/* Returns how many completions were taken. */
static uint32_t take(uint32_t ring, uint32_t wait_ms)
{
	const struct io_timespec time = {.tv_nsec = wait_ms * 1000000l};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&time};
	struct queue *q = &queues[ring];
	uint32_t head, count = 0;

	lock(&board->takes[ring]);
	polyring_enter(q->fd, 0, 1,
		       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
		       sizeof(arg));
	head = load_relaxed(q->cq_head);
	for (; head != load_acquire(q->cq_tail); count++) {
		note(ring, q->cqes[head & q->cq_mask].user_data, head);
		store_release(q->cq_head, ++head);
	}
	pthread_mutex_unlock(&board->takes[ring]);
	return count;
}

static void process(uint32_t seed)
{
	randomness = seed;
	while (!load_relaxed(&board->over)) {
		uint32_t ring = random_below(RINGS);

		if (random_below(2))
			submit(ring);
		else
			take(ring, 5);
	}
	_exit(0);
}

static pid_t start(void)
{
	static uint32_t seeds;
	pid_t child;

	seeds++;
	child = fork();
	if (!child)
		process(seeds * 2654435761u);
	if (child < 0) {
		fprintf(stderr, "Bail out! no process\n");
		exit(1);
	}
	return child;
}

static void open_all(void)
{
	pthread_mutexattr_t how;

	board = map(sizeof(*board), -1, 0);
	pthread_mutexattr_init(&how);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	for (uint32_t i = 0; i < RINGS; i++) {
		pthread_mutex_init(&board->submits[i], &how);
		pthread_mutex_init(&board->takes[i], &how);
		queue_open(&queues[i]);
	}
	if (pipe(never))
		exit(1);
}

static void pause_ms(uint32_t ms)
{
	const struct timespec time = {.tv_nsec = ms * 1000000l};

	nanosleep(&time, NULL);
}

static void kill_at_random(int64_t end_ns)
{
	pid_t children[PROCESSES];

	for (uint32_t i = 0; i < PROCESSES; i++)
		children[i] = start();
	for (uint32_t n = 0;
	     !board->wrong &&
	     (end_ns ? clock_now_ns(CLOCK_MONOTONIC) < end_ns : n < DEATHS);
	     n++) {
		uint32_t i = random_below(PROCESSES);

		pause_ms(1 + random_below(20));
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
		children[i] = start();
	}
	board->over = true;
	for (uint32_t i = 0; i < PROCESSES; i++)
		waitpid(children[i], NULL, 0);
}

/* Is each entry that was written completed, and nothing else? */
static bool all_taken(uint32_t ring)
{
	uint32_t tail = load_acquire(queues[ring].sq_tail);

	for (uint32_t name = 0; name < NAMES; name++)
		if (!board->taken_at[ring][name] != (name >= tail))
			return false;
	return true;
}

static void drain(uint32_t ring)
{
	int64_t until_ns =
		clock_now_ns(CLOCK_MONOTONIC) + END_PATIENCE_S * NS_PER_SEC;
	struct queue *q = &queues[ring];

	while (!all_taken(ring) && !board->wrong) {
		polyring_enter(q->fd,
			       load_acquire(q->sq_tail) -
				       load_acquire(q->sq_head),
			       0, 0, NULL, 0);
		take(ring, 100);
		if (clock_now_ns(CLOCK_MONOTONIC) > until_ns)
			board->wrong = "a completion never came";
	}
}

int main(int argc, char **argv)
{
	uint64_t entries = 0;
	int64_t end_ns = 0;

	if (argc == 3 && !strcmp(argv[1], "--seconds"))
		end_ns = clock_now_ns(CLOCK_MONOTONIC) +
			 atol(argv[2]) * NS_PER_SEC;
	open_all();
	kill_at_random(end_ns);
	/*
	 * Entries that are in the queues now run in this process and must
	 * complete.
	 */
	if (write(never[1], "", 1) != 1)
		board->wrong = "no byte for the pipe";
	for (uint32_t ring = 0; ring < RINGS; ring++) {
		drain(ring);
		entries += load_acquire(queues[ring].sq_tail);
	}
	printf("1..1\n%sok 1 - each_completes_once_whoever_dies\n",
	       board->wrong ? "not " : "");
	printf("# %llu entries%s%s\n", (unsigned long long)entries,
	       board->wrong ? ": " : "", board->wrong ? board->wrong : "");
	return board->wrong != NULL;
}
