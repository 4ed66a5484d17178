// SPDX-License-Identifier: MIT
/*
 * Queries of a socket before or after a receive: its kind, waiting bytes,
 * whether it is at its urgent mark, whether it is empty.
 *
 * Theory: a stream is known to be empty if FIONREAD returned 0, or if an armed
 * TCP connection returned fewer bytes than there was room for, or if an armed
 * unix stream did and had no control data. A short read alone proves nothing: a
 * unix stream stops behind a message with descriptors and where the sender
 * changes, TCP stops at the urgent mark and TLS at a record. A call that fails
 * proves nothing either.
 * Locks: the ring lock.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "base/sys.h"
#include "ops/recv_parts.h"

size_t recv_room(const struct recv_cmd *c)
{
	if (!c->msg)
		return c->one.iov_len;
	return iov_bytes(c->msg->header.msg_iov, c->msg->header.msg_iovlen);
}

/*
 * Kernels before 5.19 don't query waiting bytes, before 6.17 not for unix
 * streams.
 */
static uint8_t stream_kind(const struct req *req, int domain)
{
	uint64_t answers = req->ctx->abi.answers;
	enum abi_answer told = domain == AF_UNIX ? ABI_UNIX_INQ : ABI_INQ;

	if (domain < 0 || !abi_has(answers, told))
		return KIND_SILENT;
	return domain == AF_INET ? KIND_TCP : KIND_UNIX;
}

/*
 * Refused: then it is handled as a stream without a count, and read until
 * empty.
 */
static NOINLINE uint8_t ask_kind(const struct req *req)
{
	int protocol = req_socket_option(req, SOL_SOCKET, SO_PROTOCOL);

	if (protocol == IPPROTO_TCP)
		return stream_kind(req, AF_INET);
	if (protocol == IPPROTO_UDP)
		return KIND_PACKETS;
	switch (req_socket_option(req, SOL_SOCKET, SO_TYPE)) {
	case SOCK_STREAM:
		return stream_kind(req, req_socket_option(req, SOL_SOCKET,
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

/* Kernel TLS, for example, has records, and a read ends at each. */
static bool is_layered(const struct req *req)
{
	return req_socket_option(req, IPPROTO_TCP, TCP_ULP) != 0;
}

static struct socket_cache *recv_cached_kind(const struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (req->file)
		return &req->file->socket;
	if (unlikely(!ctx->sockets))
		ctx->sockets =
			mem_new(SOCKET_CACHE_ENTRIES, sizeof(*ctx->sockets));
	return ctx->sockets
		       ? &ctx->sockets[(uint32_t)req->fd % SOCKET_CACHE_ENTRIES]
		       : NULL;
}

void recv_learn_kind(const struct req *req, struct recv_cmd *c)
{
	if (unlikely(c->kind == KIND_UNKNOWN))
		c->kind = ask_kind(req);
}

bool recv_socket_tells(const struct recv_cmd *c)
{
	return c->kind == KIND_TCP || c->kind == KIND_UNIX ||
	       c->kind == KIND_STREAM;
}

bool recv_tcp_ended(const struct req *req)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	return SYS_5(SYS_getsockopt, req_io_fd(req), IPPROTO_TCP, TCP_INFO,
		     &info, &bytes) == 0 &&
	       info.tcpi_state != TCP_CLOSE;
}

bool recv_has_input(const struct req *req)
{
	struct pollfd look = {
		.fd = req_io_fd(req),
		.events = POLLIN | POLLRDHUP,
	};

	return SYS_3(SYS_poll, &look, 1, 0) > 0 &&
	       (look.revents & (POLLIN | POLLRDHUP)) == POLLIN;
}

uint32_t recv_bytes_waiting(const struct req *req, struct recv_cmd *c)
{
	int waiting = 0;

	c->unsure = SYS_3(SYS_ioctl, req_io_fd(req), FIONREAD, &waiting) < 0;
	if (unlikely(c->unsure))
		return recv_has_input(req);
	return waiting > 0 ? (uint32_t)waiting : 0;
}

bool recv_at_mark(const struct req *req, const struct recv_cmd *c)
{
	bool defers = req->ctx->flags & IORING_SETUP_DEFER_TASKRUN;

	return c->kind == KIND_TCP &&
	       (req->wait.watch ? c->urgent && defers : true);
}

/*
 * A unix stream that stops although more waits, without control data, is at an
 * urgent mark, or more has just come. After the mark was read past, epoll does
 * not report it, and FIONREAD still counts it.
 */
static bool stopped_for_nothing(const struct recv_cmd *c, long n,
				uint32_t waiting)
{
	return c->kind == KIND_UNIX && waiting && (size_t)n < recv_room(c) &&
	       !recv_had_control(c);
}

static NOINLINE uint32_t ask_nonempty(const struct req *req, struct recv_cmd *c,
				      long n)
{
	uint32_t waiting;

	if (c->kind != KIND_UNKNOWN && !recv_socket_tells(c))
		return 0;
	/* First the query that takes one call: usually nothing waits. */
	waiting = recv_bytes_waiting(req, c);
	if (!waiting && n && !c->unsure && req->wait.watch && !c->urgent)
		return 0;
	recv_learn_kind(req, c);
	if (!recv_socket_tells(c))
		return 0;
	c->urgent |= stopped_for_nothing(c, n, waiting);
	if (!waiting && !n && recv_room(c))
		waiting = recv_tcp_ended(req);
	if (!waiting && n && recv_at_mark(req, c))
		waiting = recv_has_input(req);
	return waiting ? IORING_CQE_F_SOCK_NONEMPTY : 0;
}

/*
 * Caches the kind of the file: a single receive that was short queries it only
 * once in a while. While no TCP connection at this fd had data left, the next
 * receive is assumed to have none. If that is wrong for a while only a hint is
 * wrong: the bytes come.
 */
static NOINLINE bool is_cached_empty(const struct req *req, struct recv_cmd *c)
{
	struct socket_cache *b = recv_cached_kind(req);

	if (unlikely(!b))
		return false;
	if (b->fd != req->fd || !b->left) {
		b->fd = req->fd;
		b->left = SOCKET_CACHE_USES;
		b->kind = ask_kind(req);
		if (b->kind == KIND_TCP && is_layered(req))
			b->kind = KIND_STREAM;
		req->ctx->knows_unix |= b->kind == KIND_UNIX;
	}
	b->left--;
	c->kind = b->kind;
	return c->kind == KIND_TCP &&
	       b->left < SOCKET_CACHE_USES - SOCKET_CACHE_QUERIES;
}

NOINLINE void recv_use_cached_unix(const struct req *req, struct recv_cmd *c)
{
	struct socket_cache *b = recv_cached_kind(req);

	if (!b || b->fd != req->fd || b->kind != KIND_UNIX || !b->left ||
	    b->left >= SOCKET_CACHE_USES - SOCKET_CACHE_QUERIES)
		return;
	b->left--;
	c->kind = KIND_UNIX;
	c->kind_cached = true;
}

bool recv_took_all(const struct req *req, struct recv_cmd *c)
{
	if (unlikely(c->urgent || c->msg_flags & MSG_PEEK))
		return false;
	if (c->kind == KIND_UNKNOWN && is_cached_empty(req, c))
		return true;
	if (!req->wait.watch && !c->kind_cached)
		return false;
	if (c->kind == KIND_UNIX)
		return !recv_had_control(c);
	if (c->kind != KIND_TCP)
		return false;
	if (unlikely(!c->is_plain)) {
		c->is_plain = true;
		if (is_layered(req))
			c->kind = KIND_STREAM;
	}
	return c->kind == KIND_TCP;
}

uint32_t recv_nonempty(const struct req *req, struct recv_cmd *c, long n)
{
	c->unsure = false;
	if (n < 0)
		return 0;
	if (n && (size_t)n < recv_room(c) && recv_took_all(req, c))
		return 0;
	return ask_nonempty(req, c, n);
}
