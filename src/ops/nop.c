// SPDX-License-Identifier: MIT
/*
 * NOP: the shortest way through the engine. With INJECT_RESULT it completes
 * with the result from the entry. The forms that take a file or a registered
 * buffer check that it exists, the file first. TW asks the kernel for a detour
 * that the application cannot see; the engine has none. CQE32, on a ring that
 * has such completions, returns `off` and `addr` in the 16 bytes.
 *
 * Locks: the ring lock.
 */
#include "ops/nop.h"

#include "base/fd.h"
#include "core/ctx.h"
#include "core/req.h"
#include "tables/buffers.h"
#include "tables/files.h"

#define BIG_ENTRIES (IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED)

struct nop_cmd {
	int32_t result;
	uint32_t flags;
};

int nop_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct nop_cmd *c = req_cmd(req, struct nop_cmd);

	c->flags = sqe->op_flags;
	c->result = 0;
	if (likely(!c->flags))
		return 0;
	if (!abi_knows(&req->ctx->abi, ABI_NOP, c->flags))
		return -EINVAL;
	if (c->flags & IORING_NOP_INJECT_RESULT)
		c->result = (int32_t)sqe->len;
	if (!(c->flags & IORING_NOP_CQE32))
		return 0;
	if (!(req->ctx->flags & BIG_ENTRIES))
		return -EINVAL;
	if (req->ctx->flags & IORING_SETUP_CQE_MIXED)
		req->cflags = IORING_CQE_F_32;
	req->flags |= REQ_F_BIG;
	req->big_cqe[0] = sqe->off;
	req->big_cqe[1] = sqe->addr;
	return 0;
}

static int look_at_file(struct req *req, const struct nop_cmd *c)
{
	if (!(c->flags & IORING_NOP_FIXED_FILE))
		return fd_is_open(req->fd) ? 0 : -EBADF;
	req->file = file_get(&req->ctx->files, (uint32_t)req->fd);
	req->flags |= REQ_F_OWES;
	return req->file ? 0 : -EBADF;
}

static int look_at_buffer(struct req *req)
{
	struct buffer_node *buffer =
		buffer_get(&req->ctx->buffers, req->buf_index);

	if (!buffer)
		return -EFAULT;
	buffer_put(buffer);
	return 0;
}

int nop_issue(struct req *req, uint32_t issue_flags)
{
	const struct nop_cmd *c = req_cmd(req, struct nop_cmd);
	int err = 0;

	(void)issue_flags;
	req->res = c->result;
	if (likely(!c->flags))
		return ISSUE_DONE;
	if (c->flags & IORING_NOP_FILE)
		err = look_at_file(req, c);
	if (!err && c->flags & IORING_NOP_FIXED_BUFFER)
		err = look_at_buffer(req);
	return err < 0 ? err : ISSUE_DONE;
}
