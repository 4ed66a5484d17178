// SPDX-License-Identifier: MIT
/*
 * libc's syscall() and mmap(): all six arguments arrive, errno is set on
 * failure and left alone on success, for io_uring's calls and for others.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tap.h"

static int fails_with(long result, int error)
{
	return result == -1 && errno == error;
}

static void test_errno(void)
{
	struct io_uring_params params = {0};
	long fd;

	errno = 0;
	CHECK("setup_of_no_entries_is_EINVAL",
	      fails_with(syscall(425, 0, &params), EINVAL));
	errno = 0;
	CHECK("setup_without_params_is_EFAULT",
	      fails_with(syscall(425, 1, NULL), EFAULT));
	errno = 0;
	CHECK("enter_of_no_ring_is_EBADF",
	      fails_with(syscall(426, -1, 1, 0, 0, NULL, 0), EBADF));
	errno = 0;
	CHECK("register_of_no_ring_is_EBADF",
	      fails_with(syscall(427, 987, 0, NULL, 0), EBADF));
	errno = 0;
	CHECK("an_unknown_call_is_ENOSYS", fails_with(syscall(100000), ENOSYS));
	/* 6.18 uses only the low half of the call's number. */
	fd = syscall(425 + (1l << 40), 4, &params);
	CHECK("the_upper_half_of_the_number_is_ignored", fd >= 0);
	close((int)fd);
	memset(&params, 0, sizeof(params));
	errno = 4711;
	fd = syscall(425, 4, &params);
	CHECK("success_leaves_errno_alone", fd >= 0 && errno == 4711);
	close((int)fd);
}

static void test_six_arguments(void)
{
	int fd = memfd_create("six", MFD_CLOEXEC);
	char *at, *libc_at;
	int ends[2];
	loff_t from = 2, to = 5;
	char got[8] = "";

	REQUIRE(fd >= 0 && ftruncate(fd, 8192) == 0);
	REQUIRE(pwrite(fd, "abcdefgh", 8, 4096) == 8);
	at = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED, fd,
			     4096);
	CHECK("mmap_through_syscall_maps", !memcmp(at, "abcdefgh", 8));
	libc_at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	CHECK("mmap_maps", !memcmp(libc_at, "abcdefgh", 8));
	errno = 0;
	CHECK("mmap_of_no_file_is_EBADF",
	      mmap(NULL, 4096, PROT_READ, MAP_SHARED, 987, 0) == MAP_FAILED &&
		      errno == EBADF);
	errno = 0;
	CHECK("mmap_at_an_odd_offset_is_EINVAL",
	      mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1) == MAP_FAILED &&
		      errno == EINVAL);
	/* copy_file_range uses all six. */
	REQUIRE(pipe(ends) == 0);
	from += 4096;
	CHECK("all_six_arguments_arrive",
	      syscall(SYS_copy_file_range, fd, &from, fd, &to, 3, 0) == 3 &&
		      pread(fd, got, 3, 5) == 3 && !memcmp(got, "cde", 3));
	errno = 0;
	CHECK("the_sixth_argument_arrives",
	      fails_with(
		      syscall(SYS_copy_file_range, fd, &from, fd, &to, 3, 99),
		      EINVAL));
}

/*
 * A child that returns from the same call, on its parent's stack and on its
 * own.
 */
static void test_fork_by_number(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
	int status = 0;

	if (pid == 0)
		_exit(7);
	CHECK("fork_by_number_works",
	      pid > 0 && waitpid((pid_t)pid, &status, 0) == pid &&
		      WEXITSTATUS(status) == 7);
}

/* The rings' own memory, through mmap(). */
static void test_ring_memory(void)
{
	struct io_uring_params params = {0};
	int fd = (int)syscall(425, 4, &params);
	size_t bytes = params.cq_off.cqes + params.cq_entries * 16;
	uint32_t *ring, *again;

	REQUIRE(fd >= 0);
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    IORING_OFF_SQ_RING);
	CHECK("mmap_of_a_ring_maps_its_queues",
	      ring != MAP_FAILED && ring[params.sq_off.ring_entries / 4] == 4);
	again = (uint32_t *)syscall(SYS_mmap, NULL, bytes,
				    PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				    IORING_OFF_CQ_RING);
	CHECK("mmap_of_a_ring_through_syscall_maps_the_same",
	      again != MAP_FAILED &&
		      again[params.cq_off.ring_entries / 4] == 8);
	errno = 0;
	CHECK("mmap_of_a_ring_at_a_wild_offset_is_ENOMEM",
	      mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x70000000) ==
			      MAP_FAILED &&
		      errno == ENOMEM);
	close(fd);
}

int main(void)
{
	test_errno();
	test_six_arguments();
	test_fork_by_number();
	test_ring_memory();
	return tap_end();
}
