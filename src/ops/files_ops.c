// SPDX-License-Identifier: MIT
/*
 * FILES_UPDATE: a request that changes registered files.
 *
 * Theory: does the register opcode's work under the ring lock, which a request
 * that needs the ring always has. With the offset IORING_FILE_INDEX_ALLOC slots
 * are chosen, and their indices replace the fds in the application's array.
 *
 * Locks: the ring lock.
 */
#include "ops/files_ops.h"

#include "core/ctx.h"
#include "core/req.h"
#include "tables/files.h"

struct files_cmd {
	uint64_t addr;
	uint32_t offset;
	uint32_t count;
};

int files_update_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct files_cmd *c = req_cmd(req, struct files_cmd);

	if (sqe->flags & IOSQE_FIXED_FILE)
		return -EINVAL;
	if (sqe->op_flags || sqe->splice_fd_in || !sqe->len)
		return -EINVAL;
	c->addr = sqe->addr;
	c->offset = (uint32_t)sqe->off;
	c->count = sqe->len;
	return 0;
}

int files_update_issue(struct req *req, uint32_t issue_flags)
{
	const struct files_cmd *c = req_cmd(req, struct files_cmd);
	int32_t *fds = (int32_t *)(uintptr_t)c->addr;

	(void)issue_flags;
	if (c->offset == IORING_FILE_INDEX_ALLOC && req->ctx->files.chooses)
		req->res = files_allocate(&req->ctx->files, fds, c->count);
	else
		req->res = files_update(&req->ctx->files, c->offset, fds, NULL,
					c->count);
	return req->res < 0 ? req->res : ISSUE_DONE;
}
