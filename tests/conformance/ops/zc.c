/* SPDX-License-Identifier: MIT */
/*
 * SEND_ZC and SENDMSG_ZC: two completions, the second of them with F_NOTIF.
 */
#include "runner/scenario.h"

#include <netinet/in.h>
#include <sys/resource.h>

static struct io_uring_sqe *send_zc(struct ring *r, int fd, const void *bytes,
				    uint32_t count)
{
	return sqe_new(r, IORING_OP_SEND_ZC, fd, bytes, count, 0);
}

/* Submit one; its result comes first, its notification some time later. */
static void go_zc(struct ring *r)
{
	submit(r);
	reap_until_final(r);
}

static void a_send_of(struct ring *r, enum pair_kind kind)
{
	int fd[2];

	pair(fd, kind);
	send_zc(r, fd[0], "hello", 5);
	submit(r);
	reap_until_final(r);
	if (kind == PAIR_TCP || kind == PAIR_UDP) {
		wait_bytes(fd[1], 5);
		get(fd[1], 10);
	}
	quiet(r);
}

static void tcp(struct ring *r)
{
	a_send_of(r, PAIR_TCP);
}

static void udp(struct ring *r)
{
	a_send_of(r, PAIR_UDP);
}

static void local_stream(struct ring *r)
{
	a_send_of(r, PAIR_STREAM);
}

static void local_datagram(struct ring *r)
{
	a_send_of(r, PAIR_DGRAM);
}

static void no_socket(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	send_zc(r, fd[1], "hello", 5);
	submit(r);
	reap_until_final(r);
	send_zc(r, 12345, "hello", 5);
	submit(r);
	reap_until_final(r);
	send_zc(r, 3, "hello", 5)->flags = IOSQE_FIXED_FILE;
	submit(r);
	reap_until_final(r);
	send_zc(r, r->fd, "hello", 5);
	submit(r);
	reap_until_final(r);
}

static void usage_reported(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	send_zc(r, fd[0], "hello", 5)->ioprio = IORING_SEND_ZC_REPORT_USAGE;
	go_zc(r);
	send_zc(r, fd[0], nowhere(), 5)->ioprio = IORING_SEND_ZC_REPORT_USAGE;
	go_zc(r);
	send_zc(r, -1, "hello", 5)->ioprio = IORING_SEND_ZC_REPORT_USAGE;
	go_zc(r);
}

static void words(struct ring *r)
{
	int fd[2], i;

	pair(fd, PAIR_TCP);
	for (i = 0; i < 8; i++) {
		if (1 << i == IORING_SEND_VECTORIZED)
			continue; /* "x" is not a vector */
		send_zc(r, fd[0], "x", 1)->ioprio = (uint16_t)(1u << i);
		submit(r);
		reap_until_final(r);
	}
	send_zc(r, fd[0], "x", 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->flags = IOSQE_BUFFER_SELECT;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->flags = IOSQE_ASYNC;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->addr3 = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->pad2_ = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->buf_index = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->addr_len = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->pad3_ = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->personality = 1;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], "x", 1)->op_flags = 0x40000000;
	submit(r);
	reap_until_final(r);
}

static void bad_memory(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	send_zc(r, fd[0], nowhere(), 10);
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], (void *)-4096L, 10);
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], NULL, 0);
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], page_before_nothing() + 4090, 10);
	submit(r);
	reap_until_final(r);
}

static void in_a_chain(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	send_zc(r, fd[0], "ab", 2)->flags = IOSQE_IO_LINK;
	send_zc(r, fd[0], "cd", 2)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 5);
	wait_bytes(fd[1], 4);
	get(fd[1], 10);
	send_zc(r, fd[0], nowhere(), 2)->flags = IOSQE_IO_LINK;
	send_zc(r, fd[0], "cd", 2)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 5);
}

/* Write until the socket stays full: sent bytes first move to the peer. */
static void fill(int fd)
{
	static char big[1 << 20];
	int refused = 0, small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	while (refused < 5) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (send(fd, big, sizeof(big), MSG_DONTWAIT) > 0 ||
		    poll(&p, 1, 10) > 0)
			refused = 0;
		else
			refused++;
	}
}

static void canceled_while_it_waits(struct ring *r)
{
	static char big[100];
	int fd[2];

	pair(fd, PAIR_TCP);
	fill(fd[0]);
	send_zc(r, fd[0], big, 100)->ioprio = IORING_RECVSEND_POLL_FIRST;
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	quiet(r);
}

static void a_chain_that_never_begins(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	send_zc(r, fd[0], "ab", 2)->flags = IOSQE_IO_LINK;
	sqe_nop(r)->ioprio = 1;
	submit(r);
	quiet(r);
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	send_zc(r, fd[0], "ab", 2)->ioprio = 2;
	submit(r);
	quiet(r);
	send_zc(r, fd[0], "ab", 2)->ioprio = 2;
	send_zc(r, fd[0], "ab", 2);
	submit(r);
	quiet(r);
}

static int bound_to(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	if (bind(fd, (void *)address, length) ||
	    getsockname(fd, (void *)address, &length))
		give_up("no socket");
	return fd;
}

static void to_address(struct ring *r, int fd, const void *address,
		       uint16_t length)
{
	struct io_uring_sqe *sqe = send_zc(r, fd, "hello", 5);

	sqe->addr2 = (uintptr_t)address;
	sqe->addr_len = length;
	submit(r);
	reap_until_final(r);
}

static void an_address(struct ring *r)
{
	int from = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to;
	int receiver = bound_to(&to);

	to_address(r, from, &to, sizeof(to));
	wait_bytes(receiver, 5);
	get(receiver, 10);
	to_address(r, from, nowhere(), sizeof(to));
	to_address(r, from, &to, 200);
	to_address(r, from, &to, 3);
	to_address(r, from, NULL, 0);
}

static void fixed(struct ring *r, int fd, char *at, uint32_t count,
		  uint16_t index)
{
	struct io_uring_sqe *sqe = send_zc(r, fd, at, count);

	sqe->ioprio = IORING_RECVSEND_FIXED_BUF | IORING_SEND_ZC_REPORT_USAGE;
	sqe->buf_index = index;
	submit(r);
	reap_until_final(r);
}

static void from_registered_buffers(struct ring *r)
{
	char *bytes = pages(8192);
	struct iovec vector = {bytes, 4096};
	int fd[2];

	pair(fd, PAIR_TCP);
	memset(bytes, 'a', 8192);
	fixed(r, fd[0], bytes, 5, 0);
	reg(r, IORING_REGISTER_BUFFERS, &vector, 1);
	fixed(r, fd[0], bytes + 4090, 6, 0);
	wait_bytes(fd[1], 6);
	get(fd[1], 10);
	fixed(r, fd[0], bytes + 4090, 7, 0);
	fixed(r, fd[0], bytes, 5, 1);
	fixed(r, fd[0], bytes - 1, 5, 0);
	fixed(r, fd[0], bytes, 0, 0);
	fixed(r, -1, bytes, 5, 1);
	fixed(r, -1, bytes, 5, 0);
	pair(fd, PAIR_STREAM);
	fixed(r, fd[0], bytes, 5, 1);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

static void several_vectors(struct ring *r)
{
	char *bytes = pages(8192);
	struct iovec vectors[] = {{bytes, 3}, {bytes + 4096, 2}};
	struct iovec registered = {bytes, 8192};
	struct io_uring_sqe *sqe;
	int fd[2];

	pair(fd, PAIR_TCP);
	memset(bytes, 'a', 8192);
	send_zc(r, fd[0], vectors, 2)->ioprio = IORING_SEND_VECTORIZED;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], nowhere(), 2)->ioprio = IORING_SEND_VECTORIZED;
	submit(r);
	reap_until_final(r);
	send_zc(r, fd[0], vectors, 1025)->ioprio = IORING_SEND_VECTORIZED;
	submit(r);
	reap_until_final(r);
	reg(r, IORING_REGISTER_BUFFERS, &registered, 1);
	sqe = send_zc(r, fd[0], vectors, 2);
	sqe->ioprio = IORING_SEND_VECTORIZED | IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
	vectors[1].iov_len = 4097;
	sqe = send_zc(r, fd[0], vectors, 2);
	sqe->ioprio = IORING_SEND_VECTORIZED | IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
	sqe_new(r, IORING_OP_SEND, fd[0], vectors, 1, 0)->ioprio =
		IORING_SEND_VECTORIZED;
	submit(r);
	reap_until_final(r);
	sqe_new(r, IORING_OP_SEND, fd[0], bytes, 1, 0)->ioprio =
		IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
	wait_bytes(fd[1], 8);
	get(fd[1], 20);
	sqe_provide(r, bytes, 5, 2, 1, 0);
	go(r);
	sqe = sqe_select(r, IORING_OP_SEND, fd[0], 0, 1);
	sqe->ioprio = IORING_SEND_VECTORIZED;
	go(r);
	sqe = sqe_select(r, IORING_OP_SEND, fd[0], 1, 1);
	sqe->addr = (uintptr_t)vectors;
	sqe->ioprio = IORING_SEND_VECTORIZED;
	go(r);
	vectors[0].iov_base = (void *)-4096L;
	send_zc(r, fd[0], vectors, 2)->ioprio = IORING_SEND_VECTORIZED;
	submit(r);
	reap_until_final(r);
}

/* ---- SENDMSG_ZC ---- */

static struct io_uring_sqe *sendmsg_zc(struct ring *r, int fd,
				       const struct msghdr *header)
{
	return sqe_new(r, IORING_OP_SENDMSG_ZC, fd, header, 1, 0);
}

static void message(struct ring *r)
{
	struct iovec vectors[2] = {{"hello ", 6}, {"world", 5}};
	struct msghdr header = {.msg_iov = vectors, .msg_iovlen = 2};
	int fd[2], i;

	pair(fd, PAIR_TCP);
	sendmsg_zc(r, fd[0], &header)->ioprio = IORING_SEND_ZC_REPORT_USAGE;
	submit(r);
	reap_until_final(r);
	wait_bytes(fd[1], 11);
	get(fd[1], 20);
	for (i = 0; i < 8; i++) {
		sendmsg_zc(r, fd[0], &header)->ioprio = (uint16_t)(1u << i);
		submit(r);
		reap_until_final(r);
	}
	sendmsg_zc(r, fd[0], &header)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], &header)->flags = IOSQE_BUFFER_SELECT;
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], &header)->addr2 = 1;
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], &header)->file_index = 1;
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], &header)->buf_index = 1;
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], &header)->len = 0;
	submit(r);
	reap_until_final(r);
	vectors[1].iov_base = nowhere();
	sendmsg_zc(r, fd[0], &header);
	submit(r);
	reap_until_final(r);
	header.msg_iovlen = 1025;
	sendmsg_zc(r, fd[0], &header);
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, fd[0], nowhere());
	submit(r);
	reap_until_final(r);
}

static void message_elsewhere(struct ring *r)
{
	struct iovec vector = {"hello", 5};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
	int fd[2];

	pair(fd, PAIR_STREAM);
	sendmsg_zc(r, fd[0], &header);
	submit(r);
	reap_until_final(r);
	pair(fd, PAIR_PIPE);
	sendmsg_zc(r, fd[1], &header);
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, -1, &header);
	submit(r);
	reap_until_final(r);
	sendmsg_zc(r, 3, &header)->flags = IOSQE_FIXED_FILE;
	submit(r);
	reap_until_final(r);
	pair(fd, PAIR_TCP);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	sendmsg_zc(r, 0, &header)->flags = IOSQE_FIXED_FILE | IOSQE_ASYNC;
	submit(r);
	reap_until_final(r);
	send_zc(r, 0, "abc", 3)->flags = IOSQE_FIXED_FILE;
	submit(r);
	reap_until_final(r);
	wait_bytes(fd[1], 8);
	get(fd[1], 20);
}

static void message_from_registered_buffers(struct ring *r)
{
	char *bytes = pages(8192);
	struct iovec vectors[2] = {{bytes, 3}, {bytes + 4000, 6}};
	struct msghdr header = {.msg_iov = vectors, .msg_iovlen = 2};
	struct iovec registered = {bytes, 4096};
	int fd[2];

	pair(fd, PAIR_TCP);
	memset(bytes, 'b', 8192);
	sendmsg_zc(r, fd[0], &header)->ioprio = IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
	reg(r, IORING_REGISTER_BUFFERS, &registered, 1);
	sendmsg_zc(r, fd[0], &header)->ioprio = IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
	wait_bytes(fd[1], 9);
	get(fd[1], 20);
	vectors[1].iov_len = 97;
	sendmsg_zc(r, fd[0], &header)->ioprio = IORING_RECVSEND_FIXED_BUF;
	submit(r);
	reap_until_final(r);
}

static void raw_socket(struct ring *r)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int netlink = socket(AF_NETLINK, SOCK_RAW, 0);

	send_zc(r, fd, "hello", 5);
	submit(r);
	reap_until_final(r);
	send_zc(r, netlink, "hello", 5);
	submit(r);
	reap_until_final(r);
}

/*
 * More than a user may lock is refused before the file is looked at, on a ring
 * that the user has made.
 */
static void beyond_the_limit(struct ring *r)
{
	const struct rlimit limit = {1u << 20, 1u << 20};
	static const uint32_t lengths[] = {1, 4096, 1u << 21, UINT32_MAX};

	struct ring limited;

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (!geteuid() && setresuid(65534, 65534, 65534) < 0)
		give_up("setresuid: %s", strerror(errno));
	ring_open(&limited, 8, 0);
	for (size_t i = 0; i < array_size(lengths); i++) {
		note("length %u", lengths[i]);
		for (int j = 0; j < 2; j++) {
			struct ring *which = j ? &limited : r;

			sqe_new(which, IORING_OP_SEND_ZC, -1, "x", lengths[i],
				0);
			submit(which);
			reap(which, 2);
		}
	}
}

static const struct scenario rows[] = {
	SCENARIO(tcp, NULL, .modes = MODES_ALL),
	SCENARIO(udp, NULL),
	SCENARIO(local_stream, NULL),
	SCENARIO(local_datagram, NULL),
	SCENARIO(no_socket, NULL),
	SCENARIO(usage_reported, NULL),
	SCENARIO(words, "P13"),
	SCENARIO(bad_memory, NULL),
	SCENARIO(in_a_chain, NULL),
	SCENARIO(canceled_while_it_waits, NULL),
	SCENARIO(a_chain_that_never_begins, NULL),
	SCENARIO(an_address, NULL),
	SCENARIO(from_registered_buffers, NULL),
	SCENARIO(several_vectors, NULL),
	SCENARIO(message, NULL),
	SCENARIO(message_elsewhere, NULL),
	SCENARIO(message_from_registered_buffers, NULL),
	SCENARIO(beyond_the_limit, NULL, .roots = true),
	SCENARIO(raw_socket, NULL, .roots = true),
};

FAMILY(zc, rows);
