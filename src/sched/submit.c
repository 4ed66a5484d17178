// SPDX-License-Identifier: MIT
#include "sched/submit.h"

#include <string.h>
#include <sys/uio.h>

#include "base/probe.h"
#include "base/thread.h"
#include "core/cq.h"
#include "core/req.h"
#include "sched/issue.h"
#include "sched/order.h"
#include "sched/polls.h"
#include "sched/read_runs.h"
#include "sched/turn.h"
#include "tables/personalities.h"

/* Flags that concern the order of requests: see order.h. */
#define ORDERED (IOSQE_IO_DRAIN | IOSQE_IO_LINK | IOSQE_IO_HARDLINK)

static const struct opdef unknown_op = {.name = "INVALID"};

static const struct opdef *def_of(const struct ctx *ctx, uint8_t opcode)
{
	return opcode < ctx->opcodes_plain ? &opdefs[opcode] : &unknown_op;
}

/* Every kernel has these flags, and they need no further check. */
static bool is_easy(const struct req *req, const struct io_uring_sqe *sqe)
{
	uint8_t easy = req->def->selects_buffer
			       ? IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT
			       : IOSQE_FIXED_FILE;

	return !(sqe->flags & ~easy || sqe->ioprio || sqe->personality ||
		 req->ctx->restrictions.hold);
}

static int submit_run_as(struct req *req, uint16_t personality)
{
	int err = personality_take(&req->ctx->personalities, personality);

	if (err < 0)
		return err;
	req->personality = personality;
	req->flags |= REQ_F_CREDS | REQ_F_OWES;
	return 0;
}

/* Checks the fields that all operations share, in the kernel's order. */
static NOINLINE int check_words(struct req *req, const struct io_uring_sqe *sqe)
{
	const struct opdef *def = req->def;

	if (likely(is_easy(req, sqe)))
		return 0;
	if (!abi_knows(&req->ctx->abi, ABI_SQE, sqe->flags))
		return -EINVAL;
	if (sqe->flags & IOSQE_BUFFER_SELECT && !def->selects_buffer)
		return -EOPNOTSUPP; /* P13 */
	if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		/* drains count completion entries */
		req->ctx->drain_disabled = true;
	if (sqe->flags & IOSQE_IO_DRAIN && req->ctx->drain_disabled)
		return -EOPNOTSUPP;
	if (!restrictions_allow_sqe(&req->ctx->restrictions, sqe->opcode,
				    sqe->flags))
		return -EACCES;
	if (sqe->ioprio && !def->ioprio_free)
		return -EINVAL;
	return sqe->personality ? submit_run_as(req, sqe->personality) : 0;
}

/*
 * An IOPOLL ring takes few operations. Its transfers are those that RWF_HIPRI
 * asks for.
 */
static NOINLINE int check_polled(struct req *req,
				 const struct io_uring_sqe *sqe)
{
	const struct ctx *ctx = req->ctx;
	struct io_uring_sqe polled = *sqe;
	int err;

	if (!(ctx->flags & IORING_SETUP_IOPOLL) ||
	    sqe->opcode >= ctx->opcodes || !opdefs[sqe->opcode].polled)
		return -EINVAL;
	req->def = &opdefs[sqe->opcode];
	if (req->def->waits_for)
		polled.op_flags |= RWF_HIPRI;
	err = check_words(req, sqe);
	return err < 0 ? err : req->def->prep(req, &polled);
}

/* Then the operation's own checks. */
static inline int check(struct req *req, const struct io_uring_sqe *sqe)
{
	const struct opdef *def = req->def;
	int err = 0;

	if (unlikely(!def->prep))
		return check_polled(req, sqe);
	if (sqe->flags || sqe->ioprio || sqe->personality ||
	    unlikely(req->ctx->restrictions.hold))
		err = check_words(req, sqe);
	return unlikely(err < 0) ? err : def->prep(req, sqe);
}

static inline void submit_take_words(struct ctx *ctx, struct req *req,
				     const struct io_uring_sqe *sqe)
{
	_Static_assert(offsetof(struct req, fd) -
				       offsetof(struct req, opcode) ==
			       offsetof(struct io_uring_sqe, fd),
		       "an entry begins as a request does");

	memcpy(&req->opcode, sqe, offsetof(struct io_uring_sqe, off));
	req->def = def_of(ctx, sqe->opcode);
	req->user_data = sqe->user_data;
	req->buf_group = sqe->buf_group;
}

/* With SQPOLL the submitter never ends, whichever thread submits for it. */
static uint32_t submitter(const struct ctx *ctx)
{
	return ctx->flags & IORING_SETUP_SQPOLL ? 0 : thread_number();
}

/* Is the request independent of those before it? */
static bool stands_alone(const struct ctx *ctx)
{
	return !ctx->chain_head && list_empty(&ctx->deferred);
}

static bool is_plain_and_immediate(const struct req *req)
{
	return req->def->immediate && !(req->sqe_flags | req->flags);
}

/*
 * It is never armed, punted or linked, so it has a result as soon as it is
 * issued, and its flags show whether it needs the slow end.
 */
static ALWAYS_INLINE void submit_issue(struct ctx *ctx, struct req *req)
{
	int outcome = req->def->issue(req, ISSUE_NONBLOCK);

	if (outcome < 0)
		req->res = outcome;
	if (unlikely(req->flags | ctx->run.count)) {
		read_run_pass(req);
		return;
	}
	lock_assume(&ctx->lock);
	cq_post(ctx, req->user_data, req->res, req->cflags, NULL);
}

/* The checks have failed. Returns false if the batch ends here. */
static NOINLINE bool fail(struct req *req)
{
	struct ctx *ctx = req->ctx;
	/* A failed chain is collected to its end before it ends the batch. */
	bool go_on = req->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK) ||
		     ctx->flags & IORING_SETUP_SUBMIT_ALL;

	req_take(req);
	read_run_end(ctx);
	polls_settle(ctx);
	order_submit(req, true);
	return go_on;
}

/* Place it in the order of requests. */
static NOINLINE void place(struct req *req)
{
	struct ctx *ctx = req->ctx;

	req_take(req);
	read_run_end(ctx);
	if (stands_alone(ctx) && !(req->sqe_flags & ORDERED))
		issue_request(req);
	else
		order_submit(req, false);
}

static ALWAYS_INLINE bool submit_one(struct ctx *ctx,
				     const struct io_uring_sqe *sqe)
{
	struct req *req = req_next(ctx);

	submit_take_words(ctx, req, sqe);
	req->res = check(req, sqe);
	if (unlikely(req->res < 0))
		return fail(req);
	if (is_plain_and_immediate(req) && stands_alone(ctx))
		submit_issue(ctx, req);
	else
		place(req);
	return true;
}

NOINLINE bool submit_again(struct ctx *ctx, const struct io_uring_sqe *sqe)
{
	if (!req_at_hand(ctx))
		return false;
	submit_one(ctx, sqe);
	return true;
}

int submit(struct ctx *ctx, uint32_t count)
{
	union {
		struct io_uring_sqe sqe;
		uint8_t bytes[128];
	} entry;
	uint32_t pending = queue_pending(&ctx->queue);
	uint32_t left = count < pending ? count : pending;
	uint32_t done = 0;
	bool go_on = true;

	ctx->submitter = submitter(ctx);
	ctx->polls_epoch++;
	if (unlikely(ctx->queue.view.share))
		queue_share_record(&ctx->queue, left);
	while (go_on && done < left && likely(req_at_hand(ctx)) &&
	       likely(queue_fetch(&ctx->queue, &entry.sqe))) {
		done++;
		PROBE4(submit, PROBE_ARG(1, ctx->ring_fd),
		       PROBE_ARG(2, entry.sqe.user_data),
		       PROBE_ARG(3, entry.sqe.opcode),
		       PROBE_ARG(4, entry.sqe.fd));
		go_on = read_run_takes(ctx, &entry.sqe, left - done) ||
			submit_one(ctx, &entry.sqe);
	}
	read_run_submit_end(ctx);
	counter_add(&ctx->counters, COUNTER_REQUESTS, done);
	order_submit_end(ctx);
	if (unlikely(ctx->queue.view.share))
		queue_share_unrecord(&ctx->queue, left - done);
	else
		queue_consume(&ctx->queue);
	turn_settle(ctx);
	order_leave(ctx, false);
	return !done && left && !ctx->free_reqs ? -EAGAIN : (int)done;
}
