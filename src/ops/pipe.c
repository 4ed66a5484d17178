// SPDX-License-Identifier: MIT
/*
 * PIPE and FIXED_FD_INSTALL: give an fd to files that had none.
 *
 * Theory: neither waits. A pipe's two ends get fds, or slots of registered
 * files: two consecutive slots, or two that are chosen. The fds or slots are
 * written to the application's array last; if that fails, the pipe is closed
 * again.
 *
 * Locks: the ring lock.
 */
#include "ops/pipe.h"

#include <fcntl.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"
#include "tables/files.h"

#define PIPE_FLAGS (O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL)

struct pipe_cmd {
	uint64_t address; /* of int[2] */
	uint32_t flags;
	uint32_t slot_plus_1;
};

int pipe_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct pipe_cmd *c = req_cmd(req, struct pipe_cmd);

	if (sqe->fd || sqe->off || sqe->addr3)
		return -EINVAL;
	c->address = sqe->addr;
	c->flags = sqe->op_flags;
	c->slot_plus_1 = sqe->file_index;
	if (c->flags & ~(uint32_t)PIPE_FLAGS)
		return -EINVAL;
	return c->slot_plus_1 && c->flags & O_CLOEXEC ? -EINVAL : 0;
}

/* Put both into slots, or none. The table then owns the fds. */
static int into_slots(struct req *req, uint32_t slot_plus_1, int fds[2])
{
	bool chosen = slot_plus_1 == IORING_FILE_INDEX_ALLOC;
	int slots[2] = {(int)slot_plus_1 - 1, (int)slot_plus_1};
	int first = files_install(&req->ctx->files, slot_plus_1, fds[0]);
	int second;

	if (first < 0) {
		fd_close(fds[1]);
		return first;
	}
	second = files_install(&req->ctx->files,
			       chosen ? slot_plus_1 : slot_plus_1 + 1, fds[1]);
	if (second < 0) {
		files_remove(&req->ctx->files,
			     (uint32_t)(chosen ? first : slots[0]));
		return second;
	}
	fds[0] = chosen ? first : slots[0];
	fds[1] = chosen ? second : slots[1];
	return 0;
}

static void undo(struct req *req, const struct pipe_cmd *c, const int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (c->slot_plus_1)
			files_remove(&req->ctx->files, (uint32_t)fds[i]);
		else
			fd_close(fds[i]);
	}
}

int pipe_issue(struct req *req, uint32_t issue_flags)
{
	const struct pipe_cmd *c = req_cmd(req, struct pipe_cmd);
	uint32_t hidden = c->slot_plus_1 ? O_CLOEXEC : 0;
	int fds[2], err;

	(void)issue_flags;
	err = (int)SYS_2(SYS_pipe2, fds, c->flags | hidden);
	if (!err && c->slot_plus_1)
		err = into_slots(req, c->slot_plus_1, fds);
	if (err < 0)
		return err;
	if (fault_copy((void *)(uintptr_t)c->address, fds, sizeof(fds)) < 0) {
		undo(req, c, fds);
		return -EFAULT;
	}
	req->res = 0;
	return ISSUE_DONE;
}

struct install_cmd {
	uint32_t flags;
};

int install_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->len || sqe->buf_index ||
	    sqe->splice_fd_in || sqe->addr3)
		return -EINVAL;
	if (!(sqe->flags & IOSQE_FIXED_FILE))
		return -EBADF;
	if (sqe->op_flags & ~IORING_FIXED_FD_NO_CLOEXEC)
		return -EINVAL;
	/* The file would be there for a thread that has other rights. */
	if (req->flags & REQ_F_CREDS)
		return -EPERM;
	req_cmd(req, struct install_cmd)->flags = sqe->op_flags;
	return 0;
}

int install_issue(struct req *req, uint32_t issue_flags)
{
	const struct install_cmd *c = req_cmd(req, struct install_cmd);
	int how = c->flags ? F_DUPFD : F_DUPFD_CLOEXEC;

	(void)issue_flags;
	req->res = (int32_t)SYS_3(SYS_fcntl, req_io_fd(req), how, 0);
	return ISSUE_DONE;
}
