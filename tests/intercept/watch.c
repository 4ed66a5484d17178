// SPDX-License-Identifier: MIT
/*
 * A ring fd that the program polls, in each of the ways there are, becomes
 * readable when a completion comes and stops being so when it was taken.
 * Written for liburing, as programs are.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOUND_MS 20000

static int passed, failed;

static void check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	fflush(stdout);
	passed += good;
	failed += !good;
}

typedef int (*readable_fn)(int fd, int bound_ms);

static int by_poll(int fd, int bound_ms)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	return poll(&one, 1, bound_ms) == 1 && one.revents & POLLIN;
}

static int by_ppoll(int fd, int bound_ms)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};
	struct timespec bound = {bound_ms / 1000, 0};

	return ppoll(&one, 1, &bound, NULL) == 1 && one.revents & POLLIN;
}

static int by_select(int fd, int bound_ms)
{
	struct timeval bound = {bound_ms / 1000, 0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &bound) == 1;
}

static int by_pselect(int fd, int bound_ms)
{
	struct timespec bound = {bound_ms / 1000, 0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return pselect(fd + 1, &set, NULL, NULL, &bound, NULL) == 1;
}

static int by_epoll(int fd, int bound_ms)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	int ready;

	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
	ready = epoll_wait(epfd, &event, 1, bound_ms) == 1;
	close(epfd);
	return ready;
}

/* A read that waits for a byte, and the byte: only polling reports it. */
static int becomes_readable(readable_fn readable)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int ends[2], good;
	char byte;

	if (pipe(ends) < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return 0;
	io_uring_prep_read(io_uring_get_sqe(&ring), ends[0], &byte, 1, 0);
	good = io_uring_submit(&ring) == 1 && !readable(ring.ring_fd, 0) &&
	       write(ends[1], "x", 1) == 1 && readable(ring.ring_fd, BOUND_MS);
	good = good && io_uring_wait_cqe(&ring, &cqe) == 0 && cqe->res == 1;
	if (good)
		io_uring_cqe_seen(&ring, cqe);
	good = good && !readable(ring.ring_fd, 0);
	io_uring_queue_exit(&ring);
	close(ends[0]);
	close(ends[1]);
	return good;
}

static int by_wait(int epfd, int bound_ms)
{
	struct epoll_event event;

	return epoll_wait(epfd, &event, 1, bound_ms);
}

static int by_pwait(int epfd, int bound_ms)
{
	struct epoll_event event;

	return epoll_pwait(epfd, &event, 1, bound_ms, NULL);
}

/*
 * Level-triggered: after it was taken in memory, without an enter, it is not
 * reported any more.
 */
static int falls_silent(int (*wait)(int epfd, int bound_ms))
{
	struct epoll_event event = {.events = EPOLLIN};
	int epfd = epoll_create1(EPOLL_CLOEXEC), good, ends[2];
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	char byte;

	if (pipe(ends) < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return 0;
	good = !epoll_ctl(epfd, EPOLL_CTL_ADD, ring.ring_fd, &event);
	for (int i = 0; good && i < 200; i++) {
		io_uring_prep_read(io_uring_get_sqe(&ring), ends[0], &byte, 1,
				   0);
		good = io_uring_submit(&ring) == 1 &&
		       write(ends[1], "x", 1) == 1 && wait(epfd, BOUND_MS) == 1;
		good = good && io_uring_cq_ready(&ring) == 1 &&
		       !io_uring_peek_cqe(&ring, &cqe);
		if (good)
			io_uring_cqe_seen(&ring, cqe);
		good = good && !wait(epfd, 0);
	}
	io_uring_queue_exit(&ring);
	close(ends[0]);
	close(ends[1]);
	close(epfd);
	return good;
}

#define ROUNDS 3000

static void *peer(void *argument)
{
	int fd = *(int *)argument;
	char byte;

	for (int i = 0; i < ROUNDS; i++)
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 ||
		    read(fd, &byte, 1) != 1)
			break;
	return NULL;
}

static void answer(struct io_uring *ring, int fd, char *byte)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_send(sqe, fd, "y", 1, 0);
	io_uring_sqe_set_data64(sqe, 2);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_recv(sqe, fd, byte, 1, 0);
	io_uring_sqe_set_data64(sqe, 1);
	io_uring_submit(ring);
}

/*
 * Take all completions. Returns the count of receives, or -1 if there were no
 * completions.
 */
static int take_all(struct io_uring *ring, int fd, char *byte)
{
	struct io_uring_cqe *cqe;
	int any = 0, received = 0;

	io_uring_get_events(ring);
	while (!io_uring_peek_cqe(ring, &cqe)) {
		int is_receive = io_uring_cqe_get_data64(cqe) == 1;

		any = 1;
		io_uring_cqe_seen(ring, cqe);
		if (!is_receive)
			continue;
		received++;
		answer(ring, fd, byte);
		io_uring_get_events(ring);
	}
	return any ? received : -1;
}

/* The ring's work is done by enter, and often before the wake-up is sent. */
static int deferring_ring_has_no_empty_wakeup(uint32_t how)
{
	struct epoll_event event = {.events = EPOLLIN | how};
	int epfd = epoll_create1(EPOLL_CLOEXEC), ends[2], rounds = 0, good = 1;
	struct io_uring ring;
	pthread_t thread;
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
	    io_uring_queue_init(8, &ring,
				IORING_SETUP_SINGLE_ISSUER |
					IORING_SETUP_DEFER_TASKRUN) < 0)
		return 0;
	epoll_ctl(epfd, EPOLL_CTL_ADD, ring.ring_fd, &event);
	io_uring_prep_recv(io_uring_get_sqe(&ring), ends[0], &byte, 1, 0);
	ring.sq.sqes[0].user_data = 1;
	io_uring_submit(&ring);
	pthread_create(&thread, NULL, peer, &ends[1]);
	while (good && rounds < ROUNDS) {
		int received = -1;

		if (epoll_wait(epfd, &event, 1, BOUND_MS) == 1)
			received = take_all(&ring, ends[0], &byte);
		good = received >= 0;
		rounds += good ? received : 0;
	}
	shutdown(ends[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	io_uring_queue_exit(&ring);
	close(ends[0]);
	close(ends[1]);
	close(epfd);
	return good;
}

static int dup_by_fcntl(int fd)
{
	return fcntl(fd, F_DUPFD, 0);
}

static int dup_to(int fd)
{
	int place = dup(0);

	by_poll(place, 0);
	return dup2(fd, place);
}

/* The fd was another file when it was first polled. */
static int duplicate_is_seen(int (*duplicate)(int))
{
	struct io_uring ring;
	int before, copy, good;

	if (io_uring_queue_init(8, &ring, 0))
		return 0;
	before = dup(0);
	by_poll(before, 0);
	close(before);
	copy = duplicate(ring.ring_fd);
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit(&ring);
	good = copy == before && by_poll(copy, BOUND_MS);
	close(copy);
	io_uring_queue_exit(&ring);
	return good;
}

/* The ring's fd was another file, too. */
static int ring_is_seen(void)
{
	struct io_uring first, ring;
	int before, good;

	if (io_uring_queue_init(8, &first, 0))
		return 0;
	before = dup(0);
	by_poll(before, 0);
	close(before);
	if (io_uring_queue_init(8, &ring, 0))
		return 0;
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit(&ring);
	good = ring.ring_fd == before && by_poll(ring.ring_fd, BOUND_MS);
	io_uring_queue_exit(&ring);
	io_uring_queue_exit(&first);
	return good;
}

/*
 * With "kernel" as its argument: without what the kernel does not promise. Its
 * deferring rings report nothing to epoll before a thread enters.
 */
int main(int argc, char **argv)
{
	bool engine = argc < 2 || strcmp(argv[1], "kernel") != 0;

	check("poll_sees_a_completion", becomes_readable(by_poll));
	check("ppoll_sees_a_completion", becomes_readable(by_ppoll));
	check("select_sees_a_completion", becomes_readable(by_select));
	check("pselect_sees_a_completion", becomes_readable(by_pselect));
	check("epoll_sees_a_completion", becomes_readable(by_epoll));
	check("level_epoll_falls_silent", falls_silent(by_wait));
	check("level_pwait_falls_silent", falls_silent(by_pwait));
	if (engine) {
		check("level_epoll_of_a_deferring_ring_is_never_empty",
		      deferring_ring_has_no_empty_wakeup(0));
		check("edge_epoll_of_a_deferring_ring_is_never_empty",
		      deferring_ring_has_no_empty_wakeup(EPOLLET));
	}
	check("a_duplicate_is_seen", duplicate_is_seen(dup));
	check("a_duplicate_by_fcntl_is_seen", duplicate_is_seen(dup_by_fcntl));
	check("a_duplicate_by_dup2_is_seen", duplicate_is_seen(dup_to));
	check("a_ring_under_a_polled_number_is_seen", ring_is_seen());
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed,
	       failed);
	return failed != 0;
}
