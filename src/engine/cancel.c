// SPDX-License-Identifier: MIT
#include "engine/cancel.h"

#include "engine/index.h"
#include "engine/link.h"

int cancel_request(struct req *req)
{
	if (req->state == REQ_PUNTED && !worker_cancel(&req->work)) {
		req->flags |= REQ_F_CANCELED;
		return -EALREADY;
	}
	if (req->state == REQ_PUNTED)
		req->ctx->punted--;
	if (req->state == REQ_PARKED && req->def->cancel)
		req->def->cancel(req);
	/* What was moved was moved: that is then the result. */
	req_finish_with(req, req->moved ? (int32_t)req->moved : -ECANCELED);
	return 0;
}

static bool same_file(const struct req *req, const struct cancel_match *match)
{
	if (match->flags & IORING_ASYNC_CANCEL_FD_FIXED)
		return req->file && req->file == match->file;
	return !req->file && req->def->needs_file && req->fd == match->fd;
}

static bool matches(struct req *req, const void *argument)
{
	const struct cancel_match *match = argument;
	uint32_t flags = match->flags;

	if (req == match->self)
		return false;
	if (req->flags & REQ_F_CANCELED && flags & IORING_ASYNC_CANCEL_ALL)
		return false; /* asked already; a worker has it */
	if (flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (flags & IORING_ASYNC_CANCEL_FD && !same_file(req, match))
		return false;
	if (flags & IORING_ASYNC_CANCEL_OP && req->opcode != match->opcode)
		return false;
	/* Without another criterion user_data is the criterion. */
	if (!(flags & (IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP)) ||
	    flags & IORING_ASYNC_CANCEL_USERDATA)
		return req->user_data == match->user_data;
	return true;
}

static const uint64_t *hash_key(const struct cancel_match *match)
{
	const uint32_t others = IORING_ASYNC_CANCEL_FD |
				IORING_ASYNC_CANCEL_OP |
				IORING_ASYNC_CANCEL_ANY;

	return match->flags & others ? NULL : &match->user_data;
}

int cancel_matching(struct ctx *ctx, const struct cancel_match *match)
{
	bool all = match->flags &
		   (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
	const uint64_t *key = hash_key(match);
	int count = 0, err = -ENOENT;
	struct req *req;

	while ((req = index_find(ctx, key, matches, match))) {
		err = cancel_request(req);
		if (!all)
			return err;
		count++;
	}
	count += (int)link_cancel_deferred(ctx, matches, match, all);
	if (all)
		return count;
	return count ? 0 : err;
}

static bool anyone(struct req *req, const void *argument)
{
	(void)argument;
	return !(req->flags & REQ_F_CANCELED);
}

uint32_t cancel_all(struct ctx *ctx)
{
	struct list *node;
	struct req *req;

	link_cancel_deferred(ctx, anyone, NULL, true);
	while ((req = index_find(ctx, NULL, anyone, NULL)))
		cancel_request(req);
	while ((node = list_pop_front(&ctx->ready))) {
		req = list_entry(node, struct req, node);
		req->flags &= ~REQ_F_AGAIN;
		req_finish_with(req, -ECANCELED);
	}
	return ctx->punted;
}
