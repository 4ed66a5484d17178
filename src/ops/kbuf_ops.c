// SPDX-License-Identifier: MIT
/*
 * PROVIDE_BUFFERS and REMOVE_BUFFERS (SPEC 2 and 3): checks the fields of the
 * entry in the kernel's order; kbuf does the rest. Locks: the ring lock.
 */
#include "ops/kbuf_ops.h"

#include "core/ctx.h"
#include "core/req.h"

struct kbuf_cmd {
	uint64_t addr;
	uint32_t len;
	uint32_t count;
	uint16_t first_bid;
};

int provide_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct kbuf_cmd *c = req_cmd(req, struct kbuf_cmd);
	int err;

	if (sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL; /* P1 */
	err = kbuf_provide_check(req->ctx->kbuf, sqe->fd, sqe->addr, sqe->len,
				 sqe->off);
	if (err < 0)
		return err;
	c->addr = sqe->addr;
	c->len = sqe->len;
	c->count = (uint32_t)sqe->fd;
	c->first_bid = (uint16_t)sqe->off;
	return 0;
}

int provide_issue(struct req *req, uint32_t issue_flags)
{
	const struct kbuf_cmd *c = req_cmd(req, struct kbuf_cmd);

	(void)issue_flags;
	req->res = kbuf_provide(req->ctx->kbuf, req->buf_group, c->addr, c->len,
				c->count, c->first_bid);
	return ISSUE_DONE;
}

int remove_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct kbuf_cmd *c = req_cmd(req, struct kbuf_cmd);

	if (sqe->op_flags || sqe->addr || sqe->len || sqe->off ||
	    sqe->splice_fd_in)
		return -EINVAL; /* R1 */
	if (sqe->fd <= 0 || (uint32_t)sqe->fd > KBUF_BIDS_MAX)
		return -EINVAL;
	c->count = (uint32_t)sqe->fd;
	return 0;
}

int remove_issue(struct req *req, uint32_t issue_flags)
{
	const struct kbuf_cmd *c = req_cmd(req, struct kbuf_cmd);

	(void)issue_flags;
	req->res = kbuf_remove(req->ctx->kbuf, req->buf_group, c->count);
	return ISSUE_DONE;
}
