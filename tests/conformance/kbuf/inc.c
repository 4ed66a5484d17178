/* SPDX-License-Identifier: MIT */
/*
 * Incremental consumption: a buffer is used in several parts.
 *
 * Theory: after each completion the scenario writes the shared entry as the
 * application sees it.
 */
#include "runner/scenario.h"

#define GROUP 4

static void receive(struct ring *r, int fd, uint32_t len)
{
	sqe_select(r, IORING_OP_RECV, fd, len, GROUP);
	go(r);
}

static void I1_entry_is_rewritten(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	put(fd[1], "abcde");
	receive(r, fd[0], 0);
	note_entries(&b, 2);
	note_head(r, GROUP);
	put(fd[1], "fghijklmnopqrstuvwxyz");
	receive(r, fd[0], 0);
	note_entries(&b, 2);
	note_head(r, GROUP);
	receive(r, fd[0], 0);
	note_entries(&b, 2);
	note_head(r, GROUP);
	note_bytes("bytes", b.bytes, 32);
}

static void I1_used_up_exactly(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 8, IOU_PBUF_RING_INC, 1);
	put(fd[1], "abcdefgh");
	receive(r, fd[0], 4);
	note_entries(&b, 1);
	receive(r, fd[0], 4);
	note_entries(&b, 1);
	note_head(r, GROUP);
	put(fd[1], "x");
	receive(r, fd[0], 4);
}

static void I1_mapped_ring(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 8, IOU_PBUF_RING_INC | IOU_PBUF_RING_MMAP,
		  2);
	put(fd[1], "abcdefghijkl");
	receive(r, fd[0], 3);
	receive(r, fd[0], 0);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I1_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 8, IOU_PBUF_RING_INC, 2);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	for (i = 0; i < 5; i++) {
		put(fd[1], "abc");
		reap_bytes(r, 3);
		note_head(r, GROUP);
	}
	note_entries(&b, 2);
	put(fd[1], "rest");
	reap_until_final(r);
	note_bytes("bytes", b.bytes, 16);
}

static void I2_nothing_transferred(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	put(fd[1], "abc");
	receive(r, fd[0], 0);
	close(fd[1]);
	receive(r, fd[0], 0);
	note_entries(&b, 2);
	note_head(r, GROUP);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I3_min_left(struct ring *r)
{
	static const uint32_t lefts[] = {0, 1, 4, 5, 6, 100, UINT32_MAX};
	struct bufs b;
	int fd[2];
	size_t i;

	for (i = 0; i < array_size(lefts); i++) {
		struct io_uring_buf_reg how = {
			.ring_addr = (uintptr_t)pages(4096),
			.ring_entries = 4,
			.bgid = GROUP,
			.flags = IOU_PBUF_RING_INC,
			.min_left = lefts[i],
		};

		note("min_left %u", lefts[i]);
		pair(fd, PAIR_STREAM);
		put(fd[1], "abcdefghijk");
		reg(r, IORING_REGISTER_PBUF_RING, &how, 1);
		b = (struct bufs){.memory = (void *)(uintptr_t)how.ring_addr,
				  .entries = 4,
				  .bytes = pages(64),
				  .each = 16};
		bufs_add(&b, b.bytes, 16, 0);
		bufs_add(&b, b.bytes + 16, 16, 1);
		bufs_publish(&b);
		receive(r, fd[0], 11);
		note_entries(&b, 2);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
	}
}

static void I4_regular_file(struct ring *r)
{
	int file = file_with("0123456789");
	struct bufs b;
	int i;

	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 3);
	for (i = 0; i < 5; i++) {
		sqe_select(r, IORING_OP_READ, file, i == 2 ? 0 : 6, GROUP)
			->off = (uint64_t)(i * 4);
		go(r);
		note_entries(&b, 3);
		note_head(r, GROUP);
	}
	note_bytes("bytes", b.bytes, 48);
}

static void I4_worker(struct ring *r)
{
	int file = file_with("0123456789");
	struct bufs b;
	int i;

	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 3);
	for (i = 0; i < 3; i++) {
		struct io_uring_sqe *sqe;

		sqe = sqe_select(r, IORING_OP_READ, file, 6, GROUP);
		sqe->off = 0;
		sqe->flags |= IOSQE_ASYNC;
		go(r);
		note_entries(&b, 3);
		note_head(r, GROUP);
	}
}

static void I5_truncated_datagram(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	put(fd[1], "abcdefghijklmnopqrstuvwxyz");
	sqe_select(r, IORING_OP_RECV, fd[0], 10, GROUP)->op_flags = MSG_TRUNC;
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
	put(fd[1], "abcdefghijklmnopqrstuvwxyz");
	sqe_select(r, IORING_OP_RECV, fd[0], 0, GROUP)->op_flags = MSG_TRUNC;
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I5_datagram_that_fits(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	put(fd[1], "abcdefgh");
	sqe_select(r, IORING_OP_RECV, fd[0], 10, GROUP)->op_flags = MSG_TRUNC;
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I1_waitall(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	put(fd[1], "abc");
	sqe_select(r, IORING_OP_RECV, fd[0], 8, GROUP)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	note_entries(&b, 2);
	put(fd[1], "defgh");
	reap(r, 1);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I1_send(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 2);
	memset(b.bytes, 's', 32);
	sqe_select(r, IORING_OP_SEND, fd[1], 5, GROUP);
	go(r);
	note_entries(&b, 2);
	sqe_select(r, IORING_OP_SEND, fd[1], 0, GROUP);
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I1_read_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_PIPE);
	bufs_open(&b, r, GROUP, 4, 8, IOU_PBUF_RING_INC, 2);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	submit(r);
	put(fd[1], "abc");
	reap(r, 1);
	put(fd[1], "defghij");
	quiet(r);
	note_entries(&b, 2);
	close(fd[1]);
	quiet(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void I1_bad_address(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abc");
	bufs_open(&b, r, GROUP, 4, 8, IOU_PBUF_RING_INC, 0);
	bufs_add(&b, nowhere(), 8, 0);
	bufs_publish(&b);
	receive(r, fd[0], 0);
	note_head(r, GROUP);
	note("len %u", b.memory->first[0].len);
}

static const struct scenario rows[] = {
	SCENARIO(I1_entry_is_rewritten, "I1 I2"),
	SCENARIO(I1_used_up_exactly, "I1"),
	SCENARIO(I1_mapped_ring, "I1"),
	SCENARIO(I1_multishot, "I1 S12", .modes = MODES_ALL),
	SCENARIO(I1_waitall, "I1 S8", .deviates = "inc"),
	SCENARIO(I1_send, "I1"),
	SCENARIO(I1_read_multishot, "I1"),
	SCENARIO(I1_bad_address, "I1 S10"),
	SCENARIO(I2_nothing_transferred, "I2"),
	SCENARIO(I3_min_left, "I3 G5"),
	SCENARIO(I4_regular_file, "I4 S6"),
	SCENARIO(I4_worker, "I4 S6"),
	SCENARIO(I5_datagram_that_fits, "I5"),
	SCENARIO(I5_truncated_datagram, "I5", .deviates = "inc"),
};

FAMILY(inc, rows);
