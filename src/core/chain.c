// SPDX-License-Identifier: MIT
#include "core/chain.h"

#include "core/ctx.h"
#include "core/index.h"
#include "core/req.h"
#include "drive/deadline.h"

static bool is_link_timeout(const struct req *req)
{
	return req->opcode == IORING_OP_LINK_TIMEOUT;
}

static void make_ready(struct req *req)
{
	req->flags |= REQ_F_RETRY;
	list_push_back(&req->ctx->ready, &req->node);
}

void chain_count(struct req *req)
{
	if (req->flags & REQ_F_COUNTED)
		return;
	req->flags |= REQ_F_COUNTED | REQ_F_OWES;
	req->ctx->live_counted++;
}

/* A timeout without a request to end completes before the request after it. */
static struct req *end_timeout(struct req *timeout)
{
	struct req *next = timeout->link;

	timeout->link = NULL;
	timeout->canceled = true;
	timeout->flags |= REQ_F_OWES;
	make_ready(timeout);
	return next;
}

static void uncount(struct req *req)
{
	if (!(req->flags & REQ_F_COUNTED))
		return;
	req->flags &= ~REQ_F_COUNTED;
	req->ctx->live_counted--;
}

/* If a request skips its completion, so does the rest of its broken chain. */
static void doom(const struct req *req, struct req *next)
{
	next->flags |= REQ_F_DOOMED;
	if (req->sqe_flags & IOSQE_CQE_SKIP_SUCCESS)
		for (; next; next = next->link)
			next->flags |= REQ_F_SILENT;
}

/*
 * In the kernel the worker that ran @req continues with @next
 * (sched/sigpipe.h).
 */
static void follow(const struct req *req, struct req *next)
{
	if (!(req->ctx->flags & IORING_SETUP_DEFER_TASKRUN))
		next->flags |= req->flags & REQ_F_QUIET;
	next->flags |= REQ_F_LATER;
	make_ready(next);
}

struct req *chain_timeout_of(const struct req *req)
{
	return req->link && is_link_timeout(req->link) ? req->link : NULL;
}

void chain_after(struct req *req)
{
	struct req *next = req->link;
	bool failed = req->res < 0 && !(req->flags & REQ_F_SUCCESS);
	bool broken = (failed || (req->flags & REQ_F_FAIL_LINK)) &&
		      !(req->sqe_flags & IOSQE_IO_HARDLINK);

	req->link = NULL;
	uncount(req);
	if (next && broken)
		doom(req, next);
	else if (next && is_link_timeout(next))
		next = end_timeout(next);
	if (next)
		follow(req, next);
}

void chain_waits(struct req *req)
{
	struct req *timeout = req->link;

	if (!timeout || !is_link_timeout(timeout) || timeout->link_head)
		return;
	timeout->link_head = req;
	timeout->state = REQ_PARKED;
	index_add(timeout);
	if (timer_arm(&req->ctx->timers, &timeout->timer,
		      deadline_due_ns(req_cmd(timeout, struct deadline))) < 0) {
		index_remove(timeout);
		timeout->link_head = NULL;
		req->link = end_timeout(timeout);
	}
}
