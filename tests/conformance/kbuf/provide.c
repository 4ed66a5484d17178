/* SPDX-License-Identifier: MIT */
/*
 * PROVIDE_BUFFERS: the checks and their order, and the resulting group.
 *
 * Theory: to see which of two checks comes first, a scenario fails both at
 * once. To see what a group contains, it receives into it.
 */
#include "runner/scenario.h"

#define GROUP 7

static char memory[4096];

/* Take @count buffers from the group, with one received byte each. */
static void drain_group(struct ring *r, uint16_t bgid, unsigned int count)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	while (count--) {
		put(fd[1], "x");
		sqe_select(r, IORING_OP_RECV, fd[0], 1, bgid);
		go(r);
	}
}

static void P1_flags_and_splice_fd(struct ring *r)
{
	sqe_provide(r, memory, 16, 4, GROUP, 0)->rw_flags = 1;
	sqe_provide(r, memory, 16, 4, GROUP, 0)->splice_fd_in = 1;
	sqe_provide(r, memory, 16, 0, GROUP, 0)->rw_flags = 1;
	sqe_provide(r, memory, 16, 0, GROUP, 0)->splice_fd_in = -1;
	sqe_provide(r, memory, 16, 4, GROUP, 0)->rw_flags = 0x80000000;
	submit(r);
	reap(r, 1);
	quiet(r);
}

/*
 * Without SUBMIT_ALL the first bad SQE ends a submission, so each is submitted
 * alone.
 */
static void P1_one_by_one(struct ring *r)
{
	sqe_provide(r, memory, 16, 4, GROUP, 0)->rw_flags = 1;
	go(r);
	sqe_provide(r, memory, 16, 4, GROUP, 0)->splice_fd_in = 1;
	go(r);
	sqe_provide(r, memory, 16, 0, GROUP, 0)->rw_flags = 1;
	go(r);
	sqe_provide(r, memory, 16, 4, GROUP, 70000)->splice_fd_in = -1;
	go(r);
	sqe_remove(r, 1, GROUP);
	go(r);
}

static void P1_other_fields_are_free(struct ring *r)
{
	struct io_uring_sqe *sqe;

	sqe_provide(r, memory, 16, 1, GROUP, 0)->ioprio = 1;
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 0)->personality = 77;
	go(r);
	sqe = sqe_provide(r, memory, 16, 1, GROUP, 0);
	sqe->addr3 = 5;
	sqe->pad2_ = 5;
	go(r);
}

static void P2_count(struct ring *r)
{
	static const int counts[] = {0,		-1,	 INT32_MIN, 65537,
				     INT32_MAX, 0x10000, 65535};
	size_t i;

	for (i = 0; i < array_size(counts); i++) {
		note("count %d", counts[i]);
		sqe_provide(r, memory, 1, counts[i], GROUP, 0);
		go(r);
	}
}

static void P2_before_P3_to_P6(struct ring *r)
{
	sqe_provide(r, (void *)UINTPTR_MAX, 16, 0, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)UINTPTR_MAX, 16, -1, GROUP, 70000);
	go(r);
	sqe_provide(r, memory, 16, 65537, GROUP, 65535);
	go(r);
}

static void P3_overflow(struct ring *r)
{
	sqe_provide(r, (void *)UINTPTR_MAX, 1, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)(UINTPTR_MAX - 15), 16, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)(UINTPTR_MAX - 16), 16, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)UINTPTR_MAX, UINT32_MAX, 65536, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)UINTPTR_MAX, 16, 1, GROUP, 65536);
	go(r);
}

static void P4_outside_user_space(struct ring *r)
{
	const uintptr_t end = 0x7ffffffff000;

	sqe_provide(r, (void *)0xffff800000000000, 16, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)(end - 16), 16, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)(end - 15), 16, 1, GROUP, 1);
	go(r);
	sqe_provide(r, (void *)end, 1, 1, GROUP, 2);
	go(r);
	sqe_provide(r, memory, UINT32_MAX, 65536, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)0xffff800000000000, 16, 1, GROUP, 65536);
	go(r);
	sqe_provide(r, (void *)0x0000900000000000, 16, 2, GROUP, 65535);
	go(r);
}

static void P5_first_bid(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 65536);
	go(r);
	sqe_provide(r, memory, 16, 2, GROUP, UINT32_MAX);
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 0)->off = UINT64_MAX;
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 0)->off = UINT64_C(1) << 32;
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 65535);
	go(r);
}

static void P6_last_bid(struct ring *r)
{
	sqe_provide(r, memory, 16, 2, GROUP, 65535);
	go(r);
	sqe_provide(r, memory, 16, 2, GROUP, 65534);
	go(r);
	sqe_provide(r, memory, 1, 65536, GROUP, 1);
	go(r);
	sqe_remove(r, 65536, GROUP);
	go(r);
}

static void P7_length_zero(struct ring *r)
{
	sqe_provide(r, memory, 0, 4, GROUP, 0);
	go(r);
	sqe_provide(r, NULL, 0, 1, GROUP, 0);
	go(r);
	sqe_remove(r, 1, GROUP);
	go(r);
}

static void P7_order(struct ring *r)
{
	sqe_provide(r, memory, 0, 0, GROUP, 0);
	go(r);
	sqe_provide(r, memory, 0, 65537, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)UINTPTR_MAX, 0, 1, GROUP, 0);
	go(r);
	sqe_provide(r, (void *)0xffff800000000000, 0, 1, GROUP, 0);
	go(r);
	sqe_provide(r, memory, 0, 1, GROUP, 65536);
	go(r);
	sqe_provide(r, memory, 0, 2, GROUP, 65535);
	go(r);
}

static void P8_makes_the_group(struct ring *r)
{
	sqe_remove(r, 1, GROUP);
	go(r);
	sqe_provide(r, memory, 16, 3, GROUP, 0);
	go(r);
	sqe_remove(r, 1, GROUP);
	go(r);
	sqe_provide(r, memory, 16, 3, 65535, 0);
	go(r);
	drain_group(r, 65535, 1);
}

static void P8_a_failed_check_makes_none(struct ring *r)
{
	sqe_provide(r, memory, 16, 0, GROUP, 0);
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 65536);
	go(r);
	sqe_remove(r, 1, GROUP);
	go(r);
}

static void P8_not_into_a_ring(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 64, 0, 1);
	sqe_provide(r, memory, 16, 1, GROUP, 0);
	go(r);
	sqe_provide(r, memory, 16, 0, GROUP, 0);
	go(r);
	note_head(r, GROUP);
	drain_group(r, GROUP, 1);
}

static void P9_in_order(struct ring *r)
{
	sqe_provide(r, memory, 16, 2, GROUP, 10);
	sqe_provide(r, memory + 256, 16, 2, GROUP, 4);
	sqe_provide(r, memory + 512, 16, 1, GROUP, 65535);
	go(r);
	drain_group(r, GROUP, 6);
	note_bytes("first", memory, 32);
	note_bytes("second", memory + 256, 32);
	note_bytes("third", memory + 512, 32);
}

static void P9_the_same_bid_twice(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 5);
	sqe_provide(r, memory + 64, 16, 1, GROUP, 5);
	go(r);
	drain_group(r, GROUP, 3);
	note_bytes("memory", memory, 80);
}

/* The address of the second buffer is at the unclamped distance. */
static void P9_addresses_advance_unclamped(struct ring *r)
{
	const size_t each = 0x80000000;
	char *huge = pages(2 * each + 4096);

	sqe_provide(r, huge, (uint32_t)each, 2, GROUP, 0);
	go(r);
	drain_group(r, GROUP, 2);
	note_bytes("at 0", huge, 4);
	note_bytes("at the cap", huge + IORING_MAX_RW_COUNT, 4);
	note_bytes("at the length", huge + each, 4);
}

static void P10_some_added_is_success(struct ring *r)
{
	sqe_provide(r, memory, 1, 65536, GROUP, 0);
	go(r);
	sqe_provide(r, memory, 1, 1, GROUP, 0);
	go(r);
	sqe_remove(r, 10, GROUP);
	go(r);
	sqe_provide(r, memory, 1, 20, GROUP, 0);
	go(r);
	sqe_remove(r, 65536, GROUP);
	go(r);
	sqe_provide(r, memory, 1, 1, GROUP, 0);
	go(r);
	sqe_remove(r, 65536, GROUP);
	go(r);
}

static void P11_memory_is_not_touched(struct ring *r)
{
	char *none = nowhere();

	memset(memory, '.', sizeof(memory));
	sqe_provide(r, memory, 16, 4, GROUP, 0);
	sqe_provide(r, none, 4096, 4, GROUP, 4);
	sqe_provide(r, NULL, 16, 1, GROUP, 8);
	go(r);
	note_bytes("memory", memory, sizeof(memory));
	sqe_remove(r, 100, GROUP);
	go(r);
}

static void P12_error_cancels_the_chain(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 65536)->flags = IOSQE_IO_LINK;
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void P12_error_at_issue_cancels_the_chain(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 64, 0, 1);
	sqe_provide(r, memory, 16, 1, GROUP, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
}

static void P12_success_goes_on(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 0)->flags = IOSQE_IO_LINK;
	sqe_remove(r, 2, GROUP)->flags = IOSQE_IO_LINK;
	sqe_remove(r, 2, GROUP)->flags = IOSQE_IO_LINK;
	sqe_remove(r, 2, 99)->flags = IOSQE_IO_HARDLINK;
	sqe_nop(r);
	submit(r);
	reap_sorted(r, 5);
}

static void P12_flags_of_requests(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 0)->flags = IOSQE_ASYNC;
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 2)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
	sqe_remove(r, 10, GROUP);
	go(r);
	sqe_provide(r, memory, 16, 1, GROUP, 1)->flags = IOSQE_IO_DRAIN;
	go(r);
}

static void P13_buffer_select(struct ring *r)
{
	sqe_provide(r, memory, 16, 1, GROUP, 0)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	sqe_provide(r, memory, 16, 0, GROUP, 0)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	sqe_remove(r, 1, GROUP)->flags = IOSQE_BUFFER_SELECT;
	go(r);
}

static void P13_every_operation_that_does_not_select(struct ring *r)
{
	static const uint8_t ops[] = {
		IORING_OP_NOP,
		IORING_OP_WRITE,
		IORING_OP_WRITEV,
		IORING_OP_POLL_ADD,
		IORING_OP_POLL_REMOVE,
		IORING_OP_TIMEOUT,
		IORING_OP_TIMEOUT_REMOVE,
		IORING_OP_ACCEPT,
		IORING_OP_ASYNC_CANCEL,
		IORING_OP_LINK_TIMEOUT,
		IORING_OP_CONNECT,
		IORING_OP_OPENAT,
		IORING_OP_CLOSE,
		IORING_OP_SHUTDOWN,
		IORING_OP_SOCKET,
	};
	struct io_uring_sqe *sqe;
	size_t i;

	for (i = 0; i < array_size(ops); i++) {
		note("opcode %u", ops[i]);
		sqe = sqe_new(r, ops[i], -1, NULL, 0, 0);
		sqe->flags = IOSQE_BUFFER_SELECT;
		go(r);
	}
}

static const struct scenario rows[] = {
	SCENARIO(P1_flags_and_splice_fd, "P1", .modes = MODES_BOTH),
	SCENARIO(P1_one_by_one, "P1", .modes = MODES_ALL),
	SCENARIO(P1_other_fields_are_free, "P1"),
	SCENARIO(P2_count, "P2 P10", .modes = MODES_ALL),
	SCENARIO(P2_before_P3_to_P6, "P2 P3 P5 P6"),
	SCENARIO(P3_overflow, "P3"),
	SCENARIO(P4_outside_user_space, "P4 P5"),
	SCENARIO(P5_first_bid, "P5"),
	SCENARIO(P6_last_bid, "P6"),
	SCENARIO(P7_length_zero, "P7"),
	SCENARIO(P7_order, "P7 P2 P3 P4 P5"),
	SCENARIO(P8_makes_the_group, "P8 R2"),
	SCENARIO(P8_a_failed_check_makes_none, "P8"),
	SCENARIO(P8_not_into_a_ring, "P8"),
	SCENARIO(P9_in_order, "P9 S4", .modes = MODES_ALL),
	SCENARIO(P9_the_same_bid_twice, "P9"),
	SCENARIO(P9_addresses_advance_unclamped, "P9"),
	SCENARIO(P10_some_added_is_success, "P10"),
	SCENARIO(P11_memory_is_not_touched, "P11"),
	SCENARIO(P12_error_cancels_the_chain, "P12", .modes = MODES_ALL),
	SCENARIO(P12_error_at_issue_cancels_the_chain, "P12 P8",
		 .modes = MODES_ALL),
	SCENARIO(P12_success_goes_on, "P12", .modes = MODES_ALL),
	SCENARIO(P12_flags_of_requests, "P12"),
	SCENARIO(P13_buffer_select, "P13"),
	SCENARIO(P13_every_operation_that_does_not_select, "P13"),
};

FAMILY(provide, rows);
