// SPDX-License-Identifier: MIT
#include "sched/order.h"

#include <sys/single_threaded.h>

#include "core/chain.h"
#include "core/req.h"
#include "core/req_end.h"
#include "drive/keeper.h"
#include "sched/issue.h"

static bool links(const struct req *req)
{
	return req->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/* Every member of a chain counts for later drains from now on. */
static void count_chain(struct req *req)
{
	for (; req; req = req->link)
		chain_count(req);
}

/*
 * It runs later, perhaps on another thread, and takes its submitter's rights.
 * An SQPOLL ring has one submitter, its thread; with DEFER_TASKRUN no other
 * thread continues a chain.
 */
static void keep_rights(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (likely(!req->def->by_rights) || req->work.keeper ||
	    ctx->flags & (IORING_SETUP_SQPOLL | IORING_SETUP_DEFER_TASKRUN))
		return;
	if (ctx->keeper && ctx->keeper_thread != req->thread) {
		keeper_put(ctx->keeper);
		ctx->keeper = NULL;
	}
	if (!ctx->keeper)
		ctx->keeper = keeper_new();
	if (!ctx->keeper)
		return;
	ctx->keeper_thread = req->thread;
	req->work.keeper = keeper_get(ctx->keeper);
	req->flags |= REQ_F_OWES;
}

static void defer(struct req *req)
{
	keep_rights(req);
	req->state = REQ_DEFERRED;
	list_push_back(&req->ctx->deferred, &req->node);
}

/*
 * A chain that drains has started: until it is complete, a barrier at the front
 * of those that are deferred holds back what comes after it. There is one such
 * chain at a time, because the next one waits for it.
 */
static void hold_others(struct ctx *ctx)
{
	if (ctx->live_counted && list_empty(&ctx->drain_barrier))
		list_push_front(&ctx->deferred, &ctx->drain_barrier);
}

/* Queue a chain, or a single request. */
static void queue_chain(struct req *head)
{
	struct ctx *ctx = head->ctx;
	bool drains = head->sqe_flags & IOSQE_IO_DRAIN;

	if (drains || !list_empty(&ctx->deferred))
		head->flags |= REQ_F_QUIET;
	if (unlikely(!list_empty(&ctx->deferred) ||
		     (drains && ctx->live_counted))) {
		defer(head);
		return;
	}
	if (unlikely(head->link))
		count_chain(head);
	issue_request(head);
	if (unlikely(drains))
		hold_others(ctx);
}

/*
 * The chain never starts: the invalid member gets its error, the others
 * ECANCELED.
 */
static void fail_chain(struct req *head)
{
	head->flags |= REQ_F_FAIL_LINK;
	head->sqe_flags &= (uint8_t)~IOSQE_IO_HARDLINK;
	if (!head->res)
		head->res = -ECANCELED;
	req_finish(head);
}

static void end_chain(struct ctx *ctx)
{
	struct req *head = ctx->chain_head;
	bool failed = ctx->chain_failed;

	ctx->chain_head = NULL;
	ctx->chain_last = NULL;
	ctx->chain_failed = false;
	if (failed)
		fail_chain(head);
	else
		queue_chain(head);
}

NOINLINE void order_submit(struct req *req, bool failed)
{
	struct ctx *ctx = req->ctx;

	if (!ctx->chain_head && !links(req)) {
		if (failed)
			req_finish(req);
		else
			queue_chain(req);
		return;
	}
	if (!ctx->chain_head) {
		ctx->chain_head = req;
	} else {
		/* A drain on any member holds back the chain. */
		ctx->chain_head->sqe_flags |= req->sqe_flags & IOSQE_IO_DRAIN;
		keep_rights(req);
		ctx->chain_last->link = req;
		req->state = REQ_DEFERRED;
	}
	ctx->chain_last = req;
	ctx->chain_failed |= failed;
	if (!links(req))
		end_chain(ctx);
}

void order_submit_end(struct ctx *ctx)
{
	if (ctx->chain_head)
		end_chain(ctx);
}

/* Cancel the rest of a broken chain, in order. */
static void cancel_rest(struct req *next)
{
	while (next) {
		struct req *after = next->link;

		next->link = NULL;
		if (!next->res)
			next->res = -ECANCELED;
		next->cflags = 0; /* it never ran */
		req_finish(next);
		next = after;
	}
}

static bool may_leave(const struct ctx *ctx, const struct req *head)
{
	return !(head->sqe_flags & IOSQE_IO_DRAIN) || !ctx->live_counted;
}

static bool release_deferred(struct ctx *ctx)
{
	struct req *head;
	bool drains;

	if (list_empty(&ctx->deferred))
		return false;
	if (ctx->deferred.next == &ctx->drain_barrier) {
		if (!ctx->live_counted)
			list_remove(&ctx->drain_barrier);
		return list_empty(&ctx->drain_barrier);
	}
	head = list_entry(ctx->deferred.next, struct req, node);
	if (!may_leave(ctx, head))
		return false;
	drains = head->sqe_flags & IOSQE_IO_DRAIN;
	list_remove(&head->node);
	count_chain(head);
	issue_carried(head);
	if (drains)
		hold_others(ctx);
	return true;
}

/* Bytes that were moved are the result (S8). */
static void finish_canceled(struct req *req)
{
	if (req->moved && req->claim.kind != KBUF_NONE)
		req_commit(req, req->moved, ISSUE_NONBLOCK);
	if (!(req->flags & REQ_F_SUCCESS))
		req->flags |= REQ_F_FAIL_LINK;
	req_finish_with(req, req->moved ? (int32_t)req->moved : -ECANCELED);
}

void order_run_ready(struct ctx *ctx)
{
	struct list *node;

	do {
		while ((node = list_pop_front(&ctx->ready))) {
			struct req *req = list_entry(node, struct req, node);

			req->flags &= ~REQ_F_RETRY;
			if (req->flags & REQ_F_DOOMED)
				cancel_rest(req);
			else if (req->canceled)
				finish_canceled(req);
			else
				issue_carried(req);
		}
	} while (release_deferred(ctx));
}

uint32_t order_cancel_deferred(struct ctx *ctx,
			       bool (*match)(struct req *, const void *),
			       const void *argument, bool all)
{
	struct list *node, *after;
	uint32_t count = 0;

	list_for_each_safe (node, after, &ctx->deferred) {
		struct req *req = list_entry(node, struct req, node);

		if (node == &ctx->drain_barrier || !match(req, argument))
			continue;
		list_remove(node);
		req_finish_with(req, -ECANCELED);
		count++;
		if (!all)
			break;
	}
	return count;
}

void order_settle_keeper(struct ctx *ctx, bool leaves)
{
	struct keeper *keeper = ctx->keeper;

	if (keeper_is_shared(keeper)) {
		/* Alone in the process, it continues its chains itself. */
		if (!leaves && __libc_single_threaded)
			return;
		keeper_start(keeper);
	}
	keeper_put(keeper);
	ctx->keeper = NULL;
}
