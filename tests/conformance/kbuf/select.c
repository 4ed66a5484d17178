/* SPDX-License-Identifier: MIT */
/*
 * Selecting a buffer: when, which one, how long it is, and what happens to it.
 *
 * Theory: struct source varies the group: the same scenario is played with a
 * classic group, with a ring in application memory and with one in the
 * engine's. The buffers that a group still has are seen in PBUF_STATUS's head,
 * or by removing them.
 */
#include "runner/scenario.h"

#include <sys/ioctl.h>

#define GROUP 5
#define CLASSIC 6

/* A ring of eight and a classic group of eight, buffers of 32 bytes. */
struct source {
	struct bufs ring;
	char *classic;
};

static void source_open(struct source *s, struct ring *r)
{
	bufs_open(&s->ring, r, GROUP, 8, 32, 0, 8);
	s->classic = pages(8 * 32);
	sqe_provide(r, s->classic, 32, 8, CLASSIC, 100);
	go(r);
}

/* Write what is left: the ring's head, and the count of classic buffers. */
static void source_left(struct ring *r)
{
	note_head(r, GROUP);
	sqe_remove(r, 65536, CLASSIC);
	go(r);
}

static struct io_uring_sqe *receive(struct ring *r, int fd, uint32_t len,
				    uint16_t bgid)
{
	return sqe_select(r, IORING_OP_RECV, fd, len, bgid);
}

/* ---- S1: when ------------------------------------------------------------ */

static void S1_idle_receives_hold_nothing(struct ring *r)
{
	struct source s;
	int fd[20][2];
	int i;

	source_open(&s, r);
	for (i = 0; i < 20; i++) {
		pair(fd[i], PAIR_STREAM);
		receive(r, fd[i][0], 0, i & 1 ? GROUP : CLASSIC);
	}
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	for (i = 19; i >= 0; i--) {
		put(fd[i][1], "data");
		if (i & 1 ? i > 3 : i > 2)
			reap(r, 1);
	}
	reap_sorted(r, 4);
	source_left(r);
}

static void S1_idle_reads_hold_nothing(struct ring *r)
{
	struct source s;
	int fd[4][2];
	int i;

	source_open(&s, r);
	for (i = 0; i < 4; i++) {
		pair(fd[i], PAIR_PIPE);
		sqe_select(r, IORING_OP_READ, fd[i][0], 0,
			   i & 1 ? GROUP : CLASSIC);
	}
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	for (i = 3; i >= 0; i--) {
		put(fd[i][1], "data");
		reap(r, 1);
	}
	source_left(r);
}

/*
 * Both requests saw the one buffer; the second to run selects what is there
 * then.
 */
static void S1_provided_while_waiting(struct ring *r)
{
	char *memory = pages(128);
	int one[2];
	int two[2];

	pair(one, PAIR_STREAM);
	pair(two, PAIR_STREAM);
	sqe_provide(r, memory, 32, 1, 77, 9);
	go(r);
	receive(r, one[0], 0, 77);
	receive(r, two[0], 0, 77);
	submit(r);
	quiet(r);
	put(two[1], "early");
	reap(r, 1);
	sqe_provide(r, memory + 64, 32, 1, 77, 8);
	go(r);
	put(one[1], "late");
	reap(r, 1);
	note_bytes("memory", memory, 80);
}

static void S1_used_up_while_waiting(struct ring *r)
{
	struct bufs b;
	int fd[3][2];
	int i;

	bufs_open(&b, r, GROUP, 4, 32, 0, 1);
	for (i = 0; i < 3; i++) {
		pair(fd[i], i == 2 ? PAIR_PIPE : PAIR_STREAM);
		sqe_select(r, i ? IORING_OP_READ : IORING_OP_RECV, fd[i][0], 0,
			   GROUP);
	}
	submit(r);
	quiet(r);
	for (i = 0; i < 3; i++) {
		put(fd[i][1], "data");
		reap(r, 1);
	}
	note_head(r, GROUP);
}

static void S1_cancelled_receive_held_nothing(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	receive(r, fd[0], 0, GROUP);
	receive(r, fd[0], 0, CLASSIC);
	submit(r);
	quiet(r);
	sqe_cancel(r, 2, 0);
	sqe_cancel(r, 3, 0);
	submit(r);
	reap_sorted(r, 4);
	source_left(r);
}

/* ---- S2: none ------------------------------------------------------------ */

static void S2_no_group(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "data");
	receive(r, fd[0], 0, 1);
	go(r);
	receive(r, fd[0], 8, 65535);
	go(r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, 1);
	go(r);
	sqe_select(r, IORING_OP_READ, file_with("text"), 0, 1);
	go(r);
	get(fd[0], 10);
}

static void S2_empty_group(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "data");
	bufs_open(&b, r, GROUP, 4, 32, 0, 0);
	receive(r, fd[0], 0, GROUP);
	go(r);
	sqe_provide(r, b.bytes, 8, 1, CLASSIC, 0);
	sqe_remove(r, 1, CLASSIC);
	go(r);
	receive(r, fd[0], 0, CLASSIC);
	go(r);
	bufs_return(&b, 2);
	receive(r, fd[0], 0, GROUP);
	go(r);
}

/* The receive has no data and no group: does it wait or fail? */
static void S2_no_group_and_no_data(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	receive(r, fd[0], 0, 1);
	submit(r);
	quiet(r);
	put(fd[1], "data");
	quiet(r);
	nonblocking(fd[0]);
	get(fd[0], 10);
	receive(r, fd[0], 0, 1);
	go(r);
}

static void S2_cancels_the_chain(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "data");
	receive(r, fd[0], 0, 1)->flags |= IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	reap(r, 2);
}

/* ---- S3: length ---------------------------------------------------------- */

static void S3_lengths(struct ring *r, enum io_uring_op op)
{
	static const uint32_t asked[] = {0, 1, 5, 32, 33, UINT32_MAX};
	char text[201];
	struct source s;
	int fd[2];
	size_t i;

	memset(text, 'z', 200);
	text[200] = 0;
	source_open(&s, r);
	for (i = 0; i < array_size(asked); i++) {
		note("asked %u", asked[i]);
		pair(fd, PAIR_STREAM);
		put(fd[1], text);
		sqe_select(r, op, fd[0], asked[i], GROUP);
		go(r);
		sqe_select(r, op, fd[0], asked[i], CLASSIC);
		go(r);
	}
	note_bytes("ring", s.ring.bytes, 256);
	note_bytes("classic", s.classic, 256);
}

static void S3_lengths_of_recv(struct ring *r)
{
	S3_lengths(r, IORING_OP_RECV);
}

static void S3_lengths_of_read(struct ring *r)
{
	S3_lengths(r, IORING_OP_READ);
}

static void S3_buffers_of_all_sizes(struct ring *r)
{
	char *memory = pages(65536);
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "0123456789012345678901234567890123456789");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, memory, 1, 1);
	bufs_add(&b, memory + 100, 7, 2);
	bufs_add(&b, memory + 200, 0, 3);
	bufs_add(&b, memory + 300, 3, 4);
	bufs_add(&b, memory + 400, 5, 5);
	bufs_publish(&b);
	for (i = 0; i < 5; i++) {
		receive(r, fd[0], i < 4 ? 0 : 9, GROUP);
		go(r);
		note_head(r, GROUP);
	}
	note_bytes("memory", memory, 500);
}

static void S3_zero_length_buffer(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "data");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, b.bytes, 0, 1);
	bufs_add(&b, b.bytes, 0, 2);
	bufs_add(&b, b.bytes, 4, 3);
	bufs_publish(&b);
	receive(r, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	receive(r, fd[0], 4, GROUP);
	go(r);
	note_head(r, GROUP);
}

/* ---- S4: which ----------------------------------------------------------- */

static void S4_order(struct ring *r)
{
	struct source s;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefghijklmnopqrstuvwxyz");
	source_open(&s, r);
	for (i = 0; i < 9; i++) {
		receive(r, fd[0], 1, GROUP);
		go(r);
		receive(r, fd[0], 1, CLASSIC);
		go(r);
	}
	source_left(r);
	note_bytes("ring", s.ring.bytes, 256);
	note_bytes("classic", s.classic, 256);
}

static void S4_indices_wrap(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 1, 16, 0, 1);
	for (i = 0; i < 70000; i++) {
		if (write(fd[1], "x", 1) != 1)
			give_up("write");
		receive(r, fd[0], 1, GROUP);
		store_release(r->sq_tail, r->next);
		side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		if (ring_cqe(r)->res != 1)
			give_up("at %d: %d", i, ring_cqe(r)->res);
		ring_seen(r);
		bufs_return(&b, 0);
	}
	note_head(r, GROUP);
	note_entries(&b, 1);
}

/* The tail is ahead of the head by more entries than there are slots. */
static void S4_tail_ahead_by_more_than_the_ring(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 2, 16, 0, 2);
	b.tail = 5;
	bufs_publish(&b);
	for (i = 0; i < 6; i++) {
		receive(r, fd[0], 1, GROUP);
		go(r);
	}
	note_head(r, GROUP);
}

static void S4_tail_behind_the_head(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 2, 16, 0, 2);
	receive(r, fd[0], 1, GROUP);
	go(r);
	b.tail = 0;
	bufs_publish(&b);
	receive(r, fd[0], 1, GROUP);
	go(r);
	note_head(r, GROUP);
}

static void S4_ring_memory_unmapped(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_MMAP, 2);
	munmap(b.memory, 4096);
	receive(r, fd[0], 1, GROUP);
	go(r);
	receive(r, fd[0], 1, GROUP);
	go(r);
	receive(r, fd[0], 1, GROUP);
	go(r);
	note_head(r, GROUP);
}

/* ---- S5, S6: commit ------------------------------------------------------ */

static void S5_would_block(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	receive(r, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	put(fd[1], "x");
	reap(r, 1);
	note_head(r, GROUP);
}

static void S5_nonblocking_socket(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	nonblocking(fd[0]);
	source_open(&s, r);
	receive(r, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	receive(r, fd[0], 0, GROUP)->op_flags = MSG_DONTWAIT;
	receive(r, fd[0], 0, CLASSIC)->op_flags = MSG_DONTWAIT;
	submit(r);
	quiet(r);
	source_left(r);
}

static void S5_nonblocking_pipe(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_PIPE);
	nonblocking(fd[0]);
	source_open(&s, r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	sqe_select(r, IORING_OP_READ, fd[0], 0, CLASSIC);
	submit(r);
	quiet(r);
	source_left(r);
}

static void S5_end_of_stream(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	close(fd[1]);
	source_open(&s, r);
	receive(r, fd[0], 0, GROUP);
	go(r);
	receive(r, fd[0], 0, CLASSIC);
	go(r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, CLASSIC);
	go(r);
	source_left(r);
}

static void S5_end_of_stream_while_waiting(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_TCP);
	source_open(&s, r);
	receive(r, fd[0], 0, GROUP);
	receive(r, fd[0], 0, CLASSIC);
	submit(r);
	quiet(r);
	shutdown(fd[1], SHUT_WR);
	reap_sorted(r, 2);
	source_left(r);
}

static void S5_error_of_the_socket(struct ring *r)
{
	struct linger now = {.l_onoff = 1};
	struct source s;
	int fd[2];

	pair(fd, PAIR_TCP);
	source_open(&s, r);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd[1]);
	wait_readable(fd[0]);
	receive(r, fd[0], 0, GROUP);
	go(r);
	receive(r, fd[0], 0, CLASSIC);
	go(r);
	source_left(r);
}

static void S5_end_of_pipe(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_PIPE);
	close(fd[1]);
	source_open(&s, r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ, fd[0], 0, CLASSIC);
	go(r);
	source_left(r);
}

static void S6_regular_file(struct ring *r)
{
	struct source s;
	int file = file_with("0123456789");

	source_open(&s, r);
	sqe_select(r, IORING_OP_READ, file, 0, GROUP)->off = 0;
	go(r);
	sqe_select(r, IORING_OP_READ, file, 4, GROUP)->off = 8;
	go(r);
	sqe_select(r, IORING_OP_READ, file, 0, GROUP)->off = 10;
	go(r);
	sqe_select(r, IORING_OP_READ, file, 0, CLASSIC)->off = 3;
	go(r);
	sqe_select(r, IORING_OP_READ, file, 0, CLASSIC)->off = 10;
	go(r);
	source_left(r);
	note_bytes("ring", s.ring.bytes, 96);
	note_bytes("classic", s.classic, 64);
}

static void S6_worker(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdef");
	source_open(&s, r);
	receive(r, fd[0], 1, GROUP)->flags |= IOSQE_ASYNC;
	go(r);
	receive(r, fd[0], 1, CLASSIC)->flags |= IOSQE_ASYNC;
	go(r);
	sqe_select(r, IORING_OP_READ, fd[0], 1, GROUP)->flags |= IOSQE_ASYNC;
	go(r);
	sqe_select(r, IORING_OP_READ, file_with("x"), 1, GROUP)->flags |=
		IOSQE_ASYNC;
	go(r);
	source_left(r);
}

/*
 * The selection is final before the wait: other requests get the next entries.
 */
static void S6_worker_waits(struct ring *r)
{
	struct source s;
	int fd[2], i;

	pair(fd, PAIR_PIPE);
	source_open(&s, r);
	for (i = 0; i < 4; i++) {
		sqe_select(r, IORING_OP_READ, fd[0], 4, i & 1 ? CLASSIC : GROUP)
			->flags |= IOSQE_ASYNC;
		submit(r);
		quiet(r);
		sqe_select(r, IORING_OP_READ, file_with("x"), 1, GROUP)->off =
			0;
		go(r);
		put(fd[1], "data");
		reap(r, 1);
	}
	source_left(r);
}

static void S6_worker_end_of_stream(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	close(fd[1]);
	source_open(&s, r);
	receive(r, fd[0], 1, GROUP)->flags |= IOSQE_ASYNC;
	go(r);
	note_head(r, GROUP);
	sqe_select(r, IORING_OP_READ, fd[0], 1, GROUP)->flags |= IOSQE_ASYNC;
	go(r);
	note_head(r, GROUP);
	receive(r, fd[0], 1, CLASSIC)->flags |= IOSQE_ASYNC;
	go(r);
	source_left(r);
}

/* ---- S7: recycling a classic buffer -------------------------------------- */

static void S7_recycled_to_the_front(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	receive(r, fd[0], 0, CLASSIC);
	receive(r, fd[0], 0, CLASSIC);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap(r, 1);
	put(fd[1], "y");
	reap(r, 1);
	source_left(r);
}

static void S7_became_a_ring_meanwhile(struct ring *r)
{
	char *memory = pages(4096);
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_provide(r, memory, 16, 1, GROUP, 3);
	go(r);
	receive(r, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_open(&b, r, GROUP, 4, 16, 0, 1);
	put(fd[1], "x");
	reap(r, 1);
	bufs_unregister(r, GROUP);
	quiet(r);
}

static void S7_recycled_after_an_error(struct ring *r)
{
	char *none = nowhere();
	char *memory = pages(64);
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcd");
	sqe_provide(r, none, 16, 1, CLASSIC, 3);
	sqe_provide(r, memory, 16, 1, CLASSIC, 4);
	go(r);
	receive(r, fd[0], 1, CLASSIC);
	go(r);
	receive(r, fd[0], 1, CLASSIC);
	go(r);
	sqe_remove(r, 5, CLASSIC);
	go(r);
}

/* ---- S8: partly done ----------------------------------------------------- */

static void S8_waitall(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	put(fd[1], "abc");
	receive(r, fd[0], 8, GROUP)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	put(fd[1], "def");
	quiet(r);
	note_head(r, GROUP);
	put(fd[1], "gh");
	reap(r, 1);
	note_head(r, GROUP);
	note_bytes("ring", s.ring.bytes, 32);
}

static void S8_waitall_classic(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	put(fd[1], "abc");
	receive(r, fd[0], 8, CLASSIC)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	put(fd[1], "defgh");
	reap(r, 1);
	source_left(r);
	note_bytes("classic", s.classic, 32);
}

static void S8_waitall_then_end(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	put(fd[1], "abc");
	receive(r, fd[0], 0, GROUP)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	close(fd[1]);
	reap(r, 1);
	source_left(r);
}

/* Another request of the same group while one keeps its buffer. */
static void S8_keeps_its_buffer(struct ring *r, uint16_t bgid)
{
	struct source s;
	int one[2];
	int two[2];

	pair(one, PAIR_STREAM);
	pair(two, PAIR_STREAM);
	source_open(&s, r);
	put(one[1], "abc");
	receive(r, one[0], 6, bgid)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	put(two[1], "XYZ");
	receive(r, two[0], 0, bgid);
	go(r);
	put(one[1], "def");
	reap(r, 1);
	source_left(r);
	note_bytes("ring", s.ring.bytes, 64);
	note_bytes("classic", s.classic, 64);
}

static void S8_keeps_its_ring_buffer(struct ring *r)
{
	S8_keeps_its_buffer(r, GROUP);
}

static void S8_keeps_its_classic_buffer(struct ring *r)
{
	S8_keeps_its_buffer(r, CLASSIC);
}

static void S8_cancelled_when_partly_done(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	put(fd[1], "abc");
	receive(r, fd[0], 6, GROUP)->op_flags = MSG_WAITALL;
	submit(r);
	quiet(r);
	sqe_cancel(r, 2, 0);
	submit(r);
	reap_sorted(r, 2);
	source_left(r);
}

/* ---- S9: reporting ------------------------------------------------------- */

static void S9_bids_are_reported(struct ring *r)
{
	char *memory = pages(4096);
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcd");
	bufs_open(&b, r, GROUP, 4, 16, 0, 0);
	bufs_add(&b, memory, 16, 65535);
	bufs_add(&b, memory, 16, 0);
	bufs_publish(&b);
	sqe_provide(r, memory, 16, 1, CLASSIC, 65535);
	go(r);
	receive(r, fd[0], 1, GROUP);
	go(r);
	receive(r, fd[0], 1, GROUP);
	go(r);
	receive(r, fd[0], 1, CLASSIC);
	go(r);
}

static void S9_bad_file(struct ring *r)
{
	struct source s;

	source_open(&s, r);
	receive(r, -1, 0, GROUP);
	go(r);
	receive(r, -1, 0, CLASSIC);
	go(r);
	receive(r, file_with("x"), 0, GROUP);
	go(r);
	receive(r, file_with("x"), 0, CLASSIC);
	go(r);
	sqe_select(r, IORING_OP_READ, -1, 0, GROUP);
	go(r);
	source_left(r);
}

static void S9_a_file_not_open_for_reading(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_PIPE);
	source_open(&s, r);
	sqe_select(r, IORING_OP_READ, fd[1], 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ, fd[1], 0, CLASSIC);
	go(r);
	source_left(r);
}

static void S9_a_directory(struct ring *r)
{
	struct source s;
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	source_open(&s, r);
	sqe_select(r, IORING_OP_READ, directory, 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ, directory, 0, CLASSIC);
	go(r);
	source_left(r);
}

static void S9_sock_nonempty(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_TCP);
	source_open(&s, r);
	put(fd[1], "abcdef");
	wait_bytes(fd[0], 6);
	receive(r, fd[0], 2, GROUP);
	go(r);
	receive(r, fd[0], 2, CLASSIC);
	go(r);
	receive(r, fd[0], 2, GROUP);
	go(r);
}

/* ---- S10: bad addresses -------------------------------------------------- */

static void S10_bad_address(struct ring *r, enum io_uring_op op,
			    enum pair_kind kind)
{
	char *none = nowhere();
	struct bufs b;
	int fd[2];

	pair(fd, kind);
	put(fd[1], "abcd");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, none, 16, 1);
	bufs_add(&b, (void *)0xffff800000000000, 16, 2);
	bufs_add(&b, b.bytes, 16, 3);
	bufs_publish(&b);
	sqe_select(r, op, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	put(fd[1], "efgh");
	sqe_select(r, op, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	put(fd[1], "efgh");
	sqe_select(r, op, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	note_head(r, GROUP);
}

static void S10_bad_address_recv(struct ring *r)
{
	S10_bad_address(r, IORING_OP_RECV, PAIR_STREAM);
}

static void S10_bad_address_read_socket(struct ring *r)
{
	S10_bad_address(r, IORING_OP_READ, PAIR_STREAM);
}

static void S10_bad_address_read_pipe(struct ring *r)
{
	S10_bad_address(r, IORING_OP_READ, PAIR_PIPE);
}

static void S10_bad_address_datagram(struct ring *r)
{
	S10_bad_address(r, IORING_OP_RECV, PAIR_DGRAM);
}

static void S10_bad_address_file(struct ring *r)
{
	int file = file_with("0123456789");
	struct bufs b;

	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, nowhere(), 16, 1);
	bufs_add(&b, NULL, 16, 2);
	bufs_add(&b, b.bytes, 16, 3);
	bufs_publish(&b);
	while (b.tail--) {
		sqe_select(r, IORING_OP_READ, file, 0, GROUP)->off = 0;
		go(r);
		note_head(r, GROUP);
	}
}

static void S10_address_zero(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	for (i = 0; i < 8; i++)
		bufs_add(&b, i < 5 ? NULL : b.bytes, 16, (uint16_t)i);
	bufs_publish(&b);
	for (i = 0; i < 4; i++) {
		sqe_select(r, i & 1 ? IORING_OP_READ : IORING_OP_RECV, fd[0],
			   i & 2 ? 2 : 0, GROUP);
		submit(r);
		quiet(r);
		note_head(r, GROUP);
	}
}

static void S10_address_zero_classic(struct ring *r)
{
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	sqe_provide(r, NULL, 16, 1, CLASSIC, 1);
	sqe_provide(r, NULL, 16, 1, CLASSIC, 2);
	sqe_provide(r, pages(16), 16, 1, CLASSIC, 3);
	go(r);
	for (i = 0; i < 4; i++) {
		sqe_select(r, i & 1 ? IORING_OP_READ : IORING_OP_RECV, fd[0], 2,
			   CLASSIC);
		submit(r);
		quiet(r);
	}
	sqe_remove(r, 10, CLASSIC);
	go(r);
}

static void S10_partly_mapped_buffer(struct ring *r)
{
	char *page = page_before_nothing();
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, page + 4092, 16, 1);
	bufs_add(&b, b.bytes, 16, 2);
	bufs_publish(&b);
	receive(r, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
	receive(r, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	note_bytes("page's end", page + 4088, 8);
}

static void S10_read_only_buffer(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefgh");
	bufs_open(&b, r, GROUP, 8, 16, 0, 0);
	bufs_add(&b, read_only(), 16, 1);
	bufs_publish(&b);
	receive(r, fd[0], 0, GROUP);
	go(r);
	note_head(r, GROUP);
}

/* ---- S11 ----------------------------------------------------------------- */

static void S11_every_buffer_once(struct ring *r)
{
	struct source s;
	bool seen[256] = {false};
	int fd[8][2];
	int i;

	source_open(&s, r);
	for (i = 0; i < 8; i++) {
		pair(fd[i], PAIR_STREAM);
		receive(r, fd[i][0], 0, GROUP);
		receive(r, fd[i][0], 0, CLASSIC);
	}
	submit(r);
	quiet(r);
	for (i = 0; i < 8; i++) {
		char text[] = {(char)('a' + i), 0};

		put(fd[i][1], text);
		put(fd[i][1], text);
	}
	for (i = 0; i < 16; i++) {
		uint64_t nth;

		while (!ring_ready(r))
			side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
				    0);
		if (seen[ring_cqe(r)->flags >> 16])
			note("bid %u twice", ring_cqe(r)->flags >> 16);
		seen[ring_cqe(r)->flags >> 16] = true;
		nth = ring_cqe(r)->user_data - 2; /* of the receives */
		ring_seen(r);
		/*
		 * For the other request, when the first has taken both bytes.
		 */
		put(fd[nth / 2][1], "+");
	}
	for (i = 0; i < 256; i++)
		if (seen[i])
			note("bid %d", i);
	source_left(r);
}

/* ---- opcodes that select ------------------------------------------------- */

static void S3_readv(struct ring *r)
{
	struct iovec iov[2] = {{NULL, 4}, {NULL, 4}};
	struct io_uring_sqe *sqe;
	struct source s;
	int count;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefghijklmnop");
	source_open(&s, r);
	for (count = 0; count < 3; count++) {
		sqe = sqe_select(r, IORING_OP_READV, fd[0], (uint32_t)count,
				 GROUP);
		sqe->addr = (uintptr_t)iov;
		sqe->off = UINT64_MAX;
		go(r);
		note_head(r, GROUP);
	}
	iov[0].iov_len = 100;
	sqe = sqe_select(r, IORING_OP_READV, fd[0], 1, CLASSIC);
	sqe->addr = (uintptr_t)iov;
	sqe->off = UINT64_MAX;
	go(r);
	sqe = sqe_select(r, IORING_OP_READV, fd[0], 1, CLASSIC);
	sqe->addr = (uintptr_t)nowhere();
	go(r);
	source_left(r);
	note_bytes("ring", s.ring.bytes, 32);
	note_bytes("classic", s.classic, 32);
}

static void S3_recvmsg(struct ring *r)
{
	struct iovec iov = {NULL, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct io_uring_sqe *sqe;
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefghijklmnop");
	source_open(&s, r);
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 1, GROUP);
	sqe->addr = (uintptr_t)&msg;
	go(r);
	iov.iov_len = 0;
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 1, CLASSIC);
	sqe->addr = (uintptr_t)&msg;
	go(r);
	source_left(r);
	note_bytes("ring", s.ring.bytes, 32);
	note_bytes("classic", s.classic, 32);
}

static void S3_recvmsg_vectors(struct ring *r)
{
	struct iovec iov[2] = {{NULL, 3}, {NULL, 4}};
	struct msghdr msg = {.msg_iov = iov};
	struct io_uring_sqe *sqe;
	struct source s;
	int fd[2];
	size_t i;

	pair(fd, PAIR_STREAM);
	put(fd[1], "abcdefghijklmnop");
	source_open(&s, r);
	for (i = 0; i < 3; i++) {
		msg.msg_iovlen = i;
		sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 1, GROUP);
		sqe->addr = (uintptr_t)&msg;
		put(fd[1], "abcdefgh");
		go(r);
		note_head(r, GROUP);
	}
	msg.msg_iov = nowhere();
	msg.msg_iovlen = 1;
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 1, GROUP);
	sqe->addr = (uintptr_t)&msg;
	go(r);
}

static void S2_send_selects(struct ring *r)
{
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	memset(s.ring.bytes, 'r', 256);
	memset(s.classic, 'c', 256);
	sqe_select(r, IORING_OP_SEND, fd[1], 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_SEND, fd[1], 5, GROUP);
	go(r);
	sqe_select(r, IORING_OP_SEND, fd[1], 50, CLASSIC);
	go(r);
	get(fd[0], 1000);
	source_left(r);
	sqe_select(r, IORING_OP_SEND, fd[1], 5, CLASSIC);
	go(r);
	sqe_select(r, IORING_OP_SEND, fd[1], 5, 99);
	go(r);
}

static void S5_send_would_block(struct ring *r)
{
	struct source s;
	char *filler = pages(1 << 20);
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	memset(s.ring.bytes, 'r', 256);
	while (send(fd[1], filler, 65536, MSG_DONTWAIT) > 0)
		;
	sqe_select(r, IORING_OP_SEND, fd[1], 0, GROUP);
	submit(r);
	quiet(r);
	note_head(r, GROUP);
	while (recv(fd[0], filler, 1 << 20, MSG_DONTWAIT) > 0)
		;
	reap(r, 1);
	note_head(r, GROUP);
}

static void S2_sendmsg_selects(struct ring *r)
{
	struct iovec iov = {NULL, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct io_uring_sqe *sqe;
	struct source s;
	int fd[2];

	pair(fd, PAIR_STREAM);
	source_open(&s, r);
	memset(s.ring.bytes, 'r', 256);
	memset(s.classic, 'c', 256);
	sqe = sqe_select(r, IORING_OP_SENDMSG, fd[1], 1, GROUP);
	sqe->addr = (uintptr_t)&msg;
	go(r);
	sqe = sqe_select(r, IORING_OP_SENDMSG, fd[1], 1, CLASSIC);
	sqe->addr = (uintptr_t)&msg;
	go(r);
	sqe = sqe_select(r, IORING_OP_SENDMSG, fd[1], 1, 99);
	sqe->addr = (uintptr_t)&msg;
	go(r);
	nonblocking(fd[0]);
	get(fd[0], 1000);
	source_left(r);
}

static const struct scenario rows[] = {
	SCENARIO(S1_idle_receives_hold_nothing, "S1 S4", .modes = MODES_ALL),
	SCENARIO(S1_idle_reads_hold_nothing, "S1", .modes = MODES_ALL),
	SCENARIO(S1_provided_while_waiting, "S1", .modes = MODES_ALL),
	SCENARIO(S1_used_up_while_waiting, "S1 S2"),
	SCENARIO(S1_cancelled_receive_held_nothing, "S1 S5 S7"),
	SCENARIO(S2_no_group, "S2"),
	SCENARIO(S2_empty_group, "S2"),
	SCENARIO(S2_no_group_and_no_data, "S2"),
	SCENARIO(S2_cancels_the_chain, "S2"),
	SCENARIO(S2_send_selects, "S2"),
	SCENARIO(S2_sendmsg_selects, "S2"),
	SCENARIO(S3_lengths_of_recv, "S3", .modes = MODES_ALL),
	SCENARIO(S3_lengths_of_read, "S3"),
	SCENARIO(S3_buffers_of_all_sizes, "S3"),
	SCENARIO(S3_zero_length_buffer, "S3"),
	SCENARIO(S3_readv, "S3"),
	SCENARIO(S3_recvmsg, "S3"),
	SCENARIO(S3_recvmsg_vectors, "S3"),
	SCENARIO(S4_order, "S4", .modes = MODES_ALL),
	SCENARIO(S4_indices_wrap, "S4"),
	SCENARIO(S4_tail_ahead_by_more_than_the_ring, "S4"),
	SCENARIO(S4_tail_behind_the_head, "S4"),
	SCENARIO(S4_ring_memory_unmapped, "S4 G10"),
	SCENARIO(S5_would_block, "S5", .modes = MODES_ALL),
	SCENARIO(S5_nonblocking_socket, "S5 S7"),
	SCENARIO(S5_nonblocking_pipe, "S5 S7"),
	SCENARIO(S5_end_of_stream, "S5 S7 S9", .modes = MODES_ALL),
	SCENARIO(S5_end_of_stream_while_waiting, "S5 S7 S9"),
	SCENARIO(S5_error_of_the_socket, "S5 S7 S9"),
	SCENARIO(S5_end_of_pipe, "S5 S7 S9"),
	SCENARIO(S5_send_would_block, "S5"),
	SCENARIO(S6_regular_file, "S6 S9", .modes = MODES_ALL),
	SCENARIO(S6_worker, "S6"),
	SCENARIO(S6_worker_waits, "S6 S11"),
	SCENARIO(S6_worker_end_of_stream, "S6 S9"),
	SCENARIO(S7_recycled_to_the_front, "S7", .modes = MODES_ALL),
	SCENARIO(S7_became_a_ring_meanwhile, "S7"),
	SCENARIO(S7_recycled_after_an_error, "S7 S10"),
	SCENARIO(S8_waitall, "S8", .modes = MODES_ALL),
	SCENARIO(S8_waitall_classic, "S8", .modes = MODES_ALL),
	SCENARIO(S8_waitall_then_end, "S8"),
	SCENARIO(S8_keeps_its_ring_buffer, "S8 S11"),
	SCENARIO(S8_keeps_its_classic_buffer, "S8 S11"),
	SCENARIO(S8_cancelled_when_partly_done, "S8"),
	SCENARIO(S9_bids_are_reported, "S9"),
	SCENARIO(S9_bad_file, "S9"),
	SCENARIO(S9_a_file_not_open_for_reading, "S9"),
	SCENARIO(S9_a_directory, "S9"),
	SCENARIO(S9_sock_nonempty, "S9"),
	SCENARIO(S10_bad_address_recv, "S10", .modes = MODES_ALL),
	SCENARIO(S10_bad_address_read_socket, "S10"),
	SCENARIO(S10_bad_address_read_pipe, "S10"),
	SCENARIO(S10_bad_address_datagram, "S10"),
	SCENARIO(S10_bad_address_file, "S10 S6"),
	SCENARIO(S10_address_zero, "S10"),
	SCENARIO(S10_address_zero_classic, "S10"),
	SCENARIO(S10_partly_mapped_buffer, "S10"),
	SCENARIO(S10_read_only_buffer, "S10"),
	SCENARIO(S11_every_buffer_once, "S11 S1"),
};

FAMILY(select, rows);
