/* SPDX-License-Identifier: MIT */
/*
 * Bundles: one receive or send over several buffers.
 */
#include "runner/scenario.h"

#define GROUP 4
#define CLASSIC 6

static struct io_uring_sqe *bundle(struct ring *r, enum io_uring_op op, int fd,
				   uint32_t len, uint16_t bgid)
{
	struct io_uring_sqe *sqe = sqe_select(r, op, fd, len, bgid);

	sqe->ioprio = IORING_RECVSEND_BUNDLE;
	return sqe;
}

/* @count bytes of the alphabet, repeated. */
static void put_many(int fd, size_t count)
{
	static char text[65536];
	size_t i;

	for (i = 0; i < count; i++)
		text[i] = (char)('a' + i % 26);
	text[count] = '\0';
	put(fd, text);
}

static void B1_receive(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, 0, 8);
	put_many(fd[1], 30);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	note_bytes("bytes", b.bytes, 40);
}

static void B1_receive_with_a_length(struct ring *r)
{
	static const uint32_t lengths[] = {5, 10, 15, 30, 1000};
	struct bufs b;
	int fd[2];
	size_t i;

	bufs_open(&b, r, GROUP, 64, 10, 0, 64);
	for (i = 0; i < array_size(lengths); i++) {
		note("length %u", lengths[i]);
		pair(fd, PAIR_STREAM);
		put_many(fd[1], 100);
		bundle(r, IORING_OP_RECV, fd[0], lengths[i], GROUP);
		go(r);
		note_head(r, GROUP);
	}
	note_entries(&b, 8);
}

static void B1_classic_is_one_buffer(struct ring *r)
{
	char *memory = pages(4096);
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_provide(r, memory, 10, 4, CLASSIC, 50);
	go(r);
	put_many(fd[1], 30);
	bundle(r, IORING_OP_RECV, fd[0], 0, CLASSIC);
	go(r);
	bundle(r, IORING_OP_RECV, fd[0], 0, CLASSIC);
	go(r);
	sqe_remove(r, 10, CLASSIC);
	go(r);
}

static void B1_send(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, 0, 5);
	memset(b.bytes, 's', 80);
	bundle(r, IORING_OP_SEND, fd[1], 0, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	get(fd[0], 100);
	bundle(r, IORING_OP_SEND, fd[1], 0, GROUP);
	go(r);
}

static void B1_send_with_a_length(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, 0, 8);
	memset(b.bytes, 's', 80);
	bundle(r, IORING_OP_SEND, fd[1], 15, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	get(fd[0], 100);
	note_entries(&b, 8);
}

static void B2_no_group(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abc");
	bundle(r, IORING_OP_RECV, fd[0], 0, 99);
	go(r);
	bundle(r, IORING_OP_SEND, fd[0], 0, 99);
	go(r);
	sqe_select(r, IORING_OP_SEND, fd[0], 0, 99);
	go(r);
	bufs_open(&b, r, GROUP, 8, 10, 0, 0);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	bundle(r, IORING_OP_SEND, fd[0], 0, GROUP);
	go(r);
}

static void B2_refused(struct ring *r)
{
	struct msghdr msg = {.msg_iovlen = 0};
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	bundle(r, IORING_OP_RECVMSG, fd[0], 0, GROUP)->addr = (uintptr_t)&msg;
	go(r);
	bundle(r, IORING_OP_SENDMSG, fd[0], 0, GROUP)->addr = (uintptr_t)&msg;
	go(r);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0)->ioprio =
		IORING_RECVSEND_BUNDLE;
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_SEND, fd[0], bytes, 8, 0)->ioprio =
		IORING_RECVSEND_BUNDLE;
	submit(r);
	quiet(r);
}

static void B3_at_most_256(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 512, 10, 0, 512);
	put_many(fd[1], 4000);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
}

static void B3_first_entry_empty(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put_many(fd[1], 50);
	bufs_open(&b, r, GROUP, 8, 10, 0, 0);
	bufs_add(&b, b.bytes, 0, 0);
	bufs_add(&b, b.bytes, 10, 1);
	bufs_publish(&b);
	bundle(r, IORING_OP_RECV, fd[0], 20, GROUP);
	go(r);
	note_head(r, GROUP);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
}

static void B4_commits_what_bytes_reached(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, 0, 8);
	put_many(fd[1], 3);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	put_many(fd[1], 20);
	quiet(r);
	note_head(r, GROUP);
}

static void B5_partial_last_buffer(struct ring *r)
{
	static const size_t waiting[] = {5, 10, 15, 20, 25, 39, 40, 41, 95};
	struct bufs b;
	int fd[2];
	size_t i;

	for (i = 0; i < array_size(waiting); i++) {
		note("waiting %zu", waiting[i]);
		pair(fd, PAIR_STREAM);
		bufs_open(&b, r, (uint16_t)(GROUP + i), 8, 10, 0, 8);
		put_many(fd[1], waiting[i]);
		bundle(r, IORING_OP_RECV, fd[0], 0, (uint16_t)(GROUP + i));
		go(r);
		note_head(r, (uint16_t)(GROUP + i));
		note_entries(&b, 4);
	}
}

static void B5_over_tcp(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 8, 10, 0, 8);
	put_many(fd[1], 25);
	wait_bytes(fd[0], 25);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
}

static void B6_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 16, 10, 0, 16);
	put_many(fd[1], 55);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP)->ioprio |=
		IORING_RECV_MULTISHOT;
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	put_many(fd[1], 30);
	quiet(r);
	note_head(r, GROUP);
	put_many(fd[1], 4);
	quiet(r);
	note_head(r, GROUP);
	close(fd[1]);
	quiet(r);
	note_head(r, GROUP);
}

static void B6_empties_the_ring(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 10, 0, 4);
	put_many(fd[1], 100);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP)->ioprio |=
		IORING_RECV_MULTISHOT;
	submit(r);
	quiet(r);
	note_head(r, GROUP);
}

static void B6_empties_the_ring_exactly(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 10, 0, 4);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP)->ioprio |=
		IORING_RECV_MULTISHOT;
	submit(r);
	put_many(fd[1], 40);
	quiet(r);
	put_many(fd[1], 5);
	quiet(r);
	note_head(r, GROUP);
}

/* The bytes of the first pass are reported, and that is the last completion. */
static void second_pass_fails(struct ring *r, uint16_t bgid)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put_many(fd[1], 17);
	bundle(r, IORING_OP_RECV, fd[0], 0, bgid)->ioprio |=
		IORING_RECV_MULTISHOT;
	submit(r);
	quiet(r);
	put_many(fd[1], 23);
	quiet(r);
}

static void second_pass_breaks_a_chain(struct ring *r, uint16_t bgid)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put_many(fd[1], 17);
	bundle(r, IORING_OP_RECV, fd[0], 0, bgid)->flags |= IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_NOP, -1, NULL, 0, 0);
	submit(r);
	quiet(r);
	get(fd[0], 100);
}

/* Every second buffer has a @bad address. */
static void second_pass_of_ring(struct ring *r, void *bad)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 8, 10, 0, 0);
	for (uint16_t bid = 0; bid < 4; bid++)
		bufs_add(&b, bid % 2 ? bad : b.bytes, 10, bid);
	bufs_publish(&b);
	second_pass_fails(r, GROUP);
	note_head(r, GROUP);
}

static void second_pass_of_classic(struct ring *r, void *bad)
{
	char *memory = pages(4096);

	for (uint16_t bid = 0; bid < 8; bid++)
		sqe_provide(r, bid % 2 ? bad : memory, 10, 1, CLASSIC, bid);
	submit(r);
	quiet(r);
	second_pass_fails(r, CLASSIC);
	second_pass_breaks_a_chain(r, CLASSIC);
	sqe_remove(r, 10, CLASSIC);
	go(r);
}

static void B6_second_pass_fails(struct ring *r)
{
	second_pass_of_ring(r, nowhere());
	second_pass_of_classic(r, nowhere());
}

static void B6_second_pass_without_address(struct ring *r)
{
	second_pass_of_ring(r, NULL);
	second_pass_of_classic(r, NULL);
}

static void B7_inc(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, IOU_PBUF_RING_INC, 4);
	put_many(fd[1], 25);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_entries(&b, 4);
	note_head(r, GROUP);
	put_many(fd[1], 8);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP);
	go(r);
	note_entries(&b, 4);
	note_head(r, GROUP);
	note_bytes("bytes", b.bytes, 40);
}

static void B7_inc_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, IOU_PBUF_RING_INC, 4);
	bundle(r, IORING_OP_RECV, fd[0], 0, GROUP)->ioprio |=
		IORING_RECV_MULTISHOT;
	submit(r);
	for (i = 0; i < 6; i++) {
		put_many(fd[1], 7);
		quiet(r);
		note_entries(&b, 4);
		note_head(r, GROUP);
	}
}

static void B7_inc_send(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, IOU_PBUF_RING_INC, 3);
	memset(b.bytes, 's', 30);
	bundle(r, IORING_OP_SEND, fd[1], 15, GROUP);
	submit(r);
	reap_until_final(r);
	note_entries(&b, 3);
	note_head(r, GROUP);
	get(fd[0], 100);
}

static void B1_waitall(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 10, 0, 8);
	put_many(fd[1], 12);
	bundle(r, IORING_OP_RECV, fd[0], 35, GROUP)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	put_many(fd[1], 23);
	quiet(r);
	note_head(r, GROUP);
}

static const struct scenario rows[] = {
	SCENARIO(B1_receive, "B1", .modes = MODES_ALL),
	SCENARIO(B1_receive_with_a_length, "B1 B5"),
	SCENARIO(B1_classic_is_one_buffer, "B1"),
	SCENARIO(B1_send, "B1 B4"),
	SCENARIO(B1_send_with_a_length, "B1 B4"),
	SCENARIO(B1_waitall, "B1 S8", .deviates = "inc"),
	SCENARIO(B2_no_group, "B2"),
	SCENARIO(B2_refused, "B2"),
	SCENARIO(B3_at_most_256, "B3"),
	SCENARIO(B3_first_entry_empty, "B3"),
	SCENARIO(B4_commits_what_bytes_reached, "B4"),
	SCENARIO(B5_partial_last_buffer, "B5"),
	SCENARIO(B5_over_tcp, "B5"),
	SCENARIO(B6_multishot, "B6", .modes = MODES_ALL),
	SCENARIO(B6_empties_the_ring, "B6"),
	SCENARIO(B6_empties_the_ring_exactly, "B6"),
	SCENARIO(B6_second_pass_fails, "B6 S7 S10"),
	SCENARIO(B6_second_pass_without_address, "B6 S7 S10"),
	SCENARIO(B7_inc, "B7 I1"),
	SCENARIO(B7_inc_multishot, "B7 I1"),
	SCENARIO(B7_inc_send, "B7 I4"),
};

FAMILY(bundle, rows);
