// SPDX-License-Identifier: MIT
/*
 * NOP: the shortest way through the engine. With INJECT_RESULT it completes
 * with what the entry says; the forms that take a file or a registered buffer
 * check that it is there.
 */
#include "ops/nop.h"

#include "base/sys.h"
#include "engine/files.h"

struct nop_cmd {
	int32_t result;
	uint32_t flags;
};

int nop_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct nop_cmd *c = req_cmd(req, struct nop_cmd);

	c->flags = sqe->op_flags;
	if (!abi_knows(&req->ctx->abi, ABI_NOP, c->flags))
		return -EINVAL;
	c->result = c->flags & IORING_NOP_INJECT_RESULT ? (int32_t)sqe->len : 0;
	return 0;
}

int nop_issue(struct req *req, uint32_t issue_flags)
{
	const struct nop_cmd *c = req_cmd(req, struct nop_cmd);

	(void)issue_flags;
	req->res = c->result;
	if (c->flags & IORING_NOP_FIXED_BUFFER)
		return -EFAULT; /* no buffers are registered */
	if (!(c->flags & IORING_NOP_FILE))
		return ISSUE_DONE;
	if (c->flags & IORING_NOP_FIXED_FILE) {
		req->file = file_get(req->ctx, (uint32_t)req->fd);
		req->flags |= REQ_F_OWES;
		return req->file ? ISSUE_DONE : -EBADF;
	}
	return SYS_3(SYS_fcntl, req->fd, 1 /* F_GETFD */, 0) < 0 ? -EBADF
								 : ISSUE_DONE;
}
