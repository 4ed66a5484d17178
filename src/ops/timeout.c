// SPDX-License-Identifier: MIT
/*
 * TIMEOUT, TIMEOUT_REMOVE and the preparation of LINK_TIMEOUT (core/chain.h
 * runs it).
 *
 * Theory: a timeout is PARKED with its timer armed. A timeout that counts
 * completions is also in ctx->counting, sorted by the total at which it ends;
 * turn.c completes it there with 0. At expiry it completes with -ETIME, which
 * breaks a chain unless ETIME_SUCCESS is set. Timeouts that count completions
 * do not count expiries and reached counts of other timeouts.
 *
 * MULTISHOT: `off` is the number of completions, 0 for no end; the interval
 * runs from one expiry to the next. As in the kernel, an update of a timeout
 * resets its count, whichever kind it is.
 *
 * Differs: times on the realtime and boot clocks are converted to monotonic
 * times when armed, so that later steps of these clocks are not followed.
 *
 * Locks: the ring lock. Cost: O(log n) of the armed timers; one that counts
 * completions walks those with smaller targets.
 */
#include "ops/timeout.h"

#include "core/ctx.h"
#include "core/index.h"
#include "core/req.h"
#include "core/req_end.h"
#include "drive/deadline.h"
#include "sched/cancel.h"

#define CLOCKS (IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME)
#define UPDATES (IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE)

struct timeout_cmd {
	struct deadline when; /* must be first: core/chain.c uses it */
	uint32_t flags;
	uint32_t count; /* completions to wait for; expiries that are left */
	bool counting; /* in ctx->counting */
};

struct timeout_remove_cmd {
	struct deadline when;
	uint64_t user_data;
	uint32_t flags;
};

static int check_flags(const struct abi_view *abi, uint32_t flags)
{
	if (!abi_knows(abi, ABI_TIMEOUT, flags))
		return -EINVAL;
	if ((flags & CLOCKS) == CLOCKS)
		return -EINVAL;
	if (flags & IORING_TIMEOUT_MULTISHOT && flags & IORING_TIMEOUT_ABS)
		return -EINVAL;
	return 0;
}

int timeout_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);

	if (sqe->addr3 || sqe->pad2_ || sqe->buf_index || sqe->len != 1 ||
	    sqe->splice_fd_in)
		return -EINVAL;
	if (check_flags(&req->ctx->abi, sqe->op_flags) < 0)
		return -EINVAL;
	c->flags = sqe->op_flags;
	c->count = (uint32_t)sqe->off;
	c->counting = false;
	return deadline_read(&c->when, sqe->addr, sqe->op_flags);
}

static void stop_counting(struct req *req)
{
	struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);

	if (c->counting)
		list_remove(&req->node);
	c->counting = false;
}

void timeout_cancel(struct req *req)
{
	stop_counting(req);
}

static bool fires_again(struct req *req)
{
	struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);

	if (!(c->flags & IORING_TIMEOUT_MULTISHOT) || c->count == 1)
		return false;
	if (timer_arm(&req->ctx->timers, &req->timer,
		      deadline_due_ns(&c->when)) < 0)
		return false;
	if (!req_post_more(req, -ETIME, 0))
		return false;
	if (c->count)
		c->count--;
	return true;
}

static void fire(struct timer *timer)
{
	struct req *req = container_of(timer, struct req, timer);
	const struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);

	req->ctx->posted_total--; /* an expiry is not counted */
	if (fires_again(req))
		return;
	stop_counting(req);
	if (c->flags & IORING_TIMEOUT_ETIME_SUCCESS)
		req->flags |= REQ_F_SUCCESS;
	req_finish_with(req, -ETIME);
}

/* Sorted by target; with equal targets the earlier request comes first. */
static void start_counting(struct req *req)
{
	struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);
	struct ctx *ctx = req->ctx;
	struct list *at = ctx->counting.prev;

	req->count_target = ctx->posted_total + c->count;
	ctx->counted_total = ctx->posted_total;
	while (at != &ctx->counting) {
		struct req *other = list_entry(at, struct req, node);

		if ((int64_t)(other->count_target - req->count_target) <= 0)
			break;
		at = at->prev;
	}
	list_insert_after(at, &req->node);
	c->counting = true;
}

int timeout_issue(struct req *req, uint32_t issue_flags)
{
	struct timeout_cmd *c = req_cmd(req, struct timeout_cmd);
	int err;

	(void)issue_flags;
	req->timer.fire = fire;
	err = timer_arm(&req->ctx->timers, &req->timer,
			deadline_due_ns(&c->when));
	if (err < 0)
		return err;
	if (c->count && !(c->flags & IORING_TIMEOUT_MULTISHOT))
		start_counting(req);
	return ISSUE_PARKED;
}

int timeout_remove_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct timeout_remove_cmd *c = req_cmd(req, struct timeout_remove_cmd);

	if (sqe->flags & (IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->addr3 || sqe->pad2_ || sqe->buf_index || sqe->len ||
	    sqe->splice_fd_in)
		return -EINVAL;
	c->user_data = sqe->addr;
	c->flags = sqe->op_flags;
	if (!(c->flags & UPDATES))
		return c->flags ? -EINVAL : 0;
	if (!abi_knows(&req->ctx->abi, ABI_TIMEOUT_UPDATE, c->flags))
		return -EINVAL;
	return deadline_read(&c->when, sqe->off, c->flags);
}

static bool is_timeout(struct req *req, const void *opcode)
{
	return req->opcode == *(const uint8_t *)opcode;
}

static struct req *timeout_find(struct ctx *ctx, uint64_t user_data,
				uint8_t opcode)
{
	return index_find(ctx, user_data, is_timeout, &opcode);
}

/* The timeout keeps its clock. */
static int timeout_update(struct req *req, uint8_t opcode)
{
	const struct timeout_remove_cmd *c =
		req_cmd(req, struct timeout_remove_cmd);
	struct req *timeout = timeout_find(req->ctx, c->user_data, opcode);
	struct timer_heap *timers = &req->ctx->timers;
	struct timeout_cmd *t;

	if (!timeout)
		return -ENOENT;
	t = req_cmd(timeout, struct timeout_cmd);
	stop_counting(timeout);
	t->count = 0;
	t->when.ns = c->when.ns;
	t->when.flags =
		(t->when.flags & CLOCKS) | (c->flags & IORING_TIMEOUT_ABS);
	timer_disarm(timers, &timeout->timer);
	/* There is room: the timer was removed just before. */
	return timer_arm(timers, &timeout->timer, deadline_due_ns(&t->when));
}

int timeout_remove_issue(struct req *req, uint32_t issue_flags)
{
	const struct timeout_remove_cmd *c =
		req_cmd(req, struct timeout_remove_cmd);
	struct req *timeout;

	(void)issue_flags;
	if (c->flags & IORING_TIMEOUT_UPDATE)
		return timeout_update(req, c->flags & IORING_LINK_TIMEOUT_UPDATE
						   ? IORING_OP_LINK_TIMEOUT
						   : IORING_OP_TIMEOUT);
	timeout = timeout_find(req->ctx, c->user_data, IORING_OP_TIMEOUT);
	return timeout ? cancel_request(timeout) : -ENOENT;
}

/* It watches the request before it in its chain; there must be one. */
int link_timeout_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	const struct ctx *ctx = req->ctx;
	int err;

	if (sqe->off)
		return -EINVAL;
	err = timeout_prep(req, sqe);
	if (err < 0)
		return err;
	if (!ctx->chain_head ||
	    ctx->chain_last->opcode == IORING_OP_LINK_TIMEOUT)
		return -EINVAL;
	if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		req->flags |= REQ_F_SILENT;
	req->timer.fire = cancel_timed;
	return 0;
}

/* Not reached: core/chain.c removes it from its chain before it is issued. */
int link_timeout_issue(struct req *req, uint32_t issue_flags)
{
	(void)req;
	(void)issue_flags;
	return -EINVAL;
}
