// SPDX-License-Identifier: MIT
/*
 * The table of opcodes.
 *
 * Theory: one row has everything that the engine knows of an opcode: its
 * functions, what it needs, and what is not supported. The probe, QUERY and the
 * documentation's table are made from it (the names that the command prints are
 * in cli/offer.c). A row without prep is
 * refused with EINVAL, as by a kernel that doesn't know the opcode.
 */
#include "core/req.h"

#include "abi/profile.h"
#include "ops/cancel_ops.h"
#include "ops/cmd.h"
#include "ops/conn.h"
#include "ops/epoll.h"
#include "ops/files_ops.h"
#include "ops/fs.h"
#include "ops/futex.h"
#include "ops/kbuf_ops.h"
#include "ops/msg_ring.h"
#include "ops/nop.h"
#include "ops/open.h"
#include "ops/pipe.h"
#include "ops/poll.h"
#include "ops/recv.h"
#include "ops/rw.h"
#include "ops/send.h"
#include "ops/splice.h"
#include "ops/timeout.h"
#include "ops/waitid.h"
#include "ops/xattr.h"

#define RECV_READY (EPOLLIN | EPOLLRDHUP | EPOLLPRI)

const struct opdef opdefs[IORING_OP_LAST] = {
	[IORING_OP_NOP] =
		{
			.name = "NOP",
			.polled = true,
			.since = KVER(5, 1),
			.needs_ctx = true,
			.prep = nop_prep,
			.immediate = true,
			.issue = nop_issue,
		},
	[IORING_OP_READV] =
		{
			.name = "READV",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 1),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.ioprio_free = true,
			.unbounded = true,
			.prep = readv_prep,
			.issue = read_issue,
		},
	[IORING_OP_WRITEV] =
		{
			.name = "WRITEV",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 1),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.raises = true,
			.prep = writev_prep,
			.issue = write_issue,
		},
	[IORING_OP_FSYNC] =
		{
			.name = "FSYNC",
			.since = KVER(5, 1),
			.needs_file = true,
			.prep = fsync_prep,
			.issue = fs_issue,
			.finish = fs_finish,
			.missing = "a range writes back the whole file",
		},
	[IORING_OP_READ_FIXED] =
		{
			.name = "READ_FIXED",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 1),
			.needs_file = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.ioprio_free = true,
			.unbounded = true,
			.prep = read_fixed_prep,
			.issue = fixed_issue,
			.cleanup = fixed_cleanup,
			.missing = "buffers stay only while they are mapped",
		},
	[IORING_OP_WRITE_FIXED] =
		{
			.name = "WRITE_FIXED",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 1),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.raises = true,
			.prep = write_fixed_prep,
			.issue = fixed_issue,
			.cleanup = fixed_cleanup,
			.missing = "buffers stay only while they are mapped",
		},
	[IORING_OP_POLL_ADD] =
		{
			.name = "POLL_ADD",
			.since = KVER(5, 1),
			.needs_file = true,
			.needs_ctx = true,
			.prep = poll_add_prep,
			.issue = poll_add_issue,
			.cleanup = poll_add_cleanup,
		},
	[IORING_OP_POLL_REMOVE] =
		{
			.name = "POLL_REMOVE",
			.since = KVER(5, 1),
			.needs_ctx = true,
			.prep = poll_remove_prep,
			.issue = poll_remove_issue,
		},
	[IORING_OP_SYNC_FILE_RANGE] =
		{
			.name = "SYNC_FILE_RANGE",
			.since = KVER(5, 2),
			.needs_file = true,
			.prep = sync_file_range_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_SENDMSG] =
		{
			.name = "SENDMSG",
			.on_ring = -ENOTSOCK,
			.since = KVER(5, 3),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.prep = sendmsg_prep,
			.issue = send_issue,
		},
	[IORING_OP_RECVMSG] =
		{
			.name = "RECVMSG",
			.on_ring = -ENOTSOCK,
			.since = KVER(5, 3),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = RECV_READY,
			.empties = true,
			.ioprio_free = true,
			.prep = recvmsg_prep,
			.issue = recv_issue,
		},
	[IORING_OP_TIMEOUT] =
		{
			.name = "TIMEOUT",
			.since = KVER(5, 4),
			.needs_ctx = true,
			.prep = timeout_prep,
			.issue = timeout_issue,
			.cancel = timeout_cancel,
			.missing = "steps of the clock while it is armed",
		},
	[IORING_OP_TIMEOUT_REMOVE] =
		{
			.name = "TIMEOUT_REMOVE",
			.since = KVER(5, 5),
			.needs_ctx = true,
			.prep = timeout_remove_prep,
			.issue = timeout_remove_issue,
		},
	[IORING_OP_ACCEPT] =
		{
			.name = "ACCEPT",
			.since = KVER(5, 5),
			.needs_file = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.takes_turns = true,
			.ioprio_free = true,
			.prep = accept_prep,
			.issue = accept_issue,
		},
	[IORING_OP_ASYNC_CANCEL] =
		{
			.name = "ASYNC_CANCEL",
			.since = KVER(5, 5),
			.needs_ctx = true,
			.prep = async_cancel_prep,
			.issue = async_cancel_issue,
		},
	[IORING_OP_LINK_TIMEOUT] =
		{
			.name = "LINK_TIMEOUT",
			.since = KVER(5, 5),
			.needs_ctx = true,
			.prep = link_timeout_prep,
			.issue = link_timeout_issue,
			.missing = "steps of the clock while it is armed",
		},
	[IORING_OP_CONNECT] =
		{
			.name = "CONNECT",
			.by_rights = true,
			.since = KVER(5, 5),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.prep = connect_prep,
			.issue = connect_issue,
		},
	[IORING_OP_FALLOCATE] =
		{
			.name = "FALLOCATE",
			.since = KVER(5, 6),
			.needs_file = true,
			.prep = fallocate_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_OPENAT] =
		{
			.name = "OPENAT",
			.since = KVER(5, 6),
			.by_rights = true,
			.unbounded = true,
			.prep = openat_prep,
			.issue = open_issue,
			.finish = open_finish,
		},
	[IORING_OP_CLOSE] =
		{
			.name = "CLOSE",
			.since = KVER(5, 6),
			.needs_ctx = true,
			.prep = close_prep,
			.issue = close_issue,
		},
	[IORING_OP_FILES_UPDATE] =
		{
			.name = "FILES_UPDATE",
			.polled = true,
			.since = KVER(5, 6),
			.needs_ctx = true,
			.prep = files_update_prep,
			.issue = files_update_issue,
		},
	[IORING_OP_STATX] =
		{
			.name = "STATX",
			.since = KVER(5, 6),
			.by_rights = true,
			.prep = statx_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_READ] =
		{
			.name = "READ",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 6),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.ioprio_free = true,
			.unbounded = true,
			.prep = read_prep,
			.issue = read_issue,
		},
	[IORING_OP_WRITE] =
		{
			.name = "WRITE",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(5, 6),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.raises = true,
			.prep = write_prep,
			.issue = write_issue,
		},
	[IORING_OP_FADVISE] =
		{
			.name = "FADVISE",
			.since = KVER(5, 6),
			.needs_file = true,
			.prep = fadvise_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_MADVISE] =
		{
			.name = "MADVISE",
			.since = KVER(5, 6),
			.prep = madvise_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_SEND] =
		{
			.name = "SEND",
			.on_ring = -ENOTSOCK,
			.since = KVER(5, 6),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.prep = send_prep,
			.issue = send_issue,
		},
	[IORING_OP_RECV] =
		{
			.name = "RECV",
			.on_ring = -ENOTSOCK,
			.since = KVER(5, 6),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = RECV_READY,
			.empties = true,
			.ioprio_free = true,
			.prep = recv_prep,
			.issue = recv_issue,
		},
	[IORING_OP_OPENAT2] =
		{
			.name = "OPENAT2",
			.since = KVER(5, 6),
			.by_rights = true,
			.unbounded = true,
			.prep = openat2_prep,
			.issue = open_issue,
			.finish = open_finish,
		},
	[IORING_OP_EPOLL_CTL] =
		{
			.name = "EPOLL_CTL",
			.since = KVER(5, 6),
			.prep = epoll_ctl_prep,
			.issue = epoll_ctl_issue,
		},
	[IORING_OP_SPLICE] =
		{
			.name = "SPLICE",
			.on_ring = -EINVAL,
			.since = KVER(5, 7),
			.needs_file = true,
			.unbounded = true,
			.needs_ctx = true,
			.issue = splice_issue,
			.cleanup = splice_cleanup,
			.raises = true,
			.prep = splice_prep,
		},
	[IORING_OP_PROVIDE_BUFFERS] =
		{
			.name = "PROVIDE_BUFFERS",
			.polled = true,
			.since = KVER(5, 7),
			.needs_ctx = true,
			.prep = provide_prep,
			.immediate = true,
			.issue = provide_issue,
		},
	[IORING_OP_REMOVE_BUFFERS] =
		{
			.name = "REMOVE_BUFFERS",
			.polled = true,
			.since = KVER(5, 7),
			.needs_ctx = true,
			.prep = remove_prep,
			.issue = remove_issue,
		},
	[IORING_OP_TEE] =
		{
			.name = "TEE",
			.on_ring = -EINVAL,
			.since = KVER(5, 8),
			.needs_file = true,
			.unbounded = true,
			.needs_ctx = true,
			.issue = splice_issue,
			.cleanup = splice_cleanup,
			.raises = true,
			.prep = tee_prep,
		},
	[IORING_OP_SHUTDOWN] =
		{
			.name = "SHUTDOWN",
			.since = KVER(5, 11),
			.needs_file = true,
			.needs_ctx = true,
			.prep = shutdown_prep,
			.issue = shutdown_issue,
		},
	[IORING_OP_RENAMEAT] =
		{
			.name = "RENAMEAT",
			.since = KVER(5, 11),
			.by_rights = true,
			.prep = renameat_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_UNLINKAT] =
		{
			.name = "UNLINKAT",
			.since = KVER(5, 11),
			.by_rights = true,
			.prep = unlinkat_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_MKDIRAT] =
		{
			.name = "MKDIRAT",
			.since = KVER(5, 15),
			.by_rights = true,
			.prep = mkdirat_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_SYMLINKAT] =
		{
			.name = "SYMLINKAT",
			.since = KVER(5, 15),
			.by_rights = true,
			.prep = symlinkat_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_LINKAT] =
		{
			.name = "LINKAT",
			.since = KVER(5, 15),
			.by_rights = true,
			.prep = linkat_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_MSG_RING] =
		{
			.name = "MSG_RING",
			.polled = true,
			.since = KVER(5, 18),
			.needs_file = true,
			.needs_ctx = true,
			.prep = msg_ring_prep,
			.issue = msg_ring_issue,
			.cleanup = msg_ring_cleanup,
			.missing = "rings of other processes, and the kernel's",
		},
	[IORING_OP_FSETXATTR] =
		{
			.name = "FSETXATTR",
			.since = KVER(5, 19),
			.by_rights = true,
			.needs_file = true,
			.prep = fsetxattr_prep,
			.issue = xattr_issue,
			.finish = fs_finish,
		},
	[IORING_OP_SETXATTR] =
		{
			.name = "SETXATTR",
			.since = KVER(5, 19),
			.by_rights = true,
			.prep = setxattr_prep,
			.issue = xattr_issue,
			.finish = fs_finish,
		},
	[IORING_OP_FGETXATTR] =
		{
			.name = "FGETXATTR",
			.since = KVER(5, 19),
			.needs_file = true,
			.prep = fgetxattr_prep,
			.issue = xattr_issue,
			.finish = fs_finish,
		},
	[IORING_OP_GETXATTR] =
		{
			.name = "GETXATTR",
			.since = KVER(5, 19),
			.by_rights = true,
			.prep = getxattr_prep,
			.issue = xattr_issue,
			.finish = fs_finish,
		},
	[IORING_OP_SOCKET] =
		{
			.name = "SOCKET",
			.by_rights = true,
			.since = KVER(5, 19),
			.needs_ctx = true,
			.prep = socket_prep,
			.issue = socket_issue,
			.finish = conn_finish_socket,
		},
	[IORING_OP_URING_CMD] =
		{
			.name = "URING_CMD",
			.by_rights = true,
			.polled = true,
			.on_ring = -EOPNOTSUPP,
			.since = KVER(5, 19),
			.needs_file = true,
			.selects_buffer = true,
			.prep = cmd_prep,
			.issue = cmd_issue,
			.missing = "commands of devices, transmit time stamps",
		},
	[IORING_OP_SEND_ZC] =
		{
			.name = "SEND_ZC",
			.on_ring = -ENOTSOCK,
			.since = KVER(6, 0),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.prep = send_zc_prep,
			.issue = send_issue,
			.cleanup = send_zc_cleanup,
			.missing = "it copies, and says so when asked",
		},
	[IORING_OP_SENDMSG_ZC] =
		{
			.name = "SENDMSG_ZC",
			.on_ring = -ENOTSOCK,
			.since = KVER(6, 1),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.prep = sendmsg_zc_prep,
			.issue = send_issue,
			.cleanup = send_zc_cleanup,
			.missing = "it copies, and says so when asked",
		},
	[IORING_OP_READ_MULTISHOT] =
		{
			.name = "READ_MULTISHOT",
			.since = KVER(6, 7),
			.needs_file = true,
			.selects_buffer = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.prep = read_multishot_prep,
			.issue = read_multishot_issue,
		},
	[IORING_OP_WAITID] =
		{
			.name = "WAITID",
			.since = KVER(6, 7),
			.needs_ctx = true,
			.unbounded = true,
			.recalls = true,
			.prep = waitid_prep,
			.issue = waitid_issue,
			.missing = "__WNOTHREAD",
		},
	[IORING_OP_FUTEX_WAIT] =
		{
			.name = "FUTEX_WAIT",
			.since = KVER(6, 7),
			.needs_ctx = true,
			.unbounded = true,
			.recalls = true,
			.prep = futex_wait_prep,
			.issue = futex_wait_issue,
			.begun = futex_wait_begun,
			.missing = "flags NUMA and MPOL; more than 4,096 waits "
				   "in a process",
		},
	[IORING_OP_FUTEX_WAKE] =
		{
			.name = "FUTEX_WAKE",
			.since = KVER(6, 7),
			.needs_ctx = true,
			.prep = futex_wake_prep,
			.issue = futex_wake_issue,
			.missing = "flags NUMA and MPOL",
		},
	[IORING_OP_FUTEX_WAITV] =
		{
			.name = "FUTEX_WAITV",
			.since = KVER(6, 7),
			.needs_ctx = true,
			.unbounded = true,
			.recalls = true,
			.prep = futex_waitv_prep,
			.issue = futex_waitv_issue,
			.begun = futex_waitv_begun,
			.missing = "flags NUMA and MPOL; more than 4,096 waits "
				   "in a process",
		},
	[IORING_OP_FIXED_FD_INSTALL] =
		{
			.name = "FIXED_FD_INSTALL",
			.since = KVER(6, 8),
			.needs_file = true,
			.needs_ctx = true,
			.prep = install_prep,
			.issue = install_issue,
		},
	[IORING_OP_FTRUNCATE] =
		{
			.name = "FTRUNCATE",
			.since = KVER(6, 9),
			.needs_file = true,
			.prep = ftruncate_prep,
			.issue = fs_issue,
			.finish = fs_finish,
		},
	[IORING_OP_BIND] =
		{
			.name = "BIND",
			.by_rights = true,
			.since = KVER(6, 11),
			.needs_file = true,
			.needs_ctx = true,
			.prep = bind_prep,
			.issue = bind_issue,
		},
	[IORING_OP_LISTEN] =
		{
			.name = "LISTEN",
			.since = KVER(6, 11),
			.needs_file = true,
			.needs_ctx = true,
			.prep = listen_prep,
			.issue = listen_issue,
		},
	[IORING_OP_RECV_ZC] =
		{
			.name = "RECV_ZC",
			.since = KVER(6, 15),
			.missing = "needs a device's receive queue",
		},
	[IORING_OP_EPOLL_WAIT] =
		{
			.name = "EPOLL_WAIT",
			.on_ring = -EINVAL,
			.since = KVER(6, 15),
			.needs_file = true,
			.waits_for = EPOLLIN,
			.prep = epoll_wait_prep,
			.issue = epoll_wait_issue,
		},
	[IORING_OP_READV_FIXED] =
		{
			.name = "READV_FIXED",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(6, 15),
			.needs_file = true,
			.waits_for = EPOLLIN,
			.empties = true,
			.ioprio_free = true,
			.unbounded = true,
			.prep = readv_prep,
			.issue = fixed_issue,
			.cleanup = fixed_cleanup,
			.missing = "buffers stay only while they are mapped",
		},
	[IORING_OP_WRITEV_FIXED] =
		{
			.name = "WRITEV_FIXED",
			.polled = true,
			.on_ring = -EINVAL,
			.since = KVER(6, 15),
			.needs_file = true,
			.waits_for = EPOLLOUT,
			.ioprio_free = true,
			.raises = true,
			.prep = writev_prep,
			.issue = fixed_issue,
			.cleanup = fixed_cleanup,
			.missing = "buffers stay only while they are mapped",
		},
	[IORING_OP_PIPE] =
		{
			.name = "PIPE",
			.since = KVER(6, 16),
			.needs_ctx = true,
			.prep = pipe_prep,
			.issue = pipe_issue,
		},
};

/* What a 6.18 kernel knows; the two 128-byte forms are newer. */
const uint32_t opdefs_count = IORING_OP_KNOWN;
