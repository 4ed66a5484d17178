// SPDX-License-Identifier: MIT
#include "sched/cancel.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/index.h"
#include "core/req.h"
#include "core/req_end.h"
#include "drive/deadline.h"
#include "sched/cold_reads.h"
#include "sched/issue.h"
#include "sched/order.h"
#include "sched/turn.h"

/* All matching requests, not only the first. */
#define EVERY (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)

/* Returns whether the worker no longer has the request. */
static bool take_from_worker(struct req *req)
{
	if (worker_cancel(&req->work)) {
		req->ctx->punted--;
		cold_returned(req);
		return true;
	}
	if (req->def->recalls)
		return issue_recall(req);
	worker_interrupt(&req->work);
	return false;
}

int cancel_request(struct req *req)
{
	if (req->state == REQ_AT_DISK)
		return -ENOENT;
	if (req->state == REQ_PUNTED && !take_from_worker(req)) {
		req->canceled = true;
		return -EALREADY;
	}
	if (req->state == REQ_PARKED && req->def->cancel)
		req->def->cancel(req);
	req_detach(req);
	req->state = REQ_DEFERRED;
	req->canceled = true;
	req->flags |= REQ_F_OWES | REQ_F_RETRY;
	list_push_back(&req->ctx->ready, &req->node);
	/* The kernel counts these as waits; for others it reports success. */
	return req->def->recalls;
}

/*
 * The time is up: complete the timeout, then the watched request, then the
 * rest.
 */
void cancel_timed(struct timer *timer)
{
	struct req *timeout = container_of(timer, struct req, timer);
	struct req *watched = timeout->link_head;
	int err;

	watched->link = timeout->link;
	timeout->link = NULL;
	timeout->link_head = NULL;
	err = cancel_request(watched);
	req_finish_with(timeout, err ? err : -ETIME);
}

int cancel_find_file(const struct ctx *ctx, struct cancel_match *match,
		     bool fixed)
{
	const struct file_node *file = NULL;

	if (!(match->flags & IORING_ASYNC_CANCEL_FD))
		return 0;
	if (!fixed)
		return SYS_2(SYS_fcntl, match->fd, F_GETFD) < 0 ? -EBADF : 0;
	if ((uint32_t)match->fd < ctx->files.count)
		file = ctx->files.slots[match->fd];
	if (!file)
		return -EBADF;
	match->fd = file->fd;
	return 0;
}

static bool matches(struct req *req, const void *argument)
{
	const struct cancel_match *match = argument;
	uint32_t flags = match->flags;

	if (req == match->self || req->opcode == IORING_OP_LINK_TIMEOUT ||
	    req->state == REQ_AT_DISK)
		return false;
	if (req->canceled && flags & EVERY)
		return false; /* was cancelled before; a worker has it */
	if (flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (flags & IORING_ASYNC_CANCEL_OP && req->opcode != match->opcode)
		return false;
	if (flags & IORING_ASYNC_CANCEL_FD &&
	    !(req->def->needs_file && fd_same_file(req_io_fd(req), match->fd)))
		return false;
	/* Without another criterion user_data decides. */
	if (!(flags & (IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP)) ||
	    flags & IORING_ASYNC_CANCEL_USERDATA)
		return req->user_data == match->user_data;
	return true;
}

/* Is user_data the only criterion? */
static bool by_user_data(const struct cancel_match *match)
{
	const uint32_t others = IORING_ASYNC_CANCEL_FD |
				IORING_ASYNC_CANCEL_OP |
				IORING_ASYNC_CANCEL_ANY;

	return !(match->flags & others);
}

/*
 * Cancelled requests. With ALL, waits of workers count as one, as in 6.18, and
 * others that a worker has begun don't count.
 */
struct tally {
	int requests;
	int waits;
};

static void tally_add(struct tally *tally, const struct req *req, int err)
{
	if (req->def->recalls)
		tally->waits++;
	else if (err != -EALREADY)
		tally->requests++;
}

static int tally_sum(const struct tally *tally, uint32_t flags)
{
	bool each = flags & IORING_ASYNC_CANCEL_ANY;

	return tally->requests + (each ? tally->waits : tally->waits > 0);
}

/* The oldest first. Cancelling removes only that request from the index. */
static int cancel_pending(struct ctx *ctx,
			  bool (*match)(struct req *, const void *),
			  const void *argument, uint32_t flags)
{
	struct list *node, *after;
	struct tally tally = {0, 0};

	list_for_each_safe (node, after, &ctx->pending) {
		struct req *req = list_entry(node, struct req, pending);
		int err;

		if (!match(req, argument))
			continue;
		err = cancel_request(req);
		if (!(flags & EVERY))
			return err;
		tally_add(&tally, req, err);
	}
	return flags & EVERY ? tally_sum(&tally, flags) : -ENOENT;
}

int cancel_matching(struct ctx *ctx, const struct cancel_match *match)
{
	struct tally tally = {0, 0};
	struct req *req;

	if (!by_user_data(match))
		return cancel_pending(ctx, matches, match, match->flags);
	while ((req = index_find(ctx, match->user_data, matches, match))) {
		int err = cancel_request(req);

		if (!(match->flags & EVERY))
			return err;
		tally_add(&tally, req, err);
	}
	return match->flags & EVERY ? tally_sum(&tally, match->flags) : -ENOENT;
}

static int64_t sync_deadline(const struct io_timespec *timeout)
{
	struct deadline when = {.flags = 0};

	if (timeout->tv_sec == -1 && timeout->tv_nsec == -1)
		return CLOCK_NEVER;
	deadline_set(&when, timeout);
	return deadline_due_ns(&when);
}

static bool sync_valid(const struct ctx *ctx,
		       const struct io_uring_sync_cancel_reg *reg)
{
	for (size_t i = 0; i < array_size(reg->pad); i++)
		if (reg->pad[i])
			return false;
	for (size_t i = 0; i < array_size(reg->pad2); i++)
		if (reg->pad2[i])
			return false;
	return abi_knows(&ctx->abi, ABI_CANCEL, reg->flags);
}

int cancel_sync(struct ctx *ctx, const struct io_uring_sync_cancel_reg *reg)
{
	struct cancel_match match = {
		.user_data = reg->addr,
		.flags = reg->flags,
		.fd = reg->fd,
		.opcode = reg->opcode,
	};
	int64_t deadline = sync_deadline(&reg->timeout);
	int err;

	if (!sync_valid(ctx, reg))
		return -EINVAL;
	err = cancel_find_file(ctx, &match,
			       reg->flags & IORING_ASYNC_CANCEL_FD_FIXED);
	if (err < 0)
		return err;
	err = cancel_matching(ctx, &match);
	turn_settle(ctx);
	while (err == -EALREADY) {
		struct sleep_wish me = {
			.want = CTX_WANT_NONE,
			.punted = ctx->punted,
			.due_ns = deadline,
		};

		if (clock_now_ns(CLOCK_MONOTONIC) >= deadline)
			return -ETIME;
		if (turn_sleep(ctx, &me, NULL) < 0)
			return -EINTR;
		err = cancel_matching(ctx, &match);
		if (err == -ENOENT)
			return 0;
	}
	return err;
}

static bool anyone(struct req *req, const void *argument)
{
	(void)argument;
	return !req->canceled && req->state != REQ_AT_DISK &&
	       req->opcode != IORING_OP_LINK_TIMEOUT;
}

uint32_t cancel_all(struct ctx *ctx)
{
	struct list *node;
	struct req *req;

	order_cancel_deferred(ctx, anyone, NULL, true);
	cancel_pending(ctx, anyone, NULL, IORING_ASYNC_CANCEL_ANY);
	while ((node = list_pop_front(&ctx->ready))) {
		req = list_entry(node, struct req, node);
		req->flags &= ~REQ_F_RETRY;
		req_finish_with(req, -ECANCELED);
	}
	return ctx->punted;
}
