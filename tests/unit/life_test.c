// SPDX-License-Identifier: MIT
/*
 * The life of requests, seen from outside: only through the library's calls.
 *
 * Theory: what must hold whatever a program does is tested with random
 * programs. Each request has its own user_data; a table says which are live. A
 * completion for one that is not, a second last completion, or a request that
 * is live after everything was cancelled breaks D14. The seed of a failure is
 * printed; LIFE_SEED plays it again, as far as timing allows.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "polyring/polyring.h"

/* Far longer than anything here takes; only a failing test waits so long. */
#define PATIENCE_NS (60 * NS_PER_SEC)

#define REQUESTS 4000u
#define PAIRS 8
#define SPANS 16

static const uint32_t modes[] = {
	0,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
};

/* ---- a ring ---- */

struct ring {
	int fd;
	struct io_uring_params params;
	char *memory;
	size_t memory_bytes;
	struct io_uring_sqe *sqes;
	uint32_t unsubmitted;
};

static uint32_t *word(const struct ring *r, uint32_t offset)
{
	return (uint32_t *)(void *)(r->memory + offset);
}

static void ring_open(struct ring *r, uint32_t entries, uint32_t flags)
{
	struct io_uring_params *p = &r->params;
	long at;

	memset(r, 0, sizeof(*r));
	p->flags = flags | IORING_SETUP_CQSIZE;
	p->cq_entries = 4 * entries;
	r->fd = polyring_setup(entries, p);
	assert_true(r->fd >= 0);
	r->memory_bytes = p->cq_off.cqes + 16 * p->cq_entries;
	if (r->memory_bytes < p->sq_off.array + 4 * p->sq_entries)
		r->memory_bytes = p->sq_off.array + 4 * p->sq_entries;
	at = polyring_mmap(NULL, r->memory_bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	assert_true(at > 0);
	r->memory = (char *)at;
	at = polyring_mmap(NULL, 64 * p->sq_entries, PROT_READ | PROT_WRITE,
			   MAP_SHARED, r->fd, IORING_OFF_SQES);
	assert_true(at > 0);
	r->sqes = (void *)at;
}

static void ring_close(struct ring *r)
{
	munmap(r->sqes, 64 * r->params.sq_entries);
	munmap(r->memory, r->memory_bytes);
	close(r->fd);
}

static struct io_uring_sqe *next_entry(struct ring *r, uint8_t opcode)
{
	uint32_t *tail = word(r, r->params.sq_off.tail);
	uint32_t slot = *tail & (r->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &r->sqes[slot];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = -1;
	word(r, r->params.sq_off.array)[slot] = slot;
	store_release(tail, *tail + 1);
	r->unsubmitted++;
	return sqe;
}

/* Submit what there is; wait for @want completions, at most @wait_ms. */
static void enter(struct ring *r, uint32_t want, int wait_ms)
{
	struct io_timespec ts = {.tv_nsec = wait_ms * INT64_C(1000000)};
	struct io_uring_getevents_arg arg = {
		.sigmask_sz = 8,
		.ts = (uintptr_t)&ts,
	};
	int n = polyring_enter(r->fd, r->unsubmitted, want,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
			       &arg, sizeof(arg));

	assert_true(n >= 0 || n == -ETIME || n == -EINTR || n == -EBUSY);
	if (n > 0)
		r->unsubmitted -= (uint32_t)n;
}

static bool reap(struct ring *r, struct io_uring_cqe *cqe)
{
	uint32_t *head = word(r, r->params.cq_off.head);
	uint32_t *tail = word(r, r->params.cq_off.tail);
	uint32_t slot = *head & (r->params.cq_entries - 1);

	/* Pairs with the engine's release: the completions before tail. */
	if (*head == load_acquire(tail))
		return false;
	memcpy(cqe, word(r, r->params.cq_off.cqes + 16 * slot), 16);
	store_release(head, *head + 1);
	return true;
}

static void cancel_everything(struct ring *r)
{
	struct io_uring_sync_cancel_reg reg = {
		.fd = -1,
		.flags = IORING_ASYNC_CANCEL_ANY,
		.timeout = {-1, -1},
	};

	polyring_register(r->fd, IORING_REGISTER_SYNC_CANCEL, &reg, 1);
}

static int64_t patience(void)
{
	return clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
}

/* ---- D14: random programs ---- */

static struct {
	uint64_t random;
	uint32_t issued;
	uint32_t live;
	uint8_t is_live[REQUESTS + 1024];
	int pairs[PAIRS][2];
	struct io_timespec spans[SPANS];
	char bytes[64];
	bool drains;
	bool stop;
} world;

static uint32_t below(uint32_t bound)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)(world.random % bound);
}

static int any_socket(void)
{
	return world.pairs[below(PAIRS)][below(2)];
}

static uint64_t any_span(void)
{
	return (uintptr_t)&world.spans[below(SPANS)];
}

/* One of the last few requests; most of them are live. */
static uint64_t any_request(void)
{
	return world.issued - below(world.issued < 64 ? world.issued + 1 : 64);
}

static void fill_poll(struct io_uring_sqe *sqe)
{
	sqe->fd = any_socket();
	sqe->op_flags =
		(uint32_t[]){0, POLLIN, POLLOUT, POLLIN | POLLOUT}[below(4)];
	sqe->len = below(3) ? 0 : IORING_POLL_ADD_MULTI;
}

static void fill_poll_remove(struct io_uring_sqe *sqe)
{
	sqe->addr = any_request();
	if (below(2))
		return;
	sqe->len = IORING_POLL_UPDATE_EVENTS;
	sqe->op_flags = POLLIN;
}

static void fill_timeout(struct io_uring_sqe *sqe)
{
	sqe->addr = any_span();
	sqe->len = 1;
	sqe->off = below(3) ? 0 : below(20);
	if (!below(4)) {
		sqe->op_flags = IORING_TIMEOUT_MULTISHOT;
		sqe->off = 1 + below(4);
	}
	if (below(2))
		sqe->op_flags |= IORING_TIMEOUT_ETIME_SUCCESS;
}

static void fill_timeout_remove(struct io_uring_sqe *sqe)
{
	sqe->addr = any_request();
	if (below(2))
		return;
	sqe->addr2 = any_span();
	sqe->op_flags = IORING_TIMEOUT_UPDATE;
}

static void fill_link_timeout(struct io_uring_sqe *sqe)
{
	sqe->addr = any_span();
	sqe->len = 1;
}

static void fill_cancel(struct io_uring_sqe *sqe)
{
	sqe->addr = any_request();
	if (below(2))
		return;
	sqe->op_flags = IORING_ASYNC_CANCEL_FD |
			(below(2) ? IORING_ASYNC_CANCEL_ALL : 0);
	sqe->fd = any_socket();
}

static void fill_receive(struct io_uring_sqe *sqe)
{
	sqe->fd = any_socket();
	sqe->addr = (uintptr_t)world.bytes;
	sqe->len = 8;
}

/* On a worker: these do not wait, but the ring does not run them itself. */
static void fill_sync(struct io_uring_sqe *sqe)
{
	sqe->fd = any_socket();
}

static void fill_unlink(struct io_uring_sqe *sqe)
{
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t) "/no/such/file";
}

static void fill_nothing(struct io_uring_sqe *sqe)
{
	(void)sqe;
}

static const struct {
	uint8_t opcode;
	uint8_t weight;
	void (*fill)(struct io_uring_sqe *sqe);
} choices[] = {
	{IORING_OP_POLL_ADD, 3, fill_poll},
	{IORING_OP_POLL_REMOVE, 2, fill_poll_remove},
	{IORING_OP_TIMEOUT, 3, fill_timeout},
	{IORING_OP_TIMEOUT_REMOVE, 1, fill_timeout_remove},
	{IORING_OP_LINK_TIMEOUT, 2, fill_link_timeout},
	{IORING_OP_ASYNC_CANCEL, 2, fill_cancel},
	{IORING_OP_RECV, 2, fill_receive},
	{IORING_OP_FSYNC, 1, fill_sync},
	{IORING_OP_UNLINKAT, 1, fill_unlink},
	{IORING_OP_NOP, 1, fill_nothing},
};

static uint8_t any_flags(void)
{
	uint8_t flags = 0;

	if (!below(3))
		flags |= below(2) ? IOSQE_IO_LINK : IOSQE_IO_HARDLINK;
	if (!below(40))
		flags |= IOSQE_ASYNC;
	if (!below(60)) {
		flags |= IOSQE_IO_DRAIN;
		world.drains = true;
	}
	return flags;
}

static struct io_uring_sqe *issue(struct ring *r, uint8_t opcode)
{
	struct io_uring_sqe *sqe = next_entry(r, opcode);

	sqe->user_data = world.issued;
	world.is_live[world.issued++] = 1;
	world.live++;
	return sqe;
}

static void issue_any(struct ring *r)
{
	uint32_t total = 0, choice = 0, at;
	struct io_uring_sqe *sqe;

	for (size_t i = 0; i < array_size(choices); i++)
		total += choices[i].weight;
	for (at = below(total); at >= choices[choice].weight; choice++)
		at -= choices[choice].weight;
	sqe = issue(r, choices[choice].opcode);
	choices[choice].fill(sqe);
	sqe->flags = any_flags();
}

static void take_completions(struct ring *r)
{
	union {
		struct io_uring_cqe cqe;
		uint8_t bytes[16];
	} c;

	while (reap(r, &c.cqe)) {
		assert_true(c.cqe.user_data < world.issued);
		assert_true(world.is_live[c.cqe.user_data]);
		if (c.cqe.flags & IORING_CQE_F_MORE)
			continue;
		world.is_live[c.cqe.user_data] = 0;
		world.live--;
	}
}

/* The peers: they send and receive bytes. */
static void *disturb(void *argument)
{
	char bytes[64];

	for (uint32_t i = 0; !load_relaxed(&world.stop); i++) {
		int *pair = world.pairs[i * 7 % PAIRS];

		if (i % 3 ? write(pair[1], "x", 1) : read(pair[0], bytes, 64))
			continue;
	}
	return argument;
}

static void world_open(uint64_t seed)
{
	memset(&world, 0, sizeof(world));
	world.random = seed;
	for (int i = 0; i < SPANS; i++)
		world.spans[i].tv_nsec = i * 100000;
	for (int i = 0; i < PAIRS; i++)
		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_STREAM | SOCK_NONBLOCK, 0,
					    world.pairs[i]),
				 0);
}

static void world_close(void)
{
	for (int i = 0; i < PAIRS; i++) {
		close(world.pairs[i][0]);
		close(world.pairs[i][1]);
	}
}

/*
 * A drain waits for requests that never complete, so now and then they are
 * cancelled.
 */
static void play(struct ring *r)
{
	while (world.issued < REQUESTS) {
		for (uint32_t batch = 1 + below(32); batch; batch--)
			issue_any(r);
		while (r->unsubmitted) {
			enter(r, 0, 0);
			take_completions(r);
		}
		if (!below(8))
			enter(r, 1, 1);
		if (world.drains && below(2)) {
			world.drains = false;
			cancel_everything(r);
		}
		take_completions(r);
	}
}

static void end_all(struct ring *r)
{
	int64_t until = patience();

	while (world.live && clock_now_ns(CLOCK_MONOTONIC) < until) {
		cancel_everything(r);
		enter(r, 1, 1);
		take_completions(r);
	}
	assert_int_equal(world.live, 0);
}

static void D14_each_request_completes_once(void **state)
{
	const char *given = getenv("LIFE_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0)
			      : (uint64_t)clock_now_ns(CLOCK_REALTIME);

	(void)state;
	print_message("# LIFE_SEED=%llu\n", (unsigned long long)seed);
	for (uint32_t i = 0; i < array_size(modes); i++) {
		pthread_t outside;
		struct ring r;

		world_open(seed + i);
		ring_open(&r, 256, modes[i]);
		assert_int_equal(pthread_create(&outside, NULL, disturb, NULL),
				 0);
		play(&r);
		end_all(&r);
		store_relaxed(&world.stop, true);
		pthread_join(outside, NULL);
		ring_close(&r);
		world_close();
	}
}

/* ---- a listener that several rings serve ---- */

#define SERVERS 4
#define CONNECTIONS 500u

static struct {
	int fd;
	uint32_t flags;
	uint32_t accepted;
	bool stop;
} listener;

static void *serve(void *argument)
{
	union {
		struct io_uring_cqe cqe;
		uint8_t bytes[16];
	} c;
	struct ring r;
	bool armed = false;

	ring_open(&r, 8, listener.flags);
	while (!load_relaxed(&listener.stop)) {
		if (!armed) {
			struct io_uring_sqe *sqe =
				next_entry(&r, IORING_OP_ACCEPT);

			sqe->fd = listener.fd;
			sqe->ioprio = IORING_ACCEPT_MULTISHOT;
			armed = true;
		}
		enter(&r, 1, 10);
		while (reap(&r, &c.cqe)) {
			armed = c.cqe.flags & IORING_CQE_F_MORE;
			if (c.cqe.res < 0)
				continue;
			close(c.cqe.res);
			__atomic_add_fetch(&listener.accepted, 1,
					   __ATOMIC_RELAXED);
		}
	}
	ring_close(&r);
	return argument;
}

static void listen_for_test(struct sockaddr_in *address)
{
	socklen_t bytes = sizeof(*address);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	listener.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener.fd, (void *)address, bytes), 0);
	assert_int_equal(getsockname(listener.fd, (void *)address, &bytes), 0);
	assert_int_equal(listen(listener.fd, 128), 0);
}

static void connect_once(const struct sockaddr_in *address, uint32_t already)
{
	const struct linger reset = {.l_onoff = 1};
	int64_t until = patience();
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	assert_int_equal(connect(fd, (const void *)address, sizeof(*address)),
			 0);
	/* One at a time: every connection wakes all that wait. */
	while (load_relaxed(&listener.accepted) == already &&
	       clock_now_ns(CLOCK_MONOTONIC) < until)
		usleep(50);
	close(fd);
}

/* Of the rings that one connection wakes, those that lose must not wait. */
static void a_blocking_listener_serves_all_rings(void **state)
{
	(void)state;
	for (size_t m = 0; m < array_size(modes); m++) {
		struct sockaddr_in address;
		pthread_t servers[SERVERS];

		memset(&listener, 0, sizeof(listener));
		listener.flags = modes[m];
		listen_for_test(&address);
		for (int i = 0; i < SERVERS; i++)
			pthread_create(&servers[i], NULL, serve, NULL);
		for (uint32_t i = 0; i < CONNECTIONS; i++)
			connect_once(&address, i);
		assert_int_equal(load_relaxed(&listener.accepted), CONNECTIONS);
		store_relaxed(&listener.stop, true);
		for (int i = 0; i < SERVERS; i++)
			pthread_join(servers[i], NULL);
		assert_false(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
		close(listener.fd);
	}
}

/* ---- closing ---- */

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void fill_ring(struct ring *r, int fd, struct io_timespec *long_time)
{
	for (int i = 0; i < 400; i++) {
		struct io_uring_sqe *sqe = next_entry(r, IORING_OP_POLL_ADD);

		sqe->fd = fd;
		sqe->op_flags = POLLIN;
		sqe->len = i & 1;
		sqe->flags = IOSQE_IO_LINK;
		sqe = next_entry(r, IORING_OP_LINK_TIMEOUT);
		sqe->addr = (uintptr_t)long_time;
		sqe->len = 1;
		sqe = next_entry(r, IORING_OP_TIMEOUT);
		sqe->addr = (uintptr_t)long_time;
		sqe->len = 1;
		sqe->off = i & 1 ? 1000000 : 0;
	}
	enter(r, 0, 0);
	assert_int_equal(r->unsubmitted, 0);
}

static void a_ring_closed_with_a_thousand_requests_leaves_no_file(void **state)
{
	struct io_timespec long_time = {.tv_sec = 1000};
	int before = open_files();

	(void)state;
	for (size_t m = 0; m < array_size(modes); m++) {
		int64_t until = patience();
		struct ring r;
		int ends[2];

		ring_open(&r, 2048, modes[m]);
		assert_int_equal(pipe(ends), 0);
		fill_ring(&r, ends[0], &long_time);
		ring_close(&r);
		close(ends[0]);
		close(ends[1]);
		while (open_files() > before &&
		       clock_now_ns(CLOCK_MONOTONIC) < until)
			usleep(100);
		assert_int_equal(open_files(), before);
	}
}

int main(void)
{
	/*
	 * This test counts the files before any ring exists, so it comes first.
	 */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_ring_closed_with_a_thousand_requests_leaves_no_file),
		cmocka_unit_test(D14_each_request_completes_once),
		cmocka_unit_test(a_blocking_listener_serves_all_rings),
	};

	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
