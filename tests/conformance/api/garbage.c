/* SPDX-License-Identifier: MIT */
/*
 * Garbage in SQEs: every operation, every field, one at a time.
 *
 * Theory: an SQE is zero but for the opcode and a file of -1, which every
 * operation refuses early. One field at a time is set to 1, and then to its
 * largest value. An SQE that is refused when it is prepared has another result
 * than one that is refused when it is issued, so the table of results shows
 * which fields an operation checks, and in which order.
 */
#include "runner/scenario.h"

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

#define FIELD(member)                                                 \
	{                                                             \
#member, offsetof(struct io_uring_sqe, member),       \
			sizeof(((struct io_uring_sqe *)NULL)->member) \
	}

static const struct field fields[] = {
	FIELD(ioprio),	    FIELD(off),	       FIELD(addr),
	FIELD(len),	    FIELD(op_flags),   FIELD(buf_index),
	FIELD(personality), FIELD(file_index), FIELD(addr3),
};

static void try_one(struct ring *r, uint8_t opcode, int fd,
		    const struct field *field, int byte)
{
	unsigned char value[8] = {0};
	struct io_uring_sqe *sqe = sqe_new(r, opcode, fd, NULL, 0, 0);
	char label[48];

	if (byte == 1)
		value[0] = 1;
	else
		memset(value, byte, sizeof(value));
	if (field)
		memcpy((char *)sqe + field->offset, value, field->size);
	store_release(r->sq_tail, r->next);
	if (r->params.flags & IORING_SETUP_SQPOLL)
		give_up("not for this mode");
	side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	snprintf(label, sizeof(label), "%s %s", field ? field->name : "zero",
		 byte == 1 ? "1" : "max");
	if (!ring_ready(r))
		give_up("%s: no completion", label);
	note_result(label, ring_cqe(r)->res);
	if (ring_cqe(r)->flags)
		note("flags 0x%x", ring_cqe(r)->flags);
	/* A zero-copy send also posts a notification if it has failed. */
	if (ring_cqe(r)->flags & IORING_CQE_F_MORE) {
		ring_seen(r);
		side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		note("then %d flags 0x%x", ring_cqe(r)->res,
		     ring_cqe(r)->flags);
	}
	ring_seen(r);
}

static void try_all(struct ring *r, uint8_t opcode)
{
	size_t i;

	try_one(r, opcode, -1, NULL, 1);
	for (i = 0; i < array_size(fields); i++) {
		try_one(r, opcode, -1, &fields[i], 1);
		try_one(r, opcode, -1, &fields[i], 0xff);
	}
}

#define OPERATION(name)                       \
	static void name(struct ring *r)      \
	{                                     \
		try_all(r, IORING_OP_##name); \
	}

OPERATION(NOP)
OPERATION(READV)
OPERATION(WRITEV)
OPERATION(POLL_ADD)
OPERATION(POLL_REMOVE)
OPERATION(SENDMSG)
OPERATION(RECVMSG)
OPERATION(TIMEOUT)
OPERATION(TIMEOUT_REMOVE)
OPERATION(ACCEPT)
OPERATION(ASYNC_CANCEL)
OPERATION(LINK_TIMEOUT)
OPERATION(CONNECT)
OPERATION(OPENAT)
OPERATION(CLOSE)
OPERATION(READ)
OPERATION(WRITE)
OPERATION(SEND)
OPERATION(RECV)
OPERATION(PROVIDE_BUFFERS)
OPERATION(REMOVE_BUFFERS)
OPERATION(SHUTDOWN)
OPERATION(SOCKET)
OPERATION(READ_MULTISHOT)
OPERATION(FSYNC)
OPERATION(READ_FIXED)
OPERATION(WRITE_FIXED)
OPERATION(SYNC_FILE_RANGE)
OPERATION(FALLOCATE)
OPERATION(FILES_UPDATE)
OPERATION(STATX)
OPERATION(FADVISE)
OPERATION(MADVISE)
OPERATION(OPENAT2)
OPERATION(EPOLL_CTL)
OPERATION(RENAMEAT)
OPERATION(UNLINKAT)
OPERATION(MKDIRAT)
OPERATION(SYMLINKAT)
OPERATION(LINKAT)
OPERATION(SPLICE)
OPERATION(TEE)
OPERATION(FSETXATTR)
OPERATION(SETXATTR)
OPERATION(FGETXATTR)
OPERATION(GETXATTR)
OPERATION(URING_CMD)
OPERATION(FIXED_FD_INSTALL)
OPERATION(EPOLL_WAIT)
OPERATION(PIPE)
OPERATION(MSG_RING)
OPERATION(WAITID)
OPERATION(FUTEX_WAIT)
OPERATION(FUTEX_WAKE)
OPERATION(FUTEX_WAITV)
OPERATION(SEND_ZC)
OPERATION(SENDMSG_ZC)
OPERATION(FTRUNCATE)
OPERATION(BIND)
OPERATION(LISTEN)

static const uint8_t opcodes[] = {
	IORING_OP_NOP,	    IORING_OP_READV,	       IORING_OP_WRITEV,
	IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE,     IORING_OP_SENDMSG,
	IORING_OP_RECVMSG,  IORING_OP_TIMEOUT,	       IORING_OP_TIMEOUT_REMOVE,
	IORING_OP_ACCEPT,   IORING_OP_ASYNC_CANCEL,    IORING_OP_LINK_TIMEOUT,
	IORING_OP_CONNECT,  IORING_OP_OPENAT,	       IORING_OP_CLOSE,
	IORING_OP_READ,	    IORING_OP_WRITE,	       IORING_OP_SEND,
	IORING_OP_RECV,	    IORING_OP_PROVIDE_BUFFERS, IORING_OP_REMOVE_BUFFERS,
	IORING_OP_SHUTDOWN, IORING_OP_SOCKET,	       IORING_OP_READ_MULTISHOT,
};

/* In READ and WRITE the last field of an SQE asks for attributes. */
static void attributes(struct ring *r)
{
	static const struct field mask = FIELD(pad2_);
	static const uint8_t ops[] = {IORING_OP_READ, IORING_OP_READV,
				      IORING_OP_WRITE, IORING_OP_WRITEV};
	size_t i;

	for (i = 0; i < array_size(ops); i++) {
		try_one(r, ops[i], -1, &mask, 1);
		try_one(r, ops[i], -1, &mask, 0xff);
	}
}

/* The flags that change how an SQE is handled, each with every operation. */
static void sqe_flags(struct ring *r)
{
	static const uint8_t flags[] = {IOSQE_FIXED_FILE, IOSQE_BUFFER_SELECT,
					IOSQE_ASYNC, IOSQE_IO_LINK,
					IOSQE_CQE_SKIP_SUCCESS};
	size_t i;
	size_t j;

	for (i = 0; i < array_size(opcodes); i++) {
		for (j = 0; j < array_size(flags); j++) {
			note("opcode %u flags 0x%x", opcodes[i], flags[j]);
			sqe_new(r, opcodes[i], -1, NULL, 0, 0)->flags =
				flags[j];
			submit(r);
			if (flags[j] == IOSQE_CQE_SKIP_SUCCESS &&
			    opcodes[i] == IORING_OP_NOP)
				continue;
			reap(r, 1);
		}
	}
}

static const uint8_t other_opcodes[] = {
	IORING_OP_FSYNC,       IORING_OP_READ_FIXED,
	IORING_OP_WRITE_FIXED, IORING_OP_SYNC_FILE_RANGE,
	IORING_OP_FALLOCATE,   IORING_OP_FILES_UPDATE,
	IORING_OP_STATX,       IORING_OP_FADVISE,
	IORING_OP_OPENAT2,     IORING_OP_EPOLL_CTL,
	IORING_OP_SPLICE,      IORING_OP_TEE,
	IORING_OP_RENAMEAT,    IORING_OP_UNLINKAT,
	IORING_OP_MKDIRAT,     IORING_OP_SYMLINKAT,
	IORING_OP_LINKAT,      IORING_OP_MSG_RING,
	IORING_OP_FSETXATTR,   IORING_OP_SETXATTR,
	IORING_OP_FGETXATTR,   IORING_OP_GETXATTR,
	IORING_OP_URING_CMD,   IORING_OP_SEND_ZC,
	IORING_OP_SENDMSG_ZC,  IORING_OP_WAITID,
	IORING_OP_FUTEX_WAIT,  IORING_OP_FUTEX_WAKE,
	IORING_OP_FUTEX_WAITV, IORING_OP_FIXED_FD_INSTALL,
	IORING_OP_FTRUNCATE,   IORING_OP_BIND,
	IORING_OP_LISTEN,      IORING_OP_EPOLL_WAIT,
	IORING_OP_READV_FIXED, IORING_OP_WRITEV_FIXED,
	IORING_OP_PIPE,
};

/* These may post two completions, or none for a failure. */
static void sqe_flags_of_others(struct ring *r)
{
	static const uint8_t flags[] = {IOSQE_FIXED_FILE, IOSQE_BUFFER_SELECT,
					IOSQE_ASYNC, IOSQE_IO_LINK,
					IOSQE_CQE_SKIP_SUCCESS};
	size_t i;
	size_t j;

	for (i = 0; i < array_size(other_opcodes); i++) {
		for (j = 0; j < array_size(flags); j++) {
			note("opcode %u flags 0x%x", other_opcodes[i],
			     flags[j]);
			sqe_new(r, other_opcodes[i], -1, NULL, 0, 0)->flags =
				flags[j];
			submit(r);
			if (flags[j] == IOSQE_CQE_SKIP_SUCCESS)
				quiet(r);
			else
				reap_until_final(r);
		}
	}
}

static uint32_t seed = 12345;

static uint32_t random_word(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8 ^ seed << 16;
}

/*
 * Invalid pointers, no file, random numbers: each gives an error, and no crash.
 */
static void random_words(struct ring *r)
{
	struct io_uring_sqe *sqe;
	uint32_t words[16];
	int i;
	size_t w;

	for (i = 0; i < 1500; i++) {
		for (w = 0; w < array_size(words); w++) {
			words[w] = random_word();
			words[w] >>= random_word() % 32;
		}
		sqe = sqe_new(r, IORING_OP_NOP, -1, NULL, 0, 0);
		words[8] = (uint32_t)i;
		words[9] = 0;
		words[10] = words[10] & 3 ? 0 : words[10] & 0xff;
		memcpy(sqe, words, sizeof(words));
		sqe->opcode = opcodes[words[0] % array_size(opcodes)];
		sqe->flags = 0;
		sqe->fd = -1;
		sqe->ioprio = words[1] & 1 ? 0 : sqe->ioprio & 31;
		sqe->addr &= UINT64_C(0xfff);
		sqe->file_index = 0;
		sqe->pad2_ = 0;
		if (sqe->opcode == IORING_OP_NOP)
			sqe->op_flags &= ~IORING_NOP_FIXED_BUFFER;
		store_release(r->sq_tail, r->next);
		side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		if (!ring_ready(r))
			give_up("%d: opcode %u has no completion", i,
				sqe->opcode);
		if (ring_cqe(r)->res != -EBADF && ring_cqe(r)->res != -EINVAL) {
			char label[32];

			snprintf(label, sizeof(label), "%d op %u", i,
				 sqe->opcode);
			note_result(label, ring_cqe(r)->res);
		}
		ring_seen(r);
	}
}

static const struct scenario rows[] = {
	SCENARIO(NOP, NULL),
	SCENARIO(READV, NULL),
	SCENARIO(WRITEV, NULL),
	SCENARIO(POLL_ADD, NULL),
	SCENARIO(POLL_REMOVE, NULL),
	SCENARIO(SENDMSG, NULL),
	SCENARIO(RECVMSG, NULL),
	SCENARIO(TIMEOUT, NULL),
	SCENARIO(TIMEOUT_REMOVE, NULL),
	SCENARIO(ACCEPT, NULL),
	SCENARIO(ASYNC_CANCEL, NULL),
	SCENARIO(LINK_TIMEOUT, NULL),
	SCENARIO(CONNECT, NULL),
	SCENARIO(OPENAT, NULL),
	SCENARIO(CLOSE, NULL),
	SCENARIO(READ, NULL),
	SCENARIO(WRITE, NULL),
	SCENARIO(SEND, NULL),
	SCENARIO(RECV, NULL),
	SCENARIO(PROVIDE_BUFFERS, "P1 P2"),
	SCENARIO(REMOVE_BUFFERS, "R1"),
	SCENARIO(SHUTDOWN, NULL),
	SCENARIO(SOCKET, NULL),
	SCENARIO(READ_MULTISHOT, NULL),
	SCENARIO(FSYNC, NULL),
	SCENARIO(READ_FIXED, NULL),
	SCENARIO(WRITE_FIXED, NULL),
	SCENARIO(SYNC_FILE_RANGE, NULL),
	SCENARIO(FALLOCATE, NULL),
	SCENARIO(FILES_UPDATE, NULL),
	SCENARIO(STATX, NULL),
	SCENARIO(FADVISE, NULL),
	SCENARIO(MADVISE, NULL),
	SCENARIO(OPENAT2, NULL),
	SCENARIO(EPOLL_CTL, NULL),
	SCENARIO(RENAMEAT, NULL),
	SCENARIO(UNLINKAT, NULL),
	SCENARIO(MKDIRAT, NULL),
	SCENARIO(SYMLINKAT, NULL),
	SCENARIO(LINKAT, NULL),
	SCENARIO(SPLICE, NULL),
	SCENARIO(TEE, NULL),
	SCENARIO(FSETXATTR, NULL),
	SCENARIO(SETXATTR, NULL),
	SCENARIO(FGETXATTR, NULL),
	SCENARIO(GETXATTR, NULL),
	SCENARIO(URING_CMD, NULL),
	SCENARIO(FIXED_FD_INSTALL, NULL),
	SCENARIO(EPOLL_WAIT, NULL),
	SCENARIO(PIPE, NULL),
	SCENARIO(MSG_RING, NULL),
	SCENARIO(WAITID, NULL),
	SCENARIO(FUTEX_WAIT, NULL),
	SCENARIO(FUTEX_WAKE, NULL),
	SCENARIO(FUTEX_WAITV, NULL),
	SCENARIO(SEND_ZC, NULL, .roots = true),
	SCENARIO(SENDMSG_ZC, NULL),
	SCENARIO(FTRUNCATE, NULL),
	SCENARIO(BIND, NULL),
	SCENARIO(LISTEN, NULL),
	SCENARIO(attributes, NULL),
	SCENARIO(sqe_flags, "P13"),
	SCENARIO(sqe_flags_of_others, "P13"),
	SCENARIO(random_words, NULL),
};

FAMILY(garbage, rows);
