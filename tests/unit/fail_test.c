// SPDX-License-Identifier: MIT
/*
 * A fixed program of requests of all families, run with one allocation or one
 * system call refused: the first, then the second, and so on, until a run makes
 * no further one.
 *
 * Calls that cannot fail are not refused: close(2) and their like always do
 * their work, waking others by futex, eventfd or epoll always succeeds.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"

#define BUFFERS 8
#define BUFFER_BYTES 64
#define RING_GROUP 1
#define CLASSIC_GROUP 2
#define REQUESTS_MAX 64

/* ---- refusing ---- */

static struct {
	long calls, allocations; /* so far */
	long call, allocation; /* which to refuse, -1: none */
	int refused;
} refuse;

static bool is_the_one(long *counter, const long *which)
{
	if (__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED) !=
	    load_relaxed(which))
		return false;
	store_relaxed(&refuse.refused, 1);
	return true;
}

static bool may_fail(long number)
{
	switch (number) {
	case SYS_close:
	case SYS_munmap:
	case SYS_io_destroy:
	case SYS_futex:
	case SYS_sched_yield:
	case SYS_write: /* only to an eventfd */
	case SYS_getpid:
		return false;
	}
	return true;
}

/* Changing what an epoll has takes no memory: drive/waker.h. */
static bool wakes(long number, long how, long event)
{
	return number == SYS_epoll_ctl && how == EPOLL_CTL_MOD &&
	       ((const struct epoll_event *)event)->events & EPOLLONESHOT;
}

static long refusing_invoke(long number, long a, long b, long c, long d, long e,
			    long f)
{
	bool sleeps = number == SYS_epoll_pwait2 || number == SYS_epoll_pwait;

	if (may_fail(number) && !wakes(number, b, d) &&
	    is_the_one(&refuse.calls, &refuse.call))
		return sleeps ? -EINTR : -ENOMEM;
	return sys_direct(number, a, b, c, d, e, f);
}

static void *refusing_source(size_t count, size_t size)
{
	if (is_the_one(&refuse.allocations, &refuse.allocation))
		return NULL;
	return calloc(count, size);
}

static void refuse_begin(long call, long allocation)
{
	store_relaxed(&refuse.calls, 0);
	store_relaxed(&refuse.allocations, 0);
	store_relaxed(&refuse.call, call);
	store_relaxed(&refuse.allocation, allocation);
	store_relaxed(&refuse.refused, 0);
	set_source(refusing_source);
	set_invoke(refusing_invoke);
}

static bool refuse_end(void)
{
	set_source(NULL);
	set_invoke(NULL);
	return load_relaxed(&refuse.refused);
}

/* ---- the world that the program acts on ---- */

static struct {
	int pipe[2]; /* has data */
	int quiet[2]; /* never has */
	int pair[2]; /* data and the end wait at [0] */
	int listener;
	int client;
	struct sockaddr_in address;
	char path[32];
	int direct; /* a file of one page with O_DIRECT, or -1 */
	char page[4096] __attribute__((aligned(4096)));
	char buffers[2][BUFFERS][BUFFER_BYTES];
	struct io_uring_buf_ring *entries;
	struct io_timespec soon;
	char statx[256];
} world;

static void world_open(void)
{
	socklen_t bytes = sizeof(world.address);

	assert_int_equal(pipe(world.pipe), 0);
	assert_int_equal(pipe(world.quiet), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, world.pair), 0);
	assert_int_equal(write(world.pipe[1], "0123456789abcdef", 16), 16);
	assert_int_equal(write(world.pair[1], "0123456789abcdef", 16), 16);
	shutdown(world.pair[1], SHUT_WR);
	world.listener = socket(AF_INET, SOCK_STREAM, 0);
	world.client = socket(AF_INET, SOCK_STREAM, 0);
	world.address.sin_family = AF_INET;
	world.address.sin_port = 0;
	world.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(world.listener, (void *)&world.address, bytes),
			 0);
	getsockname(world.listener, (void *)&world.address, &bytes);
	assert_int_equal(listen(world.listener, 8), 0);
	strcpy(world.path, "/tmp/engine-test-XXXXXX");
	world.direct = mkstemp(world.path);
	assert_int_equal(ftruncate(world.direct, sizeof(world.page)), 0);
	close(world.direct);
	world.direct = open(world.path, O_RDWR | O_DIRECT);
	world.entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(world.entries != MAP_FAILED);
	world.soon.tv_nsec = 1000000;
}

static void world_close(void)
{
	for (int i = 0; i < 2; i++) {
		close(world.pipe[i]);
		close(world.quiet[i]);
		close(world.pair[i]);
	}
	close(world.listener);
	close(world.client);
	close(world.direct);
	unlink(world.path);
	munmap(world.entries, 4096);
}

/* ---- the program ---- */

static struct {
	struct ring ring;
	uint32_t queued;
	uint32_t accepted;
	uint32_t finished;
	uint8_t ends[REQUESTS_MAX]; /* last completions by user_data */
	uint8_t is_open[REQUESTS_MAX]; /* its result is a descriptor */
	uint8_t classic[REQUESTS_MAX]; /* its buffer is a classic one */
	uint32_t provided, consumed; /* of the classic group */
} program;

static struct io_uring_sqe *request(uint8_t opcode, int fd)
{
	return ring_sqe(&program.ring, opcode, fd, program.queued);
}

static void pushed(void)
{
	program.queued++;
	assert_true(program.queued < REQUESTS_MAX);
	ring_push(&program.ring);
}

static void add_transfer(uint8_t opcode, int fd, void *at, uint32_t bytes)
{
	struct io_uring_sqe *sqe = request(opcode, fd);

	sqe->addr = (uintptr_t)at;
	sqe->len = bytes;
	if (opcode == IORING_OP_READ || opcode == IORING_OP_WRITE)
		sqe->off = -1ull;
	pushed();
}

static void add_selecting(uint8_t opcode, int fd, uint16_t group,
			  uint16_t ioprio)
{
	struct io_uring_sqe *sqe = request(opcode, fd);

	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = group;
	sqe->ioprio = ioprio;
	program.classic[program.queued] = group == CLASSIC_GROUP;
	if (opcode == IORING_OP_READ)
		sqe->off = -1ull;
	pushed();
}

/* At a position, so that kernel AIO may do it. */
static void add_direct(uint8_t opcode)
{
	struct io_uring_sqe *sqe = request(opcode, world.direct);

	sqe->addr = (uintptr_t)world.page;
	sqe->len = sizeof(world.page);
	pushed();
}

static void add_timeout(uint8_t opcode)
{
	struct io_uring_sqe *sqe = request(opcode, -1);

	sqe->addr = (uintptr_t)&world.soon;
	sqe->len = 1;
	pushed();
}

static void add_path(uint8_t opcode, uint32_t op_flags)
{
	struct io_uring_sqe *sqe = request(opcode, AT_FDCWD);

	sqe->addr = (uintptr_t)world.path;
	sqe->op_flags = op_flags;
	program.is_open[program.queued] = opcode == IORING_OP_OPENAT;
	if (opcode == IORING_OP_STATX) {
		sqe->len = 0x7ff;
		sqe->off = (uintptr_t)world.statx;
	}
	pushed();
}

static void add_poll(int fd, uint32_t how)
{
	struct io_uring_sqe *sqe = request(IORING_OP_POLL_ADD, fd);

	sqe->op_flags = 1; /* POLLIN */
	sqe->len = how;
	pushed();
}

static void add_connection(void)
{
	struct io_uring_sqe *sqe = request(IORING_OP_ACCEPT, world.listener);

	program.is_open[program.queued] = true;
	pushed();
	sqe = request(IORING_OP_CONNECT, world.client);
	sqe->addr = (uintptr_t)&world.address;
	sqe->off = sizeof(world.address);
	pushed();
}

static void add_provide(void)
{
	struct io_uring_sqe *sqe = request(IORING_OP_PROVIDE_BUFFERS, BUFFERS);

	sqe->addr = (uintptr_t)world.buffers[1];
	sqe->len = BUFFER_BYTES;
	sqe->buf_group = CLASSIC_GROUP;
	pushed();
}

/*
 * A read that never completes, which its timeout cancels, and what is linked
 * behind it.
 */
static void add_chain(void)
{
	static char byte;

	request(IORING_OP_READ, world.quiet[0])->flags = IOSQE_IO_LINK;
	program.ring.sqes[program.queued].addr = (uintptr_t)&byte;
	program.ring.sqes[program.queued].len = 1;
	pushed();
	add_timeout(IORING_OP_LINK_TIMEOUT);
	request(IORING_OP_NOP, -1)->flags = IOSQE_IO_LINK;
	pushed();
	request(IORING_OP_NOP, -1);
	pushed();
	request(IORING_OP_NOP, -1)->flags = IOSQE_IO_DRAIN;
	pushed();
}

static void fill(void)
{
	static char bytes[2][16];

	add_provide(); /* the first: see finished_one() */
	add_selecting(IORING_OP_READ, world.pipe[0], CLASSIC_GROUP, 0);
	add_selecting(IORING_OP_READ, world.quiet[0], CLASSIC_GROUP, 0);
	add_selecting(IORING_OP_RECV, world.pair[0], RING_GROUP,
		      IORING_RECV_MULTISHOT);
	add_selecting(IORING_OP_RECV, world.pair[1], CLASSIC_GROUP, 0);
	add_selecting(IORING_OP_RECV, world.pair[1], RING_GROUP,
		      IORING_RECVSEND_BUNDLE);
	add_transfer(IORING_OP_SEND, world.pair[0], bytes[0], 16);
	add_transfer(IORING_OP_READ, world.listener, bytes[1], 16);
	request(IORING_OP_RECV, 0)->flags = IOSQE_FIXED_FILE;
	pushed();
	add_direct(IORING_OP_READ);
	add_direct(IORING_OP_WRITE);
	add_connection();
	add_timeout(IORING_OP_TIMEOUT);
	add_poll(world.quiet[0], 0);
	add_poll(world.pipe[0], IORING_POLL_ADD_MULTI);
	add_path(IORING_OP_OPENAT, O_RDWR);
	add_path(IORING_OP_OPENAT, O_RDWR | O_TRUNC);
	add_path(IORING_OP_STATX, 0);
	add_transfer(IORING_OP_FSYNC, world.pipe[0], NULL, 0);
	add_chain();
}

/* ---- results ---- */

static void finished_one(const struct io_uring_cqe *cqe)
{
	uint64_t who = cqe->user_data;

	assert_true(who < program.queued);
	if (who == 0 && cqe->res == 0)
		program.provided = BUFFERS;
	if (program.classic[who] && cqe->flags & IORING_CQE_F_BUFFER)
		program.consumed++;
	if (program.is_open[who] && cqe->res >= 0)
		close(cqe->res);
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	assert_int_equal(program.ends[who], 0);
	program.ends[who] = 1;
	program.finished++;
}

static void take_all(void)
{
	struct io_uring_cqe cqe;

	while (ring_pop(&program.ring, &cqe))
		finished_one(&cqe);
}

/* Whatever was refused is tried again. */
static void submit_all(void)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (program.accepted < program.queued) {
		int n = ring_submit(&program.ring,
				    program.queued - program.accepted);

		assert_true(n >= 0 || n == -EAGAIN || n == -ENOMEM);
		assert_true(now_ms() < until);
		program.accepted += n > 0 ? (uint32_t)n : 0;
		take_all();
	}
}

static void wait_a_little(void)
{
	for (int i = 0; i < 3 && program.finished < program.accepted; i++) {
		int err = ring_wait(&program.ring,
				    program.accepted - program.finished, 3);

		assert_true(err == 0 || err == -ETIME || err == -EINTR);
		take_all();
	}
}

/* Cancel requests until none is left. */
static void cancel_rest(void)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (program.finished < program.accepted) {
		struct io_uring_sync_cancel_reg all = {
			.flags = IORING_ASYNC_CANCEL_ANY,
			.timeout = {-1, -1},
		};

		polyring_register(program.ring.fd, IORING_REGISTER_SYNC_CANCEL,
				  &all, 1);
		assert_true(now_ms() < until);
		wait_a_little();
	}
}

/* S11: what was provided was consumed or is still there. */
static void count_buffers(void)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	int64_t until = now_ms() + PATIENCE_MS;

	do {
		sqe = request(IORING_OP_REMOVE_BUFFERS, BUFFERS + 1);
		sqe->buf_group = CLASSIC_GROUP;
		ring_push(&program.ring);
		while (ring_submit(&program.ring, 1) != 1)
			assert_true(now_ms() < until);
		cqe = ring_next(&program.ring);
	} while (cqe.res == -ENOMEM);
	assert_int_equal(program.provided,
			 program.consumed + (cqe.res > 0 ? cqe.res : 0));
}

static void register_all(void)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)world.entries,
		.ring_entries = BUFFERS,
		.bgid = RING_GROUP,
	};
	int32_t files[] = {world.pair[1], -1};
	struct io_uring_buf *entries = (void *)world.entries;
	int fd = program.ring.fd;

	for (uint16_t i = 0; i < BUFFERS; i++)
		entries[i] = (struct io_uring_buf){
			.addr = (uintptr_t)world.buffers[0][i],
			.len = BUFFER_BYTES,
			.bid = i,
		};
	world.entries->tail = BUFFERS;
	polyring_register(fd, IORING_REGISTER_PBUF_RING, &reg, 1);
	polyring_register(fd, IORING_REGISTER_FILES, files, 2);
}

/* Returns the result of setup. */
static int run_program(void)
{
	int err;

	memset(&program, 0, sizeof(program));
	err = ring_try_open(&program.ring, 64, 0);
	if (err < 0)
		return err;
	register_all();
	fill();
	submit_all();
	wait_a_little();
	cancel_rest();
	count_buffers();
	ring_close(&program.ring);
	return 0;
}

/* Calls of the end of the ring may be refused, too. Returns whether one was. */
static bool run_once(long call, long allocation)
{
	bool hit;
	int err;

	world_open();
	refuse_begin(call, allocation);
	err = run_program();
	world_close();
	expect_nothing_left();
	hit = refuse_end();
	assert_true(err == 0 || (hit && (err == -ENOMEM || err == -EAGAIN ||
					 err == -EBADF)));
	return hit;
}

static void survives_each_refused_allocation(void **state)
{
	long n = 0;

	(void)state;
	while (run_once(-1, n))
		n++;
	print_message("%ld allocations refused\n", n);
	assert_true(n > 5);
}

static void survives_each_refused_call(void **state)
{
	long n = 0;

	(void)state;
	while (run_once(n, -1))
		n++;
	print_message("%ld calls refused\n", n);
	assert_true(n > 50);
}

static void survives_without_numbers(void **state)
{
	struct rlimit before, low;
	bool refused = false, served = false;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	for (rlim_t spare = 0; spare < 40; spare++) {
		int err;

		world_open();
		low = before;
		low.rlim_cur = (rlim_t)count_files() - 3 + spare;
		setrlimit(RLIMIT_NOFILE, &low);
		err = run_program();
		setrlimit(RLIMIT_NOFILE, &before);
		assert_true(err == 0 || err == -EMFILE);
		refused |= err == -EMFILE;
		served |= !err;
		world_close();
		expect_nothing_left();
	}
	assert_true(refused);
	assert_true(served);
}

static long invoke_without_proc(long number, long a, long b, long c, long d,
				long e, long f)
{
	if (number == SYS_readlink)
		return -ENOENT;
	return sys_direct(number, a, b, c, d, e, f);
}

static void eventfds_are_known_without_proc(void **state)
{
	int event = eventfd(3, EFD_NONBLOCK), ends[2];
	struct ring ring;
	eventfd_t value;
	const struct {
		int fd;
		int answer;
	} rows[] = {{-1, -EBADF}, {99999, -EBADF}, {0, -EINVAL}, {1, 0}};

	(void)state;
	assert_int_equal(pipe(ends), 0);
	ring_open(&ring, 4, 8, 0);
	set_invoke(invoke_without_proc);
	for (size_t i = 0; i < array_size(rows); i++) {
		int fd = rows[i].fd == 0   ? ends[0]
			 : rows[i].fd == 1 ? event
					   : rows[i].fd;

		assert_int_equal(polyring_register(ring.fd,
						   IORING_REGISTER_EVENTFD, &fd,
						   1),
				 rows[i].answer);
	}
	set_invoke(NULL);
	assert_int_equal(eventfd_read(event, &value), 0);
	assert_int_equal(value, 3);
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
	close(event);
}

int fail_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_each_refused_allocation),
		cmocka_unit_test(survives_each_refused_call),
		cmocka_unit_test(survives_without_numbers),
		cmocka_unit_test(eventfds_are_known_without_proc),
	};

	return cmocka_run_group_tests_name("fail", tests, NULL, NULL);
}
