// SPDX-License-Identifier: MIT
/*
 * Multishot receives: many completions, a buffer for each (S12, S13).
 *
 * Theory: the share of a turn is bounded. Within it the receive is repeated
 * until EAGAIN, or until the socket is known to be empty. If several datagrams
 * came without a wait, recvmmsg(2) takes several at a time (recv_batch.h, D6).
 *
 * A server's connections receive the same way over and over. What is constant
 * about such a receive is checked once, when it begins to wait (is_steady()).
 * Its next try checks only what can change meanwhile: recv_steady().
 * Locks: the ring lock.
 */
#include <netinet/in.h>

#include <poll.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/req_end.h"
#include "ops/recv_parts.h"

bool recv_drained(const struct req *req, const struct recv_cmd *c)
{
	return recv_socket_tells(c) && !c->unsure && !c->urgent &&
	       !(req->cflags & IORING_CQE_F_SOCK_NONEMPTY) &&
	       !(req->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

bool recv_begin_share(const struct req *req, struct recv_cmd *c)
{
	bool looks = c->goes_on;

	c->goes_on = false;
	return !looks || fd_ready_now(req_io_fd(req), POLLIN);
}

bool recv_share_is_used(struct recv_cmd *c)
{
	c->goes_on = ++c->shots == MULTISHOT_SHARE;
	if (c->goes_on)
		c->shots = 0;
	return c->goes_on;
}

/* @n bytes came; @empty: none are left. Returns as recv_multishot_one(). */
static ALWAYS_INLINE int multishot_post(struct req *req, struct recv_cmd *c,
					long n, bool empty, uint32_t flags)
{
	req_commit(req, (uint32_t)n, flags);
	req->res = (int32_t)n;
	if (!req_post_more(req, req->res, req->cflags))
		return ISSUE_DONE;
	c->want_bytes = c->cap_bytes;
	recv_share_is_used(c);
	if (!empty)
		return ISSUE_MORE;
	/* The socket is empty, so the next share need not poll it. */
	c->goes_on = false;
	return ISSUE_AGAIN;
}

/*
 * One completion: ISSUE_MORE if it was posted and the next may follow,
 * ISSUE_AGAIN if no more data waits.
 */
static int recv_multishot_one(struct req *req, struct recv_cmd *c,
			      uint32_t flags)
{
	long n;
	int outcome;

	if (!recv_begin_share(req, c))
		return ISSUE_AGAIN;
	req->cflags = 0;
	outcome = recv_attempt(req, c, flags, &n);
	if (outcome != ISSUE_DONE)
		return outcome;
	if (n <= 0 || (c->msg && c->ended))
		return recv_conclude(req, c, n, flags);
	recv_learn_kind(req, c);
	req->cflags |= recv_nonempty(req, c, n);
	if (c->ahead < PACKETS_FROM)
		c->ahead++;
	return multishot_post(req, c, n, recv_drained(req, c), flags);
}

/*
 * Is it an armed stream whose next bytes come with the simplest call, and which
 * a short read empties?
 */
static bool is_steady(const struct req *req, const struct recv_cmd *c)
{
	return req->wait.watch && !c->msg && !c->msg_flags && !c->urgent &&
	       !c->goes_on && !req->moved && req->claim.kind == KBUF_NONE &&
	       !(req->sqe_flags & IOSQE_ASYNC) &&
	       (c->kind == KIND_UNIX || (c->kind == KIND_TCP && c->is_plain));
}

#define UNSTEADY_EVENTS (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static inline bool stays_steady(const struct req *req, const struct recv_cmd *c,
				uint32_t flags)
{
	return c->steady && flags == ISSUE_NONBLOCK &&
	       !(req->events & UNSTEADY_EVENTS);
}

/* recv_multishot_one() for a receive that is_steady(). */
static int recv_steady(struct req *req, struct recv_cmd *c)
{
	int outcome = req_claim(req, c->want_bytes, false, ISSUE_NONBLOCK);
	long n;

	if (unlikely(outcome < 0 || !req->claim.addr))
		return recv_no_buffer(req, c, outcome, ISSUE_NONBLOCK);
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	n = recv_call(req, c, c->kind == KIND_UNIX);
	if (likely(n > 0 && (size_t)n < c->one.iov_len) &&
	    (c->kind == KIND_TCP || likely(!recv_had_control(c))))
		return multishot_post(req, c, n, true, ISSUE_NONBLOCK);
	/* As recv_take_buffer() does. */
	c->want_bytes = req->claim.len;
	if (n < 0) {
		outcome = recv_failed(req, c, ISSUE_NONBLOCK, &n);
		if (outcome != ISSUE_DONE)
			return outcome;
	}
	if (n <= 0)
		return recv_conclude(req, c, n, ISSUE_NONBLOCK);
	req->cflags |= recv_nonempty(req, c, n);
	return multishot_post(req, c, n, recv_drained(req, c), ISSUE_NONBLOCK);
}

/*
 * Only for RECVMSG: an empty datagram of RECV uses no buffer. And only where
 * datagrams have no order: see packets_post().
 */
static NOINLINE bool packets_fit(const struct req *req, struct recv_cmd *c)
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

	return recv_write_header(c, &p->buffers[n], &m->msg_hdr, m->msg_len);
}

/*
 * The last empty datagram, which ends the multishot; @count if there is none.
 */
static uint32_t packets_end(const struct packets *p, uint32_t count)
{
	for (uint32_t i = count; i-- > 0;)
		if (!p->headers[i].msg_len)
			return i;
	return count;
}

/*
 * Post a completion for each datagram. Those behind the one that ends the
 * request can't be put back, so they are posted before it: datagrams have no
 * order.
 */
static int packets_post(struct req *req, struct recv_cmd *c, struct packets *p,
			uint32_t count)
{
	uint32_t end = packets_end(p, count);

	recv_batch_commit(req, p, count);
	c->want_bytes = c->cap_bytes;
	for (uint32_t i = 0; i < count; i++) {
		long n = packets_tell(c, p, i);

		if (i == end)
			continue;
		if (n < 0 ||
		    !req_post_more(req, (int32_t)n, recv_batch_flags(p, i))) {
			end = i;
			break;
		}
		recv_share_is_used(c);
	}
	if (end == count)
		return ISSUE_MORE;
	req->cflags = recv_batch_flags(p, end);
	req->res = (int32_t)packets_tell(c, p, end);
	if (req->res < 0)
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

/* Twice as many the next time; back to single ones if one came. */
static uint8_t ahead_after(const struct recv_cmd *c, uint32_t asked, long came)
{
	/* @asked is at most what was left of the share. */
	uint32_t next = 2 * (came < (long)asked ? (uint32_t)came : c->ahead);

	if (next < 2 * PACKETS_FROM)
		return 0;
	return (uint8_t)(next < PACKETS_MAX ? next : PACKETS_MAX);
}

/*
 * If fewer came than asked for, the socket is empty, or an error is pending
 * that the next call reports; then epoll has reported it, if the request was
 * armed.
 */
static bool came_short(const struct req *req, uint32_t asked, long came)
{
	return came < (long)asked && req->wait.watch &&
	       !(req->events & (EPOLLERR | EPOLLHUP));
}

/*
 * Like recv_multishot_one(), for several datagrams. Returns false if there are
 * not enough buffers; then nothing was tried.
 */
static NOINLINE bool multishot_many(struct req *req, struct recv_cmd *c,
				    uint32_t flags, int *outcome)
{
	uint32_t max = MULTISHOT_SHARE - c->shots, asked;
	struct packets p;
	long n;

	asked = recv_batch_claim(req, c->want_bytes,
				 (uint32_t)recv_divided_bytes(c),
				 c->ahead < max ? c->ahead : max, &p);
	if (!asked)
		return false;
	c->goes_on = false;
	for (uint32_t i = 0; i < asked; i++)
		recv_divide(c, &p.buffers[i], &p.payloads[i],
			    &p.headers[i].msg_hdr);
	n = recv_batch_receive(req, &p, asked);
	req->cflags = 0;
	if (n > 0) {
		c->ahead = ahead_after(c, asked, n);
		*outcome = packets_post(req, c, &p, (uint32_t)n);
		if (*outcome == ISSUE_MORE && came_short(req, asked, n))
			*outcome = ISSUE_AGAIN;
		return true;
	}
	c->ahead = 0;
	recv_batch_commit(req, &p, 0);
	*outcome = n == -EAGAIN ? ISSUE_AGAIN : recv_conclude(req, c, n, flags);
	return true;
}

static NOINLINE int multishot_any(struct req *req, struct recv_cmd *c,
				  uint32_t flags)
{
	int outcome;

	do {
		if (!packets_pay(req, c) ||
		    !multishot_many(req, c, flags, &outcome))
			outcome = recv_multishot_one(req, c, flags);
	} while (outcome == ISSUE_MORE && !c->goes_on);
	if (outcome == ISSUE_AGAIN && c->ahead < PACKETS_FROM)
		c->ahead = 0;
	c->steady = outcome == ISSUE_AGAIN && is_steady(req, c);
	if (unlikely(c->msg_flags & MSG_DONTWAIT) && outcome > 0)
		return -EAGAIN;
	return outcome;
}

int recv_multishot(struct req *req, struct recv_cmd *c, uint32_t flags)
{
	int outcome;

	if (unlikely(!stays_steady(req, c, flags)))
		return multishot_any(req, c, flags);
	req->cflags = 0;
	outcome = recv_steady(req, c);
	if (likely(outcome != ISSUE_MORE))
		return outcome;
	if (!c->goes_on)
		return multishot_any(req, c, flags);
	/* It polls the file before the next try. */
	c->steady = false;
	return outcome;
}
