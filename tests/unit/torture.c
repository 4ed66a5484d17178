// SPDX-License-Identifier: MIT
/*
 * Provided buffers, with everything that may run in parallel.
 *
 *	torture [--seconds N] [--inc]
 *
 * Theory: three rings with a thread each read into buffers of three groups: one
 * that all share, a ring of their own, a classic one. Half of the reads go to
 * workers, which select buffers in parallel with the ring's thread. Meanwhile
 * other threads map the groups, ask for their status and counters, register,
 * share and unregister groups, and open and close rings that share the pool.
 * Ring 0 never leaves it, the others come and go.
 *
 * Checked: a buffer that was received is marked, and the mark must stay until
 * the buffer is given back, or another request used it, too (S11); the bytes
 * read are those of the file; each call returns an allowed result; and at the
 * end every buffer is back in its group, and the counters add up (kbuf/group.h,
 * (a) to (h)). Thread sanitizer judges the rest.
 *
 * Without --seconds each thread does a fixed number of rounds. It prints its
 * progress every second.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "polyring/kbuf.h"
#include "unit.h"

#define RINGS 3u
#define SHARED 1 /* groups */
#define OWN 2
#define CLASSIC 3
#define FLEETING 4 /* registered and unregistered on every ring */
#define BUFFERS 8u
#define BUFFER_BYTES 64u
#define FILE_BYTES 4096u
#define BATCH 8u
#define ROUNDS 400u
#define MARK 0xee

/* A group's buffers, and the application's side of its ring. */
struct buffers {
	uint8_t memory[BUFFERS][BUFFER_BYTES];
	uint32_t used[BUFFERS]; /* INC: bytes used so far; of its one ring */
	struct io_uring_buf_ring *ring; /* NULL: classic */
	pthread_mutex_t publish;
};

struct reader {
	struct ring ring;
	struct buffers own, classic;
	uint32_t index;
	uint32_t random;
	uint32_t in_flight;
	uint32_t offset[BATCH]; /* of each request in the file */
	uint64_t buffers; /* that came */
	pthread_t thread;
};

static struct reader readers[RINGS];
static struct buffers pool;
static int file_fd;
static int idle[2]; /* a pipe into which nobody writes */
static bool inc;
static int64_t end_ns; /* 0: a number of rounds */
static bool over;
static const char *wrong;

static void expect(bool is_so, const char *what)
{
	if (!is_so)
		store_relaxed(&wrong, what);
}

static uint32_t dice(uint32_t *random, uint32_t sides)
{
	*random = *random * 1103515245 + 12345;
	return (*random >> 16) % sides;
}

static uint8_t byte_at(uint32_t offset)
{
	return (uint8_t)(offset * 7 + offset / 256);
}

/* ---- the application's side of a group ---- */

static void publish(struct buffers *of, uint16_t bid)
{
	struct io_uring_buf *entry;

	pthread_mutex_lock(&of->publish);
	entry = &of->ring->first[of->ring->tail & (BUFFERS - 1)];
	entry->addr = (uintptr_t)of->memory[bid];
	entry->len = BUFFER_BYTES;
	entry->bid = bid;
	store_release(&of->ring->tail, (uint16_t)(of->ring->tail + 1));
	pthread_mutex_unlock(&of->publish);
}

static void provide(struct reader *me, uint16_t first, uint32_t count)
{
	struct io_uring_sqe *sqe = ring_sqe(
		&me->ring, IORING_OP_PROVIDE_BUFFERS, (int)count, UINT64_MAX);

	sqe->addr = (uintptr_t)me->classic.memory[first];
	sqe->len = BUFFER_BYTES;
	sqe->off = first;
	sqe->buf_group = CLASSIC;
	ring_push(&me->ring);
	expect(ring_submit(&me->ring, 1) == 1, "a provide is not taken");
	me->in_flight++;
}

static struct buffers *buffers_of(struct reader *me, uint64_t group)
{
	return group == SHARED ? &pool : group == OWN ? &me->own : &me->classic;
}

/* A ring in the engine's memory, mapped and filled. */
static void buffers_open(struct ring *ring, uint16_t bgid, struct buffers *of)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = BUFFERS,
		.bgid = bgid,
		.flags = IOU_PBUF_RING_MMAP,
	};
	long map;

	if (inc)
		reg.flags |= IOU_PBUF_RING_INC;
	assert_int_equal(
		polyring_register(ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1),
		0);
	map = polyring_mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
		IORING_OFF_PBUF_RING | (uint64_t)bgid << IORING_OFF_PBUF_SHIFT);
	assert_true(map > 0);
	of->ring = (void *)map;
	pthread_mutex_init(&of->publish, NULL);
	for (uint16_t bid = 0; bid < BUFFERS; bid++)
		publish(of, bid);
}

/* ---- readers ---- */

/*
 * @bytes of the file's @offset have come into @at; the reader owns the buffer
 * now.
 */
static void look_at(const struct buffers *of, uint8_t *at, uint32_t bytes,
		    uint32_t offset)
{
	expect(at >= of->memory[0] &&
		       at + bytes <= of->memory[0] + sizeof(of->memory),
	       "bytes beyond their buffer");
	for (uint32_t i = 0; i < bytes; i++)
		expect(at[i] == byte_at(offset + i), "other bytes were read");
	memset(at, MARK, bytes);
	sched_yield();
	for (uint32_t i = 0; i < bytes; i++)
		expect(at[i] == MARK, "a buffer is held twice (S11)");
}

/*
 * The buffer's last user published it, and the engine saw that through another
 * mapping of the page. Thread sanitizer can't follow that order.
 */
static void follow_publisher(struct buffers *of)
{
	if (!of->ring)
		return;
	pthread_mutex_lock(&of->publish);
	pthread_mutex_unlock(&of->publish);
}

static void buffer_came(struct reader *me, const struct io_uring_cqe *cqe)
{
	uint64_t group = cqe->user_data >> 32;
	uint32_t offset = me->offset[(uint32_t)cqe->user_data];
	struct buffers *of = buffers_of(me, group);
	uint16_t bid = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	expect(bid < BUFFERS && cqe->res > 0, "no such buffer");
	if (load_relaxed(&wrong))
		return;
	store_relaxed(&me->buffers, me->buffers + 1);
	follow_publisher(of);
	look_at(of, of->memory[bid] + of->used[bid], (uint32_t)cqe->res,
		offset);
	if (cqe->flags & IORING_CQE_F_BUF_MORE) {
		of->used[bid] += (uint32_t)cqe->res;
		return;
	}
	of->used[bid] = 0;
	if (of->ring)
		publish(of, bid);
	else
		provide(me, bid, 1);
}

static void completed(struct reader *me, const struct io_uring_cqe *cqe)
{
	me->in_flight--;
	if (cqe->user_data == UINT64_MAX)
		expect(cqe->res == 0, "a provide fails");
	else if (cqe->flags & IORING_CQE_F_BUFFER)
		buffer_came(me, cqe);
	else
		expect(cqe->res == -ENOBUFS, "a read without a buffer");
}

static void finish_all(struct reader *me)
{
	struct io_uring_cqe cqe;

	while (me->in_flight && !load_relaxed(&wrong)) {
		ring_wait(&me->ring, 1, -1);
		while (ring_pop(&me->ring, &cqe))
			completed(me, &cqe);
	}
}

static void read_some(struct reader *me, uint32_t number)
{
	uint32_t group = SHARED + dice(&me->random, 3);
	uint32_t bytes = 1 + dice(&me->random, BUFFER_BYTES);
	struct io_uring_sqe *sqe = ring_sqe(&me->ring, IORING_OP_READ, file_fd,
					    (uint64_t)group << 32 | number);

	me->offset[number] = dice(&me->random, FILE_BYTES - BUFFER_BYTES);
	sqe->off = me->offset[number];
	sqe->len = bytes;
	sqe->flags = IOSQE_BUFFER_SELECT;
	/*
	 * One part of a buffer at a time, because the order of several is
	 * unknown.
	 */
	if (!inc && dice(&me->random, 2))
		sqe->flags |= IOSQE_ASYNC;
	sqe->buf_group = (uint16_t)group;
	ring_push(&me->ring);
	me->in_flight++;
}

static void one_batch(struct reader *me)
{
	uint32_t count = 1 + dice(&me->random, BATCH);

	for (uint32_t i = 0; i < count; i++)
		read_some(me, i);
	expect(ring_submit(&me->ring, count) == (int)count, "submit");
	finish_all(me);
}

/* Leave the pool and share it again, through a ring that is in it. */
static void leave_and_join(struct reader *me)
{
	struct io_uring_buf_reg reg = {.bgid = SHARED};
	uint32_t from = dice(&me->random, RINGS);
	int err;

	/* A partly used buffer would be lost. */
	if (inc)
		return;
	err = polyring_register(me->ring.fd, IORING_UNREGISTER_PBUF_RING, &reg,
				1);
	expect(!err, "a ring leaves the pool");
	err = polyring_group_share(readers[from].ring.fd, SHARED, me->ring.fd,
				   SHARED);
	if (err == -ENOENT)
		err = polyring_group_share(readers[0].ring.fd, SHARED,
					   me->ring.fd, SHARED);
	expect(!err, "a ring joins the pool");
}

static bool time_is_up(uint32_t round)
{
	if (load_relaxed(&wrong))
		return true;
	return end_ns ? clock_now_ns(CLOCK_MONOTONIC) > end_ns
		      : round >= ROUNDS;
}

static void *reader_runs(void *argument)
{
	struct reader *me = argument;

	for (uint32_t round = 0; !time_is_up(round); round++) {
		one_batch(me);
		if (me->index && !dice(&me->random, 8))
			leave_and_join(me);
	}
	return NULL;
}

static void reader_open(struct reader *me, uint32_t index)
{
	me->index = index;
	me->random = index + 1;
	ring_open(&me->ring, 2 * BATCH, 128, 0);
	buffers_open(&me->ring, OWN, &me->own);
	provide(me, 0, BUFFERS);
	finish_all(me);
	if (index)
		assert_int_equal(polyring_group_share(readers[0].ring.fd,
						      SHARED, me->ring.fd,
						      SHARED),
				 0);
	else
		buffers_open(&me->ring, SHARED, &pool);
}

/* ---- beside them ---- */

static int any_fd(uint32_t *random)
{
	return readers[dice(random, RINGS)].ring.fd;
}

static uint16_t any_group(uint32_t *random)
{
	return (uint16_t)(SHARED + dice(random, 4));
}

/* mmap (d), status, counters (a) to (c). */
static void *watcher_runs(void *argument)
{
	uint32_t random = (uint32_t)(uintptr_t)argument;
	struct kbuf_counters now;

	while (!load_acquire(&over)) {
		int fd = any_fd(&random), err;
		uint16_t bgid = any_group(&random);
		struct io_uring_buf_status status = {.buf_group = bgid};
		long map = polyring_mmap(
			NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			IORING_OFF_PBUF_RING |
				(uint64_t)bgid << IORING_OFF_PBUF_SHIFT);

		if (map > 0) {
			load_relaxed((uint16_t *)(map + 14));
			munmap((void *)map, 4096);
		}
		expect(map > 0 || map == -ENOMEM || map == -EINVAL, "mmap");
		err = polyring_group_counters(fd, bgid, &now);
		expect(!err || err == -ENOENT, "counters");
		expect(err || now.queued <= BUFFERS, "too many are queued");
		err = polyring_register(fd, IORING_REGISTER_PBUF_STATUS,
					&status, 1);
		expect(!err || err == -ENOENT || err == -EINVAL, "status");
		sched_yield();
	}
	return NULL;
}

/* Register, share and unregister a group that no read uses. */
static void one_fleeting(uint32_t *random)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 8,
		.bgid = FLEETING,
		.flags = IOU_PBUF_RING_MMAP,
	};
	int fd = any_fd(random), err;

	err = polyring_register(fd, IORING_REGISTER_PBUF_RING, &reg, 1);
	expect(!err || err == -EEXIST, "register");
	err = polyring_group_share(fd, FLEETING, any_fd(random), FLEETING);
	expect(!err || err == -EEXIST || err == -ENOENT, "share");
	reg.flags = 0;
	err = polyring_register(any_fd(random), IORING_UNREGISTER_PBUF_RING,
				&reg, 1);
	expect(!err || err == -ENOENT, "unregister");
}

/* A ring that shares the pool and ends with a request that waits for it. */
static void one_passer_by(uint32_t *random)
{
	struct io_uring_sqe *sqe;
	struct ring ring;
	int err;

	ring_open(&ring, 4, 0, 0);
	err = polyring_group_share(any_fd(random), SHARED, ring.fd, SHARED);
	expect(!err || err == -ENOENT, "a passer-by joins the pool");
	sqe = ring_sqe(&ring, IORING_OP_READ, idle[0], 1);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = SHARED;
	ring_push(&ring);
	expect(ring_submit(&ring, 1) == 1, "submit");
	ring_close(&ring);
}

static void *churner_runs(void *argument)
{
	uint32_t random = (uint32_t)(uintptr_t)argument;

	while (!load_acquire(&over)) {
		one_fleeting(&random);
		if (!dice(&random, 8))
			one_passer_by(&random);
		sched_yield();
	}
	return NULL;
}

/* ---- the end ---- */

/* When no buffer is held, except those that INC rings have partly used. */
static void group_check(int fd, uint16_t bgid)
{
	struct kbuf_counters now;

	assert_int_equal(polyring_group_counters(fd, bgid, &now), 0);
	assert_in_range(now.queued, inc ? BUFFERS - RINGS : BUFFERS, BUFFERS);
	if (!inc)
		assert_true(now.provided ==
			    now.queued + now.committed + now.returned);
	assert_true(now.selected == now.committed + now.partial + now.recycled);
}

static void report(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < RINGS; i++)
		sum += load_relaxed(&readers[i].buffers);
	print_message("# torture: %llu buffers\n", (unsigned long long)sum);
}

static void *reporter_runs(void *argument)
{
	for (int i = 1; !load_acquire(&over); i++) {
		usleep(100000);
		if (i % 10 == 0)
			report();
	}
	return argument;
}

static void make_files(void)
{
	char name[] = "/tmp/polyring-torture-XXXXXX";
	uint8_t bytes[FILE_BYTES];

	for (uint32_t i = 0; i < FILE_BYTES; i++)
		bytes[i] = byte_at(i);
	file_fd = mkstemp(name);
	assert_true(file_fd >= 0);
	unlink(name);
	assert_int_equal(pipe(idle), 0);
	assert_int_equal(write(file_fd, bytes, FILE_BYTES), FILE_BYTES);
}

static void a_to_h_S11_every_buffer_is_in_one_place(void **state)
{
	static void *(*const others[])(void *argument) = {
		watcher_runs, watcher_runs, churner_runs, reporter_runs};
	pthread_t threads[array_size(others)];

	(void)state;
	make_files();
	for (uint32_t i = 0; i < RINGS; i++)
		reader_open(&readers[i], i);
	for (uintptr_t i = 0; i < array_size(others); i++)
		pthread_create(&threads[i], NULL, others[i], (void *)(i + 100));
	for (uint32_t i = 0; i < RINGS; i++)
		pthread_create(&readers[i].thread, NULL, reader_runs,
			       &readers[i]);
	for (uint32_t i = 0; i < RINGS; i++)
		pthread_join(readers[i].thread, NULL);
	store_release(&over, true);
	for (uint32_t i = 0; i < array_size(others); i++)
		pthread_join(threads[i], NULL);
	if (wrong)
		fail_msg("%s", wrong);
	for (uint32_t i = 0; i < RINGS; i++) {
		group_check(readers[i].ring.fd, SHARED);
		group_check(readers[i].ring.fd, OWN);
		group_check(readers[i].ring.fd, CLASSIC);
	}
	for (uint32_t i = 0; i < RINGS; i++)
		ring_close(&readers[i].ring);
	report();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_to_h_S11_every_buffer_is_in_one_place),
	};
	const char *asked = getenv("TORTURE_SECONDS");
	int64_t seconds = asked ? atoll(asked) : 0;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--inc"))
			inc = true;
		else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			seconds = atoll(argv[++i]);
		else
			return 2;
	if (seconds)
		end_ns = clock_now_ns(CLOCK_MONOTONIC) + seconds * NS_PER_SEC;
	return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
