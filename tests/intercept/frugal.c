// SPDX-License-Identifier: MIT
/*
 * A ring has one number, as on the kernel, and leaves none behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define NUMBERS 128 /* all that the program may have */
#define RINGS (NUMBERS - 16)
#define THREADS 8
#define RINGS_A_THREAD 500
#define BOUND_S 100

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

static int numbers_in_use(void)
{
	int count = 0;

	for (int fd = 0; fd < NUMBERS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int serves(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int good;

	io_uring_prep_nop(sqe);
	if (io_uring_submit_and_wait(ring, 1) != 1)
		return 0;
	good = !io_uring_peek_cqe(ring, &cqe) && cqe->res == 0;
	io_uring_cqe_seen(ring, cqe);
	return good;
}

/* The thread that watched them ends a moment after the last. */
static bool are_free_soon(int before)
{
	for (int i = 0; i < BOUND_S * 50 && numbers_in_use() != before; i++)
		usleep(10000);
	return numbers_in_use() == before;
}

/* Of each ring one number, though a read waits in each. */
static void many_rings(void)
{
	static struct io_uring rings[RINGS];
	int before = numbers_in_use(), ends[2], open = 0, armed = 0, ready = 0;
	char bytes[RINGS];

	check("a pipe", !pipe(ends));
	while (open < RINGS && !io_uring_queue_init(2, &rings[open], 0))
		open++;
	check("as many rings as there are numbers", open == RINGS);
	for (int i = 0; i < open; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&rings[i]);

		io_uring_prep_read(sqe, ends[0], &bytes[i], 1, 0);
		armed += io_uring_submit(&rings[i]) == 1;
	}
	check("a read waits in each", armed == open);
	for (int i = 0; i < open; i++)
		armed -= write(ends[1], "x", 1) == 1;
	for (int i = 0; i < open; i++) {
		struct __kernel_timespec bound = {.tv_sec = BOUND_S};
		struct io_uring_cqe *cqe;

		ready += !io_uring_wait_cqe_timeout(&rings[i], &cqe, &bound) &&
			 cqe->res == 1;
	}
	check("each gets its byte", ready == open && !armed);
	for (int i = 0; i < open; i++)
		io_uring_queue_exit(&rings[i]);
	close(ends[0]);
	close(ends[1]);
	check("none is left", are_free_soon(before));
}

static void *opens_and_closes(void *bad)
{
	for (int i = 0; i < RINGS_A_THREAD; i++) {
		struct io_uring ring;

		if (io_uring_queue_init(4, &ring, 0) < 0) {
			__atomic_fetch_add((int *)bad, 1, __ATOMIC_RELAXED);
			continue;
		}
		if (!serves(&ring))
			__atomic_fetch_add((int *)bad, 1, __ATOMIC_RELAXED);
		io_uring_queue_exit(&ring);
	}
	return NULL;
}

static void open_and_close(void)
{
	int before = numbers_in_use(), bad = 0, started = 0;
	pthread_t threads[THREADS];

	while (started < THREADS &&
	       !pthread_create(&threads[started], NULL, opens_and_closes, &bad))
		started++;
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	check("threads open and close rings", started == THREADS && !bad);
	check("no number is left of them", are_free_soon(before));
}

static void a_closed_number_is_no_ring(void)
{
	struct io_uring_params params = {0};
	int ends[2], fd, again;

	fd = io_uring_setup(4, &params);
	again = dup(fd);
	close(fd);
	check("a closed number is no ring",
	      io_uring_enter((unsigned int)fd, 0, 0, 0, NULL) == -EBADF);
	check("its duplicate is",
	      io_uring_enter((unsigned int)again, 0, 0, 0, NULL) == 0);
	close(again);
	check("a pipe has the number", !pipe(ends) && ends[0] == fd);
	check("which is no ring either",
	      io_uring_enter((unsigned int)fd, 0, 0, 0, NULL) == -EOPNOTSUPP);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct rlimit limit = {NUMBERS, NUMBERS};

	alarm(BOUND_S);
	check("a low limit", !setrlimit(RLIMIT_NOFILE, &limit));
	many_rings();
	open_and_close();
	a_closed_number_is_no_ring();
	printf("1..%d\n", passed + failed);
	return failed != 0;
}
