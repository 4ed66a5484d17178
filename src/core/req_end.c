// SPDX-License-Identifier: MIT
#include "core/req_end.h"

#include "base/fd.h"
#include "base/mem.h"
#include "core/chain.h"
#include "core/cq.h"
#include "core/ctx.h"
#include "core/index.h"
#include "core/req.h"
#include "drive/keeper.h"

void req_detach(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (req->wait.watch)
		reactor_disarm(&ctx->reactor, &req->wait);
	if (req->timer.slot)
		timer_disarm(&ctx->timers, &req->timer);
	if (req->flags & REQ_F_INDEXED)
		index_remove(req);
	if (req->flags & REQ_F_RETRY) {
		list_remove(&req->node);
		req->flags &= ~REQ_F_RETRY;
	}
}

/*
 * Release what a request that waited or holds something has to release before
 * its completion is posted.
 */
static void req_settle_debts(struct req *req)
{
	struct ctx *ctx = req->ctx;
	bool ended = req->res <= 0 && req->wait.watch && !req->file;

	req_detach(req);
	/*
	 * If the file has ended, its duplicate would delay the peer's end of
	 * file.
	 */
	if (ended)
		reactor_release(&ctx->reactor, req->fd);
	/*
	 * A buffer that it kept while it waited is reported, even if it is
	 * cancelled.
	 */
	if (req->claim.kind != KBUF_NONE)
		req_commit(req, req->moved, ISSUE_NONBLOCK);
	req_end_hold(req);
	if (req->sqe_flags & IOSQE_ASYNC)
		ctx->posted_async = true;
}

/* Release the rest, and make the request as clean as a new one. */
static void req_clean(struct req *req)
{
	if (req->flags & REQ_F_HOLDS)
		req->def->cleanup(req);
	if (req->flags & REQ_F_CREDS)
		personality_put(&req->ctx->personalities, req->personality);
	mem_free(req->extra);
	req->extra = NULL;
	if (req->file)
		file_put(req->file);
	req->file = NULL;
	fd_close(req->held);
	req->held = -1;
	if (unlikely(req->work.keeper)) {
		keeper_put(req->work.keeper);
		req->work.keeper = NULL;
	}
	req->link_head = NULL;
	req->events = 0;
	req->cold_tries = 0;
	req->canceled = false;
}

static bool is_silent(const struct req *req)
{
	if (req->flags & REQ_F_SILENT)
		return true;
	return req->sqe_flags & IOSQE_CQE_SKIP_SUCCESS &&
	       (req->res >= 0 || req->flags & REQ_F_SUCCESS) &&
	       !(req->flags & REQ_F_FAIL_LINK);
}

static void req_post_last(struct req *req)
{
	lock_assume(&req->ctx->lock);
	if (is_silent(req)) {
		queue_end_silently(&req->ctx->queue, req->user_data);
		return;
	}
	cq_post(req->ctx, req->user_data, req->res, req->cflags,
		req->flags & REQ_F_BIG ? req->big_cqe : NULL);
}

/*
 * Has it waited, does it hold something, or is its completion special? Need not
 * check for a file: taking one has set REQ_F_OWES.
 */
static bool is_special(const struct req *req)
{
	return req->flags ||
	       req->sqe_flags & (IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS) ||
	       req->link || req->wait.watch || req->timer.slot ||
	       req->claim.kind != KBUF_NONE;
}

/* End the LINK_TIMEOUT of @req, and detach it, because @req is freed. */
static void end_timeout_of(const struct req *req)
{
	struct req *timeout = chain_timeout_of(req);

	if (!timeout)
		return;
	req_detach(timeout);
	timeout->link_head = NULL;
}

static NOINLINE void finish_special(struct req *req)
{
	req_settle_debts(req);
	req->state = REQ_DONE;
	req->moved = 0;
	req_post_last(req);
	end_timeout_of(req);
	chain_after(req);
	req_clean(req);
	req_give_back(req->ctx, req);
}

void req_finish(struct req *req)
{
	struct ctx *ctx = req->ctx;

	CHECK(req_valid(req));
	if (unlikely(is_special(req))) {
		finish_special(req);
		return;
	}
	req->state = REQ_DONE;
	req->moved = 0;
	lock_assume(&ctx->lock);
	cq_post(ctx, req->user_data, req->res, req->cflags, NULL);
	req_give_back(ctx, req);
}

void req_finish_with(struct req *req, int32_t res)
{
	req->res = res;
	req_finish(req);
}

bool req_post_more(struct req *req, int32_t res, uint32_t cflags)
{
	lock_assume(&req->ctx->lock);
	if (!queue_has_room(&req->ctx->queue) || req->ctx->queue.backlog_count)
		return false;
	cq_post(req->ctx, req->user_data, res, cflags | IORING_CQE_F_MORE,
		NULL);
	req->cflags = 0; /* posted; the next completion has its own */
	return true;
}
