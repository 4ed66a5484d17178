// SPDX-License-Identifier: MIT
#include "sched/wait.h"

#include "sched/submit.h"
#include "sched/turn.h"

static uint32_t wanted_now(const struct wait_spec *spec, int64_t now)
{
	if (spec->min_wait_until_ns && now >= spec->min_wait_until_ns)
		return 1;
	return spec->want;
}

/*
 * When this phase of the wait ends: the minimum wait first, even if it is
 * longer.
 */
static int64_t phase_end(const struct wait_spec *spec, int64_t now)
{
	return spec->min_wait_until_ns > now ? spec->min_wait_until_ns
					     : spec->deadline_ns;
}

static bool timed(const struct wait_spec *spec)
{
	return spec->deadline_ns != CLOCK_NEVER || spec->min_wait_until_ns;
}

static bool enough(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock)
{
	if (ctx->queue.backlog_count)
		queue_flush_backlog(&ctx->queue);
	if (queue_ready(&ctx->queue) >= want)
		return true;
	if (!ctx->punted)
		return false;
	turn_arrivals(ctx);
	return queue_ready(&ctx->queue) >= want;
}

bool wait_is_over(struct ctx *ctx, uint32_t want)
{
	if (!enough(ctx, want))
		return false;
	if (turn_has_events(ctx))
		turn_look(ctx, want);
	else if (ctx->punted)
		turn_arrivals(ctx);
	return true;
}

/* Take in what is ready now, repeatedly if that many completions are wanted. */
static int wait_look(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock)
{
	uint64_t before;
	int err;

	do {
		before = ctx->posted_total;
		err = turn_look(ctx, want);
	} while (!err && ctx->posted_total != before && !enough(ctx, want));
	return err;
}

/* A wake-up that another process sent to the SQPOLL thread may come here. */
static void help_sqpoll(struct ctx *ctx) HOLDS(&ctx->lock)
{
	if (unlikely(ctx->queue.view.share) && ctx->sqpoll_runs &&
	    !ctx->disabled)
		submit(ctx, ctx->queue.memory.sq_entries);
}

/*
 * Even a very short wait finds completions that are ready at its end: it ends
 * after a turn that brought none.
 */
int wait_completions(struct ctx *ctx, const struct wait_spec *spec)
{
	int64_t now = timed(spec) ? clock_now_ns(CLOCK_MONOTONIC) : 0;
	struct sleep_wish me = {.punted = 0};
	bool looked = false;
	int err = 0;

	while (!err && !enough(ctx, wanted_now(spec, now))) {
		uint64_t before = ctx->posted_total;

		me.want = wanted_now(spec, now);
		me.due_ns = phase_end(spec, now);
		if (now < me.due_ns) {
			err = turn_sleep(ctx, &me, spec->sigmask);
			help_sqpoll(ctx);
			looked = ctx->posted_total == before;
		} else if (!looked) {
			err = wait_look(ctx, me.want);
			looked = true;
		} else {
			err = -ETIME;
		}
		if (timed(spec))
			now = clock_now_ns(CLOCK_MONOTONIC);
	}
	return queue_ready(&ctx->queue) ? 0 : err;
}

int wait_polled(struct ctx *ctx, uint32_t want)
{
	struct wait_spec spec = {.deadline_ns = CLOCK_NEVER};
	int err = 0;

	while (!err && !enough(ctx, want) && ctx->punted) {
		spec.want = queue_ready(&ctx->queue) + 1;
		err = wait_completions(ctx, &spec);
	}
	return queue_ready(&ctx->queue) ? 0 : err;
}
