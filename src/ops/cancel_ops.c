// SPDX-License-Identifier: MIT
/*
 * ASYNC_CANCEL: fills the arguments of cancel_matching() from the entry.
 *
 * Theory: without flags user_data selects the request; FD and OP select instead
 * or, with USERDATA, in addition. With ALL and ANY the result is how many were
 * found, which may be 0; otherwise it is 0, -ENOENT or -EALREADY.
 * Locks: the ring lock. Cost: O(1) by user_data, else all pending requests.
 */
#include "ops/cancel_ops.h"

#include "core/req.h"
#include "sched/cancel.h"

struct async_cancel_cmd {
	uint64_t user_data;
	uint32_t flags;
	uint8_t opcode;
};

int async_cancel_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct async_cancel_cmd *c = req_cmd(req, struct async_cancel_cmd);
	const uint32_t others = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP;

	if (sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	c->user_data = sqe->addr;
	c->flags = sqe->op_flags;
	c->opcode = (uint8_t)sqe->len;
	if (!abi_knows(&req->ctx->abi, ABI_CANCEL, c->flags))
		return -EINVAL;
	if (c->flags & IORING_ASYNC_CANCEL_ANY && c->flags & others)
		return -EINVAL;
	return 0;
}

int async_cancel_issue(struct req *req, uint32_t issue_flags)
{
	const struct async_cancel_cmd *c =
		req_cmd(req, struct async_cancel_cmd);
	struct cancel_match match = {
		.user_data = c->user_data,
		.flags = c->flags,
		.fd = req->fd,
		.opcode = c->opcode,
		.self = req,
	};
	int outcome;

	(void)issue_flags;
	outcome = cancel_find_file(
		req->ctx, &match,
		req->sqe_flags & IOSQE_FIXED_FILE ||
			c->flags & IORING_ASYNC_CANCEL_FD_FIXED);
	if (!outcome)
		outcome = cancel_matching(req->ctx, &match);
	if (outcome < 0)
		return outcome;
	req->res = outcome;
	return ISSUE_DONE;
}
