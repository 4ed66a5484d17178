// SPDX-License-Identifier: MIT
#include "sched/polls.h"

#include <poll.h>

#include "base/sys.h"
#include "core/req_end.h"

struct batch {
	struct req *reqs[REACTOR_ONCE_MAX];
	uint8_t look_of[REACTOR_ONCE_MAX]; /* each one's in looks[] */
	int outcome[REACTOR_ONCE_MAX]; /* what issue returns */
	uint32_t count;
	struct pollfd looks[REACTOR_ONCE_MAX];
	uint32_t looks_count;
};

static bool next_is_poll(const struct ctx *ctx)
{
	const struct queue *q = &ctx->queue;
	uint32_t slot;

	if (!queue_pending(q))
		return false;
	slot = queue_slot(q, 0);
	return slot < q->memory.sq_entries &&
	       load_relaxed(&queue_entry(q, slot)->opcode) ==
		       IORING_OP_POLL_ADD;
}

/* One look is enough for those that poll one file one behind the other. */
static void batch_add(struct batch *b, struct req *req)
{
	struct pollfd look = {
		.fd = req_io_fd(req),
		.events = (short)req->wait.mask,
	};

	b->reqs[b->count] = req;
	if (b->looks_count && b->looks[b->looks_count - 1].fd == look.fd)
		b->looks[b->looks_count - 1].events |= look.events;
	else
		b->looks[b->looks_count++] = look;
	b->look_of[b->count++] = (uint8_t)(b->looks_count - 1);
}

static void batch_take(struct batch *b, struct ctx *ctx)
{
	struct list *node;

	b->count = 0;
	b->looks_count = 0;
	ctx->polls_gathered = 0;
	while ((node = list_pop_front(&ctx->polls))) {
		struct req *req = list_entry(node, struct req, node);

		req->flags &= ~REQ_F_RETRY;
		batch_add(b, req);
	}
}

/* poll(2) passes a negative number by. */
static int batch_outcome(struct req *req, const struct pollfd *look)
{
	if (look->fd < 0 || look->revents & POLLNVAL)
		return -EBADF;
	req->res = (uint16_t)look->revents & (int)req->wait.mask;
	return req->res ? ISSUE_DONE : ISSUE_PARKED;
}

/* It takes no more numbers than RLIMIT_NOFILE says: then one by one. */
static void batch_look(struct batch *b)
{
	long err = SYS_3(SYS_poll, b->looks, b->looks_count, 0);

	for (uint32_t i = 0; err < 0 && i < b->looks_count; i++) {
		long alone = SYS_3(SYS_poll, &b->looks[i], 1, 0);

		if (alone < 0)
			b->looks[i].revents = POLLNVAL;
	}
	for (uint32_t i = 0; i < b->count; i++)
		b->outcome[i] =
			batch_outcome(b->reqs[i], &b->looks[b->look_of[i]]);
}

/* By epoll. What can't be waited for is ready now, or the request is wrong. */
static int arm_by_epoll(struct req *req)
{
	int err = reactor_arm(&req->ctx->reactor, &req->wait, req_io_fd(req),
			      req->file != NULL, req->wait.mask);

	return err == -EPERM ? -EINVAL : err;
}

static void batch_arm(struct batch *b)
{
	struct reactor_once all[REACTOR_ONCE_MAX];
	uint32_t at[REACTOR_ONCE_MAX], count = 0;
	struct ctx *ctx = b->reqs[0]->ctx;

	for (uint32_t i = 0; i < b->count; i++) {
		struct req *req = b->reqs[i];

		if (b->outcome[i] != ISSUE_PARKED)
			continue;
		at[count] = i;
		all[count++] = (struct reactor_once){
			.wait = &req->wait,
			.fd = b->looks[b->look_of[i]].fd,
			.owned = req->file != NULL,
			.mask = req->wait.mask,
		};
	}
	if (count)
		reactor_arm_once(&ctx->reactor, all, count, ctx->polls_epoch);
	for (uint32_t i = 0; i < count; i++) {
		struct req *req = b->reqs[at[i]];

		if (!all[i].err)
			continue;
		req->wait.mask = all[i].mask;
		b->outcome[at[i]] = arm_by_epoll(req) ?: ISSUE_PARKED;
	}
}

static void finish_if_over(struct req *req, int outcome)
{
	if (outcome == ISSUE_DONE)
		req_finish(req);
	else if (outcome < 0)
		req_finish_with(req, outcome);
}

void polls_serve(struct ctx *ctx)
{
	struct batch b;

	batch_take(&b, ctx);
	batch_look(&b);
	batch_arm(&b);
	for (uint32_t i = 0; i < b.count; i++)
		finish_if_over(b.reqs[i], b.outcome[i]);
}

/* The last of a batch is still being issued: its answer is for issue. */
static int serve_with(struct req *req)
{
	struct batch b;

	batch_take(&b, req->ctx);
	batch_add(&b, req);
	batch_look(&b);
	batch_arm(&b);
	for (uint32_t i = 0; i + 1 < b.count; i++)
		finish_if_over(b.reqs[i], b.outcome[i]);
	return b.outcome[b.count - 1];
}

int polls_issue(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (ctx->polls_gathered + 1 == REACTOR_ONCE_MAX || !next_is_poll(ctx))
		return serve_with(req);
	ctx->polls_gathered++;
	req->flags |= REQ_F_RETRY;
	list_push_back(&ctx->polls, &req->node);
	return ISSUE_PARKED;
}
