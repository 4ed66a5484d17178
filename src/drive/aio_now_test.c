// SPDX-License-Identifier: MIT
#include "drive/drive_test.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/inject.h"
#include "drive/aio_now.h"

#define PAGE 4096u
#define READS AIO_NOW_MAX

static struct {
	struct aio_now *now;
	char *memory; /* a page for each read */
	int fd;
} world;

/* Files in memory know no NOWAIT, which every read has. */
static int file_of_pages(void)
{
	char path[] = "aio-now-test-XXXXXX";
	int fd = mkstemp(path);
	struct statfs fs;

	assert_int_equal(fstatfs(fd, &fs), 0);
	unlink(path);
	if (fs.f_type == TMPFS_MAGIC) {
		close(fd);
		return -1;
	}
	for (unsigned int i = 0; i < READS; i++) {
		memset(world.memory, (int)(i + 1), PAGE);
		assert_int_equal(write(fd, world.memory, PAGE), PAGE);
	}
	fsync(fd);
	return fd;
}

static int world_open(void **state)
{
	(void)state;
	world.memory = aligned_alloc(PAGE, READS * (size_t)PAGE);
	assert_non_null(world.memory);
	world.fd = file_of_pages();
	world.now = aio_now_open();
	memset(world.memory, 0, READS * (size_t)PAGE);
	return world.now ? 0 : -1;
}

static int world_close(void **state)
{
	(void)state;
	aio_now_close(world.now);
	if (world.fd >= 0)
		close(world.fd);
	free(world.memory);
	return 0;
}

/* The last page first. */
static void set_all(int fd)
{
	for (uint32_t i = 0; i < READS; i++)
		aio_now_set(world.now, i, fd, world.memory + i * PAGE, PAGE,
			    (READS - 1 - i) * PAGE);
}

static bool has_page(uint32_t read)
{
	const char *at = world.memory + read * PAGE;

	return world.now->results[read] == PAGE &&
	       at[0] == (char)(READS - read);
}

static void each_read_has_its_own_result(void **state)
{
	(void)state;
	if (world.fd < 0)
		skip();
	/* Often enough for the ring of events to begin anew. */
	for (int round = 0; round < 20; round++) {
		set_all(world.fd);
		world.now->entries[7].aio_offset = (READS - 1) * PAGE + 100;
		world.now->entries[9].aio_buf = 1;
		aio_now_run(world.now, READS);
		assert_int_equal(world.now->results[7], PAGE - 100);
		assert_int_equal(world.now->results[9], -EFAULT);
		for (uint32_t i = 0; i < READS; i++)
			assert_true(i == 7 || i == 9 || has_page(i));
	}
}

static void what_is_refused_leaves_the_rest(void **state)
{
	(void)state;
	if (world.fd < 0)
		skip();
	set_all(world.fd);
	world.now->entries[5].aio_fildes = (uint32_t)-1;
	aio_now_run(world.now, READS);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(has_page(i));
	for (uint32_t i = 5; i < READS; i++)
		assert_int_equal(world.now->results[i], -EAGAIN);
}

/* An O_DIRECT file answers later; where there is none, at once. */
static void late_answers_are_waited_for(void **state)
{
	char path[32];
	int fd;

	(void)state;
	if (world.fd < 0)
		skip();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", world.fd);
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0)
		skip();
	set_all(fd);
	aio_now_run(world.now, READS);
	for (uint32_t i = 0; i < READS; i++)
		assert_true(has_page(i) || world.now->results[i] == -EAGAIN);
	close(fd);
}

static void no_call_leaves_all(void **state)
{
	(void)state;
	set_all(world.fd);
	inject_start();
	inject_number(SYS_io_submit, -EPERM);
	aio_now_run(world.now, READS);
	inject_stop();
	for (uint32_t i = 0; i < READS; i++)
		assert_int_equal(world.now->results[i], -EAGAIN);
}

/* Closing keeps one, so that rings that follow one another share it. */
static void one_is_kept(void **state)
{
	struct aio_now *second = aio_now_open(), *third;

	(void)state;
	assert_non_null(second);
	aio_now_close(second);
	third = aio_now_open();
	assert_ptr_equal(third, second);
	aio_now_close(world.now);
	aio_now_close(third);
	world.now = aio_now_open();
	assert_ptr_equal(world.now, third);
}

static void a_child_has_none(void **state)
{
	struct aio_now *second = aio_now_open();

	(void)state;
	aio_now_close(second);
	aio_now_forget();
	inject_start();
	inject_number(SYS_io_setup, -EAGAIN);
	assert_null(aio_now_open());
	inject_stop();
}

static void no_context_is_null(void **state)
{
	(void)state;
	aio_now_forget();
	inject_start();
	inject_number(SYS_io_setup, -EAGAIN);
	assert_null(aio_now_open());
	inject_stop();
	inject_start();
	inject_allocation(0);
	assert_null(aio_now_open());
	inject_stop();
	aio_now_close(NULL);
	aio_now_abandon(NULL);
}

int aio_now_tests_run(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)
	const struct CMUnitTest tests[] = {
		ROW(each_read_has_its_own_result),
		ROW(what_is_refused_leaves_the_rest),
		ROW(late_answers_are_waited_for),
		ROW(no_call_leaves_all),
		ROW(one_is_kept),
		ROW(a_child_has_none),
		ROW(no_context_is_null),
	};

	return cmocka_run_group_tests_name("aio_now", tests, NULL, NULL);
}
