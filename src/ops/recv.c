// SPDX-License-Identifier: MIT
/*
 * RECV and RECVMSG, single and multishot.
 *
 * Theory: every try is one recvmsg(2) or recvfrom(2) with MSG_DONTWAIT,
 * directly into the application's memory. The buffer is claimed just before
 * (S1), committed when bytes came, and recycled otherwise (S5, S7, S9). This
 * file prepares a receive and passes it to the file that repeats a try as the
 * request asks.
 *
 * Locks: the ring lock.
 */
#include "ops/recv.h"

#include <string.h>

#include "base/fault.h"
#include "io/bundle.h"
#include "ops/recv_parts.h"

static int check_multishot(struct req *req, const struct io_uring_sqe *sqe)
{
	if (!(sqe->ioprio & IORING_RECV_MULTISHOT))
		return 0;
	if (!(sqe->flags & IOSQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->op_flags & MSG_WAITALL)
		return -EINVAL;
	if (sqe->len && !abi_has(req->ctx->abi.answers, ABI_SHOT_LENGTH))
		return -EINVAL;
	req->flags |= REQ_F_MULTISHOT;
	return 0;
}

static int recv_common_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);

	if (sqe->file_index || sqe->addr2)
		return -EINVAL;
	if (!abi_knows(&req->ctx->abi, ABI_RECV, sqe->ioprio))
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	c->control = CONTROL_UNKNOWN;
	/*
	 * POLL_FIRST with MSG_DONTWAIT: the request may neither be tried nor
	 * wait.
	 */
	if (sqe->ioprio & IORING_RECVSEND_POLL_FIRST) {
		if (sqe->op_flags & MSG_DONTWAIT)
			c->never = true;
		else
			req->flags |= REQ_F_POLL_FIRST;
	}
	c->msg_flags = sqe->op_flags;
	if (sqe->op_flags & (MSG_OOB | MSG_ERRQUEUE))
		req->flags |= REQ_F_ALONE;
	c->want_bytes = sqe->len;
	if (sqe->len > INT32_MAX &&
	    abi_has(req->ctx->abi.answers, ABI_LENGTH_BOUND))
		return -EINVAL;
	return check_multishot(req, sqe);
}

int recv_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);
	int err = recv_common_prep(req, sqe);

	c->one.iov_base = (void *)(uintptr_t)sqe->addr;
	c->one.iov_len = sqe->len;
	/* the length of the vector bounds only the first completion (6.18) */
	c->cap_bytes = sqe->len;
	/* Without a group the flag has no effect. */
	c->bundles = sqe->ioprio & IORING_RECVSEND_BUNDLE &&
		     sqe->flags & IOSQE_BUFFER_SELECT;
	if (!err && c->bundles)
		err = bundle_prepare(req);
	if (!err && !(sqe->flags & IOSQE_BUFFER_SELECT) &&
	    !fault_range_ok(sqe->addr, sqe->len))
		err = iov_import_error(req, -EFAULT);
	return err;
}

/* With a selected buffer only the sizes in the msghdr matter. */
static int recvmsg_select_prep(struct req *req, struct recv_cmd *c)
{
	const struct msghdr *h = &c->msg->header;

	if (h->msg_iovlen > 1)
		return -EINVAL;
	c->want_bytes =
		h->msg_iovlen ? (uint32_t)c->msg->vectors[0].iov_len : 0;
	if (!(req->flags & REQ_F_MULTISHOT))
		return 0;
	c->name_bytes = h->msg_namelen;
	c->control_bytes = (uint32_t)h->msg_controllen;
	return recv_divided_bytes(c) > INT32_MAX ||
			       h->msg_controllen > INT32_MAX
		       ? -EOVERFLOW
		       : 0;
}

int recvmsg_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);
	int err = recv_common_prep(req, sqe);

	if (err < 0)
		return err;
	if (sqe->ioprio & IORING_RECVSEND_BUNDLE)
		return -EINVAL; /* B2 */
	c->user_msghdr = sqe->addr;
	err = iov_import_msg(req, sqe->addr, false, &c->msg);
	if (!err && sqe->flags & IOSQE_BUFFER_SELECT)
		return recvmsg_select_prep(req, c);
	if (!err && !iov_in_user_space(c->msg->header.msg_iov,
				       c->msg->header.msg_iovlen))
		err = iov_import_error(req, -EFAULT);
	return err;
}

int recv_issue(struct req *req, uint32_t issue_flags)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);

	if (unlikely(c->never))
		return req_file_is_open(req) ? -EAGAIN : -EBADF;
	c->urgent |= (req->events & EPOLLPRI) != 0;
	if (c->bundles)
		return recv_bundle(req, c);
	if (req->flags & REQ_F_MULTISHOT)
		return recv_multishot(req, c, issue_flags);
	return recv_single(req, c, issue_flags);
}
