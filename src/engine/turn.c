// SPDX-License-Identifier: MIT
#include "engine/turn.h"

#include "engine/issue.h"
#include "engine/link.h"
#include "engine/notify.h"

/*
 * Timeouts that wait for a number of completions, the nearest first. Their own
 * completions are not counted, as those of expired ones are not.
 */
static bool finish_counted(struct ctx *ctx)
{
	bool any = false;

	while (!list_empty(&ctx->counting)) {
		struct req *req =
			list_entry(ctx->counting.next, struct req, node);

		if ((int64_t)(req->count_target - ctx->posted_total) > 0)
			break;
		list_remove(&req->node);
		ctx->posted_total--;
		req_finish_with(req, 0);
		any = true;
	}
	return any;
}

/* liburing's peek enters by itself while this flag says that work is armed. */
static void show_taskrun(struct ctx *ctx)
{
	bool show = turn_has_cause(ctx) && ctx->shows_taskrun;
	bool shown = ctx->queue.memory.header->sq_flags & IORING_SQ_TASKRUN;

	if (show && !shown)
		queue_sq_flags(&ctx->queue, IORING_SQ_TASKRUN, 0);
	else if (!show && shown)
		queue_sq_flags(&ctx->queue, 0, IORING_SQ_TASKRUN);
}

void turn_settle(struct ctx *ctx)
{
	do
		link_run_ready(ctx);
	while (finish_counted(ctx));
	show_taskrun(ctx);
}

static void turn_take(struct ctx *ctx, const struct reactor_events *events)
	HOLDS(&ctx->lock)
{
	bool woken;

	issue_arrivals(ctx);
	if (ctx->timers.count)
		timer_fire_due(&ctx->timers, clock_now_ns(CLOCK_MONOTONIC));
	woken = reactor_dispatch(&ctx->reactor, events);
	issue_again(ctx);
	turn_settle(ctx);
	/* The wake-up may have been for another who sleeps here: pass it on. */
	if (woken && ctx->sleepers && queue_ready(&ctx->queue))
		reactor_wake(&ctx->reactor);
}

int turn_sleep(struct ctx *ctx, int64_t deadline_ns, const sigset_t *sigmask)
{
	struct reactor_events events;
	int err;

	if (deadline_ns > timer_next_ns(&ctx->timers))
		deadline_ns = timer_next_ns(&ctx->timers);
	if (!list_empty(&ctx->again))
		deadline_ns = 0;
	reactor_release_idle(&ctx->reactor);
	ctx->sleepers++;
	ctx_unlock(ctx);
	err = reactor_sleep(&ctx->reactor, &events, deadline_ns, sigmask);
	lock_take(&ctx->lock);
	ctx->sleepers--;
	counter_add(&ctx->counters, COUNTER_SLEEPS, 1);
	turn_take(ctx, &events);
	return err;
}
