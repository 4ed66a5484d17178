// SPDX-License-Identifier: MIT
/*
 * What a ring leaves in the process: no thread while the program's own enters
 * drive it, and no file once its fd is closed, in whichever way it is closed.
 * The program's limit of files stays its own. Written for liburing, as programs
 * are.
 */
#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int passed, failed;

static void check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	fflush(stdout);
	passed += good;
	failed += !good;
}

static int entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static int files(void)
{
	return entries("/proc/self/fd");
}

static int threads(void)
{
	return entries("/proc/self/task") - 2;
}

static void read_by_enter(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	char byte;
	int ends[2];

	if (pipe(ends) < 0)
		return;
	io_uring_prep_read(io_uring_get_sqe(ring), ends[0], &byte, 1, 0);
	io_uring_prep_write(io_uring_get_sqe(ring), ends[1], "x", 1, 0);
	io_uring_submit_and_wait(ring, 2);
	for (int i = 0; i < 2 && !io_uring_wait_cqe(ring, &cqe); i++)
		io_uring_cqe_seen(ring, cqe);
	close(ends[0]);
	close(ends[1]);
}

static void no_thread(unsigned int flags, const char *name)
{
	struct io_uring ring;

	if (io_uring_queue_init(8, &ring, flags) < 0) {
		check(name, 0);
		return;
	}
	for (int i = 0; i < 100; i++)
		read_by_enter(&ring);
	check(name, threads() == 1);
	io_uring_queue_exit(&ring);
}

static void by_close(int fd)
{
	close(fd);
}

static void by_syscall(int fd)
{
	syscall(SYS_close, fd);
}

static void by_range(int fd)
{
	close_range((unsigned int)fd, (unsigned int)fd, 0);
}

static void by_dup2(int fd)
{
	int other = open("/dev/null", O_RDONLY);

	dup2(other, fd);
	close(other);
	close(fd);
}

static void by_dup3(int fd)
{
	int other = open("/dev/null", O_RDONLY);

	dup3(other, fd, O_CLOEXEC);
	close(other);
	close(fd);
}

static void by_copy(int fd)
{
	int copy = dup(fd);

	close(fd);
	close(copy);
}

static const struct {
	const char *name;
	void (*close)(int fd);
} ways[] = {
	{"closed by close", by_close},
	{"closed by syscall", by_syscall},
	{"closed by close_range", by_range},
	{"closed by dup2", by_dup2},
	{"closed by dup3", by_dup3},
	{"closed by its last copy", by_copy},
};

/* Immediately: no other thread has run. */
static void files_go_at_once(void)
{
	int before = files();

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct io_uring_params params = {0};
		int fd = (int)syscall(__NR_io_uring_setup, 8, &params);

		ways[i].close(fd);
		check(ways[i].name,
		      fd >= 0 && files() == before && threads() == 1);
	}
	for (int i = 0; i < 1000; i++) {
		struct io_uring ring;

		if (io_uring_queue_init(8, &ring, 0) < 0)
			break;
		io_uring_queue_exit(&ring);
	}
	check("closed by liburing", files() == before);
}

static void limits_stay(void)
{
	struct rlimit before, after;
	struct io_uring ring;

	getrlimit(RLIMIT_NOFILE, &before);
	io_uring_queue_init(8, &ring, 0);
	read_by_enter(&ring);
	getrlimit(RLIMIT_NOFILE, &after);
	check("the limit is what it was",
	      !memcmp(&before, &after, sizeof(before)));
	io_uring_queue_exit(&ring);
}

int main(void)
{
	no_thread(0, "no thread by default");
	no_thread(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		  "no thread with DEFER_TASKRUN");
	no_thread(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		  "no thread with TASKRUN_FLAG");
	files_go_at_once();
	limits_stay();
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed,
	       failed);
	return failed != 0;
}
