// SPDX-License-Identifier: MIT
/*
 * SEND and SENDMSG, and their zero-copy forms.
 *
 * Theory: one sendto(2) or sendmsg(2) with MSG_DONTWAIT. If the socket is full
 * the request is armed and tried again. A short send is the result, as in the
 * kernel, unless MSG_WAITALL asks to continue; sent bytes stay sent. For
 * SIGPIPE see sched/sigpipe.h.
 *
 * A send that selects a buffer takes it when it first runs and keeps it (S8):
 * the data must not change between tries.
 *
 * SEND_ZC and SENDMSG_ZC copy, as in the kernel where the device can't do
 * without, and post the two completions of the ABI: the result with F_MORE, and
 * then one with F_NOTIF, after which the memory may be reused. The cleanup
 * posts the second, so that it always follows the first; with REPORT_USAGE it
 * has ZC_COPIED.
 *
 * Locks: the ring lock.
 */
#include "ops/send.h"

#include <netinet/in.h>
#include <string.h>

#include "base/fault.h"
#include "base/rights.h"
#include "base/sys.h"
#include "core/cq.h"
#include "core/req.h"
#include "core/req_end.h"
#include "io/bundle.h"
#include "io/iov.h"
#include "tables/buffers.h"

/* Completions of one bundling send in one turn: until the CQ is full. */
/* A zero-copy send of no more is never refused for the memory that it locks. */
#define UNLIMITED_BYTES (64u * 1024)

#define BUNDLES_SHARE IORING_MAX_CQ_ENTRIES

struct send_cmd {
	struct iovec one;
	struct msg *msg; /* SENDMSG, or SEND with an address */
	uint32_t want_bytes;
	uint32_t msg_flags;
	bool simple; /* only bytes, to the connected address */
	bool dontwait; /* a simple one that does not wait for room */
	bool to_address; /* SEND with an address, in msg->name */
	bool bundles;
	bool never; /* completes with EAGAIN, untried */
	bool waited; /* a bundle that has waited for the socket */
	/* posts a second completion of 0 bytes, as the kernel does */
	bool twice;
	bool holds; /* has its buffer, or an unsent bundle */
	bool zero_copy;
	bool fixed; /* from the registered buffer req->buf_index */
	bool reports; /* its notification reports that it copied */
	struct buffer_node *buffer; /* held */
};

static int send_common_prep(struct req *req, const struct io_uring_sqe *sqe,
			    enum abi_word word)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);

	memset(c, 0, sizeof(*c));
	if (!abi_knows(&req->ctx->abi, word, sqe->ioprio))
		return -EINVAL;
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
	c->msg_flags = sqe->op_flags | MSG_NOSIGNAL;
	c->want_bytes = sqe->len;
	return 0;
}

/* Copy the address now: the application may reuse its memory immediately. */
static int keep_address(struct req *req, struct send_cmd *c,
			const struct io_uring_sqe *sqe)
{
	struct msghdr *h;

	if (sqe->addr_len > sizeof(c->msg->name))
		return -EINVAL;
	c->msg = req_extra(req, sizeof(*c->msg));
	if (!c->msg)
		return -ENOMEM;
	h = &c->msg->header;
	h->msg_name = &c->msg->name;
	h->msg_namelen = sqe->addr_len;
	c->to_address = true;
	return fault_copy(&c->msg->name, (void *)(uintptr_t)sqe->addr2,
			  sqe->addr_len);
}

/* VECTORIZED: the entry has the rest of the message's header. */
static int take_vectors(struct req *req, struct send_cmd *c,
			const struct io_uring_sqe *sqe)
{
	struct msghdr header = {
		.msg_name = (void *)(uintptr_t)sqe->addr2,
		.msg_namelen = sqe->addr_len,
		.msg_iov = (struct iovec *)(uintptr_t)sqe->addr,
		.msg_iovlen = sqe->len,
	};
	int err;

	if (sqe->len > IOV_COUNT_MAX || sqe->addr_len > sizeof(c->msg->name))
		return -EINVAL;
	err = iov_import_msg(req, (uintptr_t)&header, true, &c->msg);
	if (!err && !iov_in_user_space(c->msg->vectors, sqe->len))
		err = iov_import_error(req, -EFAULT);
	return err;
}

/* The data and the address, if no buffer is to be selected. */
static int take_data(struct req *req, struct send_cmd *c,
		     const struct io_uring_sqe *sqe)
{
	if (sqe->ioprio & IORING_SEND_VECTORIZED)
		return take_vectors(req, c, sqe);
	c->one.iov_base = (void *)(uintptr_t)sqe->addr;
	c->one.iov_len = sqe->len;
	if (!(sqe->flags & IOSQE_BUFFER_SELECT) &&
	    !fault_range_ok(sqe->addr, sqe->len))
		return iov_import_error(req, -EFAULT);
	return sqe->addr2 ? keep_address(req, c, sqe) : 0;
}

static bool too_long(const struct req *req, const struct io_uring_sqe *sqe)
{
	return sqe->len > INT32_MAX &&
	       abi_has(req->ctx->abi.answers, ABI_LENGTH_BOUND);
}

/* Only bytes and flags, and no flag that may need more than one try. */
static bool is_simple(const struct io_uring_sqe *sqe)
{
	return !(sqe->ioprio || sqe->addr2 || sqe->pad3_ ||
		 sqe->flags & IOSQE_BUFFER_SELECT ||
		 sqe->op_flags & MSG_WAITALL || sqe->len > INT32_MAX);
}

static int simple_prep(struct req *req, struct send_cmd *c,
		       const struct io_uring_sqe *sqe)
{
	c->one.iov_base = (void *)(uintptr_t)sqe->addr;
	c->one.iov_len = sqe->len;
	c->msg_flags = sqe->op_flags | MSG_NOSIGNAL | MSG_DONTWAIT;
	c->dontwait = sqe->op_flags & MSG_DONTWAIT;
	c->simple = true;
	return likely(fault_range_ok(sqe->addr, sqe->len))
		       ? 0
		       : iov_import_error(req, -EFAULT);
}

static NOINLINE int other_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);
	int err;

	if (sqe->flags & IOSQE_BUFFER_SELECT &&
	    !abi_has(req->ctx->abi.answers, ABI_SEND_SELECTS))
		return -EOPNOTSUPP;
	err = send_common_prep(req, sqe, ABI_SEND);
	if (err < 0)
		return err;
	if (sqe->pad3_ || too_long(req, sqe))
		return -EINVAL;
	if (sqe->addr2 && !abi_has(req->ctx->abi.answers, ABI_SEND_TO))
		return -EINVAL;
	c->bundles = sqe->ioprio & IORING_RECVSEND_BUNDLE &&
		     sqe->flags & IOSQE_BUFFER_SELECT;
	c->twice = sqe->ioprio & IORING_RECVSEND_BUNDLE && !c->bundles;
	if (c->twice && !abi_has(req->ctx->abi.answers, ABI_BARE_BUNDLE))
		return -EINVAL;
	if (c->bundles)
		return sqe->addr2 ? -EINVAL : bundle_prepare(req);
	return take_data(req, c, sqe);
}

int send_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	if (likely(is_simple(sqe)))
		return simple_prep(req, req_cmd(req, struct send_cmd), sqe);
	return other_prep(req, sqe);
}

static int message_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);
	int err;

	if (sqe->addr2 || sqe->file_index)
		return -EINVAL;
	err = iov_import_msg(req, sqe->addr, true, &c->msg);
	if (err < 0)
		return err;
	if (!(sqe->flags & IOSQE_BUFFER_SELECT) &&
	    !iov_in_user_space(c->msg->header.msg_iov,
			       c->msg->header.msg_iovlen))
		return iov_import_error(req, -EFAULT);
	return 0;
}

int sendmsg_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);
	int err = send_common_prep(req, sqe, ABI_SENDMSG);

	if (err < 0)
		return err;
	if (too_long(req, sqe))
		return -EINVAL;
	err = message_prep(req, sqe);
	if (!err && sqe->flags & IOSQE_BUFFER_SELECT)
		c->want_bytes = c->msg->header.msg_iovlen
					? (uint32_t)c->msg->vectors[0].iov_len
					: 0;
	return err;
}

/* From here on a notification must follow, whatever happens to the request. */
static int zc_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);
	int err;

	if (sqe->addr3 || sqe->pad2_ || sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	err = send_common_prep(req, sqe, ABI_SEND_ZC);
	if (err < 0 && !abi_has(req->ctx->abi.answers, ABI_ZC_ALWAYS_TELLS))
		return err;
	c->zero_copy = true;
	req->flags |= REQ_F_HOLDS;
	req->cflags = IORING_CQE_F_MORE;
	if (err < 0)
		return err;
	c->fixed = sqe->ioprio & IORING_RECVSEND_FIXED_BUF;
	c->reports = sqe->ioprio & IORING_SEND_ZC_REPORT_USAGE;
	return 0;
}

int send_zc_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	const uint32_t both =
		IORING_SEND_VECTORIZED | IORING_RECVSEND_FIXED_BUF;
	int err = zc_prep(req, sqe);

	if (err < 0)
		return err;
	if (sqe->pad3_ || (sqe->ioprio & both) == both)
		return -EINVAL;
	/* The kernel locks the pages, though the limit is seldom below these.
	 */
	if (unlikely(sqe->len > UNLIMITED_BYTES) && !(sqe->ioprio & both) &&
	    !req->ctx->locks_freely && !rights_limit_allows(sqe->len))
		return -ENOMEM;
	return take_data(req, req_cmd(req, struct send_cmd), sqe);
}

int sendmsg_zc_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	int err = zc_prep(req, sqe);

	return err < 0 ? err : message_prep(req, sqe);
}

void send_zc_cleanup(struct req *req)
{
	const struct send_cmd *c = req_cmd(req, struct send_cmd);

	lock_assume(&req->ctx->lock);
	if (c->buffer)
		buffer_put(c->buffer);
	cq_post(req->ctx, req->user_data,
		c->reports ? (int32_t)IORING_NOTIF_USAGE_ZC_COPIED : 0,
		IORING_CQE_F_NOTIF, NULL);
}

/* S10: consumed and reported, unless the file is no socket. */
static int send_no_address(struct req *req, uint32_t flags)
{
	int err = req_socket_error(req, -ENOBUFS);

	if (err == -ENOBUFS)
		req_commit(req, 0, flags);
	else
		req_recycle(req, flags);
	return err;
}

static int send_take_buffer(struct req *req, struct send_cmd *c, uint32_t flags)
{
	uint32_t want = c->want_bytes;
	int err;

	if (!(req->sqe_flags & IOSQE_BUFFER_SELECT) || c->holds)
		return 0;
	if (!kbuf_group_exists(req->ctx->kbuf, req->buf_group))
		return -ENOENT; /* B2 */
	/*
	 * A live 6.18 sends the complete classic buffer, whatever length was
	 * asked for.
	 */
	if (kbuf_group_is_classic(req->ctx->kbuf, req->buf_group))
		want = 0;
	err = req_claim(req, want, false, flags);
	if (err < 0)
		return err;
	if (!req->claim.len) {
		req_recycle(req, flags);
		return -ENOBUFS; /* B3 */
	}
	if (!req->claim.addr && req->claim.kind == KBUF_CLASSIC)
		return send_no_address(req, flags);
	c->holds = true;
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	if (c->msg && !c->to_address) {
		c->msg->vectors[0] = c->one;
		c->msg->header.msg_iovlen = 1;
	}
	return 0;
}

/*
 * After the first try the buffer is consumed (B4), sent or not, unless the file
 * is no socket: that is checked before a buffer is taken.
 */
static void keep_buffer(struct req *req, long n, uint32_t flags)
{
	if (n == -ENOTSOCK || n == -EBADF)
		req_recycle(req, flags);
	else
		req_keep_claim(req, flags);
}

static long send_try_once(const struct req *req, struct send_cmd *c)
{
	uint32_t flags = c->msg_flags | MSG_DONTWAIT;

	if (!c->msg)
		return SYS_6(SYS_sendto, req_io_fd(req), c->one.iov_base,
			     c->one.iov_len, flags, NULL, 0);
	if (c->to_address)
		return SYS_6(SYS_sendto, req_io_fd(req), c->one.iov_base,
			     c->one.iov_len, flags, &c->msg->name,
			     c->msg->header.msg_namelen);
	return SYS_3(SYS_sendmsg, req_io_fd(req), &c->msg->header, flags);
}

static size_t left_of(const struct send_cmd *c)
{
	if (!c->msg || c->to_address)
		return c->one.iov_len;
	return iov_bytes(c->msg->header.msg_iov, c->msg->header.msg_iovlen);
}

static void send_step(struct req *req, struct send_cmd *c, size_t bytes)
{
	struct msghdr *h;

	req->moved += (uint32_t)bytes;
	if (!c->msg || c->to_address) {
		c->one.iov_base = (char *)c->one.iov_base + bytes;
		c->one.iov_len -= bytes;
		return;
	}
	h = &c->msg->header;
	iov_advance(&h->msg_iov, &h->msg_iovlen, bytes);
	/* The control data went with the first bytes. */
	h->msg_control = NULL;
	h->msg_controllen = 0;
}

static int send_conclude(struct req *req, struct send_cmd *c, long n,
			 bool short_send, uint32_t flags)
{
	uint32_t total = req->moved + (n > 0 ? (uint32_t)n : 0);

	if (req->claim.kind != KBUF_NONE)
		req_commit(req, total, flags);
	req->res = total || n >= 0 ? (int32_t)total : (int32_t)n;
	if (n < 0 || (short_send && c->msg_flags & MSG_WAITALL))
		req->flags |= REQ_F_FAIL_LINK;
	/* Nothing was copied. */
	if (n == -EFAULT)
		c->reports = false;
	return ISSUE_DONE;
}

/* ---- bundles (SPEC 7) ---- */

/*
 * Send the complete bundle: ISSUE_DONE with *@n the error or the bytes. It may
 * take several calls if the socket is full, because B4 has committed all of it.
 */
static int bundle_push(struct req *req, struct send_cmd *c, long *n)
{
	struct bundle *b = bundle_of(req);

	while (b->count) {
		struct msghdr h = {
			.msg_iov = b->vectors,
			.msg_iovlen = b->count,
		};

		*n = SYS_3(SYS_sendmsg, req_io_fd(req), &h,
			   c->msg_flags | MSG_DONTWAIT);
		if (*n == -EAGAIN && !(c->msg_flags & MSG_DONTWAIT))
			return ISSUE_AGAIN;
		if (*n < 0)
			return ISSUE_DONE;
		req->moved += (uint32_t)*n;
		iov_advance(&b->vectors, &b->count, (size_t)*n);
	}
	*n = (long)req->moved;
	return ISSUE_DONE;
}

static int bundle_send(struct req *req, struct send_cmd *c, long *n)
{
	int outcome;

	if (!c->holds) {
		req->cflags = 0;
		outcome = req_socket_error(req, 0);
		if (outcome < 0)
			return outcome;
		outcome = bundle_claim(
			req, c->want_bytes ? c->want_bytes : INT32_MAX, true);
		if (outcome < 0)
			return outcome;
		c->holds = true;
		/*
		 * All of it is committed, and reported even if it is not sent.
		 */
		req->cflags = bundle_commit(req, bundle_of(req)->claim.bytes);
	}
	outcome = bundle_push(req, c, n);
	if (outcome != ISSUE_DONE)
		return outcome;
	c->holds = false;
	c->want_bytes = 0; /* after the first bundle: no bound */
	return ISSUE_DONE;
}

static int send_bundle_conclude(struct req *req, long n)
{
	req->res = req->moved ? (int32_t)req->moved : (int32_t)n;
	if (n < 0)
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

static int send_bundle(struct req *req, struct send_cmd *c)
{
	long n = 0;
	int outcome;

	for (uint32_t i = 0; i < BUNDLES_SHARE; i++) {
		outcome = bundle_send(req, c, &n);
		c->waited |= outcome == ISSUE_AGAIN;
		if (outcome != ISSUE_DONE)
			return outcome;
		/*
		 * A bundle that has waited for the socket posts one more
		 * completion and ends, as 6.18 does.
		 */
		if (n < 0 || bundle_of(req)->emptied || c->waited ||
		    req->flags & REQ_F_POLL_FIRST ||
		    !req_post_more(req, (int32_t)n, req->cflags))
			return send_bundle_conclude(req, n);
		req->moved = 0;
	}
	return ISSUE_MORE;
}

static int send_plain(struct req *req, struct send_cmd *c, uint32_t issue_flags)
{
	int err = send_take_buffer(req, c, issue_flags);
	size_t left;
	long n;

	if (err < 0)
		return req_socket_error(req, err);
	for (;;) {
		left = left_of(c);
		n = send_try_once(req, c);
		keep_buffer(req, n, issue_flags);
		if (n == -EAGAIN && !(c->msg_flags & MSG_DONTWAIT))
			return ISSUE_AGAIN;
		if (n <= 0 || (size_t)n >= left ||
		    !(c->msg_flags & MSG_WAITALL))
			return send_conclude(req, c, n, (size_t)n < left,
					     issue_flags);
		send_step(req, c, (size_t)n);
	}
}

/*
 * A bundle without a group: posts the bytes sent, and then, because a bundle
 * continues, a last completion of 0 bytes.
 */
static int send_twice(struct req *req, struct send_cmd *c, uint32_t issue_flags)
{
	int outcome = send_plain(req, c, issue_flags);

	if (outcome != ISSUE_DONE || req->res <= 0 ||
	    !req_post_more(req, req->res, req->cflags))
		return outcome;
	c->twice = false;
	c->one.iov_len = 0;
	req->moved = 0;
	return send_plain(req, c, issue_flags);
}

/* ---- zero copy ---- */

/* Does the socket support zero copy? Others refuse, as in the kernel. */
static int zc_socket(const struct req *req)
{
	int domain, protocol;

	domain = req_socket_option(req, SOL_SOCKET, SO_DOMAIN);
	if (domain < 0)
		return domain;
	if (domain != AF_INET && domain != AF_INET6)
		return -EOPNOTSUPP;
	protocol = req_socket_option(req, SOL_SOCKET, SO_PROTOCOL);
	if (protocol < 0)
		return protocol;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? 0
								  : -EOPNOTSUPP;
}

static bool zc_holds_all(const struct send_cmd *c)
{
	const struct iovec *v = &c->one;
	size_t count = 1;

	if (c->msg && !c->to_address) {
		v = c->msg->vectors;
		count = c->msg->header.msg_iovlen;
	}
	for (size_t i = 0; i < count; i++)
		if (!buffer_holds(c->buffer, (uintptr_t)v[i].iov_base,
				  v[i].iov_len))
			return false;
	return true;
}

/* The file is checked before the buffer. */
static int zc_begin(struct req *req, struct send_cmd *c)
{
	int err = zc_socket(req);

	if (err < 0 || !c->fixed || c->buffer)
		return err;
	c->buffer = buffer_get(&req->ctx->buffers, req->buf_index);
	return c->buffer && zc_holds_all(c) ? 0 : -EFAULT;
}

static NOINLINE int send_other(struct req *req, struct send_cmd *c,
			       uint32_t issue_flags)
{
	if (c->never)
		return req_file_is_open(req) ? -EAGAIN : -EBADF;
	if (c->zero_copy) {
		int err = zc_begin(req, c);

		if (err < 0)
			return err;
	}
	if (c->twice)
		return send_twice(req, c, issue_flags);
	return c->bundles ? send_bundle(req, c)
			  : send_plain(req, c, issue_flags);
}

int send_issue(struct req *req, uint32_t issue_flags)
{
	struct send_cmd *c = req_cmd(req, struct send_cmd);
	long n;

	if (unlikely(!c->simple))
		return send_other(req, c, issue_flags);
	n = SYS_6(SYS_sendto, req_io_fd(req), c->one.iov_base, c->one.iov_len,
		  c->msg_flags, NULL, 0);
	if (unlikely(n < 0))
		return n == -EAGAIN && !c->dontwait ? ISSUE_AGAIN : (int)n;
	req->res = (int32_t)n;
	return ISSUE_DONE;
}
