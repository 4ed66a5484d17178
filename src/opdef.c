// SPDX-License-Identifier: MIT
/*
 * The table of opcodes.
 *
 * Theory: one row says everything that the engine knows of an opcode: its
 * functions, what it needs, and what is missing. Probe answers, the support
 * table of the documentation and the tests are made from it. A row without
 * prep is refused with EINVAL, as by a kernel that doesn't know the opcode.
 */
#include "engine/req.h"

#include "abi/profile.h"
#include "ops/kbuf_ops.h"
#include "ops/nop.h"
#include "ops/recv.h"
#include "ops/rw.h"
#include "ops/send.h"

#define RECV_READY (EPOLLIN | EPOLLRDHUP | EPOLLPRI)

const struct opdef opdefs[IORING_OP_LAST] = {
	[IORING_OP_NOP] = {
		.name = "NOP", .since = KVER(5, 1), .needs_ctx = true,
		.prep = nop_prep, .issue = nop_issue,
	},
	[IORING_OP_READV] = {
		.name = "READV", .since = KVER(5, 1), .needs_file = true,
		.selects_buffer = true, .waits_for = EPOLLIN,
		.ioprio_free = true, .unbounded = true,
		.prep = readv_prep, .issue = read_issue,
	},
	[IORING_OP_WRITEV] = {
		.name = "WRITEV", .since = KVER(5, 1), .needs_file = true,
		.waits_for = EPOLLOUT, .ioprio_free = true,
		.prep = writev_prep, .issue = write_issue,
	},
	[IORING_OP_SENDMSG] = {
		.name = "SENDMSG", .since = KVER(5, 3), .needs_file = true,
		.selects_buffer = true, .waits_for = EPOLLOUT,
		.ioprio_free = true,
		.prep = sendmsg_prep, .issue = send_issue,
	},
	[IORING_OP_RECVMSG] = {
		.name = "RECVMSG", .since = KVER(5, 3), .needs_file = true,
		.selects_buffer = true, .waits_for = RECV_READY,
		.ioprio_free = true,
		.prep = recvmsg_prep, .issue = recv_issue,
	},
	[IORING_OP_READ] = {
		.name = "READ", .since = KVER(5, 6), .needs_file = true,
		.selects_buffer = true, .waits_for = EPOLLIN,
		.ioprio_free = true, .unbounded = true,
		.prep = read_prep, .issue = read_issue,
	},
	[IORING_OP_WRITE] = {
		.name = "WRITE", .since = KVER(5, 6), .needs_file = true,
		.waits_for = EPOLLOUT, .ioprio_free = true,
		.prep = write_prep, .issue = write_issue,
	},
	[IORING_OP_SEND] = {
		.name = "SEND", .since = KVER(5, 6), .needs_file = true,
		.selects_buffer = true, .waits_for = EPOLLOUT,
		.ioprio_free = true,
		.prep = send_prep, .issue = send_issue,
	},
	[IORING_OP_RECV] = {
		.name = "RECV", .since = KVER(5, 6), .needs_file = true,
		.selects_buffer = true, .waits_for = RECV_READY,
		.ioprio_free = true,
		.prep = recv_prep, .issue = recv_issue,
	},
	[IORING_OP_PROVIDE_BUFFERS] = {
		.name = "PROVIDE_BUFFERS", .since = KVER(5, 7),
		.needs_ctx = true,
		.prep = provide_prep, .issue = provide_issue,
	},
	[IORING_OP_REMOVE_BUFFERS] = {
		.name = "REMOVE_BUFFERS", .since = KVER(5, 7),
		.needs_ctx = true,
		.prep = remove_prep, .issue = remove_issue,
	},
	[IORING_OP_READ_MULTISHOT] = {
		.name = "READ_MULTISHOT", .since = KVER(6, 7),
		.needs_file = true, .selects_buffer = true,
		.waits_for = EPOLLIN,
		.prep = read_multishot_prep, .issue = read_multishot_issue,
	},
};

const uint32_t opdefs_count = IORING_OP_LAST;
