// SPDX-License-Identifier: MIT
/*
 * RECV and RECVMSG, once or many times.
 *
 * Theory: every try is one recvmsg(2) or recvfrom(2) with MSG_DONTWAIT,
 * straight into the application's memory. The buffer is claimed right before
 * (S1), committed when bytes came, and given back when none did (S5, S7, S9).
 *
 * Multishot: each completion takes a buffer of its own. A turn's share is
 * bounded (S12). It tries again until EAGAIN, or until a stream has said that
 * it is empty: FIONREAD answered 0, or an armed TCP connection gave less than
 * there was room for, or an armed unix stream did and had no control data. A
 * short read alone proves nothing: a unix stream stops behind a message with
 * descriptors and where the sender changes, TCP stops at the urgent mark and
 * TLS at a record. Epoll tells of an urgent mark, recvmsg(2) of control data,
 * and what arrives after epoll was asked makes a new edge. A call that fails
 * proves nothing either.
 * RECVMSG's buffers begin with a header that says how the rest is divided
 * (S13): header, name area, control area, payload. Where datagrams came faster
 * than one by one, recvmmsg(2) takes several (recv_batch.h).
 *
 * MSG_WAITALL on a stream goes on until all has come; what came stays with the
 * request (S8). A bundle takes one or two passes and then completes, waiting
 * for all or not: what it would keep meanwhile are entries that others may
 * claim. How a multishot's bundles are cut follows a live 6.18: what waits is
 * no bound where a length was asked for, a bundle of that length ends a share,
 * and where nothing was left then, the next one has no second pass.
 */
#include "ops/recv.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/bundle.h"
#include "core/ctx.h"
#include "io/iov.h"
#include "io/recv_batch.h"
#include "core/req_end.h"
#include "core/req.h"

/* Sockets of a ring whose kind is remembered, for so many short reads. */
#define BELIEFS 1024u
#define BELIEF_READS 64
/* So many of them look whether something is left nevertheless. */
#define BELIEF_LOOKS 8
/* Completions in one turn (S12), as 6.18's. */
#define MULTISHOT_SHARE PACKETS_MAX
/* So many datagrams came without a wait: then more are asked for at once. */
#define PACKETS_FROM 2u

#define CONTROL_UNKNOWN UINT32_MAX

/* What waits is told of the first three, not of a stream that is silent. */
enum {
	KIND_UNKNOWN,
	KIND_TCP,
	KIND_UNIX,
	KIND_STREAM,
	KIND_SILENT,
	KIND_SEQPACKET,
	KIND_PACKETS,
};

struct recv_cmd {
	struct iovec one; /* RECV's buffer, or the selected one */
	struct msg *msg; /* RECVMSG */
	uint64_t user_msghdr;
	uint32_t want_bytes;
	uint32_t cap_bytes; /* multishot: of each but the first completion */
	uint32_t msg_flags;
	uint32_t name_bytes; /* multishot RECVMSG: sizes of the areas */
	uint32_t control_bytes;
	uint8_t kind;
	bool is_plain; /* KIND_TCP: asked whether it is TCP alone */
	bool believed; /* KIND_UNIX: once was */
	bool urgent; /* has or had an urgent mark */
	bool unsure; /* the last question what waits was refused */
	bool bundles;
	bool ended; /* the last divided message was nothing */
	bool was_cut; /* a bundle's try before a wait: claim.cut */
	bool was_empty; /* and that it took the last of the group */
	bool had_all; /* a bundle before the wait got all that one may */
	bool failed; /* a bundle's second pass, not its first: the end */
	bool never; /* ends with EAGAIN, untried */
	bool goes_on; /* multishot: had its share in the turn before */
	uint8_t shots; /* completions of its share, over waits (6.18) */
	uint8_t ahead; /* datagrams since the wait; to be asked for next */
	int domain; /* AF_, 0: not asked yet */
	uint32_t waiting; /* in the socket, as far as known */
	uint32_t said; /* MSG_, of the last message */
	uint32_t control; /* bytes of control data with it, or _UNKNOWN */
};

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

static int common_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);

	if (sqe->file_index || sqe->addr2)
		return -EINVAL;
	if (!abi_knows(&req->ctx->abi, ABI_RECV, sqe->ioprio))
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	c->control = CONTROL_UNKNOWN;
	/* To wait first, but not to wait: nothing can be tried. */
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
	int err = common_prep(req, sqe);

	c->one.iov_base = (void *)(uintptr_t)sqe->addr;
	c->one.iov_len = sqe->len;
	c->cap_bytes = sqe->len; /* a vector's length counts once (6.18) */
	/* Without buffers to choose from the flag says nothing. */
	c->bundles = sqe->ioprio & IORING_RECVSEND_BUNDLE &&
		     sqe->flags & IOSQE_BUFFER_SELECT;
	if (!err && c->bundles)
		err = bundle_prepare(req);
	if (!err && !(sqe->flags & IOSQE_BUFFER_SELECT) &&
	    !fault_range_ok(sqe->addr, sqe->len))
		err = import_error(req, -EFAULT);
	return err;
}

/* What precedes the payload in a multishot RECVMSG's buffer. */
static uint64_t divided_bytes(const struct recv_cmd *c)
{
	return sizeof(struct io_uring_recvmsg_out) + (uint64_t)c->name_bytes +
	       c->control_bytes;
}

/* With a selected buffer only the sizes of the msghdr count. */
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
	return divided_bytes(c) > INT32_MAX || h->msg_controllen > INT32_MAX
		       ? -EOVERFLOW
		       : 0;
}

int recvmsg_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct recv_cmd *c = req_cmd(req, struct recv_cmd);
	int err = common_prep(req, sqe);

	if (err < 0)
		return err;
	if (sqe->ioprio & IORING_RECVSEND_BUNDLE)
		return -EINVAL; /* B2 */
	c->user_msghdr = sqe->addr;
	err = msg_import(req, sqe->addr, false, &c->msg);
	if (!err && sqe->flags & IOSQE_BUFFER_SELECT)
		return recvmsg_select_prep(req, c);
	if (!err && !iov_in_user_space(c->msg->header.msg_iov,
				       c->msg->header.msg_iovlen))
		err = import_error(req, -EFAULT);
	return err;
}

/* ---- what the socket says ---- */

static size_t room_of(const struct recv_cmd *c)
{
	if (!c->msg)
		return c->one.iov_len;
	return iov_bytes(c->msg->header.msg_iov, c->msg->header.msg_iovlen);
}

static int socket_option(const struct req *req, int level, int name)
{
	int value = 0;
	socklen_t bytes = sizeof(value);
	long err = SYS_5(SYS_getsockopt, req_io_fd(req), level, name, &value,
			 &bytes);

	return err < 0 ? (int)err : value;
}

/* Until 5.19 nobody asked what waits in a socket, a unix one until 6.17. */
static uint8_t stream_kind(const struct req *req, int domain)
{
	uint64_t answers = req->ctx->abi.answers;
	enum abi_answer told = domain == AF_UNIX ? ABI_UNIX_INQ : ABI_INQ;

	if (domain < 0 || !abi_has(answers, told))
		return KIND_SILENT;
	return domain == AF_INET ? KIND_TCP : KIND_UNIX;
}

/* Refused: of a stream that says nothing, all is received. */
static COLD uint8_t ask_kind(const struct req *req)
{
	int protocol = socket_option(req, SOL_SOCKET, SO_PROTOCOL);

	if (protocol == IPPROTO_TCP)
		return stream_kind(req, AF_INET);
	if (protocol == IPPROTO_UDP)
		return KIND_PACKETS;
	switch (socket_option(req, SOL_SOCKET, SO_TYPE)) {
	case SOCK_STREAM:
		return stream_kind(req, socket_option(req, SOL_SOCKET,
						      SO_DOMAIN) == AF_UNIX
						? AF_UNIX
						: -1);
	case SOCK_SEQPACKET:
		return KIND_SEQPACKET;
	case SOCK_DGRAM:
	case SOCK_RAW:
	case SOCK_RDM:
		return KIND_PACKETS;
	default:
		return KIND_SILENT;
	}
}

/* TLS in the kernel, say, has records, which a read doesn't cross. */
static bool is_layered(const struct req *req)
{
	return socket_option(req, IPPROTO_TCP, TCP_ULP) != 0;
}

static struct socket_belief *belief_of(const struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (req->file)
		return &req->file->socket;
	if (unlikely(!ctx->sockets))
		ctx->sockets = mem_new(BELIEFS, sizeof(*ctx->sockets));
	return ctx->sockets ? &ctx->sockets[(uint32_t)req->fd % BELIEFS] : NULL;
}

static inline void learn_kind(const struct req *req, struct recv_cmd *c)
{
	if (unlikely(c->kind == KIND_UNKNOWN))
		c->kind = ask_kind(req);
}

/* FIONREAD is answered, as far as one knows. */
static bool tells(const struct recv_cmd *c)
{
	return c->kind == KIND_TCP || c->kind == KIND_UNIX ||
	       c->kind == KIND_STREAM;
}

/* Did it come, or did it find no room? As far as one knows, it did. */
static bool had_control(const struct recv_cmd *c)
{
	return c->control || c->said & MSG_CTRUNC;
}

/* A TCP connection whose peer has sent its end, not one that was reset. */
static bool tcp_ended(const struct req *req)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	return SYS_5(SYS_getsockopt, req_io_fd(req), IPPROTO_TCP, TCP_INFO,
		     &info, &bytes) == 0 &&
	       info.tcpi_state != TCP_CLOSE;
}

/* Is there something to read, as far as poll(2) knows? */
static bool has_input(const struct req *req)
{
	struct pollfd look = {
		.fd = req_io_fd(req),
		.events = POLLIN | POLLRDHUP,
	};

	return SYS_3(SYS_poll, &look, 1, 0) > 0 &&
	       (look.revents & (POLLIN | POLLRDHUP)) == POLLIN;
}

/* A filter of the program's may refuse the call: then 1 stands for some. */
static uint32_t bytes_waiting(const struct req *req, struct recv_cmd *c)
{
	int waiting = 0;

	c->unsure = SYS_3(SYS_ioctl, req_io_fd(req), FIONREAD, &waiting) < 0;
	if (unlikely(c->unsure))
		return has_input(req);
	return waiting > 0 ? (uint32_t)waiting : 0;
}

/*
 * May more wait behind an urgent mark? FIONREAD counts up to there. A kernel
 * that runs a request as soon as something arrives receives what is before the
 * mark before the rest is there.
 */
static bool at_mark(const struct req *req, const struct recv_cmd *c)
{
	bool defers = req->ctx->flags & IORING_SETUP_DEFER_TASKRUN;

	return c->kind == KIND_TCP &&
	       (req->wait.watch ? c->urgent && defers : true);
}

/*
 * A unix stream that stops and has more, but no control data, has an urgent
 * mark, or more came this moment. Once it was read past, epoll knows of none,
 * and FIONREAD goes on counting it.
 */
static bool stopped_for_nothing(const struct recv_cmd *c, long n,
				uint32_t waiting)
{
	return c->kind == KIND_UNIX && waiting && (size_t)n < room_of(c) &&
	       !had_control(c);
}

static COLD uint32_t ask_nonempty(const struct req *req, struct recv_cmd *c,
				  long n)
{
	uint32_t waiting;

	if (c->kind != KIND_UNKNOWN && !tells(c))
		return 0;
	/* First what costs one call: mostly nothing waits. */
	waiting = bytes_waiting(req, c);
	if (!waiting && n && !c->unsure && req->wait.watch && !c->urgent)
		return 0;
	learn_kind(req, c);
	if (!tells(c))
		return 0;
	c->urgent |= stopped_for_nothing(c, n, waiting);
	if (!waiting && !n && room_of(c))
		waiting = tcp_ended(req);
	if (!waiting && n && at_mark(req, c))
		waiting = has_input(req);
	return waiting ? IORING_CQE_F_SOCK_NONEMPTY : 0;
}

/*
 * A single receive that came short asks what kind of file its number is once in
 * a while only. As long as no TCP connection behind it had something left, the
 * next has not either. What is wrong for a while is a hint: the bytes come.
 */
static COLD bool is_believed_empty(const struct req *req, struct recv_cmd *c)
{
	struct socket_belief *b = belief_of(req);

	if (unlikely(!b))
		return false;
	if (b->fd != req->fd || !b->left) {
		b->fd = req->fd;
		b->left = BELIEF_READS;
		b->kind = ask_kind(req);
		if (b->kind == KIND_TCP && is_layered(req))
			b->kind = KIND_STREAM;
		req->ctx->knows_unix |= b->kind == KIND_UNIX;
	}
	b->left--;
	c->kind = b->kind;
	return c->kind == KIND_TCP && b->left < BELIEF_READS - BELIEF_LOOKS;
}

/*
 * Of what is believed to be a unix stream a single receive asks with
 * recvmsg(2), so that it need not ask FIONREAD afterwards.
 */
static COLD void believe_unix(const struct req *req, struct recv_cmd *c)
{
	struct socket_belief *b = belief_of(req);

	if (!b || b->fd != req->fd || b->kind != KIND_UNIX || !b->left ||
	    b->left >= BELIEF_READS - BELIEF_LOOKS)
		return;
	b->left--;
	c->kind = KIND_UNIX;
	c->believed = true;
}

/* A read that left room, and took all there was when epoll last looked. */
static inline bool took_all(const struct req *req, struct recv_cmd *c)
{
	if (unlikely(c->urgent || c->msg_flags & MSG_PEEK))
		return false;
	if (c->kind == KIND_UNKNOWN && is_believed_empty(req, c))
		return true;
	if (!req->wait.watch && !c->believed)
		return false;
	if (c->kind == KIND_UNIX)
		return !had_control(c);
	if (c->kind != KIND_TCP)
		return false;
	if (unlikely(!c->is_plain)) {
		c->is_plain = true;
		if (is_layered(req))
			c->kind = KIND_STREAM;
	}
	return c->kind == KIND_TCP;
}

/*
 * Does the kernel know that more waits in the socket? TCP counts its end as
 * something to read.
 */
HOT uint32_t nonempty(const struct req *req, struct recv_cmd *c, long n)
{
	c->unsure = false;
	if (n < 0)
		return 0;
	if (n && (size_t)n < room_of(c) && took_all(req, c))
		return 0;
	return ask_nonempty(req, c, n);
}

/* ---- one try, without multishot's header ---- */

static COLD bool readable(const struct req *req)
{
	struct pollfd look = {.fd = req_io_fd(req), .events = POLLIN};

	return SYS_3(SYS_poll, &look, 1, 0) != 0;
}

/*
 * Datagrams mostly come one by one. So after the first there is a look before
 * the second is tried, which has its buffer by then, or ended for want of one:
 * two thirds of a recvmsg(2) that finds nothing.
 */
static inline bool seems_empty(const struct req *req, const struct recv_cmd *c)
{
	return unlikely(c->ahead == 1 && c->kind == KIND_PACKETS) &&
	       !c->msg_flags && !readable(req);
}

static inline long recvmsg_call(const struct req *req, struct recv_cmd *c,
				struct msghdr *h)
{
	long n = SYS_3(SYS_recvmsg, req_io_fd(req), h,
		       c->msg_flags | MSG_DONTWAIT);

	c->said = (uint32_t)h->msg_flags;
	c->control = (uint32_t)h->msg_controllen;
	return n;
}

static long recv_message(const struct req *req, struct recv_cmd *c)
{
	struct msghdr h = {.msg_iov = &c->one, .msg_iovlen = 1};

	return recvmsg_call(req, c, &h);
}

/* Only a message says whether a datagram was cut, and its chain ends. */
static inline bool asks_if_cut(const struct req *req, const struct recv_cmd *c)
{
	return c->msg_flags & MSG_WAITALL &&
	       req->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

HOT long recv_once(const struct req *req, struct recv_cmd *c)
{
	if (c->kind == KIND_UNIX || unlikely(asks_if_cut(req, c)))
		return recv_message(req, c);
	return SYS_6(SYS_recvfrom, req_io_fd(req), c->one.iov_base,
		     c->one.iov_len, c->msg_flags | MSG_DONTWAIT, NULL, NULL);
}

/* Where the application reads what recvmsg(2) would have told it. */
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

	n = recvmsg_call(req, c, &h);
	if (n >= 0 && tell_msghdr(c, &h) < 0)
		return -EFAULT;
	return n;
}

/* ---- one try of a multishot RECVMSG (S13) ---- */

/* Divide @buffer into @h: the header comes later, what is left is @payload. */
HOT void divide(const struct recv_cmd *c, const struct iovec *buffer,
		struct iovec *payload, struct msghdr *h)
{
	char *name =
		(char *)buffer->iov_base + sizeof(struct io_uring_recvmsg_out);
	char *control = name + c->name_bytes;

	payload->iov_base = control + c->control_bytes;
	payload->iov_len = buffer->iov_len - divided_bytes(c);
	h->msg_name = c->name_bytes ? name : NULL;
	h->msg_namelen = c->name_bytes;
	h->msg_control = c->control_bytes ? control : NULL;
	h->msg_controllen = c->control_bytes;
	h->msg_iov = payload;
	h->msg_iovlen = 1;
	h->msg_flags = 0;
}

/* Write the header. Returns what the completion says, or -EFAULT. */
static long tell_divided(const struct recv_cmd *c, const struct iovec *buffer,
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
	/* It covers the header; what was cut off is not in it. */
	if (n > h->msg_iov->iov_len)
		n = (uint32_t)h->msg_iov->iov_len;
	return (long)(n + divided_bytes(c));
}

static long recvmsg_divided(struct req *req, struct recv_cmd *c)
{
	struct iovec payload;
	struct msghdr h;
	long n;

	if (divided_bytes(c) > c->one.iov_len)
		return req_socket_error(req, -EFAULT);
	if (seems_empty(req, c))
		return -EAGAIN;
	divide(c, &c->one, &payload, &h);
	n = recvmsg_call(req, c, &h);
	if (n < 0)
		return n;
	c->ended = !n;
	n = tell_divided(c, &c->one, &h, (uint32_t)n);
	if (n < 0)
		req->cflags |= nonempty(req, c, 0);
	return n;
}

static COLD long message_once(struct req *req, struct recv_cmd *c)
{
	if (req->flags & REQ_F_MULTISHOT)
		return recvmsg_divided(req, c);
	return recvmsg_once(req, c);
}

HOT long try_once(struct req *req, struct recv_cmd *c)
{
	return c->msg ? message_once(req, c) : recv_once(req, c);
}

/* ---- buffers ---- */

/*
 * S10: a worker has used it up, other receives leave it. RECVMSG uses up a
 * classic one, and of a ring tells the id and leaves it (6.18).
 */
static COLD int no_address(struct req *req, const struct recv_cmd *c,
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

HOT int take_buffer(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	int err;

	if (!(req->sqe_flags & IOSQE_BUFFER_SELECT) ||
	    req->claim.kind != KBUF_NONE || req->moved)
		return 0;
	err = req_claim(req, c->want_bytes, false, flags);
	if (err < 0)
		return err;
	if (!req->claim.addr)
		return no_address(req, c, flags);
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	/* On a live 6.18 a try says how much the one after a wait asks for. */
	if (!c->msg)
		c->want_bytes = req->claim.len;
	if (c->msg) {
		c->msg->vectors[0] = c->one;
		c->msg->header.msg_iovlen = 1;
	}
	return 0;
}

/* ---- results ---- */

/* A message with room for control data is never put together. */
static bool waits_for_all(const struct recv_cmd *c)
{
	return c->msg_flags & MSG_WAITALL &&
	       !(c->msg && c->msg->header.msg_controllen);
}

static void step(struct req *req, struct recv_cmd *c, size_t bytes)
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
	return c->said & (MSG_TRUNC | MSG_CTRUNC);
}

/* The last completion: bytes, the end of the stream, or an error. */
static COLD int conclude(struct req *req, struct recv_cmd *c, long n,
			 uint32_t flags)
{
	uint32_t total = req->moved + (n > 0 ? (uint32_t)n : 0);

	req->cflags |= nonempty(req, c, n);
	if (req->claim.kind != KBUF_NONE) {
		/* What was taken at selection (S6) is consumed and reported. */
		if (total || req->claim.kind == KBUF_TAKEN ||
		    (n == -EAGAIN &&
		     !abi_has(req->ctx->abi.answers, ABI_RECV_SPARES)))
			req_commit(req, total, flags);
		else
			req_recycle(req, flags);
	}
	req->res = total || n >= 0 ? (int32_t)total : (int32_t)n;
	if (n < 0 || (c->msg_flags & MSG_WAITALL && message_is_cut(c)) ||
	    (waits_for_all(c) && (size_t)n < room_of(c)))
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

/* There is no buffer, or no socket: an error, which the file may know better.
 */
static COLD int refused(struct req *req, int err)
{
	int said = req_socket_error(req, err);

	if (said != err)
		req->cflags = 0;
	return said;
}

/* A try has failed, with *@n: it is over, or nothing was there yet. */
static COLD int failed(struct req *req, struct recv_cmd *c, uint32_t flags,
		       long *n)
{
	/* That the file is no socket comes before a chosen buffer. */
	if (*n == -EFAULT && req->claim.kind != KBUF_NONE)
		*n = req_socket_error(req, -EFAULT);
	if (*n != -EAGAIN || c->msg_flags & MSG_DONTWAIT)
		return ISSUE_DONE;
	/* Waiting holds no buffer, unless bytes are in it (S1, S8). */
	if (req->moved)
		req_hold(req, flags);
	else if (req->claim.kind != KBUF_TAKEN)
		req_recycle(req, flags);
	return ISSUE_AGAIN;
}

/* One try: ISSUE_DONE with the answer in *@n, or what else to do. */
HOT int attempt(struct req *req, struct recv_cmd *c, uint32_t flags, long *n)
{
	int err = 0;

	/* On a worker the choice is final (S6), so the file comes first. */
	if (unlikely(req->sqe_flags & IOSQE_ASYNC))
		err = req_socket_error(req, 0);
	if (!err)
		err = take_buffer(req, c, flags);
	if (unlikely(err < 0))
		return refused(req, err);
	*n = try_once(req, c);
	return likely(*n >= 0) ? ISSUE_DONE : failed(req, c, flags, n);
}

static int recv_single(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	long n;
	int said;

	if (unlikely(req->ctx->knows_unix) && c->kind == KIND_UNKNOWN &&
	    !(c->msg_flags & MSG_WAITALL))
		believe_unix(req, c);
	for (;;) {
		said = attempt(req, c, flags, &n);
		if (said != ISSUE_DONE)
			return said;
		if (n <= 0 || !waits_for_all(c) || (size_t)n >= room_of(c))
			return conclude(req, c, n, flags);
		learn_kind(req, c);
		if (c->kind == KIND_PACKETS ||
		    (c->kind == KIND_SEQPACKET && c->msg_flags & MSG_DONTWAIT))
			return conclude(req, c, n, flags);
		step(req, c, (size_t)n);
	}
}

/* Nothing more is there to read, as far as one can tell without a call. */
static bool drained(const struct req *req, const struct recv_cmd *c)
{
	return tells(c) && !c->unsure && !c->urgent &&
	       !(req->cflags & IORING_CQE_F_SOCK_NONEMPTY) &&
	       !(req->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* A share begins with a look: where nothing is there, nothing is tried. */
static bool begin_share(const struct req *req, struct recv_cmd *c)
{
	bool looks = c->goes_on;

	c->goes_on = false;
	return !looks || readable(req);
}

/* S12: had it enough? The count goes on over waits. */
static bool share_is_used(struct recv_cmd *c)
{
	c->goes_on = ++c->shots == MULTISHOT_SHARE;
	if (c->goes_on)
		c->shots = 0;
	return c->goes_on;
}

/*
 * One completion: ISSUE_MORE when it was posted and the next may follow, or
 * ISSUE_AGAIN when nothing waits for that.
 */
static int multishot_one(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	bool empty;
	long n;
	int said;

	if (!begin_share(req, c))
		return ISSUE_AGAIN;
	req->cflags = 0;
	said = attempt(req, c, flags, &n);
	if (said != ISSUE_DONE)
		return said;
	if (n <= 0 || (c->msg && c->ended))
		return conclude(req, c, n, flags);
	learn_kind(req, c);
	req->cflags |= nonempty(req, c, n);
	req_commit(req, (uint32_t)n, flags);
	empty = drained(req, c);
	req->res = (int32_t)n;
	if (!req_post_more(req, req->res, req->cflags))
		return ISSUE_DONE;
	c->want_bytes = c->cap_bytes;
	if (c->ahead < PACKETS_FROM)
		c->ahead++;
	share_is_used(c);
	if (!empty)
		return ISSUE_MORE;
	/* Where nothing is left, there is nothing to look for either. */
	c->goes_on = false;
	return ISSUE_AGAIN;
}

/* ---- many datagrams with one call (D6) ---- */

/*
 * RECVMSG alone: of RECV an empty datagram uses no buffer. And only where
 * datagrams have no order: see packets_post().
 */
static COLD bool packets_fit(const struct req *req, struct recv_cmd *c)
{
	socklen_t bytes = sizeof(c->domain);

	if (!c->msg || c->msg_flags || req->sqe_flags & IOSQE_ASYNC)
		return false;
	if (!c->domain)
		SYS_5(SYS_getsockopt, req_io_fd(req), SOL_SOCKET, SO_DOMAIN,
		      &c->domain, &bytes);
	return c->domain == AF_INET || c->domain == AF_INET6;
}

static inline bool packets_pay(const struct req *req, struct recv_cmd *c)
{
	return unlikely(c->ahead >= PACKETS_FROM && c->kind == KIND_PACKETS) &&
	       packets_fit(req, c);
}

static long packets_tell(const struct recv_cmd *c, const struct packets *p,
			 uint32_t n)
{
	const struct mmsghdr *m = &p->headers[n];

	return tell_divided(c, &p->buffers[n], &m->msg_hdr, m->msg_len);
}

/* An empty datagram ends a multishot: which of them does? @count: none. */
static uint32_t packets_end(const struct packets *p, uint32_t count)
{
	for (uint32_t i = count; i-- > 0;)
		if (!p->headers[i].msg_len)
			return i;
	return count;
}

/*
 * A completion for each. What came behind the one that ends it can't be put
 * back, so it is told before it: datagrams come in any order.
 */
static int packets_post(struct req *req, struct recv_cmd *c, struct packets *p,
			uint32_t count)
{
	uint32_t end = packets_end(p, count);

	packets_commit(req, p, count);
	c->want_bytes = c->cap_bytes;
	for (uint32_t i = 0; i < count; i++) {
		long n = packets_tell(c, p, i);

		if (i == end)
			continue;
		if (n < 0 ||
		    !req_post_more(req, (int32_t)n, packets_flags(p, i))) {
			end = i;
			break;
		}
		share_is_used(c);
	}
	if (end == count)
		return ISSUE_MORE;
	req->cflags = packets_flags(p, end);
	req->res = (int32_t)packets_tell(c, p, end);
	if (req->res < 0)
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

/* Twice as many the next time; one by one, if one came. */
static uint8_t ahead_after(const struct recv_cmd *c, uint32_t asked, long came)
{
	/* What was asked for is no more than what was left of a share. */
	uint32_t next = 2 * (came < (long)asked ? (uint32_t)came : c->ahead);

	if (next < 2 * PACKETS_FROM)
		return 0;
	return (uint8_t)(next < PACKETS_MAX ? next : PACKETS_MAX);
}

/*
 * Fewer than asked for: there are no more. Or an error waits behind them, and
 * the next call tells it; epoll has said so, if it was asked.
 */
static bool came_short(const struct req *req, uint32_t asked, long came)
{
	return came < (long)asked && req->wait.watch &&
	       !(req->events & (EPOLLERR | EPOLLHUP));
}

/*
 * As multishot_one(), for as many as may have come. False: there are no buffers
 * for many, and nothing was tried.
 */
static COLD bool multishot_many(struct req *req, struct recv_cmd *c,
				uint32_t flags, int *said)
{
	uint32_t max = MULTISHOT_SHARE - c->shots, asked;
	struct packets p;
	long n;

	asked = packets_claim(req, c->want_bytes, (uint32_t)divided_bytes(c),
			      c->ahead < max ? c->ahead : max, &p);
	if (!asked)
		return false;
	c->goes_on = false;
	for (uint32_t i = 0; i < asked; i++)
		divide(c, &p.buffers[i], &p.payloads[i], &p.headers[i].msg_hdr);
	n = packets_receive(req, &p, asked);
	req->cflags = 0;
	if (n > 0) {
		c->ahead = ahead_after(c, asked, n);
		*said = packets_post(req, c, &p, (uint32_t)n);
		if (*said == ISSUE_MORE && came_short(req, asked, n))
			*said = ISSUE_AGAIN;
		return true;
	}
	c->ahead = 0;
	packets_commit(req, &p, 0);
	*said = n == -EAGAIN ? ISSUE_AGAIN : conclude(req, c, n, flags);
	return true;
}

static int recv_multishot(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	int said;

	do {
		if (!packets_pay(req, c) ||
		    !multishot_many(req, c, flags, &said))
			said = multishot_one(req, c, flags);
	} while (said == ISSUE_MORE && !c->goes_on);
	if (said == ISSUE_AGAIN && c->ahead < PACKETS_FROM)
		c->ahead = 0;
	if (unlikely(c->msg_flags & MSG_DONTWAIT) && said > 0)
		return -EAGAIN;
	return said;
}

/* ---- bundles (SPEC 7) ---- */

/* One call over all claimed buffers; what it took is committed (B4). */
static int bundle_pass(struct req *req, struct recv_cmd *c, uint32_t want,
		       long *n, uint32_t *cflags)
{
	struct bundle *b = bundle_of(req);
	int err = bundle_claim(req, want, false);
	struct msghdr h;

	if (err < 0)
		return req_socket_error(req, err);
	h = (struct msghdr){.msg_iov = b->vectors, .msg_iovlen = b->count};
	*n = recvmsg_call(req, c, &h);
	b->follows &= *n != -EAGAIN;
	if (*n <= 0)
		bundle_recycle(req);
	else
		*cflags = bundle_commit(req, (uint32_t)*n);
	if (*n != -EAGAIN || c->msg_flags & MSG_DONTWAIT)
		return ISSUE_DONE;
	/* As in take_buffer(), where it was one: the next asks for as much. */
	if (b->claim.count == 1)
		c->want_bytes = b->claim.bytes;
	c->was_empty = b->emptied;
	c->was_cut = b->claim.cut;
	return ISSUE_AGAIN;
}

/*
 * B6: a pass that filled all it had asks what is waiting, and if that is more
 * than a byte tries once more for it. (More than one: as the kernel counts.)
 */
static bool worth_another(const struct req *req, struct recv_cmd *c, long n)
{
	const struct bundle *b = bundle_of(req);

	c->waiting = 0;
	c->unsure = false;
	/* The kernel counts what waits in streams alone. */
	if (!tells(c))
		return false;
	if ((uint32_t)n < b->claim.bytes && took_all(req, c))
		return false;
	c->waiting = bytes_waiting(req, c);
	if (!c->waiting && at_mark(req, c))
		c->waiting = has_input(req);
	/* Of many, each is no longer than asked. */
	if (req->flags & REQ_F_MULTISHOT && c->cap_bytes &&
	    (uint32_t)n >= c->cap_bytes)
		return false;
	if (b->claim.cut || b->emptied || c->was_cut || c->was_empty ||
	    c->had_all)
		return false;
	return c->waiting > 1 && (uint32_t)n == b->claim.bytes;
}

/* What was asked for or what waits, whichever is less; 0: neither is known. */
static uint32_t bundle_wants(const struct req *req, const struct recv_cmd *c)
{
	/* Of many of a length asked for, that length says it. */
	if (req->flags & REQ_F_MULTISHOT && c->cap_bytes)
		return c->want_bytes;
	/* One byte is no reason to choose, as the kernel counts. */
	if (c->waiting <= 1 || (c->want_bytes && c->want_bytes < c->waiting))
		return c->want_bytes;
	return c->waiting;
}

/* The second pass. If it fails, what the first one had is the last. */
static int bundle_again(struct req *req, struct recv_cmd *c, long *n,
			uint32_t *cflags)
{
	struct bundle *b = bundle_of(req);
	int said;

	b->follows = true;
	said = bundle_pass(req, c, c->waiting, n, cflags);
	b->follows = false;
	c->failed = said < 0 || (said == ISSUE_DONE && *n < 0);
	return said;
}

/* One completion's worth: ISSUE_DONE with *@total received. */
static int bundle_receive(struct req *req, struct recv_cmd *c, long *total)
{
	uint32_t more = 0;
	long n = 0;
	int said;

	req->cflags = 0;
	said = bundle_pass(req, c, bundle_wants(req, c), total, &req->cflags);
	if (said != ISSUE_DONE || *total <= 0)
		return said;
	if (worth_another(req, c, *total)) {
		said = bundle_again(req, c, &n, &more);
		if (said != ISSUE_DONE || n <= 0)
			return ISSUE_DONE;
		/* The first buffer's id stands; the last one says if more. */
		req->cflags &= ~(uint32_t)IORING_CQE_F_BUF_MORE;
		req->cflags |= more & IORING_CQE_F_BUF_MORE;
		*total += n;
		worth_another(req, c, n);
	}
	if (c->waiting)
		req->cflags |= IORING_CQE_F_SOCK_NONEMPTY;
	return ISSUE_DONE;
}

static int bundle_conclude(struct req *req, struct recv_cmd *c, long total)
{
	if (!total && tells(c) && (bytes_waiting(req, c) || tcp_ended(req)))
		req->cflags |= IORING_CQE_F_SOCK_NONEMPTY;
	req->res = (int32_t)total;
	if (total < 0 || c->failed ||
	    (waits_for_all(c) && (uint32_t)total < c->cap_bytes))
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

static bool had_its_length(const struct recv_cmd *c, long total)
{
	return c->cap_bytes && (uint32_t)total >= c->cap_bytes;
}

/* A completion that had all it was allowed ends a share, as the last does. */
static bool bundle_share_is_used(struct recv_cmd *c, long total)
{
	share_is_used(c);
	c->goes_on |= had_its_length(c, total);
	return c->goes_on;
}

static int recv_bundle(struct req *req, struct recv_cmd *c)
{
	bool empty;
	long total;
	int said;

	learn_kind(req, c);
	do {
		if (!begin_share(req, c))
			return ISSUE_AGAIN;
		said = bundle_receive(req, c, &total);
		if (said != ISSUE_DONE)
			return said;
		empty = drained(req, c);
		/* A ring that ran out has nothing for another completion. */
		if (!(req->flags & REQ_F_MULTISHOT) || total <= 0 ||
		    bundle_of(req)->emptied || c->was_empty || c->failed ||
		    !req_post_more(req, (int32_t)total, req->cflags))
			return bundle_conclude(req, c, total);
		c->want_bytes = c->cap_bytes;
		c->had_all |= had_its_length(c, total);
		c->was_cut = false;
		if (empty)
			return ISSUE_AGAIN;
		c->had_all = false;
	} while (!bundle_share_is_used(c, total));
	return ISSUE_MORE;
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
