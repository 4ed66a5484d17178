// SPDX-License-Identifier: MIT
/*
 * The cost of a message in the engine, in instructions: pairs of sockets, a
 * multishot receive at one end of each. A turn sends a message into every pair
 * and takes it out of the other end, all with one call, as an echo server with
 * so many connections that are all ready does. Nothing in it depends on time,
 * so its instructions repeat.
 *
 *	pairs TURNS
 */
#include <liburing.h>

#include "common.h"

#define PAIRS 64u
#define GROUP 1
#define BYTES 64u
#define BUFFER_BYTES 2048u
#define BUFFERS (2 * PAIRS)
#define SENT UINT64_MAX

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUFFER_BYTES], message[BYTES];
static int ends[PAIRS][2];

static void give(unsigned int bid)
{
	io_uring_buf_ring_add(buffers, memory[bid], BUFFER_BYTES,
			      (unsigned short)bid, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(buffers, 1);
}

static void open_buffers(void)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = GROUP};

	buffers = aligned_alloc(4096, 4096);
	reg.ring_addr = (uint64_t)buffers;
	check(io_uring_register_buf_ring(&ring, &reg, 0), "register");
	io_uring_buf_ring_init(buffers);
	for (unsigned int bid = 0; bid < BUFFERS; bid++)
		give(bid);
}

static void open_pairs(void)
{
	for (unsigned int i = 0; i < PAIRS; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		check_libc(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]),
			   "socketpair");
		io_uring_prep_recv_multishot(sqe, ends[i][0], NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
		sqe->user_data = i;
	}
	check(io_uring_submit(&ring), "submit");
}

static void reap(unsigned int *sent, unsigned int *received)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		seen++;
		check(cqe->res == BYTES ? 0 : -EIO, "a message");
		if (cqe->user_data == SENT) {
			(*sent)++;
			continue;
		}
		check(cqe->flags & IORING_CQE_F_MORE ? 0 : -EIO, "receive");
		give(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		(*received)++;
	}
	io_uring_cq_advance(&ring, seen);
}

static void turn(void)
{
	unsigned int sent = 0, received = 0;

	for (unsigned int i = 0; i < PAIRS; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_send(sqe, ends[i][1], message, BYTES, 0);
		sqe->user_data = SENT;
	}
	while (sent < PAIRS || received < PAIRS) {
		check(io_uring_submit_and_wait(&ring, 1), "submit");
		reap(&sent, &received);
	}
}

int main(int argc, char **argv)
{
	unsigned int turns = argument(argc, argv, 1, 1000);
	uint64_t cpu;

	check(io_uring_queue_init(PAIRS, &ring,
				  IORING_SETUP_SINGLE_ISSUER |
					  IORING_SETUP_DEFER_TASKRUN),
	      "queue_init");
	open_buffers();
	open_pairs();
	turn();
	cpu = cpu_ns();
	for (unsigned int i = 0; i < turns; i++)
		turn();
	cpu = cpu_ns() - cpu;
	printf("{\"ops\":%u,\"cpu_ns\":%llu}\n", turns * PAIRS,
	       (unsigned long long)cpu);
	return 0;
}
