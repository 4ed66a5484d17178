// SPDX-License-Identifier: MIT
#include "engine/submit.h"

#include "base/thread.h"
#include "engine/creds.h"
#include "engine/link.h"
#include "engine/run.h"
#include "engine/turn.h"

/* What has to do with the order of requests: link.c knows. */
#define ORDERED (IOSQE_IO_DRAIN | IOSQE_IO_LINK | IOSQE_IO_HARDLINK)

static const struct opdef unknown_op = {.name = "INVALID"};

static const struct opdef *def_of(const struct ctx *ctx, uint8_t opcode)
{
	return opcode < ctx->opcodes ? &opdefs[opcode] : &unknown_op;
}

/* The words that all operations share, in the kernel's order. */
static int check_words(struct req *req, const struct io_uring_sqe *sqe)
{
	const struct opdef *def = req->def;

	if (!abi_knows(&req->ctx->abi, ABI_SQE, sqe->flags))
		return -EINVAL;
	if (sqe->flags & IOSQE_BUFFER_SELECT && !def->selects_buffer)
		return -EOPNOTSUPP; /* P13 */
	if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		req->ctx->drain_disabled = true; /* drains count entries */
	if (sqe->flags & IOSQE_IO_DRAIN && req->ctx->drain_disabled)
		return -EOPNOTSUPP;
	if (!restrictions_allow_sqe(&req->ctx->restrictions, sqe->opcode,
				    sqe->flags))
		return -EACCES;
	if (sqe->ioprio && !def->ioprio_free)
		return -EINVAL;
	return sqe->personality ? creds_take(req, sqe->personality) : 0;
}

/* Then the operation's own. */
static int check(struct req *req, const struct io_uring_sqe *sqe)
{
	const struct opdef *def = req->def;
	int err = 0;

	if (unlikely(!def->prep))
		return -EINVAL;
	if (sqe->flags || sqe->ioprio || sqe->personality ||
	    unlikely(req->ctx->restrictions.hold))
		err = check_words(req, sqe);
	return unlikely(err < 0) ? err : def->prep(req, sqe);
}

static void take_words(struct req *req, const struct io_uring_sqe *sqe,
		       uint32_t thread)
{
	req->opcode = sqe->opcode;
	req->def = def_of(req->ctx, sqe->opcode);
	req->sqe_flags = sqe->flags & SQE_FLAGS;
	req->user_data = sqe->user_data;
	req->fd = sqe->fd;
	req->thread = thread;
	req->buf_group = sqe->buf_group;
	req->buf_index = sqe->buf_index;
	if (unlikely(req->ctx->flags & IORING_SETUP_CQE32)) {
		req->big_cqe[0] = 0;
		req->big_cqe[1] = 0;
	}
}

/* A thread that polls for submissions stays, whoever does its work for it. */
static uint32_t submitter(const struct ctx *ctx)
{
	return ctx->flags & IORING_SETUP_SQPOLL ? 0 : thread_number();
}

static bool is_plain_and_immediate(const struct req *req)
{
	return req->def->immediate && !(req->sqe_flags | req->flags);
}

/* What stands alone may join a run; all else ends it. */
static void place(struct ctx *ctx, struct req *req, bool failed, bool more)
{
	bool alone = !failed && !ctx->chain_head && list_empty(&ctx->deferred);

	if (alone && !ctx->run.count && is_plain_and_immediate(req)) {
		run_at_once(req);
		run_finish(req);
		return;
	}
	if (alone && run_takes(ctx, req, more))
		return;
	if (ctx->run.count) {
		run_end(ctx);
		if (alone && run_takes(ctx, req, more))
			return;
	}
	if (alone && !(req->sqe_flags & ORDERED))
		req_issue(req);
	else
		link_submit(req, failed);
}

/* Returns false when the batch ends here. */
static bool submit_one(struct ctx *ctx, struct req *req,
		       const struct io_uring_sqe *sqe, uint32_t thread,
		       bool more)
{
	int err;

	take_words(req, sqe, thread);
	err = check(req, sqe);
	req->res = err;
	place(ctx, req, err < 0, more);
	if (likely(err >= 0))
		return true;
	/* A chain takes its failure to its end before it ends the batch. */
	return sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK) ||
	       ctx->flags & IORING_SETUP_SUBMIT_ALL;
}

int submit(struct ctx *ctx, uint32_t count)
{
	union {
		struct io_uring_sqe sqe;
		uint8_t bytes[128];
	} entry;
	uint32_t pending = queue_pending(&ctx->queue);
	uint32_t left = count < pending ? count : pending;
	uint32_t done = 0, thread = submitter(ctx);
	bool go_on = true;

	while (go_on && done < left) {
		struct req *req = req_new(ctx);

		if (unlikely(!req))
			break;
		if (unlikely(!queue_fetch(&ctx->queue, &entry.sqe))) {
			req_give_back(req);
			break;
		}
		done++;
		go_on = submit_one(ctx, req, &entry.sqe, thread, done < left);
	}
	run_submit_end(ctx);
	counter_add(&ctx->counters, COUNTER_REQUESTS, done);
	link_submit_end(ctx);
	queue_consume(&ctx->queue);
	turn_settle(ctx);
	return !done && left && !ctx->free_reqs ? -EAGAIN : (int)done;
}
