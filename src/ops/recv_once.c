// SPDX-License-Identifier: MIT
/*
 * One try of a receive: claims a buffer, makes one call, and sets the result
 * (S1, S5, S7, S9). Also a complete single receive.
 *
 * Theory: MSG_WAITALL on a stream repeats until all bytes have come; received
 * bytes stay with the request (S8). RECVMSG's multishot buffers begin with a
 * header with the sizes of the parts: header, name area, control area, payload
 * (S13).
 * Locks: the ring lock.
 */
#include <poll.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/sys.h"
#include "ops/recv_parts.h"

/*
 * Datagrams usually come one by one. So after the first the socket is polled
 * before the second is tried, which by then has a buffer or has ended with
 * ENOBUFS. That takes two thirds of a recvmsg(2) that finds nothing.
 */
static inline bool seems_empty(const struct req *req, const struct recv_cmd *c)
{
	return unlikely(c->ahead == 1 && c->kind == KIND_PACKETS) &&
	       !c->msg_flags && !fd_ready_now(req_io_fd(req), POLLIN);
}

/* Only recvmsg(2) reports that a datagram was cut, which breaks a chain. */
static inline bool asks_if_cut(const struct req *req, const struct recv_cmd *c)
{
	return c->msg_flags & MSG_WAITALL &&
	       req->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

static ALWAYS_INLINE long recv_once(const struct req *req, struct recv_cmd *c)
{
	return recv_call(req, c,
			 c->kind == KIND_UNIX || unlikely(asks_if_cut(req, c)));
}

/* Copy recvmsg(2)'s results to the application's msghdr. */
static int tell_msghdr(const struct recv_cmd *c, const struct msghdr *h)
{
	struct msghdr *user = (struct msghdr *)(uintptr_t)c->user_msghdr;

	if (fault_store_u32(&user->msg_namelen, h->msg_namelen) < 0 ||
	    fault_store_u64((uint64_t *)&user->msg_controllen,
			    h->msg_controllen) < 0 ||
	    fault_store_u32((uint32_t *)&user->msg_flags,
			    (uint32_t)h->msg_flags) < 0)
		return -EFAULT;
	return 0;
}

static long recvmsg_once(const struct req *req, struct recv_cmd *c)
{
	struct msghdr h = c->msg->header;
	long n;

	n = recv_message_call(req, c, &h);
	if (n >= 0 && tell_msghdr(c, &h) < 0)
		return -EFAULT;
	return n;
}

/* ---- one try of a multishot RECVMSG (S13) ---- */

void recv_divide(const struct recv_cmd *c, const struct iovec *buffer,
		 struct iovec *payload, struct msghdr *h)
{
	char *name =
		(char *)buffer->iov_base + sizeof(struct io_uring_recvmsg_out);
	char *control = name + c->name_bytes;

	payload->iov_base = control + c->control_bytes;
	payload->iov_len = buffer->iov_len - recv_divided_bytes(c);
	h->msg_name = c->name_bytes ? name : NULL;
	h->msg_namelen = c->name_bytes;
	h->msg_control = c->control_bytes ? control : NULL;
	h->msg_controllen = c->control_bytes;
	h->msg_iov = payload;
	h->msg_iovlen = 1;
	h->msg_flags = 0;
}

long recv_write_header(const struct recv_cmd *c, const struct iovec *buffer,
		       const struct msghdr *h, uint32_t n)
{
	const struct io_uring_recvmsg_out out = {
		.namelen = h->msg_namelen,
		.controllen = (uint32_t)h->msg_controllen,
		.payloadlen = n,
		.flags = (uint32_t)h->msg_flags,
	};

	if (fault_copy(buffer->iov_base, &out, sizeof(out)) < 0)
		return -EFAULT;
	/*
	 * The count includes the header and excludes bytes that were cut off.
	 */
	if (n > h->msg_iov->iov_len)
		n = (uint32_t)h->msg_iov->iov_len;
	return (long)(n + recv_divided_bytes(c));
}

static long recvmsg_divided(struct req *req, struct recv_cmd *c)
{
	struct iovec payload;
	struct msghdr h;
	long n;

	if (recv_divided_bytes(c) > c->one.iov_len)
		return req_socket_error(req, -EFAULT);
	if (seems_empty(req, c))
		return -EAGAIN;
	recv_divide(c, &c->one, &payload, &h);
	n = recv_message_call(req, c, &h);
	if (n < 0)
		return n;
	c->ended = !n;
	n = recv_write_header(c, &c->one, &h, (uint32_t)n);
	if (n < 0)
		req->cflags |= recv_nonempty(req, c, 0);
	return n;
}

static NOINLINE long message_once(struct req *req, struct recv_cmd *c)
{
	if (req->flags & REQ_F_MULTISHOT)
		return recvmsg_divided(req, c);
	return recvmsg_once(req, c);
}

static ALWAYS_INLINE long try_once(struct req *req, struct recv_cmd *c)
{
	return c->msg ? message_once(req, c) : recv_once(req, c);
}

/* ---- buffers ---- */

/*
 * S10: on a worker the buffer is used up; other receives recycle it. RECVMSG
 * uses up a classic buffer; of a ring it reports the bid and leaves the entry
 * (6.18).
 */
static NOINLINE int recv_no_address(struct req *req, const struct recv_cmd *c,
				    uint32_t flags)
{
	int err = req_socket_error(req, -ENOBUFS);

	if (req->claim.kind == KBUF_TAKEN ||
	    !abi_has(req->ctx->abi.answers, ABI_RECV_SPARES) ||
	    (c->msg && req->claim.kind == KBUF_CLASSIC && err == -ENOBUFS)) {
		req_commit(req, 0, flags);
		return err;
	}
	if (c->msg)
		req->cflags |= IORING_CQE_F_BUFFER |
			       (uint32_t)req->claim.bid
				       << IORING_CQE_BUFFER_SHIFT;
	req_recycle(req, flags);
	return -ENOBUFS;
}

static ALWAYS_INLINE int recv_take_buffer(struct req *req, struct recv_cmd *c,
					  uint32_t flags)
{
	int err;

	if (!(req->sqe_flags & IOSQE_BUFFER_SELECT) ||
	    req->claim.kind != KBUF_NONE || req->moved)
		return 0;
	err = req_claim(req, c->want_bytes, false, flags);
	if (err < 0)
		return err;
	if (!req->claim.addr)
		return recv_no_address(req, c, flags);
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	/* On a live 6.18 the length of a try bounds the try after a wait. */
	if (!c->msg)
		c->want_bytes = req->claim.len;
	if (c->msg) {
		c->msg->vectors[0] = c->one;
		c->msg->header.msg_iovlen = 1;
	}
	return 0;
}

/* ---- results ---- */

bool recv_waits_for_all(const struct recv_cmd *c)
{
	return c->msg_flags & MSG_WAITALL &&
	       !(c->msg && c->msg->header.msg_controllen);
}

static void recv_step(struct req *req, struct recv_cmd *c, size_t bytes)
{
	struct msghdr *h;

	req->moved += (uint32_t)bytes;
	if (c->msg) {
		h = &c->msg->header;
		iov_advance(&h->msg_iov, &h->msg_iovlen, bytes);
		return;
	}
	c->one.iov_base = (char *)c->one.iov_base + bytes;
	c->one.iov_len -= bytes;
}

static bool message_is_cut(const struct recv_cmd *c)
{
	return c->received_flags & (MSG_TRUNC | MSG_CTRUNC);
}

NOINLINE int recv_conclude(struct req *req, struct recv_cmd *c, long n,
			   uint32_t flags)
{
	uint32_t total = req->moved + (n > 0 ? (uint32_t)n : 0);

	req->cflags |= recv_nonempty(req, c, n);
	if (req->claim.kind != KBUF_NONE) {
		/* A buffer taken at selection (S6) is consumed and reported. */
		if (total || req->claim.kind == KBUF_TAKEN ||
		    (n == -EAGAIN &&
		     !abi_has(req->ctx->abi.answers, ABI_RECV_SPARES)))
			req_commit(req, total, flags);
		else
			req_recycle(req, flags);
	}
	req->res = total || n >= 0 ? (int32_t)total : (int32_t)n;
	if (n < 0 || (c->msg_flags & MSG_WAITALL && message_is_cut(c)) ||
	    (recv_waits_for_all(c) && (size_t)n < recv_room(c)))
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

/* There is no buffer, or no socket: the file's own error takes precedence. */
static NOINLINE int refused(struct req *req, int err)
{
	int outcome = req_socket_error(req, err);

	if (outcome != err)
		req->cflags = 0;
	return outcome;
}

NOINLINE int recv_failed(struct req *req, struct recv_cmd *c, uint32_t flags,
			 long *n)
{
	/*
	 * The error that the file is no socket precedes errors of the buffer.
	 */
	if (*n == -EFAULT && req->claim.kind != KBUF_NONE)
		*n = req_socket_error(req, -EFAULT);
	if (*n != -EAGAIN || c->msg_flags & MSG_DONTWAIT)
		return ISSUE_DONE;
	/*
	 * A request that waits holds no buffer, unless bytes are in it (S1,
	 * S8).
	 */
	if (req->moved)
		req_keep_claim(req, flags);
	else if (req->claim.kind != KBUF_TAKEN)
		req_recycle(req, flags);
	return ISSUE_AGAIN;
}

int recv_no_buffer(struct req *req, const struct recv_cmd *c, int err,
		   uint32_t flags)
{
	return refused(req, err < 0 ? err : recv_no_address(req, c, flags));
}

int recv_attempt(struct req *req, struct recv_cmd *c, uint32_t flags, long *n)
{
	int err = 0;

	/*
	 * On a worker the selection is final (S6), so the file is checked
	 * first.
	 */
	if (unlikely(req->sqe_flags & IOSQE_ASYNC))
		err = req_socket_error(req, 0);
	if (!err)
		err = recv_take_buffer(req, c, flags);
	if (unlikely(err < 0))
		return refused(req, err);
	*n = try_once(req, c);
	return likely(*n >= 0) ? ISSUE_DONE : recv_failed(req, c, flags, n);
}

int recv_single(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	long n;
	int outcome;

	if (unlikely(req->ctx->knows_unix) && c->kind == KIND_UNKNOWN &&
	    !(c->msg_flags & MSG_WAITALL))
		recv_use_cached_unix(req, c);
	for (;;) {
		outcome = recv_attempt(req, c, flags, &n);
		if (outcome != ISSUE_DONE)
			return outcome;
		if (n <= 0 || !recv_waits_for_all(c) ||
		    (size_t)n >= recv_room(c))
			return recv_conclude(req, c, n, flags);
		recv_learn_kind(req, c);
		if (c->kind == KIND_PACKETS ||
		    (c->kind == KIND_SEQPACKET && c->msg_flags & MSG_DONTWAIT))
			return recv_conclude(req, c, n, flags);
		recv_step(req, c, (size_t)n);
	}
}
