// SPDX-License-Identifier: MIT
/*
 * Datagrams: received by one multishot request into a ring of buffers, as many
 * as the sender has for us; given back and counted.
 *
 *	udp MILLISECONDS	the receiver; counts from the first datagram on
 *	udp send PORT BYTES	the sender, until it is killed
 */
#include <liburing.h>
#include <sys/mman.h>

#include "common.h"

#define GROUP 1
#define BUFFERS 1024u
#define BUFFER_BYTES 2048u
#define SEND_AT_ONCE 32

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char *memory;

static void give(unsigned int bid)
{
	io_uring_buf_ring_add(buffers, memory + (size_t)bid * BUFFER_BYTES,
			      BUFFER_BYTES, (unsigned short)bid, BUFFERS - 1,
			      0);
	io_uring_buf_ring_advance(buffers, 1);
}

static void open_buffers(void)
{
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = GROUP};

	buffers = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), prot, flags,
		       -1, 0);
	memory = mmap(NULL, (size_t)BUFFERS * BUFFER_BYTES, prot, flags, -1, 0);
	reg.ring_addr = (uint64_t)buffers;
	check(io_uring_register_buf_ring(&ring, &reg, 0), "register");
	for (unsigned int bid = 0; bid < BUFFERS; bid++)
		give(bid);
}

static void arm(int fd, struct msghdr *msg)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recvmsg_multishot(sqe, fd, msg, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/* Returns how many datagrams came; arms again what has ended. */
static uint64_t reap(int fd, struct msghdr *msg)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	uint64_t datagrams = 0;
	bool ended = false;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		seen++;
		ended = ended || !(cqe->flags & IORING_CQE_F_MORE);
		if (cqe->res == -ENOBUFS)
			continue;
		check(cqe->res, "recvmsg");
		give(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		datagrams++;
	}
	io_uring_cq_advance(&ring, seen);
	if (ended)
		arm(fd, msg);
	return datagrams;
}

static int receive(uint64_t ns)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	uint64_t cpu = 0, wall = 0, count = 0;
	int fd = open_server(SOCK_DGRAM);
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4096,
	};

	check(io_uring_queue_init_params(64, &ring, &params), "queue_init");
	open_buffers();
	arm(fd, &msg);
	while (!wall || wall_ns() - wall < ns) {
		check(io_uring_submit_and_wait(&ring, 1), "wait");
		count += reap(fd, &msg);
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

static int send_for_ever(unsigned int port, size_t bytes)
{
	static char message[BUFFER_BYTES];
	struct sockaddr_in address = loopback(port);
	struct iovec iov = {message, bytes};
	struct mmsghdr batch[SEND_AT_ONCE] = {0};
	int fd = check_libc(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	check_libc(connect(fd, (struct sockaddr *)&address, sizeof(address)),
		   "connect");
	for (int i = 0; i < SEND_AT_ONCE; i++) {
		batch[i].msg_hdr.msg_iov = &iov;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;)
		if (sendmmsg(fd, batch, SEND_AT_ONCE, 0) < 0 &&
		    errno == ECONNREFUSED)
			return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "send"))
		return send_for_ever(argument(argc, argv, 2, 0),
				     argument(argc, argv, 3, 64));
	return receive(argument(argc, argv, 1, 500) * 1000000ull);
}
