/* SPDX-License-Identifier: MIT */
/*
 * SEND, RECV, SENDMSG, RECVMSG, ACCEPT, CONNECT, SOCKET, SHUTDOWN.
 */
#include "runner/scenario.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static char bytes[65536];

static struct io_uring_sqe *sqe_recv(struct ring *r, int fd, uint32_t len,
				     uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_RECV, fd, bytes, len, 0);
	sqe->op_flags = flags;
	return sqe;
}

static struct io_uring_sqe *sqe_send(struct ring *r, int fd, const char *text,
				     uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_SEND, fd, text, (uint32_t)strlen(text), 0);
	sqe->op_flags = flags;
	return sqe;
}

/* ---- SEND and RECV ------------------------------------------------------- */

static void send_and_receive(struct ring *r, enum pair_kind kind)
{
	int fd[2];

	pair(fd, kind);
	sqe_recv(r, fd[0], 16, 0);
	submit(r);
	quiet(r);
	sqe_send(r, fd[1], "hello", 0);
	submit(r);
	reap_sorted(r, 2);
	note_bytes("bytes", bytes, 5);
	sqe_send(r, fd[1], "again", 0);
	go(r);
	wait_readable(fd[0]);
	sqe_recv(r, fd[0], 3, 0);
	go(r);
	sqe_recv(r, fd[0], 3, MSG_DONTWAIT);
	submit(r);
	quiet(r);
}

static void over_unix_stream(struct ring *r)
{
	send_and_receive(r, PAIR_STREAM);
}

static void over_tcp(struct ring *r)
{
	send_and_receive(r, PAIR_TCP);
}

static void over_unix_datagrams(struct ring *r)
{
	send_and_receive(r, PAIR_DGRAM);
}

static void over_udp(struct ring *r)
{
	send_and_receive(r, PAIR_UDP);
}

static void recv_flags(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdef");
	sqe_recv(r, fd[0], 4, MSG_PEEK);
	go(r);
	sqe_recv(r, fd[0], 4, MSG_DONTWAIT);
	go(r);
	sqe_recv(r, fd[0], 4, MSG_WAITALL | MSG_DONTWAIT);
	submit(r);
	quiet(r);
	sqe_recv(r, fd[0], 4, MSG_OOB);
	submit(r);
	quiet(r);
	sqe_recv(r, fd[0], 4, MSG_ERRQUEUE | MSG_DONTWAIT);
	submit(r);
	quiet(r);
	sqe_recv(r, fd[0], 4, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	submit(r);
	quiet(r);
}

static void recv_datagram_cut(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_DGRAM);
	put(fd[1], "abcdef");
	put(fd[1], "ghijkl");
	put(fd[1], "mnopqr");
	sqe_recv(r, fd[0], 2, MSG_PEEK);
	go(r);
	sqe_recv(r, fd[0], 2, 0);
	go(r);
	sqe_recv(r, fd[0], 2, MSG_TRUNC);
	go(r);
	sqe_recv(r, fd[0], 0, 0);
	go(r);
	if (send(fd[1], "", 0, 0) < 0)
		give_up("send");
	sqe_recv(r, fd[0], 4, 0);
	go(r);
}

static void recv_lengths(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdef");
	sqe_recv(r, fd[0], 0, 0);
	go(r);
	sqe_recv(r, fd[0], 0x7fffffff, 0);
	go(r);
	put(fd[1], "abcdef");
	sqe_recv(r, fd[0], 0x80000000, 0);
	submit(r);
	quiet(r);
	sqe_recv(r, fd[0], UINT32_MAX, MSG_DONTWAIT);
	submit(r);
	quiet(r);
}

static void recv_waitall(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_recv(r, fd[0], 6, MSG_WAITALL);
	submit(r);
	put(fd[1], "ab");
	quiet(r);
	put(fd[1], "cd");
	quiet(r);
	put(fd[1], "efgh");
	reap(r, 1);
	note_bytes("bytes", bytes, 6);
	sqe_recv(r, fd[0], 6, MSG_WAITALL);
	submit(r);
	quiet(r);
	close(fd[1]);
	reap(r, 1);
}

static void recv_waitall_tcp(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	sqe_recv(r, fd[0], 6, MSG_WAITALL);
	submit(r);
	put(fd[1], "ab");
	quiet(r);
	put(fd[1], "cdef");
	reap(r, 1);
	note_bytes("bytes", bytes, 6);
}

static void bad_pointers(struct ring *r)
{
	char *none = nowhere();
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdef");
	sqe_recv(r, fd[0], 4, 0)->addr = (uintptr_t)none;
	go(r);
	sqe_recv(r, fd[0], 4, 0)->addr = 0;
	go(r);
	sqe_recv(r, fd[0], 4, 0)->addr = UINT64_C(0xffff800000000000);
	go(r);
	sqe_send(r, fd[1], "abcd", 0)->addr = (uintptr_t)none;
	go(r);
	sqe_send(r, fd[1], "abcd", 0)->addr = UINT64_C(0xffff800000000000);
	go(r);
	sqe_send(r, fd[1], "", 0)->addr = (uintptr_t)none;
	go(r);
	sqe_recv(r, fd[0], 4, 0);
	go(r);
}

static void bad_files(struct ring *r)
{
	int file = file_with("abc");
	int ring_fd = r->fd;

	sqe_recv(r, -1, 4, 0);
	go(r);
	sqe_recv(r, file, 4, 0);
	go(r);
	sqe_send(r, file, "abc", 0);
	go(r);
	sqe_new(r, IORING_OP_ACCEPT, file, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, file, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, file, bytes, 0, 16);
	go(r);
	sqe_recv(r, ring_fd, 4, 0);
	go(r);
	sqe_recv(r, socket(AF_INET, SOCK_STREAM, 0), 4, 0);
	go(r);
	sqe_send(r, socket(AF_INET, SOCK_STREAM, 0), "abc", 0);
	go(r);
}

static void ioprio_bits(struct ring *r)
{
	unsigned int bit;
	int fd[2];

	pair(fd, PAIR_STREAM);
	for (bit = 6; bit < 16; bit++) {
		sqe_recv(r, fd[0], 4, MSG_DONTWAIT)->ioprio =
			(uint16_t)(1u << bit);
		go(r);
		sqe_send(r, fd[0], "abcd", 0)->ioprio = (uint16_t)(1u << bit);
		go(r);
	}
	sqe_send(r, fd[0], "abcd", 0)->ioprio = IORING_RECV_MULTISHOT;
	go(r);
}

static void poll_first(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abc");
	sqe_recv(r, fd[0], 8, 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	submit(r);
	reap(r, 1);
	sqe_recv(r, fd[0], 8, 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	submit(r);
	quiet(r);
	put(fd[1], "def");
	reap(r, 1);
	sqe_send(r, fd[0], "xyz", 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	submit(r);
	reap(r, 1);
	get(fd[1], 8);
}

static void nonblocking_socket(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	nonblocking(fd[0]);
	sqe_recv(r, fd[0], 8, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	quiet(r);
}

static void peer_is_gone(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	close(fd[1]);
	sqe_send(r, fd[0], "abc", 0);
	go(r);
	sqe_send(r, fd[0], "abc", MSG_NOSIGNAL);
	go(r);
	sqe_recv(r, fd[0], 8, 0);
	go(r);
}

/* Is SIGPIPE sent? It would end the process. */
static void no_signal(struct ring *r)
{
	int fd[2];

	signal(SIGPIPE, SIG_DFL);
	pair(fd, PAIR_STREAM);
	close(fd[1]);
	sqe_send(r, fd[0], "abc", 0);
	go(r);
}

static void send_waits_for_room(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	while (send(fd[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	sqe_send(r, fd[1], "abc", 0);
	submit(r);
	quiet(r);
	sqe_send(r, fd[1], "def", MSG_DONTWAIT);
	go(r);
	while (recv(fd[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	reap(r, 1);
}

/* All bytes are sent, however little room there is at a time. */
static void send_waitall(struct ring *r)
{
	const size_t size = 4 << 20;
	char *much = pages(size);
	size_t total = 0;
	int fd[2];

	pair(fd, PAIR_STREAM);
	memset(much, 'm', size);
	sqe_new(r, IORING_OP_SEND, fd[1], much, (uint32_t)size, 0)->op_flags =
		MSG_WAITALL;
	submit(r);
	while (total < size) {
		ssize_t got;

		side->enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		got = recv(fd[0], bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got > 0)
			total += (size_t)got;
		else
			pause_ms(1);
	}
	note("received %zu", total);
	reap(r, 1);
}

static void send_to_an_address(struct ring *r)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	socklen_t length = sizeof(to);
	struct io_uring_sqe *sqe;
	int from = socket(AF_INET, SOCK_DGRAM, 0);
	int at = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(at, (void *)&to, length) ||
	    getsockname(at, (void *)&to, &length))
		give_up("bind");
	sqe = sqe_send(r, from, "hello", 0);
	sqe->addr2 = (uintptr_t)&to;
	sqe->addr_len = (uint16_t)length;
	go(r);
	get(at, 10);
	sqe = sqe_send(r, from, "hello", 0);
	sqe->addr2 = (uintptr_t)nowhere();
	sqe->addr_len = (uint16_t)length;
	go(r);
	sqe = sqe_send(r, from, "hello", 0);
	sqe->addr2 = (uintptr_t)&to;
	sqe->addr_len = 3;
	go(r);
	sqe = sqe_send(r, from, "hello", 0);
	go(r);
	sqe = sqe_send(r, from, "hello", 0);
	sqe->addr2 = (uintptr_t)&to;
	sqe->addr_len = 1000;
	go(r);
}

/* ---- SENDMSG and RECVMSG ------------------------------------------------- */

static struct io_uring_sqe *sqe_msg(struct ring *r, enum io_uring_op op, int fd,
				    struct msghdr *msg)
{
	return sqe_new(r, op, fd, msg, 1, 0);
}

static void messages(struct ring *r)
{
	struct iovec out[] = {{"hel", 3}, {"lo", 2}};
	struct iovec in[] = {{bytes, 2}, {bytes + 8, 8}};
	struct msghdr send_it = {.msg_iov = out, .msg_iovlen = 2};
	struct msghdr recv_it = {.msg_iov = in, .msg_iovlen = 2};
	int fd[2];

	pair(fd, PAIR_STREAM);
	memset(bytes, '.', 16);
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &recv_it);
	submit(r);
	quiet(r);
	sqe_msg(r, IORING_OP_SENDMSG, fd[1], &send_it);
	submit(r);
	reap_sorted(r, 2);
	note_bytes("bytes", bytes, 16);
	note("flags 0x%x", recv_it.msg_flags);
}

static void messages_with_names(struct ring *r)
{
	struct sockaddr_in name = {.sin_family = 0};
	struct iovec iov = {bytes, 3};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = &name,
		.msg_namelen = sizeof(name),
	};
	int fd[2];

	pair(fd, PAIR_UDP);
	put(fd[1], "abcdef");
	put(fd[1], "ghi");
	wait_readable(fd[0]);
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg);
	go(r);
	note("namelen %u family %u address %x flags 0x%x", msg.msg_namelen,
	     name.sin_family, ntohl(name.sin_addr.s_addr), msg.msg_flags);
	msg.msg_namelen = 4;
	msg.msg_flags = 0;
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg);
	go(r);
	note("namelen %u flags 0x%x", msg.msg_namelen, msg.msg_flags);
	note_bytes("bytes", bytes, 3);
}

static void messages_with_files(struct ring *r)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} out = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_RIGHTS}},
	  in = {.head = {.cmsg_len = 0}};
	struct iovec iov = {bytes, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &out,
		.msg_controllen = sizeof(out.room),
	};
	int file = file_with("passed");
	int fd[2];

	pair(fd, PAIR_STREAM);
	memcpy(CMSG_DATA(&out.head), &file, sizeof(file));
	sqe_msg(r, IORING_OP_SENDMSG, fd[1], &msg);
	go(r);
	msg.msg_control = &in;
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg)->op_flags = MSG_CMSG_CLOEXEC;
	go(r);
	note("controllen %zu len %zu level %d type %d flags 0x%x",
	     (size_t)msg.msg_controllen, (size_t)in.head.cmsg_len,
	     in.head.cmsg_level, in.head.cmsg_type, msg.msg_flags);
	memcpy(&file, CMSG_DATA(&in.head), sizeof(file));
	note("cloexec %d", fcntl(file, F_GETFD));
	lseek(file, 0, SEEK_SET);
	get(file, 10);
}

static void message_pointers(struct ring *r)
{
	struct iovec iov = {nowhere(), 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abc");
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], NULL);
	go(r);
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], nowhere());
	go(r);
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], nowhere());
	go(r);
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg);
	go(r);
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	msg.msg_iov = nowhere();
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg);
	go(r);
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1025;
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg);
	go(r);
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	msg.msg_iovlen = 0;
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	msg.msg_name = nowhere();
	msg.msg_namelen = 16;
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	msg.msg_name = NULL;
	msg.msg_namelen = 0;
	msg.msg_control = nowhere();
	msg.msg_controllen = 32;
	sqe_msg(r, IORING_OP_SENDMSG, fd[0], &msg);
	go(r);
	sqe_msg(r, IORING_OP_RECVMSG, -1, nowhere());
	go(r);
}

static void message_header_may_go(struct ring *r)
{
	struct msghdr *msg = pages(4096);
	struct iovec *iov = pages(4096);
	int fd[2];

	pair(fd, PAIR_STREAM);
	while (send(fd[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	*iov = (struct iovec){"abc", 3};
	msg->msg_iov = iov;
	msg->msg_iovlen = 1;
	sqe_msg(r, IORING_OP_SENDMSG, fd[1], msg);
	submit(r);
	quiet(r);
	munmap(msg, 4096);
	munmap(iov, 4096);
	while (recv(fd[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	reap(r, 1);
}

static void message_waitall(struct ring *r)
{
	struct iovec in[] = {{bytes, 2}, {bytes + 8, 4}};
	struct msghdr msg = {.msg_iov = in, .msg_iovlen = 2};
	int fd[2];

	pair(fd, PAIR_STREAM);
	memset(bytes, '.', 16);
	sqe_msg(r, IORING_OP_RECVMSG, fd[0], &msg)->op_flags = MSG_WAITALL;
	submit(r);
	put(fd[1], "a");
	quiet(r);
	put(fd[1], "bcd");
	quiet(r);
	put(fd[1], "ef");
	reap(r, 1);
	note_bytes("bytes", bytes, 16);
}

/* ---- ACCEPT -------------------------------------------------------------- */

static struct io_uring_sqe *sqe_accept(struct ring *r, int fd, uint16_t ioprio)
{
	struct io_uring_sqe *sqe;

	sqe = returns_fd(sqe_new(r, IORING_OP_ACCEPT, fd, NULL, 0, 0));
	sqe->ioprio = ioprio;
	return sqe;
}

static void accept_waits(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);
	int client;

	sqe_accept(r, listening, 0);
	submit(r);
	quiet(r);
	client = connect_to(&address, length);
	reap(r, 1);
	put(client, "hello");
	get(fd_of(0), 5);
	note("cloexec %d nonblock %d", fcntl(fd_of(0), F_GETFD),
	     fcntl(fd_of(0), F_GETFL) & O_NONBLOCK);
}

/* Several requests wait for one file: which of them gets the data? */
static void several_accepts(struct ring *r)
{
	struct sockaddr_storage address;
	socklen_t length;
	int listening = listener(&address, &length), i;

	for (i = 0; i < 5; i++)
		returns_fd(sqe_accept(r, listening, 0));
	submit(r);
	for (i = 0; i < 3; i++) {
		connect_to(&address, length);
		reap(r, 1);
	}
	returns_fd(sqe_accept(r, listening, 0));
	submit(r);
	for (i = 0; i < 3; i++) {
		connect_to(&address, length);
		reap(r, 1);
	}
}

static void several_receive(struct ring *r, enum pair_kind kind)
{
	int fd[2], i;

	pair(fd, kind);
	for (i = 0; i < 5; i++)
		sqe_recv(r, fd[0], 1, 0);
	submit(r);
	for (i = 0; i < 3; i++) {
		put(fd[1], "x");
		reap(r, 1);
	}
	sqe_recv(r, fd[0], 1, 0);
	submit(r);
	for (i = 0; i < 3; i++) {
		put(fd[1], "x");
		reap(r, 1);
	}
}

static void several_receives(struct ring *r)
{
	several_receive(r, PAIR_STREAM);
	several_receive(r, PAIR_DGRAM);
}

static void several_reads_and_a_poll(struct ring *r)
{
	int fd[2], i;

	pair(fd, PAIR_PIPE);
	for (i = 0; i < 4; i++)
		sqe_new(r, IORING_OP_READ, fd[0], bytes, 1, (uint64_t)-1);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	for (i = 0; i < 3; i++) {
		put(fd[1], "x");
		quiet(r);
	}
	close(fd[1]);
	quiet(r);
}

static void accept_address(struct ring *r)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in from = {0};
	socklen_t room = sizeof(from);
	struct io_uring_sqe *sqe;
	socklen_t length;
	int listening = listener(&address, &length);

	connect_to(&address, length);
	sqe = sqe_accept(r, listening, 0);
	sqe->addr = (uintptr_t)&from;
	sqe->addr2 = (uintptr_t)&room;
	sqe->op_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	go(r);
	note("length %u family %u address %x", room, from.sin_family,
	     ntohl(from.sin_addr.s_addr));
	note("cloexec %d nonblock %d", fcntl(fd_of(0), F_GETFD),
	     fcntl(fd_of(0), F_GETFL) & O_NONBLOCK);
}

static void accept_bad_address(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t room = 16;
	struct io_uring_sqe *sqe;
	socklen_t length;
	int listening = listener(&address, &length);

	connect_to(&address, length);
	sqe = sqe_accept(r, listening, 0);
	sqe->addr = (uintptr_t)nowhere();
	sqe->addr2 = (uintptr_t)&room;
	go(r);
	connect_to(&address, length);
	sqe = sqe_accept(r, listening, 0);
	sqe->addr = (uintptr_t)bytes;
	sqe->addr2 = (uintptr_t)nowhere();
	go(r);
	connect_to(&address, length);
	sqe = sqe_accept(r, listening, 0);
	sqe->addr = (uintptr_t)bytes;
	go(r);
}

static void accept_errors(struct ring *r)
{
	struct sockaddr_storage address = {0};
	struct io_uring_sqe *sqe;
	socklen_t length;
	int listening = listener(&address, &length);

	sqe_accept(r, -1, 0);
	go(r);
	sqe_accept(r, socket(AF_INET, SOCK_STREAM, 0), 0);
	go(r);
	sqe_accept(r, socket(AF_INET, SOCK_DGRAM, 0), 0);
	go(r);
	sqe_accept(r, listening, 0)->op_flags = 1;
	go(r);
	sqe_accept(r, listening, 8);
	go(r);
	sqe_accept(r, listening, 0)->len = 1;
	go(r);
	sqe_accept(r, listening, 0)->buf_index = 1;
	go(r);
	sqe = sqe_accept(r, listening, 0);
	sqe->file_index = 1;
	sqe->op_flags = SOCK_CLOEXEC;
	go(r);
	sqe_accept(r, listening, 0)->file_index = 1;
	submit(r);
	quiet(r);
}

static void accept_dontwait(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);

	sqe_accept(r, listening, IORING_ACCEPT_DONTWAIT);
	submit(r);
	quiet(r);
	connect_to(&address, length);
	sqe_accept(r, listening, IORING_ACCEPT_DONTWAIT);
	submit(r);
	quiet(r);
	nonblocking(listening);
	sqe_accept(r, listening, 0);
	submit(r);
	quiet(r);
}

static void accept_poll_first(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);

	connect_to(&address, length);
	sqe_accept(r, listening, IORING_ACCEPT_POLL_FIRST);
	submit(r);
	reap(r, 1);
	sqe_accept(r, listening,
		   IORING_ACCEPT_POLL_FIRST | IORING_ACCEPT_DONTWAIT);
	submit(r);
	quiet(r);
	connect_to(&address, length);
	quiet(r);
}

static void accept_multishot(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);
	int client;
	int i;

	connect_to(&address, length);
	connect_to(&address, length);
	sqe_accept(r, listening, IORING_ACCEPT_MULTISHOT);
	submit(r);
	reap(r, 2);
	for (i = 0; i < 3; i++) {
		connect_to(&address, length);
		reap(r, 1);
	}
	client = connect_to(&address, length);
	reap(r, 1);
	put(client, "last");
	get(fd_of(5), 8);
	sqe_cancel(r, 1 | UINT64_C(1) << 40, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void accept_multishot_closed(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);

	sqe_accept(r, listening, IORING_ACCEPT_MULTISHOT);
	submit(r);
	quiet(r);
	shutdown(listening, SHUT_RDWR);
	quiet(r);
}

static void accept_multishot_checks(struct ring *r)
{
	struct sockaddr_storage address = {0};
	struct io_uring_sqe *sqe;
	socklen_t length;
	int listening = listener(&address, &length);

	sqe = sqe_accept(r, listening, IORING_ACCEPT_MULTISHOT);
	sqe->addr = (uintptr_t)bytes;
	sqe->addr2 = (uintptr_t)bytes;
	submit(r);
	quiet(r);
	sqe_accept(r, listening, IORING_ACCEPT_MULTISHOT)->file_index = 1;
	submit(r);
	quiet(r);
}

static void accept_multishot_dontwait(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);

	connect_to(&address, length);
	sqe_accept(r, listening,
		   IORING_ACCEPT_MULTISHOT | IORING_ACCEPT_DONTWAIT);
	submit(r);
	quiet(r);
}

/* ---- CONNECT, SOCKET, SHUTDOWN ------------------------------------------- */

static void connect_succeeds(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length);
	go(r);
	sqe_accept(r, listening, 0);
	go(r);
	put(fd, "hello");
	get(fd_of(0), 8);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length);
	go(r);
}

static void connect_nonblocking(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	listener(&address, &length);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length);
	go(r);
}

static void connect_refused(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	close(listening);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length);
	go(r);
}

static void connect_errors(struct ring *r)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_storage address = {0};
	socklen_t length;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	listener(&address, &length);
	sqe_new(r, IORING_OP_CONNECT, fd, nowhere(), 0, length);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, 3);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, 1000);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, UINT64_MAX);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 1, length);
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length)->op_flags = 1;
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length)->ioprio = 1;
	go(r);
	sqe_new(r, IORING_OP_CONNECT, -1, &address, 0, length);
	go(r);
	snprintf(name.sun_path, sizeof(name.sun_path), "/no/such/socket");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	sqe_new(r, IORING_OP_CONNECT, fd, &name, 0, sizeof(name));
	go(r);
	sqe_new(r, IORING_OP_CONNECT, fd, &address, 0, length);
	go(r);
}

static struct io_uring_sqe *sqe_socket(struct ring *r, int domain, int type,
				       int protocol)
{
	return returns_fd(sqe_new(r, IORING_OP_SOCKET, domain, NULL,
				  (uint32_t)protocol, (uint64_t)type));
}

static void socket_made(struct ring *r)
{
	sqe_socket(r, AF_INET, SOCK_STREAM, 0);
	go(r);
	note("cloexec %d nonblock %d", fcntl(fd_of(0), F_GETFD),
	     fcntl(fd_of(0), F_GETFL) & O_NONBLOCK);
	sqe_socket(r, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	go(r);
	note("cloexec %d nonblock %d", fcntl(fd_of(1), F_GETFD),
	     fcntl(fd_of(1), F_GETFL) & O_NONBLOCK);
}

static void socket_errors(struct ring *r)
{
	sqe_socket(r, 12345, SOCK_STREAM, 0);
	go(r);
	sqe_socket(r, AF_INET, 99, 0);
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, IPPROTO_UDP);
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM | 0x10000, 0);
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, 0)->addr = 1;
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, 0)->rw_flags = 1;
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, 0)->buf_index = 1;
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, 0)->ioprio = 1;
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM, 0)->file_index = 1;
	go(r);
	sqe_socket(r, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)->file_index = 1;
	go(r);
}

static void shutdown_ways(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[1], NULL, SHUT_WR, 0);
	go(r);
	get(fd[0], 1);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, SHUT_RD, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, SHUT_RDWR, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, 3, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, UINT32_MAX, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, 0, 1);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], "x", 0, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, -1, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, socket(AF_INET, SOCK_STREAM, 0), NULL, 0,
		0);
	go(r);
}

static void shutdown_wakes_a_receive(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_recv(r, fd[0], 8, 0);
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_SHUTDOWN, fd[0], NULL, SHUT_RD, 0);
	submit(r);
	reap_sorted(r, 2);
}

/* A whole conversation, as a server would have it. */
/* All in one submission: the receive that waits has its file. */
static void closed_behind_a_receive(struct ring *r)
{
	static char first[8], second[8];
	int s[2], other[2], fd;

	pair(s, PAIR_STREAM);
	fd = s[0];
	sqe_new(r, IORING_OP_RECV, fd, first, 8, 0);
	sqe_poll(r, fd, POLLIN);
	sqe_new(r, IORING_OP_CLOSE, fd, NULL, 0, 0);
	submit(r);
	reap(r, 1);
	pair(other, PAIR_STREAM); /* fd is another file now */
	put(other[0] == fd ? other[1] : other[0], "b");
	quiet(r);
	put(s[1], "a");
	reap_sorted(r, 2);
	note_bytes("received", first, 8);
	sqe_new(r, IORING_OP_RECV, s[1], second, 8, 0);
	submit(r);
	reap(r, 1);
}

/* Canceled by what stands behind it, and by file. */
static void canceled_behind_a_receive(struct ring *r)
{
	static char into[8];
	int s[2];

	pair(s, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, s[0], into, 8, 0)->user_data = 77;
	sqe_cancel(r, 77, 0);
	submit(r);
	reap_sorted(r, 2);
	sqe_new(r, IORING_OP_RECV, s[0], into, 8, 0)->user_data = 78;
	sqe_new(r, IORING_OP_ASYNC_CANCEL, s[0], NULL, 0, 0)->op_flags =
		IORING_ASYNC_CANCEL_FD;
	submit(r);
	reap_sorted(r, 2);
	sqe_new(r, IORING_OP_RECV, s[0], into, 8, 0);
	submit(r);
	quiet(r);
	put(s[1], "a");
	reap(r, 1);
}

static void conversation(struct ring *r)
{
	struct sockaddr_storage address = {0};
	struct bufs b;
	socklen_t length;
	int listening = listener(&address, &length);
	int client[4];
	int i;

	bufs_open(&b, r, 1, 8, 32, 0, 8);
	sqe_accept(r, listening, IORING_ACCEPT_MULTISHOT);
	submit(r);
	for (i = 0; i < 4; i++) {
		client[i] = connect_to(&address, length);
		reap(r, 1);
		sqe_recv_multi(r, fd_of((unsigned int)i), 1);
		submit(r);
	}
	for (i = 3; i >= 0; i--) {
		put(client[i], "question");
		reap(r, 1);
		sqe_send(r, fd_of((unsigned int)i), "answer", 0);
		go(r);
		get(client[i], 16);
	}
	for (i = 0; i < 4; i++) {
		close(client[i]);
		reap(r, 1);
		sqe_new(r, IORING_OP_CLOSE, fd_of((unsigned int)i), NULL, 0, 0);
		go(r);
	}
	note_head(r, 1);
}

static const struct scenario rows[] = {
	SCENARIO(over_unix_stream, NULL, .modes = MODES_ALL),
	SCENARIO(over_tcp, NULL, .modes = MODES_ALL),
	SCENARIO(over_unix_datagrams, NULL),
	SCENARIO(over_udp, NULL, .modes = MODES_ALL),
	SCENARIO(recv_flags, NULL),
	SCENARIO(recv_datagram_cut, NULL),
	SCENARIO(recv_lengths, NULL),
	SCENARIO(recv_waitall, NULL, .modes = MODES_ALL),
	SCENARIO(recv_waitall_tcp, NULL),
	SCENARIO(bad_pointers, NULL, .modes = MODES_ALL),
	SCENARIO(bad_files, NULL),
	SCENARIO(ioprio_bits, NULL),
	SCENARIO(poll_first, NULL),
	SCENARIO(nonblocking_socket, NULL),
	SCENARIO(peer_is_gone, NULL),
	SCENARIO(no_signal, NULL, .modes = MODES_ALL),
	SCENARIO(send_waits_for_room, NULL, .modes = MODES_ALL),
	SCENARIO(send_waitall, NULL, .modes = MODES_ALL),
	SCENARIO(send_to_an_address, NULL),
	SCENARIO(messages, NULL, .modes = MODES_ALL),
	SCENARIO(messages_with_names, NULL),
	SCENARIO(messages_with_files, NULL),
	SCENARIO(message_pointers, NULL, .modes = MODES_ALL),
	SCENARIO(message_header_may_go, NULL),
	SCENARIO(message_waitall, NULL),
	SCENARIO(accept_waits, NULL, .modes = MODES_ALL),
	SCENARIO(several_accepts, NULL),
	SCENARIO(several_receives, NULL),
	SCENARIO(several_reads_and_a_poll, NULL),
	SCENARIO(accept_address, NULL),
	SCENARIO(accept_bad_address, NULL),
	SCENARIO(accept_errors, NULL),
	SCENARIO(accept_dontwait, NULL),
	SCENARIO(accept_poll_first, NULL),
	SCENARIO(accept_multishot, NULL, .modes = MODES_ALL),
	SCENARIO(accept_multishot_closed, NULL),
	SCENARIO(accept_multishot_checks, NULL),
	SCENARIO(accept_multishot_dontwait, NULL),
	SCENARIO(connect_succeeds, NULL, .modes = MODES_ALL),
	SCENARIO(connect_nonblocking, NULL),
	SCENARIO(connect_refused, NULL, .modes = MODES_ALL),
	SCENARIO(connect_errors, NULL),
	SCENARIO(socket_made, NULL),
	SCENARIO(socket_errors, NULL),
	SCENARIO(shutdown_ways, NULL),
	SCENARIO(shutdown_wakes_a_receive, NULL, .modes = MODES_ALL),
	SCENARIO(closed_behind_a_receive, NULL),
	SCENARIO(canceled_behind_a_receive, NULL),
	SCENARIO(conversation, "S12 S1", .modes = MODES_ALL),
};

FAMILY(net, rows);
