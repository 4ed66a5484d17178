// SPDX-License-Identifier: MIT
/*
 * How rings end: with threads inside, one after another in many threads, with a
 * thread that polls for submissions, in a forked child, and with a queue that
 * was full all the time.
 */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"

static char memory[16][64];

static void submit_read(struct ring *ring, int fd, uint64_t user_data)
{
	struct io_uring_sqe *sqe =
		ring_sqe(ring, IORING_OP_READ, fd, user_data);

	sqe->addr = (uintptr_t)memory[user_data];
	sqe->len = sizeof(memory[0]);
	ring_push(ring);
	assert_int_equal(ring_submit(ring, 1), 1);
}

/* ---- threads inside ---- */

static void *waits_for_one(void *argument)
{
	struct ring *ring = argument;

	return (void *)(intptr_t)ring_wait(ring, 1, -1);
}

/* A call holds the ring open, as it does in the kernel. */
static void a_call_inside_ends_as_if_the_ring_were_open(void **state)
{
	struct io_uring_cqe cqe;
	pthread_t thread;
	struct ring ring;
	int ends[2];
	void *result;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pipe(ends), 0);
		ring_open(&ring, 8, 0, i % 2 ? IORING_SETUP_SQPOLL : 0);
		submit_read(&ring, ends[0], 1);
		polyring_enter(ring.fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
		pthread_create(&thread, NULL, waits_for_one, &ring);
		if (i % 3)
			usleep(1000);
		close(ring.fd);
		assert_int_equal(write(ends[1], "x", 1), 1);
		pthread_join(thread, &result);
		/* The call may have come after the end of the ring. */
		assert_true(result == NULL || (intptr_t)result == -EBADF);
		assert_true(result || ring_pop(&ring, &cqe));
		if (!result)
			assert_int_equal(cqe.res, 1);
		munmap(ring.shared, ring.shared_bytes);
		munmap(ring.sqes, ring.sqes_bytes);
		close(ends[0]);
		close(ends[1]);
		expect_nothing_left();
	}
}

/* One thread opens and closes rings; others use the same fd all the time. */
static struct {
	int fd;
	bool over;
} shared;

static void *uses_any_ring(void *argument)
{
	(void)argument;
	while (!load_relaxed(&shared.over)) {
		int fd = load_relaxed(&shared.fd);
		long at;

		polyring_enter(fd, 1, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		polyring_register(fd, IORING_UNREGISTER_FILES, NULL, 0);
		at = polyring_mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		if (at > 0)
			munmap((void *)at, 4096);
		at = polyring_mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd,
				   IORING_OFF_PBUF_RING);
		if (at > 0)
			munmap((void *)at, 4096);
	}
	return NULL;
}

static void rings_come_and_go_beside_those_who_use_them(void **state)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 8,
		.flags = IOU_PBUF_RING_MMAP,
	};
	pthread_t threads[3];
	struct ring ring;
	int ends[2];

	(void)state;
	shared.over = false;
	shared.fd = -1;
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, uses_any_ring, NULL);
	for (int i = 0; i < 200; i++) {
		ring_open(&ring, 8, 0, 0);
		store_relaxed(&shared.fd, ring.fd);
		polyring_register(ring.fd, IORING_REGISTER_PBUF_RING, &reg, 1);
		ring_sqe(&ring, IORING_OP_POLL_ADD, ends[0], 1)->op_flags =
			POLLIN;
		ring_push(&ring);
		ring_submit(&ring, 1);
		ring_close(&ring);
	}
	store_relaxed(&shared.over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	close(ends[0]);
	close(ends[1]);
	expect_nothing_left();
}

static void pollers_start_and_stop(void **state)
{
	struct ring ring;

	(void)state;
	for (int i = 0; i < 50; i++) {
		ring_open(&ring, 8, 0, IORING_SETUP_SQPOLL);
		ring_sqe(&ring, IORING_OP_NOP, -1, 1);
		ring_push(&ring);
		if (i % 2) {
			polyring_enter(ring.fd, 1, 0, IORING_ENTER_SQ_WAKEUP,
				       NULL, 0);
			assert_int_equal(ring_next(&ring).user_data, 1);
		}
		ring_close(&ring);
	}
	expect_nothing_left();
}

/* ---- a child ---- */

static void wait_for_child(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/*
 * The child can use its parent's ring while that is open, and make a ring of
 * its own; the parent's ring works all the time.
 */
static void child_body(const struct ring *parents, bool is_open)
{
	struct ring ring;

	alarm(PATIENCE_MS / 1000);
	if (is_open != (polyring_enter(parents->fd, 0, 0, 0, NULL, 0) == 0))
		_exit(1);
	if (ring_try_open(&ring, 8, 0) < 0)
		_exit(2);
	ring_sqe(&ring, IORING_OP_NOP, -1, 7);
	ring_push(&ring);
	if (ring_submit(&ring, 1) != 1 || ring_next(&ring).user_data != 7)
		_exit(3);
	_exit(0);
}

static void submit_many_kinds(struct ring *ring, int fd, int polled)
{
	struct io_uring_sqe *sqe;

	sqe = ring_sqe(ring, IORING_OP_PROVIDE_BUFFERS, 8, 0);
	sqe->addr = (uintptr_t)memory[8];
	sqe->len = sizeof(memory[0]);
	ring_push(ring);
	/* A read keeps its classic buffer while it waits. */
	sqe = ring_sqe(ring, IORING_OP_READ, fd, 1);
	sqe->flags = IOSQE_BUFFER_SELECT;
	ring_push(ring);
	sqe = ring_sqe(ring, IORING_OP_POLL_ADD, polled, 2);
	sqe->op_flags = POLLIN;
	sqe->len = IORING_POLL_ADD_MULTI;
	ring_push(ring);
	sqe = ring_sqe(ring, IORING_OP_FSYNC, fd, 3);
	ring_push(ring);
	assert_int_equal(ring_submit(ring, 4), 4);
}

static void *forks_hinder(void *argument)
{
	struct ring *ring = argument;

	while (!load_relaxed(&shared.over)) {
		struct io_uring_buf_reg reg = {
			.bgid = 5,
			.ring_entries = 8,
			.flags = IOU_PBUF_RING_MMAP,
		};

		polyring_register(ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
		polyring_register(ring->fd, IORING_UNREGISTER_PBUF_RING, &reg,
				  1);
	}
	return NULL;
}

static void a_child_shares_its_parents_rings(void **state)
{
	pthread_t thread;
	struct ring ring;
	int ends[2], polled[2];

	(void)state;
	if (!children_can_be_followed())
		skip();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(polled), 0);
	ring_open(&ring, 8, 0, 0);
	submit_many_kinds(&ring, ends[0], polled[0]);
	shared.over = false;
	pthread_create(&thread, NULL, forks_hinder, &ring);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child)
			child_body(&ring, true);
		wait_for_child(child);
	}
	store_relaxed(&shared.over, true);
	pthread_join(thread, NULL);
	/* Requests that were armed before the fork are still armed. */
	assert_int_equal(write(polled[1], "x", 1), 1);
	while (ring_next(&ring).user_data != 2)
		;
	assert_int_equal(write(ends[1], "x", 1), 1);
	while (ring_next(&ring).user_data != 1)
		;
	ring_close(&ring);
	close(polled[0]);
	close(polled[1]);
	close(ends[0]);
	close(ends[1]);
	expect_nothing_left();
}

/*
 * The peer sees the end of the stream although a child lives that was forked
 * while the request was armed.
 */
static void a_child_holds_no_file_of_a_request(void **state)
{
	char end[2];
	struct ring ring;
	int go[2], pair[2];
	pid_t child;

	(void)state;
	if (!children_can_be_followed())
		skip();
	assert_int_equal(pipe(go), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ring_open(&ring, 8, 0, 0);
	submit_many_kinds(&ring, pair[0], pair[0]);
	child = fork();
	if (!child) {
		/* As in the kernel, a copy of the ring keeps the ring. */
		close(ring.fd);
		close(pair[0]);
		close(pair[1]);
		close(go[1]);
		_exit(read(go[0], end, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	ring_close(&ring);
	close(pair[0]);
	assert_int_equal(read(pair[1], end, 1), 0);
	close(go[1]);
	wait_for_child(child);
	close(pair[1]);
	expect_nothing_left();
}

static struct {
	pthread_t forker;
	bool forking, ending; /* once each */
	sem_t ends, forks, closes;
} meeting;

static void wait_for(sem_t *event)
{
	while (sem_wait(event) < 0)
		;
}

/*
 * The fork finds a ring that is about to end and is locked until it has ended.
 */
static long meet_invoke(long number, long a, long b, long c, long d, long e,
			long f)
{
	bool forks = pthread_equal(pthread_self(), meeting.forker);

	if (forks && number == SYS_sched_yield && !meeting.forking) {
		meeting.forking = true;
		sem_post(&meeting.forks);
		wait_for(&meeting.closes);
	}
	if (!forks && number == SYS_epoll_ctl && b == EPOLL_CTL_DEL &&
	    !meeting.ending) {
		meeting.ending = true;
		sem_post(&meeting.ends);
		wait_for(&meeting.forks);
	}
	if (!forks && number == SYS_close)
		sem_post(&meeting.closes);
	return sys_direct(number, a, b, c, d, e, f);
}

static void *ends_the_closed(void *argument)
{
	polyring_closed(-1);
	return argument;
}

static void a_fork_leaves_no_ring_locked_that_ends(void **state)
{
	pthread_t ender;
	struct ring ring;
	pid_t child;

	(void)state;
	if (!children_can_be_followed())
		skip();
	ring_open(&ring, 8, 0, 0);
	meeting.forker = pthread_self();
	sem_init(&meeting.ends, 0, 0);
	sem_init(&meeting.forks, 0, 0);
	sem_init(&meeting.closes, 0, 0);
	set_invoke(meet_invoke);
	ring_close(&ring);
	pthread_create(&ender, NULL, ends_the_closed, NULL);
	wait_for(&meeting.ends);
	child = fork();
	set_invoke(NULL);
	if (!child)
		child_body(&ring, false);
	pthread_join(ender, NULL);
	expect_nothing_left();
	/* The next ring has the place of the one that ended. */
	alarm(PATIENCE_MS / 1000);
	ring_open(&ring, 8, 0, 0);
	ring_close(&ring);
	alarm(0);
	wait_for_child(child);
	expect_nothing_left();
}

/* ---- a full queue ---- */

/*
 * No completion is lost and their order is kept, although none is reaped for a
 * long time.
 */
static void a_full_queue_keeps_a_multishot_in_order(void **state)
{
	struct io_uring_sqe *sqe;
	uint32_t expected = 0;
	struct ring ring;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ring_open(&ring, 1, 2, 0);
	sqe = ring_sqe(&ring, IORING_OP_PROVIDE_BUFFERS, 16, 100);
	sqe->addr = (uintptr_t)memory;
	sqe->len = sizeof(memory[0]);
	ring_push(&ring);
	assert_int_equal(ring_submit(&ring, 1), 1);
	assert_int_equal(ring_next(&ring).res, 0);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(send(pair[1], &i, sizeof(i), 0), sizeof(i));
	while (expected < 12) {
		struct io_uring_cqe cqe = {.flags = 0};

		sqe = ring_sqe(&ring, IORING_OP_RECV, pair[0], 1);
		sqe->flags = IOSQE_BUFFER_SELECT;
		sqe->ioprio = IORING_RECV_MULTISHOT;
		ring_push(&ring);
		assert_int_equal(ring_submit(&ring, 1), 1);
		do {
			cqe = ring_next(&ring);
			assert_int_equal(cqe.res, sizeof(uint32_t));
			assert_memory_equal(memory[cqe.flags >> 16], &expected,
					    sizeof(expected));
			expected++;
		} while (cqe.flags & IORING_CQE_F_MORE && expected < 12);
	}
	ring_close(&ring);
	close(pair[0]);
	close(pair[1]);
	expect_nothing_left();
}

int end_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_inside_ends_as_if_the_ring_were_open),
		cmocka_unit_test(rings_come_and_go_beside_those_who_use_them),
		cmocka_unit_test(pollers_start_and_stop),
		cmocka_unit_test(a_full_queue_keeps_a_multishot_in_order),
		cmocka_unit_test(a_child_shares_its_parents_rings),
		cmocka_unit_test(a_child_holds_no_file_of_a_request),
		cmocka_unit_test(a_fork_leaves_no_ring_locked_that_ends),
	};

	return cmocka_run_group_tests_name("end", tests, NULL, NULL);
}
