// SPDX-License-Identifier: MIT
/*
 * An echo server in the style that io_uring recommends today: every byte that a
 * client sends comes back to it, in order.
 *
 * One multishot accept yields connections and one multishot receive for each
 * connection yields data, so that in the steady state a message costs one
 * request, the send. No connection owns memory: the engine takes a buffer from
 * the ring of buffers at the moment data arrives. That buffer is the message
 * until its echo has been sent; then it returns to the ring.
 *
 * Four things that are easy to get wrong:
 * - Two sends in flight on one socket may overtake each other, and a partial
 *   send would let the next one in between. So there is one at a time, and the
 *   other messages of the connection queue up behind it.
 * - Out of buffers, a receive ends with ENOBUFS. Re-armed at once it would only
 *   fail again, so the connection waits until a buffer was given back.
 * - A multishot request may end at any completion (no F_MORE) and is then to be
 *   armed again.
 * - A connection's slot is free when nothing is in flight for it any more, for
 *   the completions still to come name it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <liburing.h>

#include "common.h"

enum { GROUP = 7, NONE = -1 };

/* What a completion is about: the low byte of user_data. Above it, the slot. */
enum event { EVENT_ACCEPT, EVENT_RECEIVE, EVENT_SEND, EVENT_SIGNAL };

struct conn {
	int fd;
	bool receiving; /* a multishot receive is armed */
	bool sending; /* the echo of first_unsent is in flight */
	bool finished; /* the peer sends no more, or is gone */
	bool starved; /* waits for a buffer, in the list of the starved */
	int first_unsent; /* bids, linked through struct buffer */
	int last_unsent;
	int next; /* slot: in the list of the free or of the starved */
};

struct buffer {
	unsigned int sent;
	unsigned int bytes;
	int next;
};

static struct options options;

static struct {
	unsigned long accepted, refused, received, sent, partial, bytes,
		starved;
} count;

static struct io_uring ring;
static struct io_uring_buf_ring *buf_ring;
static char *memory;
static struct buffer *buffers; /* by bid */
static unsigned int buffers_out;
static struct conn *conns; /* by slot */
static int first_free = NONE;
static int first_starved = NONE;
static int listener;
static bool accepting;

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

static void arm_accept(void)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	name_request(sqe, EVENT_ACCEPT, 0);
	accepting = true;
}

static void arm_receive(int slot)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv_multishot(sqe, conns[slot].fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	name_request(sqe, EVENT_RECEIVE, slot);
	conns[slot].receiving = true;
}

static void send_first(int slot)
{
	struct conn *conn = &conns[slot];
	struct buffer *buffer = &buffers[conn->first_unsent];
	size_t at = (size_t)conn->first_unsent * options.buffer_bytes;
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_send(sqe, conn->fd, memory + at + buffer->sent,
			   buffer->bytes - buffer->sent, MSG_NOSIGNAL);
	name_request(sqe, EVENT_SEND, slot);
	conn->sending = true;
}

static void wait_for_signal(void)
{
	struct io_uring_sqe *sqe = next_sqe();
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	check(fd < 0 ? -errno : 0, "signalfd");
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	name_request(sqe, EVENT_SIGNAL, 0);
}

/* ---- buffers ------------------------------------------------------------ */

static void give_buffer(int bid)
{
	char *at = memory + (size_t)bid * options.buffer_bytes;

	io_uring_buf_ring_add(buf_ring, at, options.buffer_bytes, (uint16_t)bid,
			      io_uring_buf_ring_mask(options.buffers), 0);
	io_uring_buf_ring_advance(buf_ring, 1);
}

/*
 * The buffer is given back, and all connections that waited for one try again.
 * To wake only the first is not enough: it may find no data any more and use no
 * buffer.
 */
static void return_buffer(int bid)
{
	int slot = first_starved;

	give_buffer(bid);
	buffers_out--;
	for (first_starved = NONE; slot != NONE; slot = conns[slot].next) {
		conns[slot].starved = false;
		arm_receive(slot);
	}
}

static void wait_for_buffer(int slot)
{
	conns[slot].starved = true;
	conns[slot].next = first_starved;
	first_starved = slot;
	count.starved++;
}

static void open_buffers(void)
{
	struct io_uring_buf_reg reg = {.ring_entries = options.buffers,
				       .bgid = GROUP};
	size_t ring_bytes = options.buffers * sizeof(struct io_uring_buf);

	buffers = allocate(options.buffers, sizeof(*buffers));
	memory = allocate(options.buffers, options.buffer_bytes);
	buf_ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	check(buf_ring == MAP_FAILED ? -errno : 0, "mmap");
	reg.ring_addr = (uintptr_t)buf_ring;
	check(io_uring_register_buf_ring(&ring, &reg, 0), "buffer ring");
	io_uring_buf_ring_init(buf_ring);
	for (unsigned int bid = 0; bid < options.buffers; bid++)
		give_buffer((int)bid);
}

/* ---- connections -------------------------------------------------------- */

static void open_conn(int fd)
{
	int slot = first_free;

	if (slot == NONE) {
		close(fd);
		count.refused++;
		return;
	}
	first_free = conns[slot].next;
	conns[slot] = (struct conn){.fd = fd, .first_unsent = NONE};
	count.accepted++;
	arm_receive(slot);
}

/* Nothing of it may be in flight any more; its number is free afterwards. */
static void close_if_idle(int slot)
{
	struct conn *conn = &conns[slot];

	if (!conn->finished || conn->receiving || conn->sending ||
	    conn->starved || conn->first_unsent != NONE)
		return;
	close(conn->fd);
	conn->next = first_free;
	first_free = slot;
	/* The accept may have ended for want of descriptors. */
	if (!accepting)
		arm_accept();
}

static void drop_first(struct conn *conn)
{
	int bid = conn->first_unsent;

	conn->first_unsent = buffers[bid].next;
	return_buffer(bid);
}

/* The peer is gone: shutdown() ends the receive that is still armed. */
static void break_conn(struct conn *conn)
{
	while (conn->first_unsent != NONE)
		drop_first(conn);
	conn->finished = true;
	shutdown(conn->fd, SHUT_RDWR);
}

static void queue_echo(int slot, int bid, int bytes)
{
	struct conn *conn = &conns[slot];

	buffers_out++;
	buffers[bid] =
		(struct buffer){.bytes = (unsigned int)bytes, .next = NONE};
	if (conn->first_unsent == NONE)
		conn->first_unsent = bid;
	else
		buffers[conn->last_unsent].next = bid;
	conn->last_unsent = bid;
	if (!conn->sending)
		send_first(slot);
}

/* ---- completions -------------------------------------------------------- */

static void accepted(const struct io_uring_cqe *cqe)
{
	accepting = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res == -EINVAL)
		check(cqe->res, "multishot accept");
	if (cqe->res >= 0)
		open_conn(cqe->res);
	/* Out of descriptors: closing a connection arms it again. */
	if (!accepting && cqe->res != -EMFILE && cqe->res != -ENFILE)
		arm_accept();
}

static void received(int slot, const struct io_uring_cqe *cqe)
{
	struct conn *conn = &conns[slot];

	conn->receiving = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res > 0) {
		count.received++;
		queue_echo(slot, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT),
			   cqe->res);
	} else if (cqe->res != -ENOBUFS) {
		conn->finished = true;
	}
	if (conn->receiving || conn->finished)
		return;
	if (cqe->res == -ENOBUFS && buffers_out)
		wait_for_buffer(slot);
	else
		arm_receive(slot);
}

static void sent(int slot, const struct io_uring_cqe *cqe)
{
	struct conn *conn = &conns[slot];
	struct buffer *buffer = &buffers[conn->first_unsent];

	conn->sending = false;
	if (cqe->res < 0) {
		break_conn(conn);
		return;
	}
	buffer->sent += (unsigned int)cqe->res;
	count.bytes += (unsigned int)cqe->res;
	if (buffer->sent < buffer->bytes) {
		count.partial++;
	} else {
		count.sent++;
		drop_first(conn);
	}
	if (conn->first_unsent != NONE)
		send_first(slot);
}

/* Returns false when the server is to end. */
static bool handle(const struct io_uring_cqe *cqe)
{
	int slot = (int)(cqe->user_data >> 8);

	switch ((enum event)(cqe->user_data & 0xff)) {
	case EVENT_ACCEPT:
		accepted(cqe);
		return true;
	case EVENT_RECEIVE:
		received(slot, cqe);
		break;
	case EVENT_SEND:
		sent(slot, cqe);
		break;
	case EVENT_SIGNAL:
		check(cqe->res, "poll");
		return false;
	}
	close_if_idle(slot);
	return true;
}

/* Handles what has completed and returns false when the server is to end. */
static bool serve_once(void)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	bool go_on = true;
	int result = io_uring_submit_and_wait(&ring, 1);

	if (result != -EINTR)
		check(result, "submit_and_wait");
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		go_on &= handle(cqe);
		seen++;
	}
	io_uring_cq_advance(&ring, seen);
	return go_on;
}

/* ---- start and end ------------------------------------------------------ */

static void open_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4096,
	};

	check(io_uring_queue_init_params(512, &ring, &params), "io_uring");
}

static void open_slots(void)
{
	conns = allocate(options.connections, sizeof(*conns));
	for (int slot = (int)options.connections - 1; slot >= 0; slot--) {
		conns[slot].next = first_free;
		first_free = slot;
	}
}

static void print_statistics(void)
{
	printf("echo: %lu connections, %lu refused, %lu receives, %lu sends, "
	       "%lu partial, %lu bytes, %lu times out of buffers, "
	       "%u of %u buffers home\n",
	       count.accepted, count.refused, count.received, count.sent,
	       count.partial, count.bytes, count.starved,
	       options.buffers - buffers_out, options.buffers);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv, &options);
	open_ring();
	open_buffers();
	open_slots();
	wait_for_signal();
	listener = open_listener(options.port);
	arm_accept();
	while (serve_once())
		;
	print_statistics();
	io_uring_queue_exit(&ring);
	return 0;
}
