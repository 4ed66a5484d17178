// SPDX-License-Identifier: MIT
/*
 * A proxy for small messages: what comes from one connection goes out by
 * another, in bundles. One multishot receive takes as many buffers of a ring as
 * bytes are waiting for; the same buffers, filled, are queued in a second ring,
 * from which one send takes all that are there; then they are given back.
 *
 *	proxy MILLISECONDS	the proxy; counts from the first message on
 *	proxy load PORT		messages through it and back, until it is killed
 */
#include <liburing.h>
#include <sys/mman.h>

#include "common.h"

#define BUNDLE                                                         \
	(1u << 4) /* IORING_RECVSEND_BUNDLE: younger than some headers \
		   */
#define FILLED 2 /* the group that is sent from */
#define EMPTY 1
#define BUFFERS 1024u
#define MESSAGE_BYTES 32u
#define UNDER_WAY (BUFFERS / 2) /* messages of the load */

enum { RECEIVE = 1, SEND };

static struct io_uring ring;
static struct io_uring_buf_ring *empty, *filled;
static char memory[BUFFERS][MESSAGE_BYTES];
static unsigned short next_received, next_sent; /* in the order of the ring */
static unsigned int waiting; /* buffers queued in `filled` */
static bool sending;

static struct io_uring_buf_ring *open_ring(unsigned short group)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = group};
	void *at = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf),
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	reg.ring_addr = (uint64_t)at;
	check(io_uring_register_buf_ring(&ring, &reg, 0), "register");
	return at;
}

static void queue(struct io_uring_buf_ring *to, unsigned short bid,
		  unsigned int bytes)
{
	io_uring_buf_ring_add(to, memory[bid], bytes, bid, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(to, 1);
}

static void receive(int from)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recv(sqe, from, NULL, 0, 0);
	sqe->ioprio = IORING_RECV_MULTISHOT | BUNDLE;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = EMPTY;
	sqe->user_data = RECEIVE;
}

static void send_waiting(int to)
{
	struct io_uring_sqe *sqe;

	if (sending || !waiting)
		return;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send(sqe, to, NULL, 0, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->ioprio = BUNDLE;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = FILLED;
	sqe->user_data = SEND;
	sending = true;
}

/* Buffers are used in ring order, and so the ids are known. */
static void received(unsigned int bytes)
{
	while (bytes) {
		unsigned int part =
			bytes < MESSAGE_BYTES ? bytes : MESSAGE_BYTES;

		queue(filled, next_received, part);
		next_received = (next_received + 1) % BUFFERS;
		waiting++;
		bytes -= part;
	}
}

static uint64_t sent(unsigned int bytes)
{
	uint64_t messages = 0;

	while (bytes) {
		unsigned int part = filled->bufs[next_sent].len;

		bytes -= part < bytes ? part : bytes;
		queue(empty, next_sent, MESSAGE_BYTES);
		next_sent = (next_sent + 1) % BUFFERS;
		waiting--;
		messages++;
	}
	return messages;
}

/* A bundle goes on while there are buffers, and may find none any more. */
static uint64_t send_ended(const struct io_uring_cqe *cqe)
{
	sending = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res == -ENOBUFS)
		return 0;
	return sent((unsigned int)check(cqe->res, "send"));
}

/* Returns how many messages went out; -1 at the end of the stream. */
static long reap(int from, int to)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	long messages = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		seen++;
		if (cqe->user_data == SEND) {
			messages += (long)send_ended(cqe);
			continue;
		}
		if (!cqe->res)
			return -1;
		if (cqe->res != -ENOBUFS)
			received((unsigned int)check(cqe->res, "receive"));
		if (!(cqe->flags & IORING_CQE_F_MORE))
			receive(from);
	}
	io_uring_cq_advance(&ring, seen);
	send_waiting(to);
	return messages;
}

static int proxy(uint64_t ns)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
						  IORING_SETUP_DEFER_TASKRUN};
	int listener = open_server(SOCK_STREAM);
	int from = check_libc(accept(listener, NULL, NULL), "accept");
	int to = check_libc(accept(listener, NULL, NULL), "accept");
	uint64_t cpu = 0, wall = 0, count = 0;

	check(io_uring_queue_init_params(64, &ring, &params), "queue_init");
	empty = open_ring(EMPTY);
	filled = open_ring(FILLED);
	for (unsigned short bid = 0; bid < BUFFERS; bid++)
		queue(empty, bid, MESSAGE_BYTES);
	receive(from);
	while (!wall || wall_ns() - wall < ns) {
		long messages;

		check(io_uring_submit_and_wait(&ring, 1), "wait");
		messages = reap(from, to);
		if (messages < 0)
			check(-EPIPE, "the load hung up");
		count += (uint64_t)messages;
		if (!wall) {
			count = 0;
			wall = wall_ns();
			cpu = cpu_ns();
		}
	}
	cpu = cpu_ns() - cpu;
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)count,
	       (unsigned long long)(wall_ns() - wall), (unsigned long long)cpu);
	return 0;
}

static int connect_to(unsigned int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = check_libc(socket(AF_INET, SOCK_STREAM, 0), "socket");
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	check_libc(connect(fd, (struct sockaddr *)&address, sizeof(address)),
		   "connect");
	return fd;
}

/* Every message is a send of its own; some are always under way. */
static int load(unsigned int port)
{
	static char message[MESSAGE_BYTES], back[65536];
	int in = connect_to(port), out = connect_to(port);
	unsigned int under_way = 0;

	for (;;) {
		ssize_t n;

		for (; under_way < UNDER_WAY * MESSAGE_BYTES;
		     under_way += MESSAGE_BYTES)
			if (send(in, message, sizeof(message), MSG_NOSIGNAL) !=
			    sizeof(message))
				return 0;
		n = recv(out, back, sizeof(back), 0);
		if (n <= 0)
			return 0;
		under_way -= (unsigned int)n;
	}
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "load"))
		return load(argument(argc, argv, 2, 0));
	return proxy(argument(argc, argv, 1, 500) * 1000000ull);
}
