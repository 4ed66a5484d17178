// SPDX-License-Identifier: MIT
/*
 * Datagrams: received by one multishot request into a ring of buffers, given
 * back and counted. Dropped datagrams are not counted.
 *
 * Theory: the sender works a slice for each line of its input, as load.c does.
 * It asks the receiver for its counts before and after: with a datagram of one
 * byte, which is answered.
 *
 * How it sends decides what is measured. In bursts, as senders of QUIC do it,
 * dozens of datagrams are one call and arrive together: the receiver finds the
 * next as soon as it has handled one, and is busy all the time. One by one,
 * each takes the sender longer than the receiver, which sleeps before nearly
 * every datagram: that measures wake-ups.
 *
 *	udp				the receiver
 *	udp plain			the same by recvmmsg(2) alone, as a peer
 *	udp send PORT BYTES AT_ONCE	the sender; so many in a burst
 */
#include <liburing.h>
#include <netinet/udp.h>
#include <sys/mman.h>

#include "common.h"

#define GROUP 1
#define BUFFERS 1024u
#define BUFFER_BYTES 2048u
#define PAYLOAD_MAX 65000u /* of all that one call sends */
#define ASK_BYTES 1
#define PLAIN_AT_ONCE 64

/* Since the start. */
struct counts {
	uint64_t datagrams;
	uint64_t waits;
	uint64_t cpu_ns;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char *memory;
static struct counts so_far;

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

static void came(int fd, unsigned int bytes, const struct sockaddr *from)
{
	if (bytes != ASK_BYTES) {
		so_far.datagrams++;
		return;
	}
	so_far.cpu_ns = cpu_ns();
	sendto(fd, &so_far, sizeof(so_far), 0, from,
	       sizeof(struct sockaddr_in));
}

static void take(int fd, const struct io_uring_cqe *cqe)
{
	unsigned int bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_recvmsg_out *out =
		(void *)(memory + (size_t)bid * BUFFER_BYTES);

	check(cqe->res, "recvmsg");
	came(fd, out->payloadlen, io_uring_recvmsg_name(out));
	give(bid);
}

/* Arms again what has ended. */
static void reap(int fd, struct msghdr *msg)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	bool ended = false;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		seen++;
		ended = ended || !(cqe->flags & IORING_CQE_F_MORE);
		if (cqe->res != -ENOBUFS)
			take(fd, cqe);
	}
	io_uring_cq_advance(&ring, seen);
	so_far.waits++;
	if (ended)
		arm(fd, msg);
}

static int receive(void)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	int fd = open_server(SOCK_DGRAM);
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4096,
	};

	check(io_uring_queue_init_params(64, &ring, &params), "queue_init");
	open_buffers();
	arm(fd, &msg);
	for (;;) {
		int result = io_uring_submit_and_wait(&ring, 1);

		if (result != -EINTR) /* a tracer attaches to it */
			check(result, "wait");
		reap(fd, &msg);
	}
}

static int receive_plain(void)
{
	static struct sockaddr_in from[PLAIN_AT_ONCE];
	static char bytes[PLAIN_AT_ONCE][BUFFER_BYTES];
	struct mmsghdr batch[PLAIN_AT_ONCE];
	struct iovec iov[PLAIN_AT_ONCE];
	int fd = open_server(SOCK_DGRAM);

	for (;;) {
		int count;

		for (int i = 0; i < PLAIN_AT_ONCE; i++) {
			iov[i] = (struct iovec){bytes[i], BUFFER_BYTES};
			batch[i].msg_hdr = (struct msghdr){
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1,
			};
		}
		count = recvmmsg(fd, batch, PLAIN_AT_ONCE, MSG_WAITFORONE,
				 NULL);
		so_far.waits++;
		for (int i = 0; i < count; i++)
			came(fd, batch[i].msg_len,
			     (const struct sockaddr *)&from[i]);
	}
}

static int connect_to(unsigned int port)
{
	struct sockaddr_in address = loopback(port);
	struct timeval patience = {.tv_usec = 200000};
	int fd = check_libc(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	check_libc(connect(fd, (struct sockaddr *)&address, sizeof(address)),
		   "connect");
	return fd;
}

/*
 * The request for counts may be dropped, as any datagram; then it is sent
 * again.
 */
static struct counts ask(int fd)
{
	struct counts counts;

	for (int i = 0; i < 50; i++) {
		check_libc((int)send(fd, "?", ASK_BYTES, 0), "ask");
		if (recv(fd, &counts, sizeof(counts), 0) == sizeof(counts))
			return counts;
	}
	check(-ETIMEDOUT, "no answer");
	return counts;
}

/* Returns the count of datagrams sent. */
static uint64_t send_for(int fd, unsigned int bytes, unsigned int at_once,
			 uint64_t ns)
{
	static char message[PAYLOAD_MAX];
	uint64_t until = wall_ns() + ns, sent = 0;

	while (wall_ns() < until) {
		check_libc((int)send(fd, message, (size_t)bytes * at_once, 0),
			   "send");
		sent += at_once;
	}
	return sent;
}

static void slice(int fd, unsigned int bytes, unsigned int at_once,
		  unsigned int ms)
{
	struct counts before = ask(fd), after;
	uint64_t wall = wall_ns();
	uint64_t sent = send_for(fd, bytes, at_once, ms * 1000000ull);

	after = ask(fd);
	printf("{\"ops\":%llu,\"sent\":%llu,\"waits\":%llu,"
	       "\"wall_ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)(after.datagrams - before.datagrams),
	       (unsigned long long)sent,
	       (unsigned long long)(after.waits - before.waits),
	       (unsigned long long)(wall_ns() - wall),
	       (unsigned long long)(after.cpu_ns - before.cpu_ns));
	fflush(stdout);
}

static int send_slices(unsigned int port, int bytes, unsigned int at_once)
{
	unsigned int most = PAYLOAD_MAX / (unsigned int)bytes;
	int fd = connect_to(port);
	char line[32];

	if (at_once > most)
		at_once = most;
	if (at_once > 1)
		check_libc(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &bytes,
				      sizeof(bytes)),
			   "UDP_SEGMENT");
	while (fgets(line, sizeof(line), stdin))
		slice(fd, (unsigned int)bytes, at_once,
		      (unsigned int)strtoul(line, NULL, 10));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_slices(argument(argc, argv, 2, 0),
				   (int)argument(argc, argv, 3, 64),
				   argument(argc, argv, 4, 1));
	return argc == 2 ? receive_plain() : receive();
}
