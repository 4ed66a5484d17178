// SPDX-License-Identifier: MIT
/*
 * polyring_group_low_water(), _share() and _counters(), on rings that read from
 * /dev/zero into provided buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "polyring/kbuf.h"
#include "polyring/polyring.h"

#define BGID 7
#define ENTRIES 8u
#define EACH 64u

struct world {
	struct io_uring_params params;
	int fd;
	int zero;
	int event;
	char *memory; /* of the queues */
	struct io_uring_sqe *sqes;
	struct io_uring_buf_ring *bufs;
	char bytes[ENTRIES * EACH];
	uint16_t tail;
};

static void *map(const struct world *w, size_t bytes, uint64_t offset)
{
	long at = polyring_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				w->fd, offset);

	assert_true(at > 0);
	return (void *)at;
}

static uint32_t *word(const struct world *w, uint32_t offset)
{
	return (uint32_t *)(void *)(w->memory + offset);
}

/* A ring without buffers. */
static void world_open(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->params.flags = IORING_SETUP_NO_SQARRAY;
	w->fd = polyring_setup(4, &w->params);
	assert_true(w->fd >= 0);
	w->zero = open("/dev/zero", O_RDONLY);
	w->event = eventfd(0, EFD_NONBLOCK);
	w->memory = map(w, 4096, IORING_OFF_SQ_RING);
	w->sqes = map(w, 4096, IORING_OFF_SQES);
}

static void world_close(struct world *w)
{
	munmap(w->sqes, 4096);
	munmap(w->memory, 4096);
	close(w->zero);
	close(w->event);
	close(w->fd);
}

static int setup(void **state)
{
	static struct world w;
	struct io_uring_buf_reg reg = {.ring_entries = ENTRIES, .bgid = BGID};

	world_open(&w);
	w.bufs = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.ring_addr = (uintptr_t)w.bufs;
	assert_int_equal(
		polyring_register(w.fd, IORING_REGISTER_PBUF_RING, &reg, 1), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	munmap(w->bufs, 4096);
	world_close(w);
	return 0;
}

static void give(struct world *w, unsigned int count)
{
	while (count--) {
		uint16_t slot = w->tail % ENTRIES;
		struct io_uring_buf *buf =
			(struct io_uring_buf *)w->bufs + slot;

		buf->addr = (uintptr_t)&w->bytes[slot * EACH];
		buf->len = EACH;
		buf->bid = slot;
		store_release(&w->bufs->tail, ++w->tail);
	}
}

static struct io_uring_sqe *read_sqe(struct world *w, int fd, uint16_t bgid)
{
	uint32_t *tail = word(w, w->params.sq_off.tail);
	struct io_uring_sqe *sqe = &w->sqes[*tail & (w->params.sq_entries - 1)];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->fd = fd;
	sqe->buf_group = bgid;
	store_release(tail, *tail + 1);
	return sqe;
}

static int enter(const struct world *w, uint32_t submit, uint32_t wait)
{
	return polyring_enter(w->fd, submit, wait, IORING_ENTER_GETEVENTS, NULL,
			      0);
}

/* The result of the next completion, which must be there. */
static int next_result(struct world *w)
{
	const struct io_cqring_offsets *cq = &w->params.cq_off;
	const struct io_uring_cqe *cqes = (const void *)(w->memory + cq->cqes);
	uint32_t *head = word(w, cq->head);
	int res;

	assert_int_not_equal(*head, load_acquire(word(w, cq->tail)));
	res = cqes[*head & (w->params.cq_entries - 1)].res;
	store_release(head, *head + 1);
	return res;
}

/* Read once into the next buffer; returns the result. */
static int take(struct world *w)
{
	read_sqe(w, w->zero, BGID);
	assert_int_equal(enter(w, 1, 1), 1);
	return next_result(w);
}

/* The eventfd's count since the last call. */
static uint64_t signals(const struct world *w)
{
	uint64_t count = 0;

	return read(w->event, &count, sizeof(count)) > 0 ? count : 0;
}

static void X1_signals_before_ENOBUFS(void **state)
{
	struct world *w = *state;

	give(w, 4);
	assert_int_equal(polyring_group_low_water(w->fd, BGID, 3, w->event), 0);
	assert_int_equal(take(w), EACH);
	assert_int_equal(signals(w), 0);
	assert_int_equal(take(w), EACH);
	assert_int_equal(signals(w), 1);
	assert_int_equal(take(w), EACH);
	assert_int_equal(take(w), EACH);
	assert_int_equal(take(w), -ENOBUFS);
	assert_int_equal(signals(w), 0);
	/* Turned off. */
	assert_int_equal(polyring_group_low_water(w->fd, BGID, 0, -1), 0);
	give(w, 4);
	while (take(w) > 0)
		;
	assert_int_equal(signals(w), 0);
}

static void X3_counts_what_became_of_buffers(void **state)
{
	struct world *w = *state;
	struct kbuf_counters now;

	give(w, 3);
	assert_int_equal(take(w), EACH);
	assert_int_equal(take(w), EACH);
	assert_int_equal(polyring_group_counters(w->fd, BGID, &now), 0);
	assert_int_equal(now.provided, 3);
	assert_int_equal(now.committed, 2);
	assert_int_equal(now.queued, 1);
	assert_int_equal(now.starved, 0);
	take(w);
	take(w);
	assert_int_equal(polyring_group_counters(w->fd, BGID, &now), 0);
	assert_int_equal(now.committed, 3);
	assert_int_equal(now.starved, 1);
}

static void X2_two_rings_take_from_one_pool(void **state)
{
	struct world *w = *state, other;
	struct kbuf_counters now;

	world_open(&other);
	assert_int_equal(polyring_group_share(w->fd, BGID, other.fd, BGID), 0);
	give(w, 3);
	assert_int_equal(take(&other), EACH);
	assert_int_equal(take(w), EACH);
	assert_int_equal(take(&other), EACH);
	assert_int_equal(take(w), -ENOBUFS);
	assert_int_equal(take(&other), -ENOBUFS);
	assert_int_equal(polyring_group_counters(other.fd, BGID, &now), 0);
	assert_int_equal(now.committed, 3);
	assert_int_equal(now.starved, 2);
	world_close(&other);
	give(w, 1);
	assert_int_equal(take(w), EACH);
}

static void X2_a_pool_outlives_the_ring_that_made_it(void **state)
{
	struct world *w = *state, other;
	struct io_uring_buf_reg reg = {.bgid = BGID};

	world_open(&other);
	assert_int_equal(polyring_group_share(w->fd, BGID, other.fd, BGID), 0);
	give(w, 2);
	assert_int_equal(
		polyring_register(w->fd, IORING_UNREGISTER_PBUF_RING, &reg, 1),
		0);
	assert_int_equal(take(w), -ENOBUFS);
	assert_int_equal(take(&other), EACH);
	/* And back. */
	assert_int_equal(polyring_group_share(other.fd, BGID, w->fd, BGID), 0);
	world_close(&other);
	assert_int_equal(take(w), EACH);
}

static uint64_t oldest(const struct world *w, uint16_t bgid)
{
	struct kbuf_counters now;

	assert_int_equal(polyring_group_counters(w->fd, bgid, &now), 0);
	return now.oldest_ns;
}

static void provide_classic(struct world *w, uint16_t bgid)
{
	struct io_uring_sqe *sqe = read_sqe(w, 1, bgid);

	sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
	sqe->flags = 0;
	sqe->addr = (uintptr_t)w->bytes;
	sqe->len = EACH;
	assert_int_equal(enter(w, 1, 1), 1);
	assert_int_equal(next_result(w), 0);
}

/* For a classic buffer that a READ of a pipe keeps while it waits. */
static void X3_tells_how_long_a_buffer_has_been_held(void **state)
{
	struct world *w = *state;
	uint64_t first;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	give(w, 1);
	provide_classic(w, 9);
	read_sqe(w, ends[0], BGID);
	read_sqe(w, ends[0], 9);
	assert_int_equal(enter(w, 2, 0), 2);
	first = oldest(w, 9);
	assert_true(first > 0);
	assert_true(oldest(w, 9) >= first);
	assert_int_equal(oldest(w, BGID), 0);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	close(ends[1]);
	assert_int_equal(enter(w, 0, 2), 0);
	assert_int_equal(oldest(w, 9), 0);
	close(ends[0]);
}

struct reader {
	const struct world *w;
	bool stop;
	uint64_t last;
};

static void *read_counters(void *argument)
{
	struct reader *reader = argument;
	struct kbuf_counters now;

	while (!load_acquire(&reader->stop)) {
		if (polyring_group_counters(reader->w->fd, BGID, &now) < 0 ||
		    now.committed < reader->last)
			return reader;
		reader->last = now.committed;
	}
	return NULL;
}

static void X3_can_be_read_beside_anything(void **state)
{
	struct world *w = *state;
	struct reader reader = {.w = w};
	pthread_t thread;
	void *failed;

	assert_int_equal(pthread_create(&thread, NULL, read_counters, &reader),
			 0);
	for (int i = 0; i < 20000; i++) {
		give(w, 1);
		assert_int_equal(take(w), EACH);
	}
	store_release(&reader.stop, true);
	pthread_join(thread, &failed);
	assert_null(failed);
}

static void errors_are_told(void **state)
{
	struct world *w = *state;
	struct kbuf_counters now;

	assert_int_equal(polyring_group_low_water(-1, BGID, 1, -1), -EBADF);
	assert_int_equal(polyring_group_low_water(w->zero, BGID, 1, -1),
			 -EOPNOTSUPP);
	assert_int_equal(polyring_group_low_water(w->fd, 8, 1, -1), -ENOENT);
	assert_int_equal(polyring_group_low_water(w->fd, BGID, 1, 12345),
			 -EBADF);
	assert_int_equal(polyring_group_low_water(w->fd, BGID, 1, w->zero),
			 -EINVAL);
	assert_int_equal(polyring_group_share(-1, BGID, w->fd, 1), -EBADF);
	assert_int_equal(polyring_group_share(w->fd, BGID, w->zero, 1),
			 -EOPNOTSUPP);
	assert_int_equal(polyring_group_share(w->fd, 8, w->fd, 1), -ENOENT);
	assert_int_equal(polyring_group_share(w->fd, BGID, w->fd, BGID),
			 -EEXIST);
	assert_int_equal(polyring_group_counters(-1, BGID, &now), -EBADF);
	assert_int_equal(polyring_group_counters(w->zero, BGID, &now),
			 -EOPNOTSUPP);
	assert_int_equal(polyring_group_counters(w->fd, 8, &now), -ENOENT);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(X1_signals_before_ENOBUFS),
		ROW(X2_two_rings_take_from_one_pool),
		ROW(X2_a_pool_outlives_the_ring_that_made_it),
		ROW(X3_counts_what_became_of_buffers),
		ROW(X3_tells_how_long_a_buffer_has_been_held),
		ROW(X3_can_be_read_beside_anything),
		ROW(errors_are_told),
	};

	return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
