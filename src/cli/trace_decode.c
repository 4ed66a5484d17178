// SPDX-License-Identifier: MIT
/*
 * Words for the fields of entries and completions.
 *
 * Theory: a table says for each operation which of an entry's fields it uses,
 * and which names its flags have. Operations without a row show their length
 * and offset as numbers if these are not zero. Texts go to buffers of
 * TRACE_TEXT_BYTES; what does not fit is left out.
 */
#include "cli/trace.h"

#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "cli/offer.h"

struct bit_name {
	uint32_t bit;
	const char *name;
};

/* clang-format off */
static const struct bit_name entry_bits[] = {
	{IOSQE_FIXED_FILE, "FIXED_FILE"}, {IOSQE_IO_DRAIN, "DRAIN"},
	{IOSQE_IO_LINK, "LINK"}, {IOSQE_IO_HARDLINK, "HARDLINK"},
	{IOSQE_ASYNC, "ASYNC"}, {IOSQE_BUFFER_SELECT, "BUFFER_SELECT"},
	{IOSQE_CQE_SKIP_SUCCESS, "CQE_SKIP_SUCCESS"}, {0, NULL},
};
static const struct bit_name done_bits[] = {
	{IORING_CQE_F_MORE, "MORE"}, {IORING_CQE_F_NOTIF, "NOTIF"},
	{IORING_CQE_F_SOCK_NONEMPTY, "SOCK_NONEMPTY"},
	{IORING_CQE_F_BUF_MORE, "BUF_MORE"}, {IORING_CQE_F_32, "32"},
	{0, NULL},
};
static const struct bit_name net_bits[] = {
	{IORING_RECVSEND_POLL_FIRST, "POLL_FIRST"},
	{IORING_RECV_MULTISHOT, "MULTISHOT"},
	{IORING_RECVSEND_FIXED_BUF, "FIXED_BUF"},
	{IORING_SEND_ZC_REPORT_USAGE, "REPORT_USAGE"},
	{IORING_RECVSEND_BUNDLE, "BUNDLE"},
	{IORING_SEND_VECTORIZED, "VECTORIZED"}, {0, NULL},
};
static const struct bit_name accept_bits[] = {
	{IORING_ACCEPT_MULTISHOT, "MULTISHOT"},
	{IORING_ACCEPT_DONTWAIT, "DONTWAIT"},
	{IORING_ACCEPT_POLL_FIRST, "POLL_FIRST"}, {0, NULL},
};
static const struct bit_name msg_bits[] = {
	{MSG_PEEK, "MSG_PEEK"}, {MSG_WAITALL, "MSG_WAITALL"},
	{MSG_DONTWAIT, "MSG_DONTWAIT"}, {MSG_NOSIGNAL, "MSG_NOSIGNAL"},
	{MSG_TRUNC, "MSG_TRUNC"}, {MSG_MORE, "MSG_MORE"},
	{MSG_OOB, "MSG_OOB"}, {MSG_ERRQUEUE, "MSG_ERRQUEUE"}, {0, NULL},
};
static const struct bit_name poll_bits[] = {
	{EPOLLIN, "POLLIN"}, {EPOLLOUT, "POLLOUT"}, {EPOLLPRI, "POLLPRI"},
	{EPOLLERR, "POLLERR"}, {EPOLLHUP, "POLLHUP"},
	{EPOLLRDHUP, "POLLRDHUP"}, {EPOLLET, "EPOLLET"},
	{EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"}, {EPOLLONESHOT, "EPOLLONESHOT"},
	{0, NULL},
};
static const struct bit_name poll_add_bits[] = {
	{IORING_POLL_ADD_MULTI, "MULTI"},
	{IORING_POLL_UPDATE_EVENTS, "UPDATE_EVENTS"},
	{IORING_POLL_UPDATE_USER_DATA, "UPDATE_USER_DATA"},
	{IORING_POLL_ADD_LEVEL, "LEVEL"}, {0, NULL},
};
static const struct bit_name timeout_bits[] = {
	{IORING_TIMEOUT_ABS, "ABS"}, {IORING_TIMEOUT_UPDATE, "UPDATE"},
	{IORING_TIMEOUT_BOOTTIME, "BOOTTIME"},
	{IORING_TIMEOUT_REALTIME, "REALTIME"},
	{IORING_LINK_TIMEOUT_UPDATE, "LINK_TIMEOUT_UPDATE"},
	{IORING_TIMEOUT_ETIME_SUCCESS, "ETIME_SUCCESS"},
	{IORING_TIMEOUT_MULTISHOT, "MULTISHOT"}, {0, NULL},
};
static const struct bit_name cancel_bits[] = {
	{IORING_ASYNC_CANCEL_ALL, "ALL"}, {IORING_ASYNC_CANCEL_FD, "FD"},
	{IORING_ASYNC_CANCEL_ANY, "ANY"},
	{IORING_ASYNC_CANCEL_FD_FIXED, "FD_FIXED"},
	{IORING_ASYNC_CANCEL_USERDATA, "USERDATA"},
	{IORING_ASYNC_CANCEL_OP, "OP"}, {0, NULL},
};
/* clang-format on */

enum {
	NO_FILE = 1u << 0, /* its fd field is something else */
	LEN = 1u << 1,
	OFF = 1u << 2,
	MULTISHOT = 1u << 3, /* by its opcode */
	TARGET = 1u << 4, /* addr is another request's user_data */
	BUF_INDEX = 1u << 5,
	COUNT = 1u << 6, /* fd is a count, off the first bid */
	ROW = 1u << 7, /* there is a row */
};

struct entry_row {
	uint32_t shows;
	const struct bit_name *ioprio;
	const struct bit_name *op_flags;
	const struct bit_name *len;
};

#define RW (ROW | LEN | OFF)

/* clang-format off */
static const struct entry_row rows[IORING_OP_LAST] = {
	[IORING_OP_NOP] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_READ] = {RW, NULL, NULL, NULL},
	[IORING_OP_WRITE] = {RW, NULL, NULL, NULL},
	[IORING_OP_READV] = {RW, NULL, NULL, NULL},
	[IORING_OP_WRITEV] = {RW, NULL, NULL, NULL},
	[IORING_OP_READ_FIXED] = {RW | BUF_INDEX, NULL, NULL, NULL},
	[IORING_OP_WRITE_FIXED] = {RW | BUF_INDEX, NULL, NULL, NULL},
	[IORING_OP_READ_MULTISHOT] = {RW | MULTISHOT, NULL, NULL, NULL},
	[IORING_OP_FSYNC] = {RW, NULL, NULL, NULL},
	[IORING_OP_RECV] = {ROW | LEN, net_bits, msg_bits, NULL},
	[IORING_OP_RECVMSG] = {ROW, net_bits, msg_bits, NULL},
	[IORING_OP_SEND] = {ROW | LEN, net_bits, msg_bits, NULL},
	[IORING_OP_SENDMSG] = {ROW, net_bits, msg_bits, NULL},
	[IORING_OP_SEND_ZC] = {ROW | LEN, net_bits, msg_bits, NULL},
	[IORING_OP_SENDMSG_ZC] = {ROW, net_bits, msg_bits, NULL},
	[IORING_OP_ACCEPT] = {ROW, accept_bits, NULL, NULL},
	[IORING_OP_CONNECT] = {ROW, NULL, NULL, NULL},
	[IORING_OP_SHUTDOWN] = {RW, NULL, NULL, NULL},
	[IORING_OP_CLOSE] = {ROW, NULL, NULL, NULL},
	[IORING_OP_POLL_ADD] = {ROW, NULL, poll_bits, poll_add_bits},
	[IORING_OP_POLL_REMOVE] = {
		ROW | NO_FILE | TARGET, NULL, poll_bits, poll_add_bits},
	[IORING_OP_TIMEOUT] = {ROW | NO_FILE | OFF, NULL, timeout_bits, NULL},
	[IORING_OP_LINK_TIMEOUT] = {
		ROW | NO_FILE, NULL, timeout_bits, NULL},
	[IORING_OP_TIMEOUT_REMOVE] = {
		ROW | NO_FILE | TARGET, NULL, timeout_bits, NULL},
	[IORING_OP_ASYNC_CANCEL] = {
		ROW | NO_FILE | TARGET, NULL, cancel_bits, NULL},
	[IORING_OP_PROVIDE_BUFFERS] = {
		ROW | NO_FILE | COUNT | LEN, NULL, NULL, NULL},
	[IORING_OP_REMOVE_BUFFERS] = {ROW | NO_FILE | COUNT, NULL, NULL, NULL},
	[IORING_OP_MSG_RING] = {RW, NULL, NULL, NULL},
	[IORING_OP_SOCKET] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_OPENAT] = {ROW, NULL, NULL, NULL},
	[IORING_OP_OPENAT2] = {ROW, NULL, NULL, NULL},
	[IORING_OP_STATX] = {ROW, NULL, NULL, NULL},
	[IORING_OP_WAITID] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_FUTEX_WAIT] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_FUTEX_WAKE] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_FUTEX_WAITV] = {ROW | NO_FILE | LEN, NULL, NULL, NULL},
	[IORING_OP_MADVISE] = {ROW | NO_FILE | LEN, NULL, NULL, NULL},
	[IORING_OP_FILES_UPDATE] = {ROW | NO_FILE | LEN, NULL, NULL, NULL},
	[IORING_OP_PIPE] = {ROW | NO_FILE, NULL, NULL, NULL},
	[IORING_OP_NOP128] = {ROW | NO_FILE, NULL, NULL, NULL},
};
/* clang-format on */

static const struct entry_row any_row = {RW, NULL, NULL, NULL};

static const struct entry_row *row_of(const struct io_uring_sqe *sqe)
{
	if (sqe->opcode < IORING_OP_LAST && rows[sqe->opcode].shows)
		return &rows[sqe->opcode];
	return &any_row;
}

bool trace_has_file(const struct io_uring_sqe *sqe)
{
	return !(row_of(sqe)->shows & NO_FILE);
}

const char *trace_op_name(unsigned int opcode)
{
	return opcode < IORING_OP_LAST
		       ? sections[SECTION_OPERATIONS].names[opcode]
		       : "INVALID";
}

int trace_op_number(const char *name)
{
	for (int i = 0; i < IORING_OP_LAST; i++)
		if (!strcasecmp(name, trace_op_name((unsigned int)i)))
			return i;
	return -1;
}

__attribute__((format(printf, 2, 3))) static void
decode_add(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + length, TRACE_TEXT_BYTES - length, format, args);
	va_end(args);
}

/* " A B 0x40": what has no name is a number. */
static void add_bits(char *text, const struct bit_name *names, uint32_t bits)
{
	for (; names && names->name; names++)
		if (bits & names->bit) {
			decode_add(text, " %s", names->name);
			bits &= ~names->bit;
		}
	if (bits)
		decode_add(text, " flags=%#x", bits);
}

static void add_numbers(char *text, const struct io_uring_sqe *sqe,
			uint32_t shows)
{
	if (shows & COUNT)
		decode_add(text, " count=%d bid=%llu group=%u", sqe->fd,
			   (unsigned long long)sqe->off, sqe->buf_group);
	if (shows & LEN)
		decode_add(text, " len=%u", sqe->len);
	if (shows & OFF && sqe->off)
		decode_add(text, " off=%lld", (long long)sqe->off);
	if (shows & TARGET)
		decode_add(text, " target=%#llx",
			   (unsigned long long)sqe->addr);
	if (shows & BUF_INDEX)
		decode_add(text, " buffer=%u", sqe->buf_index);
	if (sqe->flags & IOSQE_BUFFER_SELECT)
		decode_add(text, " group=%u", sqe->buf_group);
	if (sqe->personality)
		decode_add(text, " personality=%u", sqe->personality);
}

void trace_decode_entry(const struct io_uring_sqe *sqe, char *text)
{
	const struct entry_row *row = row_of(sqe);

	*text = '\0';
	add_numbers(text, sqe, row->shows);
	if (row->shows & MULTISHOT)
		decode_add(text, " MULTISHOT");
	if (row->ioprio)
		add_bits(text, row->ioprio, sqe->ioprio);
	else if (sqe->ioprio)
		decode_add(text, " ioprio=%#x", sqe->ioprio);
	if (row->len)
		add_bits(text, row->len, sqe->len);
	add_bits(text, row->op_flags, sqe->op_flags);
	add_bits(text, entry_bits, sqe->flags);
}

void trace_decode_result(int32_t res, char *text)
{
	const char *name = res < 0 ? strerrorname_np(-res) : NULL;

	if (name)
		snprintf(text, TRACE_TEXT_BYTES, "%s", name);
	else
		snprintf(text, TRACE_TEXT_BYTES, "%d", res);
}

void trace_decode_flags(uint32_t flags, char *text)
{
	*text = '\0';
	if (flags & IORING_CQE_F_BUFFER)
		decode_add(text, " bid=%u", flags >> 16);
	add_bits(text, done_bits, flags & 0xfffe);
}
