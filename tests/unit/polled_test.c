// SPDX-License-Identifier: MIT
/*
 * IOPOLL rings: reads of an O_DIRECT file. The kernel reads only where the
 * device has polled queues, so that a transcript can't show it.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"

#define PAGE 4096u
#define READS 8u

static char *memory;

/* Page n of it holds the letter n. Negative: no file system here has one. */
static int direct_file(void)
{
	char path[] = "polyring-polled-XXXXXX";
	int plain = mkstemp(path), file;

	assert_true(plain >= 0);
	for (unsigned int i = 0; i < READS; i++) {
		memset(memory, (int)('a' + i), PAGE);
		assert_int_equal(write(plain, memory, PAGE), PAGE);
	}
	fsync(plain);
	file = open(path, O_RDONLY | O_DIRECT);
	unlink(path);
	close(plain);
	return file;
}

static void read_pages(struct ring *ring, int file)
{
	memset(memory, '.', READS * PAGE);
	for (unsigned int i = 0; i < READS; i++) {
		struct io_uring_sqe *sqe =
			ring_sqe(ring, IORING_OP_READ, file, i);

		sqe->addr = (uintptr_t)memory + i * PAGE;
		sqe->len = PAGE;
		sqe->off = i * PAGE;
		ring_push(ring);
	}
	assert_int_equal(ring_submit(ring, READS), READS);
	for (unsigned int i = 0; i < READS; i++)
		assert_int_equal(ring_next(ring).res, PAGE);
	for (unsigned int i = 0; i < READS; i++)
		assert_int_equal(memory[i * PAGE], 'a' + i);
}

static void a_polled_ring_reads_a_direct_file(void **state)
{
	static const uint32_t flags[] = {0, IORING_SETUP_HYBRID_IOPOLL,
					 IORING_SETUP_SINGLE_ISSUER |
						 IORING_SETUP_DEFER_TASKRUN,
					 IORING_SETUP_SQPOLL};
	struct ring ring;
	int file;

	(void)state;
	memory = mmap(NULL, READS * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	file = direct_file();
	for (size_t i = 0; file >= 0 && i < array_size(flags); i++) {
		ring_open(&ring, READS, 0, IORING_SETUP_IOPOLL | flags[i]);
		read_pages(&ring, file);
		read_pages(&ring, file);
		ring_close(&ring);
	}
	if (file >= 0)
		close(file);
	munmap(memory, READS * PAGE);
	expect_nothing_left();
}

int polled_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_polled_ring_reads_a_direct_file),
	};

	return cmocka_run_group_tests_name("polled", tests, NULL, NULL);
}
