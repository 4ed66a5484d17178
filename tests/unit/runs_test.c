// SPDX-License-Identifier: MIT
/*
 * Runs (D6): many reads become one call, and a call that returns less than was
 * asked for changes only the count of calls. That runs give the results of
 * single reads is compared with the kernel (tests/conformance/sched/runs.c).
 */
#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"

#define READS 40u
#define BYTES 24u
#define GROUP 9
#define INC_BYTES 100u

enum kind { PLAIN, RING, INC, CLASSIC };

static unsigned int calls; /* of preadv2 */
static unsigned int vectors_let; /* how many vectors a call is allowed */
static long refuses; /* the result of vector calls, if not 0 */

/*
 * Files in memory do not support NOWAIT, and there may be no others; what
 * matters here is how many bytes a call returns.
 */
static long cut(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != SYS_preadv2)
		return sys_direct(nr, a, b, c, d, e, f);
	calls++;
	if (c > 1 && refuses)
		return refuses;
	if (c > (long)vectors_let)
		c = (long)vectors_let;
	return sys_direct(nr, a, b, c, d, e, 0);
}

static struct {
	struct ring ring;
	struct io_uring_buf_ring *bufs;
	char *memory;
	int file;
} w;

static char byte_at(unsigned int at)
{
	return (char)('!' + at * 7 % 90);
}

static void group_open(enum kind kind)
{
	uint32_t each = kind == INC ? INC_BYTES : BYTES;
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)w.bufs,
		.ring_entries = 64,
		.bgid = GROUP,
		.flags = kind == INC ? IOU_PBUF_RING_INC : 0,
	};

	for (unsigned int i = 0; i < READS; i++) {
		struct io_uring_buf *entry = &w.bufs->first[i];

		entry->addr = (uintptr_t)(w.memory + i * each);
		entry->len = each;
		entry->bid = (uint16_t)i;
	}
	store_release(&w.bufs->tail, READS);
	assert_int_equal(polyring_register(w.ring.fd, IORING_REGISTER_PBUF_RING,
					   &reg, 1),
			 0);
}

static void world_open(enum kind kind)
{
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	ring_open(&w.ring, 2 * READS, 0, 0);
	w.bufs = mmap(NULL, 4096, prot, flags, -1, 0);
	w.memory = mmap(NULL, READS * INC_BYTES, prot, flags, -1, 0);
	w.file = memfd_create("file", MFD_CLOEXEC);
	for (unsigned int i = 0; i < READS * BYTES; i++) {
		char byte = byte_at(i);

		assert_int_equal(write(w.file, &byte, 1), 1);
	}
	if (kind == RING || kind == INC)
		group_open(kind);
	set_invoke(cut);
	calls = 0;
}

static void world_close(void)
{
	set_invoke(NULL);
	close(w.file);
	munmap(w.memory, READS * INC_BYTES);
	munmap(w.bufs, 4096);
	ring_close(&w.ring);
}

static void put_read(unsigned int i, enum kind kind)
{
	struct io_uring_sqe *sqe;

	if (kind == CLASSIC) {
		sqe = ring_sqe(&w.ring, IORING_OP_PROVIDE_BUFFERS, 1, 1000 + i);
		sqe->addr = (uintptr_t)(w.memory + i * BYTES);
		sqe->len = BYTES;
		sqe->off = i;
		sqe->buf_group = GROUP;
		ring_push(&w.ring);
	}
	sqe = ring_sqe(&w.ring, IORING_OP_READ, w.file, i);
	sqe->off = i * BYTES;
	sqe->len = BYTES;
	if (kind == PLAIN)
		sqe->addr = (uintptr_t)(w.memory + i * BYTES);
	else
		sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = kind == PLAIN ? 0 : GROUP;
	ring_push(&w.ring);
}

/* Completions in order, each with its own bytes. */
static void expect_all(enum kind kind)
{
	const uint32_t bid_shift = IORING_CQE_BUFFER_SHIFT;

	for (unsigned int i = 0; i < READS; i++) {
		struct io_uring_cqe cqe = {.res = -1};

		if (kind == CLASSIC) {
			assert_true(ring_pop(&w.ring, &cqe));
			assert_int_equal(cqe.user_data, 1000 + i);
			assert_int_equal(cqe.res, 0);
		}
		assert_true(ring_pop(&w.ring, &cqe));
		assert_int_equal(cqe.user_data, i);
		if (kind == INC)
			continue; /* they get what is left of a buffer */
		assert_int_equal(cqe.res, BYTES);
		if (kind != PLAIN)
			assert_int_equal(cqe.flags >> bid_shift, i);
		for (unsigned int j = 0; j < BYTES; j++)
			assert_int_equal(w.memory[i * BYTES + j],
					 byte_at(i * BYTES + j));
	}
}

static void play(enum kind kind)
{
	world_open(kind);
	for (unsigned int i = 0; i < READS; i++)
		put_read(i, kind);
	assert_int_equal(ring_submit(&w.ring, 2 * READS),
			 kind == CLASSIC ? 2 * READS : READS);
	expect_all(kind);
	world_close();
}

static void D6_reads_that_continue_each_other_are_one_call(void **state)
{
	(void)state;
	vectors_let = 1000;
	for (enum kind kind = PLAIN; kind <= CLASSIC; kind++) {
		play(kind);
		/* An INC buffer's last part is shorter, and then there is a gap
		 * in the file. */
		if (kind != INC)
			assert_true(calls <= 3);
	}
}

static void D6_a_call_that_is_cut_changes_no_answer(void **state)
{
	(void)state;
	for (enum kind kind = PLAIN; kind <= CLASSIC; kind++)
		for (vectors_let = 1; vectors_let <= READS; vectors_let++)
			play(kind);
}

static void D6_a_call_that_fails_changes_no_answer(void **state)
{
	static const long errors[] = {-EAGAIN, -EOPNOTSUPP, -EBADF, -EFAULT,
				      -EIO};

	(void)state;
	vectors_let = 1000;
	for (size_t i = 0; i < array_size(errors); i++) {
		refuses = errors[i];
		for (enum kind kind = PLAIN; kind <= CLASSIC; kind++)
			play(kind);
	}
	refuses = 0;
}

int runs_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			D6_reads_that_continue_each_other_are_one_call),
		cmocka_unit_test(D6_a_call_that_is_cut_changes_no_answer),
		cmocka_unit_test(D6_a_call_that_fails_changes_no_answer),
	};

	return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
