/* SPDX-License-Identifier: MIT */
/* REMOVE_BUFFERS: the checks, and which buffers are removed. */
#include "runner/scenario.h"

#define GROUP 3

static char memory[4096];

static void provide(struct ring *r, int count, uint32_t bid)
{
	sqe_provide(r, memory, 16, count, GROUP, bid);
	go(r);
}

static void R1_fields(struct ring *r)
{
	provide(r, 4, 0);
	sqe_remove(r, 1, GROUP)->rw_flags = 1;
	go(r);
	sqe_remove(r, 1, GROUP)->addr = 1;
	go(r);
	sqe_remove(r, 1, GROUP)->len = 1;
	go(r);
	sqe_remove(r, 1, GROUP)->off = 1;
	go(r);
	sqe_remove(r, 1, GROUP)->splice_fd_in = 1;
	go(r);
	sqe_remove(r, 9, GROUP);
	go(r);
}

static void R1_count(struct ring *r)
{
	static const int counts[] = {0, -1, INT32_MIN, 65537, INT32_MAX, 65536};
	size_t i;

	provide(r, 4, 0);
	for (i = 0; i < array_size(counts); i++) {
		note("count %d", counts[i]);
		sqe_remove(r, counts[i], GROUP);
		go(r);
	}
}

static void R1_before_R2(struct ring *r)
{
	sqe_remove(r, 0, 99);
	go(r);
	sqe_remove(r, 1, 99)->len = 1;
	go(r);
}

static void R2_missing_and_ring(struct ring *r)
{
	struct bufs b;

	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_open(&b, r, GROUP, 4, 64, 0, 2);
	sqe_remove(r, 1, GROUP);
	go(r);
	note_head(r, GROUP);
	bufs_unregister(r, GROUP);
	sqe_remove(r, 1, GROUP);
	go(r);
}

static void R3_how_many(struct ring *r)
{
	provide(r, 5, 0);
	sqe_remove(r, 2, GROUP);
	sqe_remove(r, 2, GROUP);
	sqe_remove(r, 2, GROUP);
	sqe_remove(r, 2, GROUP);
	go(r);
	provide(r, 1, 0);
	sqe_remove(r, 2, GROUP);
	go(r);
}

static void R3_oldest_first(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	provide(r, 2, 40);
	provide(r, 3, 20);
	sqe_remove(r, 3, GROUP);
	go(r);
	put(fd[1], "ab");
	sqe_select(r, IORING_OP_RECV, fd[0], 1, GROUP);
	go(r);
	sqe_select(r, IORING_OP_RECV, fd[0], 1, GROUP);
	go(r);
	sqe_select(r, IORING_OP_RECV, fd[0], 1, GROUP);
	go(r);
}

static void R3_in_a_chain(struct ring *r)
{
	provide(r, 1, 0);
	sqe_remove(r, 5, GROUP)->flags = IOSQE_IO_LINK;
	sqe_remove(r, 5, GROUP)->flags = IOSQE_IO_LINK;
	sqe_remove(r, 5, 99)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	reap(r, 4);
}

static void R4_no_groups_of_their_own(struct ring *r)
{
	provide(r, 1, 0);
	sqe_remove(r, 1, 5);
	go(r);
	sqe_remove(r, 1, 63);
	go(r);
	sqe_remove(r, 1, 64);
	go(r);
	bufs_unregister(r, 5);
	bufs_unregister(r, GROUP);
}

static const struct scenario rows[] = {
	SCENARIO(R1_fields, "R1", .modes = MODES_ALL),
	SCENARIO(R1_count, "R1"),
	SCENARIO(R1_before_R2, "R1 R2"),
	SCENARIO(R2_missing_and_ring, "R2", .modes = MODES_ALL),
	SCENARIO(R3_how_many, "R3"),
	SCENARIO(R3_oldest_first, "R3"),
	SCENARIO(R3_in_a_chain, "R3 P12", .modes = MODES_ALL),
	SCENARIO(R4_no_groups_of_their_own, "R4 G9"),
};

FAMILY(remove, rows);
