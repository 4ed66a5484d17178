// SPDX-License-Identifier: MIT
#include "sched/cold_reads.h"

#include "core/ctx.h"
#include "core/req.h"

#define COLD_TRIES 16
#define COLD_NS 1000000

struct req *cold_next(struct list *reads)
{
	struct list *node = list_pop_front(reads);
	struct req *req;

	if (!node)
		return NULL;
	req = list_entry(node, struct req, node);
	req->flags &= ~REQ_F_RETRY;
	return req;
}

static int cold_watch(struct ctx *ctx, void (*too_late)(struct timer *timer))
{
	ctx->cold.timer.fire = too_late;
	return timer_arm(&ctx->timers, &ctx->cold.timer,
			 clock_now_ns(CLOCK_MONOTONIC) + COLD_NS);
}

bool cold_keeps(struct req *req, void (*too_late)(struct timer *timer))
{
	struct ctx *ctx = req->ctx;

	if (req->def->waits_for != EPOLLIN)
		return false;
	req->flags |= REQ_F_COLD;
	if (!ctx->cold.waiters || req->cold_tries >= COLD_TRIES)
		return false;
	if (!ctx->cold.timer.slot && cold_watch(ctx, too_late) < 0)
		return false;
	req->cold_tries++;
	return true;
}

void cold_take_all(struct ctx *ctx, struct list *reads)
{
	struct list *node;

	timer_disarm(&ctx->timers, &ctx->cold.timer);
	while ((node = list_pop_front(&ctx->cold.reads)))
		list_push_back(reads, node);
}
