// SPDX-License-Identifier: MIT
#include "sched/cold_reads.h"

#include "sched/issue.h"

#define COLD_TRIES 16
#define COLD_NS 1000000

static struct req *pop(struct list *reads)
{
	struct list *node = list_pop_front(reads);
	struct req *req;

	if (!node)
		return NULL;
	req = list_entry(node, struct req, node);
	req->flags &= ~REQ_F_AGAIN;
	return req;
}

/* Nobody came back for too long: each waits on a worker of its own. */
static void nobody_came(struct timer *timer)
{
	struct ctx *ctx = container_of(timer, struct ctx, cold.timer);
	struct req *req;

	while ((req = pop(&ctx->cold.reads)))
		issue_settle(req, ISSUE_PUNT);
}

static int watch(struct ctx *ctx)
{
	ctx->cold.timer.fire = nobody_came;
	return timer_arm(&ctx->timers, &ctx->cold.timer,
			 clock_now_ns(CLOCK_MONOTONIC) + COLD_NS);
}

bool cold_takes(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (req->def->waits_for != EPOLLIN)
		return false;
	req->flags |= REQ_F_COLD;
	if (!ctx->cold.waiters || req->cold_tries >= COLD_TRIES)
		return false;
	if (!ctx->cold.timer.slot && watch(ctx) < 0)
		return false;
	req->cold_tries++;
	issue_hold_file(req);
	return true;
}

void cold_retry(struct ctx *ctx)
{
	struct list now, *node;
	struct req *req;

	timer_disarm(&ctx->timers, &ctx->cold.timer);
	list_init(&now); /* those that fail again are for the next time */
	while ((node = list_pop_front(&ctx->cold.reads)))
		list_push_back(&now, node);
	while ((req = pop(&now)))
		issue_retry(req);
}
