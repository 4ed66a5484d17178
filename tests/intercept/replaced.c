// SPDX-License-Identifier: MIT
/*
 * A program that closes every number it does not use, or makes them all the
 * same file, goes on with its rings, and nothing is written to that file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define NUMBERS 256 /* all that the program may have */
#define BOUND_S 20

static int passed, failed;

static int check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	fflush(stdout);
	passed += good;
	failed += !good;
	return good;
}

#define CHECK(name, condition) check((name), !!(condition))
/* What the rest can't do without. */
#define REQUIRE(condition)                                 \
	do {                                               \
		if (!(condition) && !check(#condition, 0)) \
			exit(1);                           \
	} while (0)

static struct io_uring ring;
static int waiter_got; /* user_data of what it waited for, or -errno */

static void *wait_in_ring(void *unused)
{
	struct __kernel_timespec bound = {.tv_sec = BOUND_S};
	struct io_uring_cqe *cqe;
	int err = io_uring_wait_cqe_timeout(&ring, &cqe, &bound);

	(void)unused;
	waiter_got = err < 0 ? err : (int)cqe->user_data;
	if (!err)
		io_uring_cqe_seen(&ring, cqe);
	return NULL;
}

static int begin_waiting(pthread_t *thread)
{
	const struct timespec while_it_falls_asleep = {.tv_nsec = 50000000};
	int err = pthread_create(thread, NULL, wait_in_ring, NULL);

	nanosleep(&while_it_falls_asleep, NULL);
	return err;
}

static int submit_nop(struct io_uring *r, unsigned int user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(r);

	io_uring_prep_nop(sqe);
	sqe->user_data = user_data;
	return io_uring_submit(r);
}

/* A read that has to wait, and the byte that it waits for. */
static int reads_a_byte(struct io_uring *r, const int ends[2])
{
	struct __kernel_timespec bound = {.tv_sec = BOUND_S};
	struct io_uring_cqe *cqe;
	char byte = 0;
	int err, res;

	io_uring_prep_read(io_uring_get_sqe(r), ends[0], &byte, 1, 0);
	if (io_uring_submit(r) != 1 || write(ends[1], "x", 1) != 1)
		return 0;
	err = io_uring_wait_cqe_timeout(r, &cqe, &bound);
	res = err ? err : cqe->res;
	if (!err)
		io_uring_cqe_seen(r, cqe);
	return res == 1 && byte == 'x';
}

static int ring_works(void)
{
	struct io_uring another;
	int ends[2], good;

	if (io_uring_queue_init(4, &another, 0) < 0)
		return 0;
	good = !pipe(ends) && reads_a_byte(&another, ends);
	close(ends[0]);
	close(ends[1]);
	io_uring_queue_exit(&another);
	return good;
}

static void everything_closed(void)
{
	int fd;

	CHECK("a first ring", ring_works());
	CHECK("all is closed", !close_range(3, ~0u, 0));
	CHECK("then another", ring_works());
	for (int n = 3; n < NUMBERS; n++)
		close(n);
	CHECK("each number closed, then another", ring_works());
	closefrom(3);
	CHECK("closed from 3 on, then another", ring_works());
	fd = open("/dev/null", O_RDONLY);
	CHECK("the lowest number is free", fd == 3);
	close(fd);
}

static void closed_beside_a_ring(void)
{
	pthread_t thread;
	int ends[2];

	REQUIRE(io_uring_queue_init(8, &ring, 0) == 0);
	REQUIRE(begin_waiting(&thread) == 0);
	close_range((unsigned int)ring.ring_fd + 1, ~0u, 0);
	CHECK("submitted", submit_nop(&ring, 7) == 1);
	pthread_join(thread, NULL);
	CHECK("who waited wakes up", waiter_got == 7);
	REQUIRE(pipe(ends) == 0);
	CHECK("the ring goes on", reads_a_byte(&ring, ends));
	close(ends[0]);
	close(ends[1]);
	io_uring_queue_exit(&ring);
}

/* From @from up all is the file, but for the program's own. */
static void replace_all(int from, int file, const int ends[2])
{
	for (int n = from; n < NUMBERS; n++)
		if (n != file && n != ends[0] && n != ends[1] &&
		    n != ring.ring_fd && dup2(file, n) != n)
			CHECK("a number is the file", 0);
}

static void made_a_file(void)
{
	int file = memfd_create("log", MFD_CLOEXEC), ends[2];
	struct io_uring_cqe *cqe;
	struct stat st;
	pthread_t thread;
	char byte = 0;

	REQUIRE(file >= 0 && pipe(ends) == 0);
	REQUIRE(io_uring_queue_init(8, &ring, 0) == 0);
	io_uring_prep_poll_add(io_uring_get_sqe(&ring), ends[0], POLLIN);
	REQUIRE(io_uring_submit(&ring) == 1);
	REQUIRE(begin_waiting(&thread) == 0);
	replace_all(3, file, ends);
	CHECK("submitted to a ring with no number beside it",
	      submit_nop(&ring, 8) == 1);
	pthread_join(thread, NULL);
	CHECK("who waited wakes up there", waiter_got == 8);
	REQUIRE(write(ends[1], "x", 1) == 1);
	CHECK("what was armed is ready",
	      !io_uring_wait_cqe(&ring, &cqe) && cqe->res == POLLIN);
	io_uring_cqe_seen(&ring, cqe);
	CHECK("the byte is there", read(ends[0], &byte, 1) == 1);
	CHECK("the ring goes on there", reads_a_byte(&ring, ends));
	REQUIRE(fstat(file, &st) == 0);
	CHECK("nothing was written to the file", st.st_size == 0);
	CHECK("all is closed again", !close_range(3, ~0u, 0));
	CHECK("then another", ring_works());
}

int main(void)
{
	const struct rlimit limit = {NUMBERS, NUMBERS};

	alarm(5 * BOUND_S);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	everything_closed();
	closed_beside_a_ring();
	made_a_file();
	printf("1..%d\n", passed + failed);
	return failed != 0;
}
