// SPDX-License-Identifier: MIT
/*
 * The echo server of the first years of io_uring, as many programs still are: a
 * ring in its default mode, buffers handed over by PROVIDE_BUFFERS requests,
 * one receive at a time, and a loop that polls the completion queue and never
 * enters the kernel to wait.
 *
 * A connection is always in exactly one of three states: it receives, it waits
 * for a buffer (ENOBUFS), or it sends what it has received. When the echo is
 * out, its buffer is provided anew and the next receive is submitted behind it.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <liburing.h>

#include "common.h"

enum { GROUP = 3, NONE = -1, LOOKS_BEFORE_YIELD = 256 };

/* What a completion is about: the low byte of user_data. Above it, the slot. */
enum event { EVENT_ACCEPT, EVENT_RECEIVE, EVENT_SEND, EVENT_PROVIDE };

struct conn {
	int fd;
	int bid; /* holds what is being sent */
	unsigned int bytes;
	unsigned int sent;
	int next; /* slot: in the list of the free or of the starved */
};

static struct options options;
static struct {
	unsigned long accepted, received, sent, partial, provided, bytes,
		starved;
} count;

static struct io_uring ring;
static char *memory;
static struct conn *conns; /* by slot */
static int first_free = NONE;
static int first_starved = NONE;
static unsigned int buffers_out;
static int listener;
static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = signal;
}

/* ---- requests ----------------------------------------------------------- */

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe)
		return sqe;
	check(io_uring_submit(&ring), "submit");
	return io_uring_get_sqe(&ring);
}

static void name_request(struct io_uring_sqe *sqe, enum event event, int slot)
{
	sqe->user_data = (uint64_t)slot << 8 | event;
}

static void accept_one(void)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	name_request(sqe, EVENT_ACCEPT, 0);
}

static void receive(int slot)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv(sqe, conns[slot].fd, NULL, options.buffer_bytes, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	name_request(sqe, EVENT_RECEIVE, slot);
}

static void send_rest(int slot)
{
	struct conn *conn = &conns[slot];
	size_t at = (size_t)conn->bid * options.buffer_bytes + conn->sent;
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_send(sqe, conn->fd, memory + at, conn->bytes - conn->sent,
			   MSG_NOSIGNAL);
	name_request(sqe, EVENT_SEND, slot);
}

static void provide(int first_bid, unsigned int buffers)
{
	size_t at = (size_t)first_bid * options.buffer_bytes;
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_provide_buffers(sqe, memory + at,
				      (int)options.buffer_bytes, (int)buffers,
				      GROUP, first_bid);
	name_request(sqe, EVENT_PROVIDE, 0);
	count.provided += buffers;
}

/* ---- connections -------------------------------------------------------- */

static void open_conn(int fd)
{
	int slot = first_free;

	if (slot == NONE) {
		close(fd);
		return;
	}
	first_free = conns[slot].next;
	conns[slot] = (struct conn){.fd = fd, .bid = NONE};
	count.accepted++;
	receive(slot);
}

/* Called when the last request of the connection has completed. */
static void close_conn(int slot)
{
	close(conns[slot].fd);
	conns[slot].next = first_free;
	first_free = slot;
}

/*
 * A buffer was given back: all connections that wait for one try again. To wake
 * only the first is not enough: it may find no data any more and use no buffer.
 */
static void serve_starved(void)
{
	int slot = first_starved;

	for (first_starved = NONE; slot != NONE; slot = conns[slot].next)
		receive(slot);
}

static void wait_for_buffer(int slot)
{
	conns[slot].next = first_starved;
	first_starved = slot;
	count.starved++;
}

static void return_buffer(int slot)
{
	provide(conns[slot].bid, 1);
	conns[slot].bid = NONE;
	buffers_out--;
	serve_starved();
}

/* ---- completions -------------------------------------------------------- */

static void received(int slot, const struct io_uring_cqe *cqe)
{
	struct conn *conn = &conns[slot];

	if (cqe->res > 0) {
		conn->bid = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		conn->bytes = (unsigned int)cqe->res;
		conn->sent = 0;
		buffers_out++;
		count.received++;
		send_rest(slot);
	} else if (cqe->res == -ENOBUFS && buffers_out) {
		wait_for_buffer(slot);
	} else if (cqe->res == -ENOBUFS) {
		receive(slot);
	} else {
		close_conn(slot);
	}
}

static void sent(int slot, const struct io_uring_cqe *cqe)
{
	struct conn *conn = &conns[slot];

	if (cqe->res > 0) {
		conn->sent += (unsigned int)cqe->res;
		count.bytes += (unsigned int)cqe->res;
	}
	if (cqe->res > 0 && conn->sent < conn->bytes) {
		count.partial++;
		send_rest(slot);
		return;
	}
	return_buffer(slot);
	if (cqe->res < 0) {
		close_conn(slot);
		return;
	}
	count.sent++;
	receive(slot);
}

static void handle(const struct io_uring_cqe *cqe)
{
	int slot = (int)(cqe->user_data >> 8);

	switch ((enum event)(cqe->user_data & 0xff)) {
	case EVENT_ACCEPT:
		if (cqe->res == -EINVAL)
			check(cqe->res, "accept");
		if (cqe->res >= 0)
			open_conn(cqe->res);
		accept_one();
		break;
	case EVENT_RECEIVE:
		received(slot, cqe);
		break;
	case EVENT_SEND:
		sent(slot, cqe);
		break;
	case EVENT_PROVIDE:
		check(cqe->res, "provide buffers");
		break;
	}
}

/* Polls the completion queue all the time and never waits. */
static void serve(void)
{
	struct io_uring_cqe *cqe;
	unsigned int looks = 0;

	while (!stopping) {
		if (io_uring_peek_cqe(&ring, &cqe) == 0) {
			handle(cqe);
			io_uring_cqe_seen(&ring, cqe);
			looks = 0;
			continue;
		}
		if (io_uring_sq_ready(&ring))
			check(io_uring_submit(&ring), "submit");
		else if (++looks % LOOKS_BEFORE_YIELD == 0)
			sched_yield();
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};

	parse_options(argc, argv, &options);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	check(io_uring_queue_init(512, &ring, 0), "io_uring");
	memory = allocate(options.buffers, options.buffer_bytes);
	conns = allocate(options.connections, sizeof(*conns));
	for (int slot = (int)options.connections - 1; slot >= 0; slot--) {
		conns[slot].next = first_free;
		first_free = slot;
	}
	provide(0, options.buffers);
	listener = open_listener(options.port);
	accept_one();
	serve();
	printf("echo: %lu connections, %lu receives, %lu sends, %lu partial, "
	       "%lu bytes, %lu provided, %lu times out of buffers, "
	       "%u of %u buffers home\n",
	       count.accepted, count.received, count.sent, count.partial,
	       count.bytes, count.provided, count.starved,
	       options.buffers - buffers_out, options.buffers);
	io_uring_queue_exit(&ring);
	return 0;
}
