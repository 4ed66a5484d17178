// SPDX-License-Identifier: MIT
/*
 * Bundles: several buffers of a ring with one call and one completion (SPEC 7).
 *
 * Theory: a bundle takes one or two passes and then completes, with MSG_WAITALL
 * or without: if it waited it would hold entries that others may claim. The
 * sizes of a multishot's bundles follow a live 6.18: if a length was asked for,
 * waiting bytes don't bound a bundle; a bundle of that length ends a share; and
 * if no bytes were left then, the next bundle has no second pass.
 * Locks: the ring lock.
 */

#include "core/req_end.h"
#include "io/bundle.h"
#include "ops/recv_parts.h"

/* One call with all claimed buffers; commits those that bytes reached (B4). */
static int bundle_pass(struct req *req, struct recv_cmd *c, uint32_t want,
		       long *n, uint32_t *cflags)
{
	struct bundle *b = bundle_of(req);
	int err = bundle_claim(req, want, false);
	struct msghdr h;

	if (err < 0)
		return req_socket_error(req, err);
	h = (struct msghdr){.msg_iov = b->vectors, .msg_iovlen = b->count};
	*n = recv_message_call(req, c, &h);
	b->follows &= *n != -EAGAIN;
	if (*n <= 0)
		bundle_recycle(req);
	else
		*cflags = bundle_commit(req, (uint32_t)*n);
	if (*n != -EAGAIN || c->msg_flags & MSG_DONTWAIT)
		return ISSUE_DONE;
	/*
	 * As in recv_take_buffer() for a single buffer: the next try asks for
	 * as much.
	 */
	if (b->claim.count == 1)
		c->want_bytes = b->claim.bytes;
	c->was_empty = b->emptied;
	c->was_cut = b->claim.cut;
	return ISSUE_AGAIN;
}

/*
 * B6: a pass that filled all its buffers checks how much is waiting, and if
 * that is more than one byte there is a second pass. (More than one, as in the
 * kernel.)
 */
static bool worth_another(const struct req *req, struct recv_cmd *c, long n)
{
	const struct bundle *b = bundle_of(req);

	c->waiting = 0;
	c->unsure = false;
	/* The kernel checks waiting bytes only for streams. */
	if (!recv_socket_tells(c))
		return false;
	if ((uint32_t)n < b->claim.bytes && recv_took_all(req, c))
		return false;
	c->waiting = recv_bytes_waiting(req, c);
	if (!c->waiting && recv_at_mark(req, c))
		c->waiting = recv_has_input(req);
	/* A multishot's bundle is no longer than the length asked for. */
	if (req->flags & REQ_F_MULTISHOT && c->cap_bytes &&
	    (uint32_t)n >= c->cap_bytes)
		return false;
	if (b->claim.cut || b->emptied || c->was_cut || c->was_empty ||
	    c->had_all)
		return false;
	return c->waiting > 1 && (uint32_t)n == b->claim.bytes;
}

/*
 * The length asked for or the waiting bytes, whichever is less; 0: neither is
 * known.
 */
static uint32_t bundle_wants(const struct req *req, const struct recv_cmd *c)
{
	/* For a multishot with a length that length decides. */
	if (req->flags & REQ_F_MULTISHOT && c->cap_bytes)
		return c->want_bytes;
	/* As in the kernel, one waiting byte does not count. */
	if (c->waiting <= 1 || (c->want_bytes && c->want_bytes < c->waiting))
		return c->want_bytes;
	return c->waiting;
}

/* The second pass. If it fails, the first pass is the last completion. */
static int bundle_again(struct req *req, struct recv_cmd *c, long *n,
			uint32_t *cflags)
{
	struct bundle *b = bundle_of(req);
	int outcome;

	b->follows = true;
	outcome = bundle_pass(req, c, c->waiting, n, cflags);
	b->follows = false;
	c->failed = outcome < 0 || (outcome == ISSUE_DONE && *n < 0);
	return outcome;
}

/* Receive for one completion: ISSUE_DONE with *@total received. */
static int bundle_receive(struct req *req, struct recv_cmd *c, long *total)
{
	uint32_t more = 0;
	long n = 0;
	int outcome;

	req->cflags = 0;
	outcome =
		bundle_pass(req, c, bundle_wants(req, c), total, &req->cflags);
	if (outcome != ISSUE_DONE || *total <= 0)
		return outcome;
	if (worth_another(req, c, *total)) {
		outcome = bundle_again(req, c, &n, &more);
		if (outcome != ISSUE_DONE || n <= 0)
			return ISSUE_DONE;
		/*
		 * The bid is the first buffer's; F_BUF_MORE is the last one's.
		 */
		req->cflags &= ~(uint32_t)IORING_CQE_F_BUF_MORE;
		req->cflags |= more & IORING_CQE_F_BUF_MORE;
		*total += n;
		worth_another(req, c, n);
	}
	if (c->waiting)
		req->cflags |= IORING_CQE_F_SOCK_NONEMPTY;
	return ISSUE_DONE;
}

static int recv_bundle_conclude(struct req *req, struct recv_cmd *c, long total)
{
	if (!total && recv_socket_tells(c) &&
	    (recv_bytes_waiting(req, c) || recv_tcp_ended(req)))
		req->cflags |= IORING_CQE_F_SOCK_NONEMPTY;
	req->res = (int32_t)total;
	if (total < 0 || c->failed ||
	    (recv_waits_for_all(c) && (uint32_t)total < c->cap_bytes))
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

static bool had_its_length(const struct recv_cmd *c, long total)
{
	return c->cap_bytes && (uint32_t)total >= c->cap_bytes;
}

/*
 * A bundle of the length asked for ends a share, and so does the last of a
 * share.
 */
static bool bundle_share_is_used(struct recv_cmd *c, long total)
{
	recv_share_is_used(c);
	c->goes_on |= had_its_length(c, total);
	return c->goes_on;
}

int recv_bundle(struct req *req, struct recv_cmd *c)
{
	bool empty;
	long total;
	int outcome;

	recv_learn_kind(req, c);
	do {
		if (!recv_begin_share(req, c))
			return ISSUE_AGAIN;
		outcome = bundle_receive(req, c, &total);
		if (outcome != ISSUE_DONE)
			return outcome;
		empty = recv_drained(req, c);
		/*
		 * If the ring is empty there is nothing for another completion.
		 */
		if (!(req->flags & REQ_F_MULTISHOT) || total <= 0 ||
		    bundle_of(req)->emptied || c->was_empty || c->failed ||
		    !req_post_more(req, (int32_t)total, req->cflags))
			return recv_bundle_conclude(req, c, total);
		c->want_bytes = c->cap_bytes;
		c->had_all |= had_its_length(c, total);
		c->was_cut = false;
		if (empty)
			return ISSUE_AGAIN;
		c->had_all = false;
	} while (!bundle_share_is_used(c, total));
	return ISSUE_MORE;
}
