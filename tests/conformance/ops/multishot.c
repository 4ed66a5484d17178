/* SPDX-License-Identifier: MIT */
/*
 * Requests that complete many times: RECV, RECVMSG, READ_MULTISHOT.
 *
 * Theory: data is sent in one piece at a time and each completion is waited
 * for, so that the split of bytes into completions doesn't depend on timing.
 * Where more data than one buffer waits before the request starts, the buffer's
 * size decides the split.
 */
#include "runner/scenario.h"

#include <netinet/in.h>

#define GROUP 5

static void send_and_reap(struct ring *r, int fd, const char *text)
{
	put(fd, text);
	reap(r, 1);
}

/* ---- RECV ---------------------------------------------------------------- */

static void S12_one_buffer_per_completion(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	quiet(r);
	send_and_reap(r, fd[1], "one");
	send_and_reap(r, fd[1], "two");
	note_head(r, GROUP);
	send_and_reap(r, fd[1], "three");
	note_bytes("buffers", b.bytes, 48);
	close(fd[1]);
	reap(r, 1);
	note_head(r, GROUP);
}

static void S12_much_is_waiting(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "abcdefghijklmnopqr");
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap(r, 5);
	quiet(r);
	note_head(r, GROUP);
	note_bytes("buffers", b.bytes, 32);
}

static void S12_out_of_buffers(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 4, 0, 2);
	put(fd[1], "abcdefghijkl");
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	bufs_return(&b, 0);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	quiet(r);
}

static void S12_out_of_buffers_at_the_end(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 4, 0, 2);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	send_and_reap(r, fd[1], "a");
	send_and_reap(r, fd[1], "b");
	quiet(r);
	bufs_return(&b, 0);
	quiet(r);
	put(fd[1], "c");
	quiet(r);
	put(fd[1], "d");
	quiet(r);
	note_head(r, GROUP);
}

static void S12_out_of_classic_buffers(struct ring *r)
{
	char *memory = pages(64);
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_provide(r, memory, 4, 3, GROUP, 10);
	go(r);
	put(fd[1], "abcdefghijklmnop");
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap_until_final(r);
	sqe_remove(r, 3, GROUP);
	go(r);
	note_bytes("memory", memory, 16);
}

static void S12_no_group(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_recv_multi(r, fd[0], 99);
	go(r);
	put(fd[1], "x");
	sqe_recv_multi(r, fd[0], 99);
	go(r);
}

static void S12_end_of_stream(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	put(fd[1], "last");
	wait_bytes(fd[0], 4);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap(r, 1);
	shutdown(fd[1], SHUT_WR);
	reap(r, 1);
	quiet(r);
	note_head(r, GROUP);
}

static void S12_length_caps_each_completion(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put(fd[1], "abcdefgh");
	sqe_recv_multi(r, fd[0], GROUP)->len = 3;
	submit(r);
	quiet(r);
	put(fd[1], "ijklmnop");
	quiet(r);
	note_head(r, GROUP);
}

static void S12_needs_buffer_select(struct ring *r)
{
	struct io_uring_sqe *sqe;
	char *memory = pages(64);
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe = sqe_new(r, IORING_OP_RECV, fd[0], memory, 16, 0);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	go(r);
	sqe = sqe_new(r, IORING_OP_RECV, fd[0], NULL, 0, 0);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	go(r);
	sqe_recv_multi(r, fd[0], GROUP)->op_flags = MSG_WAITALL;
	go(r);
	sqe = sqe_select(r, IORING_OP_SEND, fd[0], 0, GROUP);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	go(r);
}

static void S12_no_multishot_with_skip(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	put(fd[1], "x");
	sqe_recv_multi(r, fd[0], GROUP)->flags |= IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
	close(fd[1]);
	quiet(r);
}

static void S12_cancelled(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	send_and_reap(r, fd[1], "x");
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	note_head(r, GROUP);
	put(fd[1], "y");
	quiet(r);
}

static void S12_buffers_returned_on_the_way(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 2, 16, 0, 2);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	for (i = 0; i < 10; i++) {
		send_and_reap(r, fd[1], "x");
		bufs_return(&b, (uint16_t)(i & 1));
	}
	note_head(r, GROUP);
}

/* Two connections and one group: the buffers are used in order of arrival. */
static void S12_two_connections(struct ring *r)
{
	struct bufs b;
	int one[2];
	int two[2];

	pair(one, PAIR_STREAM);
	pair(two, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	sqe_recv_multi(r, one[0], GROUP);
	sqe_recv_multi(r, two[0], GROUP);
	submit(r);
	send_and_reap(r, two[1], "a");
	send_and_reap(r, one[1], "b");
	send_and_reap(r, one[1], "c");
	send_and_reap(r, two[1], "d");
	put(one[1], "e");
	reap(r, 1);
	put(two[1], "f");
	reap(r, 1);
}

/* All bytes arrive although one connection is much busier. */
static void S12_a_busy_connection_yields(struct ring *r)
{
	char text[513];
	struct bufs b;
	int first = 100;
	int quiet_one[2];
	int busy[2];
	int seen;

	pair(busy, PAIR_STREAM);
	pair(quiet_one, PAIR_STREAM);
	memset(text, 'b', 512);
	text[512] = '\0';
	bufs_open(&b, r, GROUP, 1024, 1, 0, 1024);
	put(busy[1], text);
	put(quiet_one[1], "q");
	sqe_recv_multi(r, busy[0], GROUP);
	sqe_recv_multi(r, quiet_one[0], GROUP);
	submit(r);
	for (seen = 0; seen < 100 && first == 100; seen++) {
		while (!ring_ready(r))
			side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
				    0);
		if (ring_cqe(r)->user_data == 2)
			first = seen;
		ring_seen(r);
	}
	note("the quiet one came within the first 100: %s",
	     first < 100 ? "yes" : "no");
	ring_close(r);
}

static void S12_datagrams(struct ring *r, enum pair_kind kind)
{
	struct bufs b;
	int fd[2];

	pair(fd, kind);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "ab");
	put(fd[1], "cdefgh");
	put(fd[1], "i");
	wait_readable(fd[0]);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap(r, 3);
	if (send(fd[1], "", 0, 0) < 0)
		give_up("send");
	quiet(r);
	put(fd[1], "jk");
	quiet(r);
	note_bytes("buffers", b.bytes, 32);
}

static void S12_unix_datagrams(struct ring *r)
{
	S12_datagrams(r, PAIR_DGRAM);
}

static void S12_udp_datagrams(struct ring *r)
{
	S12_datagrams(r, PAIR_UDP);
}

static void S12_truncated_datagram(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_recv_multi(r, fd[0], GROUP)->op_flags = MSG_TRUNC;
	submit(r);
	send_and_reap(r, fd[1], "abcdefgh");
	send_and_reap(r, fd[1], "ij");
	note_head(r, GROUP);
}

static void S12_poll_first(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "ab");
	sqe_recv_multi(r, fd[0], GROUP)->ioprio |= IORING_RECVSEND_POLL_FIRST;
	submit(r);
	quiet(r);
	put(fd[1], "cd");
	quiet(r);
}

static void S12_async(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "ab");
	sqe_recv_multi(r, fd[0], GROUP)->flags |= IOSQE_ASYNC;
	submit(r);
	reap(r, 1);
	send_and_reap(r, fd[1], "cd");
	close(fd[1]);
	reap(r, 1);
}

static void S12_linked(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_recv_multi(r, fd[0], GROUP)->flags |= IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	put(fd[1], "ab");
	reap(r, 1);
	quiet(r);
	close(fd[1]);
	quiet(r);
}

static void S12_unregistered_meanwhile(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	send_and_reap(r, fd[1], "ab");
	bufs_unregister(r, GROUP);
	quiet(r);
	send_and_reap(r, fd[1], "cd");
	quiet(r);
}

static void S12_ring_closed_while_armed(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	send_and_reap(r, fd[1], "ab");
	ring_close(r);
	close(fd[0]);
	/*
	 * The peer gets the end of file only when nothing holds the file any
	 * more.
	 */
	get(fd[1], 1);
}

/* ---- READ_MULTISHOT ------------------------------------------------------ */

static void S12_read_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_PIPE);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	send_and_reap(r, fd[1], "ab");
	send_and_reap(r, fd[1], "c");
	put(fd[1], "defghi");
	reap(r, 2);
	note_head(r, GROUP);
	close(fd[1]);
	reap(r, 1);
	note_head(r, GROUP);
	note_bytes("buffers", b.bytes, 32);
}

static void S12_read_multishot_out_of_buffers(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_PIPE);
	bufs_open(&b, r, GROUP, 8, 4, 0, 2);
	put(fd[1], "abcdefghijkl");
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
}

static void S12_read_multishot_checks(struct ring *r)
{
	struct io_uring_sqe *sqe;
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_PIPE);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "abc");
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP)->flags = 0;
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 3, GROUP);
	go(r);
	sqe = sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	sqe->addr = (uintptr_t)b.bytes;
	go(r);
	sqe = sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	sqe->rw_flags = 0x80;
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, file_with("abc"), 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[1], 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, -1, 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, 99);
	go(r);
	note_head(r, GROUP);
}

static void S12_read_multishot_off_zero(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_PIPE);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	put(fd[1], "abc");
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP)->off = 0;
	submit(r);
	quiet(r);
}

static void S12_read_multishot_socket(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	submit(r);
	send_and_reap(r, fd[1], "ab");
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	note_head(r, GROUP);
}

/* ---- RECVMSG ------------------------------------------------------------- */

static struct io_uring_sqe *recvmsg_multi(struct ring *r, int fd,
					  struct msghdr *msg)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_select(r, IORING_OP_RECVMSG, fd, 0, GROUP);
	sqe->addr = (uintptr_t)msg;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	return sqe;
}

static void note_out(const char *buffer)
{
	struct io_uring_recvmsg_out out;

	memcpy(&out, buffer, sizeof(out));
	note("namelen %u controllen %u payloadlen %u flags 0x%x", out.namelen,
	     out.controllen, out.payloadlen, out.flags);
}

static void S13_layout(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = 8, .msg_controllen = 24};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 64, 0, 4);
	memset(b.bytes, '.', 256);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_and_reap(r, fd[1], "hello");
	note_out(b.bytes);
	note_bytes("rest", b.bytes + 16, 48);
	put(fd[1], "0123456789012345678901234567890");
	reap(r, 2);
	note_out(b.bytes + 64);
	note_bytes("rest", b.bytes + 64 + 16, 48);
	note_out(b.bytes + 128);
	note_bytes("rest", b.bytes + 128 + 16, 48);
	close(fd[1]);
	reap(r, 1);
	note_head(r, GROUP);
}

static void S13_name_of_the_sender(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct sockaddr_in name;
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 4, 64, 0, 4);
	memset(b.bytes, '.', 256);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_and_reap(r, fd[1], "hello");
	note_out(b.bytes);
	memcpy(&name, b.bytes + 16, sizeof(name));
	note("family %u address %x", name.sin_family,
	     ntohl(name.sin_addr.s_addr));
	note_bytes("payload", b.bytes + 32, 8);
	/* A longer name is cut, and its full length reported. */
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	msg.msg_namelen = 4;
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_and_reap(r, fd[1], "hello");
	note_out(b.bytes + 64);
	note_bytes("payload", b.bytes + 64 + 16 + 4, 8);
}

/* Numbered, of 3 to 40 bytes; @empty is the one without bytes, -1: none. */
static void send_datagrams(int fd, int count, int empty)
{
	static const char tail[] = "0123456789012345678901234567890123456789";
	char text[64];

	for (int i = 0; i < count; i++) {
		int bytes = snprintf(text, sizeof(text), "%02d-%.*s", i,
				     i * 7 % 38, tail);

		if (send(fd, text, i == empty ? 0 : (size_t)bytes, 0) < 0)
			give_up("send");
	}
}

static void note_datagrams(const struct bufs *b, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		note_out(b->bytes + i * b->each);
		note_bytes("payload", b->bytes + i * b->each + 32,
			   b->each - 32);
	}
}

/* More datagrams than one call takes, some of them longer than a buffer. */
static void S13_many_datagrams(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 64, 56, 0, 64);
	memset(b.bytes, '.', 64 * 56);
	send_datagrams(fd[1], 30, -1);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	reap(r, 30);
	note_head(r, GROUP);
	send_datagrams(fd[1], 14, -1);
	reap(r, 14);
	send_datagrams(fd[1], 3, -1);
	reap(r, 3);
	note_head(r, GROUP);
	note_datagrams(&b, 47);
	quiet(r);
}

static void S13_many_datagrams_and_few_buffers(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 32, 56, 0, 13);
	send_datagrams(fd[1], 20, -1);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	for (uint16_t bid = 13; bid < 32; bid++)
		bufs_return(&b, bid);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	reap(r, 7);
	note_head(r, GROUP);
	note_datagrams(&b, 20);
	/* One buffer has no room for the header. */
	for (uint16_t bid = 0; bid < 12; bid++)
		bufs_add(&b, b.bytes + bid * 56, bid == 10 ? 20 : 56, bid);
	bufs_publish(&b);
	send_datagrams(fd[1], 12 + 12, -1);
	reap_until_final(r);
	note_head(r, GROUP);
}

static void S13_an_empty_datagram_behind_many(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 32, 56, 0, 32);
	send_datagrams(fd[1], 20, 19);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
}

/* An error of the socket precedes the datagrams that wait in it. */
static void S13_refused_after_many(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 32, 56, 0, 32);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_datagrams(fd[1], 12, -1);
	reap(r, 12);
	send_datagrams(fd[1], 3, -1);
	close(fd[1]);
	put(fd[0], "nobody listens");
	reap_until_final(r);
	note_head(r, GROUP);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	reap(r, 3);
	note_head(r, GROUP);
}

/* Each ends the request that receives it, and leaves the next in the socket. */
static void S13_two_empty_datagrams(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = sizeof(struct sockaddr_in)};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_UDP);
	bufs_open(&b, r, GROUP, 32, 56, 0, 32);
	send_datagrams(fd[1], 18, 17);
	send_datagrams(fd[1], 1, 0);
	for (int i = 0; i < 2; i++) {
		recvmsg_multi(r, fd[0], &msg);
		submit(r);
		reap_until_final(r);
		note_head(r, GROUP);
	}
}

static void S13_truncated(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = 4};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 4, 32, 0, 4);
	memset(b.bytes, '.', 128);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_and_reap(r, fd[1], "0123456789abcdef");
	note_out(b.bytes);
	note_bytes("rest", b.bytes + 16, 16);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	recvmsg_multi(r, fd[0], &msg)->op_flags = MSG_TRUNC;
	submit(r);
	send_and_reap(r, fd[1], "0123456789abcdef");
	note_out(b.bytes + 32);
}

static void S13_control(struct ring *r)
{
	struct msghdr msg = {.msg_controllen = 64};
	struct cmsghdr head;
	struct bufs b;
	int one = 1;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	bufs_open(&b, r, GROUP, 4, 128, 0, 4);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	send_and_reap(r, fd[1], "hello");
	note_out(b.bytes);
	memcpy(&head, b.bytes + 16, sizeof(head));
	note("cmsg len %zu level %d type %d", (size_t)head.cmsg_len,
	     head.cmsg_level, head.cmsg_type);
	note_bytes("payload", b.bytes + 16 + 64, 8);
}

static void S13_too_small(struct ring *r)
{
	static const uint32_t sizes[] = {8, 15, 16, 20, 24, 25};
	struct msghdr msg = {.msg_namelen = 4, .msg_controllen = 4};
	struct bufs b;
	int fd[2];
	size_t i;

	for (i = 0; i < array_size(sizes); i++) {
		pair(fd, PAIR_STREAM);
		put(fd[1], "x");
		note("size %u", sizes[i]);
		bufs_open(&b, r, GROUP, 1, sizes[i], 0, 1);
		recvmsg_multi(r, fd[0], &msg);
		submit(r);
		quiet(r);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
		quiet(r);
	}
}

/* The second buffer is checked before the socket. */
static void S13_too_small_behind_one(struct ring *r)
{
	static const enum pair_kind kinds[] = {PAIR_DGRAM, PAIR_UDP};
	struct msghdr msg = {.msg_namelen = 4};
	struct bufs b;
	int fd[2];

	for (size_t i = 0; i < array_size(kinds); i++) {
		pair(fd, kinds[i]);
		bufs_open(&b, r, GROUP + (uint16_t)i, 2, 64, 0, 1);
		bufs_add(&b, b.bytes + 64, 8, 1);
		bufs_publish(&b);
		recvmsg_multi(r, fd[0], &msg)->buf_group = GROUP + (uint16_t)i;
		submit(r);
		put(fd[1], "x");
		reap_until_final(r);
		note_head(r, GROUP + (uint16_t)i);
	}
}

static void S13_sizes_that_overflow(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = 0x7fffffff};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "x");
	bufs_open(&b, r, GROUP, 8, 64, 0, 8);
	recvmsg_multi(r, fd[0], &msg);
	go(r);
	msg.msg_namelen = 0;
	msg.msg_controllen = (size_t)-1;
	recvmsg_multi(r, fd[0], &msg);
	go(r);
	msg.msg_controllen = 0x7fffffff;
	msg.msg_namelen = 0x7fffffff;
	recvmsg_multi(r, fd[0], &msg);
	go(r);
	msg.msg_controllen = 0;
	msg.msg_namelen = 0xffffffff;
	recvmsg_multi(r, fd[0], &msg);
	go(r);
	note_head(r, GROUP);
}

static void S13_checks(struct ring *r)
{
	struct iovec iov[2] = {{NULL, 4}, {NULL, 4}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "x");
	bufs_open(&b, r, GROUP, 8, 64, 0, 8);
	recvmsg_multi(r, fd[0], nowhere());
	go(r);
	recvmsg_multi(r, fd[0], &msg)->flags = 0;
	go(r);
	recvmsg_multi(r, fd[0], &msg)->op_flags = MSG_WAITALL;
	go(r);
	msg.msg_iovlen = 2;
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	quiet(r);
}

static void S13_iov_caps(struct ring *r)
{
	struct iovec iov = {NULL, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "0123456789");
	bufs_open(&b, r, GROUP, 8, 64, 0, 8);
	recvmsg_multi(r, fd[0], &msg);
	submit(r);
	quiet(r);
	note_out(b.bytes);
	note_head(r, GROUP);
}

static void S13_the_header_is_read_once(struct ring *r)
{
	struct msghdr *msg = pages(4096);
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	msg->msg_namelen = 4;
	bufs_open(&b, r, GROUP, 8, 64, 0, 8);
	recvmsg_multi(r, fd[0], msg);
	submit(r);
	quiet(r);
	munmap(msg, 4096);
	send_and_reap(r, fd[1], "a");
	note_out(b.bytes);
	note_bytes("payload", b.bytes + 20, 2);
}

static const struct scenario rows[] = {
	SCENARIO(S12_one_buffer_per_completion, "S12 S9", .modes = MODES_ALL),
	SCENARIO(S12_much_is_waiting, "S12", .modes = MODES_ALL),
	SCENARIO(S12_out_of_buffers, "S12 S2", .modes = MODES_ALL),
	SCENARIO(S12_out_of_buffers_at_the_end, "S12"),
	SCENARIO(S12_out_of_classic_buffers, "S12 S4", .modes = MODES_ALL),
	SCENARIO(S12_no_group, "S12 S2"),
	SCENARIO(S12_end_of_stream, "S12 S9"),
	SCENARIO(S12_length_caps_each_completion, "S12 S3"),
	SCENARIO(S12_needs_buffer_select, "S12"),
	SCENARIO(S12_no_multishot_with_skip, "S12"),
	SCENARIO(S12_cancelled, "S12 S5", .modes = MODES_ALL),
	SCENARIO(S12_buffers_returned_on_the_way, "S12"),
	SCENARIO(S12_two_connections, "S12 S11"),
	SCENARIO(S12_a_busy_connection_yields, "S12"),
	SCENARIO(S12_unix_datagrams, "S12"),
	SCENARIO(S12_udp_datagrams, "S12"),
	SCENARIO(S12_truncated_datagram, "S12"),
	SCENARIO(S12_poll_first, "S12"),
	SCENARIO(S12_async, "S12 S6"),
	SCENARIO(S12_linked, "S12"),
	SCENARIO(S12_unregistered_meanwhile, "S12 G9"),
	SCENARIO(S12_ring_closed_while_armed, "S12"),
	SCENARIO(S12_read_multishot, "S12 S5", .modes = MODES_ALL),
	SCENARIO(S12_read_multishot_out_of_buffers, "S12 S2"),
	SCENARIO(S12_read_multishot_checks, "S12"),
	SCENARIO(S12_read_multishot_off_zero, "S12"),
	SCENARIO(S12_read_multishot_socket, "S12"),
	SCENARIO(S13_layout, "S13", .modes = MODES_ALL),
	SCENARIO(S13_name_of_the_sender, "S13"),
	SCENARIO(S13_many_datagrams, "S13", .modes = MODES_ALL),
	SCENARIO(S13_many_datagrams_and_few_buffers, "S13 S2"),
	SCENARIO(S13_an_empty_datagram_behind_many, "S13"),
	SCENARIO(S13_refused_after_many, "S13", .modes = MODE_DEFER),
	SCENARIO(S13_two_empty_datagrams, "S13", .deviates = "empty"),
	SCENARIO(S13_truncated, "S13"),
	SCENARIO(S13_control, "S13"),
	SCENARIO(S13_too_small, "S13"),
	SCENARIO(S13_too_small_behind_one, "S13"),
	SCENARIO(S13_sizes_that_overflow, "S13"),
	SCENARIO(S13_checks, "S13"),
	SCENARIO(S13_iov_caps, "S13"),
	SCENARIO(S13_the_header_is_read_once, "S13"),
};

FAMILY(multishot, rows);
