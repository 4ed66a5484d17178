/* SPDX-License-Identifier: MIT */
/*
 * RESTRICTIONS: what a ring that starts disabled will allow once it runs.
 */
#include "runner/scenario.h"

#define ALLOW_REGISTER(op)                                                  \
	{                                                                   \
		.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = op \
	}
#define ALLOW_SQE(op)                                             \
	{                                                         \
		.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = op \
	}
#define ALLOW_FLAGS(bits)                                       \
	{                                                       \
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, \
		.sqe_flags = bits                               \
	}
#define REQUIRE_FLAGS(bits)                                      \
	{                                                        \
		.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, \
		.sqe_flags = bits                                \
	}

static void open_disabled(struct ring *r)
{
	ring_open(r, 16, IORING_SETUP_R_DISABLED);
}

static void enable(struct ring *r)
{
	reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static void restrict_by(struct ring *r, struct io_uring_restriction *rows,
			uint32_t count)
{
	reg(r, IORING_REGISTER_RESTRICTIONS, rows, count);
}

static void sqe_with(struct ring *r, uint8_t op, uint8_t flags)
{
	sqe_new(r, op, -1, NULL, 0, 0)->flags = flags;
	go(r);
}

static void operations(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		ALLOW_SQE(IORING_OP_TIMEOUT_REMOVE),
		ALLOW_REGISTER(IORING_REGISTER_ENABLE_RINGS),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_with(r, IORING_OP_NOP, 0);
	sqe_with(r, IORING_OP_TIMEOUT_REMOVE, 0);
	sqe_with(r, IORING_OP_READ, 0);
	sqe_with(r, IORING_OP_ASYNC_CANCEL, 0);
	sqe_with(r, 200, 0);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC);
	sqe_with(r, IORING_OP_NOP, IOSQE_IO_DRAIN);
	sqe_with(r, IORING_OP_NOP, IOSQE_BUFFER_SELECT);
	sqe_with(r, IORING_OP_NOP, 0x80);
	sqe_with(r, IORING_OP_READ, 0x80);
}

/* A file that may not be read, several times at once. */
static void reads_at_once(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		ALLOW_REGISTER(IORING_REGISTER_ENABLE_RINGS),
	};
	int file = open("/dev/zero", O_RDONLY);
	static char text[8] = "abcdefg";

	ring_open(r, 16, IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	for (unsigned int i = 0; i < 3; i++)
		sqe_new(r, IORING_OP_READ, file, text + 2 * i, 2, 2 * i);
	go(r);
	note_bytes("text", text, sizeof(text));
}

static void operations_none(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_REGISTER(IORING_REGISTER_ENABLE_RINGS),
		ALLOW_REGISTER(IORING_REGISTER_PROBE),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_with(r, IORING_OP_NOP, 0);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	reg(r, IORING_REGISTER_PROBE, NULL, 0);
	reg(r, IORING_REGISTER_QUERY, NULL, 0);
	reg(r, 200, NULL, 0);
}

static void registers(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_REGISTER(IORING_UNREGISTER_FILES),
		ALLOW_REGISTER(IORING_REGISTER_RING_FDS),
	};
	struct io_uring_rsrc_update how = {.offset = 4};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	enable(r);
	enable(r);
	sqe_with(r, IORING_OP_NOP, 0);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	reg(r, IORING_UNREGISTER_FILES, r, 1);
	how.data = (uint64_t)r->fd;
	reg(r, IORING_REGISTER_RING_FDS, &how, 1);
	how.data = 0;
	reg(r, IORING_UNREGISTER_RING_FDS, &how, 1);
}

static void flags_allowed(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		ALLOW_FLAGS(IOSQE_ASYNC | IOSQE_IO_LINK),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_with(r, IORING_OP_NOP, 0);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC);
	sqe_with(r, IORING_OP_NOP, IOSQE_IO_LINK);
	sqe_with(r, IORING_OP_NOP, IOSQE_IO_DRAIN);
	sqe_with(r, IORING_OP_NOP, IOSQE_FIXED_FILE | IOSQE_ASYNC);
}

static void flags_required(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		REQUIRE_FLAGS(IOSQE_ASYNC),
		ALLOW_FLAGS(IOSQE_IO_LINK),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_with(r, IORING_OP_NOP, 0);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC | IOSQE_IO_LINK);
	sqe_with(r, IORING_OP_NOP, IOSQE_IO_LINK);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC | IOSQE_IO_DRAIN);
}

/* Of two rows for the same flags the last one counts. */
static void flags_twice(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		ALLOW_FLAGS(IOSQE_IO_LINK),
		ALLOW_FLAGS(IOSQE_ASYNC),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_with(r, IORING_OP_NOP, IOSQE_ASYNC);
	sqe_with(r, IORING_OP_NOP, IOSQE_IO_LINK);
}

static void batch_and_chain(struct ring *r)
{
	struct io_uring_restriction rows[] = {
		ALLOW_SQE(IORING_OP_NOP),
		ALLOW_FLAGS(IOSQE_IO_LINK),
	};

	open_disabled(r);
	restrict_by(r, rows, array_size(rows));
	enable(r);
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_READ, 0, NULL, 0, 0);
	sqe_nop(r);
	submit(r);
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_READ, 0, NULL, 0, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	submit(r);
	quiet(r);
}

static void try_rows(struct io_uring_restriction *rows, uint32_t count)
{
	struct ring one;

	ring_open(&one, 4, IORING_SETUP_R_DISABLED);
	restrict_by(&one, rows, count);
	/* Has the failed call changed nothing? */
	enable(&one);
	sqe_new(&one, IORING_OP_ASYNC_CANCEL, -1, NULL, 0, 0);
	go(&one);
	ring_close(&one);
}

static void errors(struct ring *r)
{
	struct io_uring_restriction *rows = pages(16384);

	(void)r;
	try_rows(NULL, 1);
	try_rows(NULL, 0);
	try_rows(rows, 0);
	try_rows(nowhere(), 1);
	try_rows(rows, 103);
	try_rows(rows, 104);
	try_rows(rows, UINT32_MAX);
	rows[0].opcode = IORING_RESTRICTION_LAST;
	try_rows(rows, 1);
	rows[0].opcode = UINT16_MAX;
	try_rows(rows, 1);
	rows[0].opcode = IORING_RESTRICTION_SQE_OP;
	rows[0].sqe_op = 250;
	try_rows(rows, 1);
	rows[0].sqe_op = IORING_OP_LAST;
	try_rows(rows, 1);
	rows[0].opcode = IORING_RESTRICTION_REGISTER_OP;
	rows[0].register_op = 250;
	try_rows(rows, 1);
	rows[0].register_op = IORING_REGISTER_LAST;
	try_rows(rows, 1);
	rows[0].register_op = 0;
	rows[0].resv = 1;
	try_rows(rows, 1);
	rows[0].resv = 0;
	rows[0].resv2[2] = 1;
	try_rows(rows, 1);
	rows[0].resv2[2] = 0;
	rows[0].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rows[0].sqe_flags = 0xff;
	try_rows(rows, 1);
	rows[0].opcode = IORING_RESTRICTION_SQE_OP;
	rows[0].sqe_op = IORING_OP_NOP;
	rows[1].opcode = 99;
	try_rows(rows, 2);
}

static void at_the_wrong_time(struct ring *r)
{
	struct io_uring_restriction row = ALLOW_SQE(IORING_OP_NOP);
	struct ring running;

	ring_open(&running, 4, 0);
	restrict_by(&running, &row, 1);
	restrict_by(&running, NULL, 1);
	ring_close(&running);
	open_disabled(r);
	restrict_by(r, &row, 1);
	restrict_by(r, &row, 1);
	enable(r);
	restrict_by(r, &row, 1);
}

/* A disabled ring can register, and refuses to be entered. */
static void disabled(struct ring *r)
{
	struct io_uring_restriction row = ALLOW_SQE(IORING_OP_NOP);

	open_disabled(r);
	sqe_nop(r);
	submit(r);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	restrict_by(r, &row, 1);
	submit(r);
	enable(r);
	submit(r);
	quiet(r);
}

static const struct scenario rows[] = {
	SCENARIO(operations, NULL, .bare = true),
	SCENARIO(reads_at_once, NULL, .bare = true),
	SCENARIO(operations_none, NULL, .bare = true),
	SCENARIO(registers, NULL, .bare = true),
	SCENARIO(flags_allowed, NULL, .bare = true),
	SCENARIO(flags_required, NULL, .bare = true),
	SCENARIO(flags_twice, NULL, .bare = true),
	SCENARIO(batch_and_chain, NULL, .bare = true),
	SCENARIO(errors, NULL, .bare = true),
	SCENARIO(at_the_wrong_time, NULL, .bare = true),
	SCENARIO(disabled, NULL, .bare = true),
};

FAMILY(restrict, rows);
