// SPDX-License-Identifier: MIT
#include "drive/drive_test.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/inject.h"
#include "drive/aio.h"

#define PAGE 4096u
#define TRANSFERS AIO_BATCH_MAX
#define PATIENCE_MS 20000
#define NOT_YET 1

static struct {
	struct aio aio;
	int event_fd;
	char *memory; /* a page for each transfer */
	struct iovec vectors[TRANSFERS];
	long results[TRANSFERS]; /* NOT_YET, until done */
	unsigned int ended;
} world;

static void transfer_ended(void *owner, long result)
{
	long *slot = owner;

	assert_int_equal(*slot, NOT_YET); /* once */
	*slot = result;
	world.ended++;
}

static int world_open(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.event_fd = eventfd(0, EFD_NONBLOCK);
	world.memory = aligned_alloc(PAGE, TRANSFERS * (size_t)PAGE);
	assert_non_null(world.memory);
	for (size_t i = 0; i < TRANSFERS; i++) {
		world.vectors[i].iov_base = world.memory + i * PAGE;
		world.vectors[i].iov_len = PAGE;
		world.results[i] = NOT_YET;
	}
	return aio_open(&world.aio, world.event_fd, transfer_ended);
}

static int world_close(void **state)
{
	(void)state;
	aio_close(&world.aio);
	close(world.event_fd);
	free(world.memory);
	return 0;
}

/*
 * Where O_DIRECT is not to be had, the page cache has to do. Files in memory
 * know no NOWAIT, which AIO is asked for.
 */
static int file_of_pages(unsigned int pages)
{
	char path[] = "aio-test-XXXXXX";
	int plain = mkstemp(path), fd;
	struct statfs fs;

	assert_int_equal(fstatfs(plain, &fs), 0);
	if (fs.f_type == TMPFS_MAGIC) {
		unlink(path);
		close(plain);
		skip();
	}
	for (unsigned int i = 0; i < pages; i++) {
		memset(world.memory, (int)('a' + i), PAGE);
		assert_int_equal(write(plain, world.memory, PAGE), PAGE);
	}
	fsync(plain);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		fd = open(path, O_RDWR);
	unlink(path);
	close(plain);
	return fd;
}

static void queue_read(int fd, size_t n, uint64_t position)
{
	const struct aio_transfer transfer = {
		.fd = fd,
		.vectors = &world.vectors[n],
		.count = 1,
		.position = position,
	};

	assert_true(aio_has_room(&world.aio));
	aio_queue(&world.aio, &transfer, &world.results[n]);
}

static void reap_until(unsigned int ended)
{
	struct pollfd look = {.fd = world.event_fd, .events = POLLIN};

	while (world.ended < ended) {
		uint64_t count;

		assert_true(aio_reap(&world.aio) >= 0);
		if (world.ended >= ended)
			return;
		/* What ends signals: nobody has to look in vain. */
		assert_int_equal(poll(&look, 1, PATIENCE_MS), 1);
		assert_int_equal(read(world.event_fd, &count, 8), 8);
	}
}

static void a_batch_is_reported_once_each(void **state)
{
	int fd = file_of_pages(8);

	(void)state;
	for (unsigned int i = 0; i < TRANSFERS; i++)
		queue_read(fd, i, (i % 8) * PAGE);
	assert_false(aio_has_room(&world.aio));
	aio_flush(&world.aio);
	assert_true(aio_has_room(&world.aio));
	reap_until(TRANSFERS);
	for (unsigned int i = 0; i < TRANSFERS; i++) {
		assert_int_equal(world.results[i], PAGE);
		assert_int_equal(world.memory[i * PAGE], 'a' + i % 8);
	}
	assert_int_equal(world.aio.under_way, 0);
	close(fd);
}

static void what_cannot_start_keeps_nothing_back(void **state)
{
	int fd = file_of_pages(1);

	(void)state;
	queue_read(-1, 0, 0);
	queue_read(fd, 1, 0);
	queue_read(-1, 2, 0);
	queue_read(fd, 3, -(uint64_t)PAGE);
	queue_read(fd, 4, 0);
	aio_flush(&world.aio);
	reap_until(5);
	assert_int_equal(world.results[0], -EBADF);
	assert_int_equal(world.results[1], PAGE);
	assert_int_equal(world.results[2], -EBADF);
	assert_int_equal(world.results[3], -EINVAL);
	assert_int_equal(world.results[4], PAGE);
	close(fd);
}

static void what_would_wait_says_so(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	queue_read(ends[0], 0, 0);
	aio_flush(&world.aio);
	reap_until(1);
	assert_int_equal(world.results[0], -EAGAIN);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_context_says_so(void **state)
{
	int fd = file_of_pages(1);

	(void)state;
	inject_start();
	inject_number(SYS_io_submit, -EAGAIN);
	queue_read(fd, 0, 0);
	queue_read(fd, 1, 0);
	aio_flush(&world.aio);
	inject_stop();
	assert_int_equal(world.ended, 2);
	assert_int_equal(world.results[0], -EAGAIN);
	assert_int_equal(world.results[1], -EAGAIN);
	close(fd);
}

static void closing_waits_for_what_is_under_way(void **state)
{
	int fd = file_of_pages(8);

	for (unsigned int i = 0; i < TRANSFERS; i++)
		queue_read(fd, i, (i % 8) * PAGE);
	aio_flush(&world.aio);
	aio_close(&world.aio);
	/* Nothing writes there any more. */
	memset(world.memory, 0, TRANSFERS * (size_t)PAGE);
	free(world.memory);
	close(fd);
	close(world.event_fd);
	assert_int_equal(world_open(state), 0);
}

static void no_context_leaves_nothing(void **state)
{
	struct aio other = {.batch = NULL};

	(void)state;
	inject_start();
	inject_number(SYS_io_setup, -EAGAIN);
	assert_int_equal(aio_open(&other, world.event_fd, transfer_ended),
			 -EAGAIN);
	inject_stop();
	assert_null(other.batch);
	inject_start();
	inject_allocation(0);
	assert_int_equal(aio_open(&other, world.event_fd, transfer_ended),
			 -ENOMEM);
	inject_stop();
	aio_close(&other);
}

int aio_tests_run(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(a_batch_is_reported_once_each),
		ROW(what_cannot_start_keeps_nothing_back),
		ROW(what_would_wait_says_so),
		ROW(a_full_context_says_so),
		ROW(closing_waits_for_what_is_under_way),
		ROW(no_context_leaves_nothing),
	};

	return cmocka_run_group_tests_name("aio", tests, NULL, NULL);
}
