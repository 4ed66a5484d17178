// SPDX-License-Identifier: MIT
/*
 * The cost of a wait and a wake-up when many requests wait for few events: CPU
 * time an event.
 *
 *	wakeups armed [N]	N receives armed on one socket, a datagram at a
 * time wakeups level              an epoll that polls the ring fd,
 * level-triggered
 *	wakeups cancel		a receive that is armed and canceled
 *	wakeups polls [N]	N polls on one pipe, all woken and armed again
 *	wakeups pong		two rings, two threads, a MSG_RING to and fro
 *	wakeups splice		socket to pipe to socket, linked
 */
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "common.h"

#define FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static struct io_uring ring;
static int ends[2];
static char memory[4096];

static void open_ring(struct io_uring *r, unsigned int flags)
{
	check(io_uring_queue_init(1024, r, flags), "queue_init");
}

static void open_pair(int type)
{
	check_libc(socketpair(AF_UNIX, type, 0, ends), "socketpair");
}

static void arm(uint64_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recv(sqe, ends[0], memory, 64, 0);
	sqe->user_data = tag;
}

static void put(int fd)
{
	check_libc((int)write(fd, "message", 8), "write");
}

/* Wait for @count completions and mark them as seen. */
static void take(struct io_uring *r, unsigned int count)
{
	struct io_uring_cqe *cqe;

	check(io_uring_submit_and_wait(r, count), "submit");
	while (io_uring_cq_ready(r) < count)
		check(io_uring_wait_cqe_nr(r, &cqe, count), "wait");
	io_uring_cq_advance(r, count);
}

static void armed(unsigned int events, unsigned int many)
{
	open_ring(&ring, FLAGS);
	open_pair(SOCK_DGRAM);
	for (unsigned int i = 1; i < many; i++)
		arm(i);
	for (unsigned int i = 0; i < events; i++) {
		arm(0);
		check(io_uring_submit(&ring), "submit");
		put(ends[1]);
		take(&ring, 1);
	}
}

static void level(unsigned int events, unsigned int many)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = check_libc(epoll_create1(0), "epoll");

	(void)many;
	open_ring(&ring, 0);
	open_pair(SOCK_DGRAM);
	epoll_ctl(epoll, EPOLL_CTL_ADD, ring.ring_fd, &event);
	for (unsigned int i = 0; i < events; i++) {
		arm(0);
		check(io_uring_submit(&ring), "submit");
		put(ends[1]);
		do
			check_libc(epoll_wait(epoll, &event, 1, -1), "wait");
		while (!io_uring_cq_ready(&ring));
		io_uring_cq_advance(&ring, 1);
	}
}

static void cancel(unsigned int events, unsigned int many)
{
	(void)many;
	open_ring(&ring, FLAGS);
	open_pair(SOCK_STREAM);
	for (unsigned int i = 0; i < events; i++) {
		arm(1);
		io_uring_prep_cancel64(io_uring_get_sqe(&ring), 1, 0);
		take(&ring, 2);
	}
}

static void polls(unsigned int events, unsigned int many)
{
	int fd[2];

	open_ring(&ring, FLAGS);
	check_libc(pipe(fd), "pipe");
	for (unsigned int i = 0; i < events / many; i++) {
		for (unsigned int k = 0; k < many; k++)
			io_uring_prep_poll_add(io_uring_get_sqe(&ring), fd[0],
					       POLLIN);
		check(io_uring_submit(&ring), "submit");
		put(fd[1]);
		take(&ring, many);
		check_libc((int)read(fd[0], memory, 8), "read");
	}
}

struct player {
	struct io_uring own;
	int other;
	unsigned int events;
	bool serves;
};

static struct player players[2];
static pthread_barrier_t ready;

static void *play(void *argument)
{
	struct player *p = argument;

	open_ring(&p->own, FLAGS);
	p[p->serves ? 1 : -1].other = p->own.ring_fd;
	pthread_barrier_wait(&ready);
	for (unsigned int i = 0; i < p->events; i++) {
		if (!p->serves || i)
			take(&p->own, 1);
		struct io_uring_sqe *sqe = io_uring_get_sqe(&p->own);

		io_uring_prep_msg_ring(sqe, p->other, 0, 1, 0);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		check(io_uring_submit(&p->own), "submit");
	}
	/* The last message is still on its way here. */
	if (p->serves)
		take(&p->own, 1);
	pthread_barrier_wait(&ready);
	return NULL;
}

static void pong(unsigned int events, unsigned int many)
{
	pthread_t thread;

	(void)many;
	pthread_barrier_init(&ready, NULL, 2);
	players[0] = (struct player){.serves = true, .events = events};
	players[1] = (struct player){.events = events};
	check(-pthread_create(&thread, NULL, play, &players[1]), "thread");
	play(&players[0]);
	pthread_join(thread, NULL);
}

static void splice_one(int in, int out, bool linked)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_splice(sqe, in, -1, out, -1, 8, 0);
	if (linked)
		sqe->flags |= IOSQE_IO_LINK;
}

static void splices(unsigned int events, unsigned int many)
{
	int fd[2], from[2];

	(void)many;
	open_ring(&ring, FLAGS);
	check_libc(pipe(fd), "pipe");
	open_pair(SOCK_STREAM);
	memcpy(from, ends, sizeof(from));
	open_pair(SOCK_STREAM);
	for (unsigned int i = 0; i < events; i++) {
		put(from[1]);
		splice_one(from[0], fd[1], true);
		splice_one(fd[0], ends[1], false);
		take(&ring, 2);
		check_libc((int)read(ends[0], memory, 8), "read");
	}
}

static const struct {
	const char *name;
	void (*run)(unsigned int events, unsigned int many);
	unsigned int events, many;
} works[] = {
	{"armed", armed, 10000, 1},   {"level", level, 10000, 1},
	{"cancel", cancel, 20000, 1}, {"polls", polls, 100000, 1000},
	{"pong", pong, 10000, 1},     {"splice", splices, 5000, 1},
};

int main(int argc, char **argv)
{
	uint64_t cpu = cpu_ns();

	for (unsigned int i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (argc < 2 || strcmp(argv[1], works[i].name))
			continue;
		works[i].run(works[i].events,
			     argument(argc, argv, 2, works[i].many));
		printf("{\"ops\":%u,\"cpu_ns\":%llu}\n", works[i].events,
		       (unsigned long long)(cpu_ns() - cpu));
		return 0;
	}
	fprintf(stderr, "usage: wakeups WORK [N]\n");
	return 2;
}
