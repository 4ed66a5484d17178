// SPDX-License-Identifier: MIT
#include "sched/turn.h"

#include "base/sys.h"
#include "core/ctx_lock.h"
#include "core/entry_guard.h"
#include "core/notify.h"
#include "core/req.h"
#include "core/req_end.h"
#include "sched/aio_reads.h"
#include "sched/issue.h"
#include "sched/order.h"
#include "sched/polls.h"
#include "sched/sleeper.h"

/* How long a thread stays awake for another's wake-up. */
#define YIELDS_MAX 64

/*
 * Completes timeouts that wait for a number of completions, the nearest first.
 * Their own completions are not counted, nor those of expired ones. A timeout
 * that completes without an entry is subtracted although it was not added, so
 * the total decreases. The kernel takes a decreased total for one that has
 * wrapped and reached all targets.
 */
static bool finish_counted(struct ctx *ctx)
{
	uint64_t total = ctx->posted_total;
	bool any = false;

	if (likely(list_empty(&ctx->counting)))
		return false;
	while (!list_empty(&ctx->counting)) {
		struct req *req =
			list_entry(ctx->counting.next, struct req, node);

		if (total - ctx->counted_total <
		    req->count_target - ctx->counted_total)
			break;
		list_remove(&req->node);
		ctx->posted_total--;
		req_finish_with(req, 0);
		any = true;
	}
	ctx->counted_total = total;
	return any;
}

/* liburing's peek enters when this flag shows that work is armed. */
static void show_taskrun(struct ctx *ctx)
{
	bool show = turn_has_cause(ctx);
	bool shown = load_relaxed(&ctx->queue.memory.header->sq_flags) &
		     IORING_SQ_TASKRUN;

	if (!ctx->shows_taskrun)
		return;
	if (show && !shown)
		queue_sq_flags(&ctx->queue, IORING_SQ_TASKRUN, 0);
	else if (!show && shown)
		queue_sq_flags(&ctx->queue, 0, IORING_SQ_TASKRUN);
}

void turn_settle(struct ctx *ctx)
{
	do
		order_run_ready(ctx);
	while (polls_settle(ctx) || issue_arm_all(ctx) || finish_counted(ctx) ||
	       aio_reads_settle(ctx));
	show_taskrun(ctx);
}

/*
 * The kernel's pace: a ring with DEFER_TASKRUN runs at most so many requests,
 * or as many as the call waits for, before the application sees the results and
 * may give buffers back. Other rings have no bound.
 */
#define DEFERS_A_TURN 20u

static bool is_paced(const struct ctx *ctx)
{
	return ctx->flags & IORING_SETUP_DEFER_TASKRUN;
}

static uint32_t pace(const struct ctx *ctx, uint32_t want)
{
	if (!is_paced(ctx))
		return UINT32_MAX;
	return want == CTX_WANT_NONE || want < DEFERS_A_TURN ? DEFERS_A_TURN
							     : want;
}

static void turn_take(struct ctx *ctx, struct reactor_events *events)
	HOLDS(&ctx->lock)
{
	bool behind = !list_empty(&ctx->again);
	bool woken;

	counter_add(&ctx->counters, COUNTER_SLEEPS, 1);
	ctx->polls_epoch++;
	if (reactor_is_slow(&ctx->reactor))
		reactor_look_slowly(&ctx->reactor, events);
	issue_arrivals(ctx);
	if (ctx->timers.count)
		timer_fire_due(&ctx->timers, clock_now_ns(CLOCK_MONOTONIC));
	ctx->queues_ready = behind && is_paced(ctx);
	woken = reactor_dispatch(&ctx->reactor, events);
	ctx->queues_ready = false;
	if (woken) {
		ctx->wake_out = false;
		aio_reads_reap(ctx);
	}
	if (behind || !is_paced(ctx))
		issue_again(ctx, events->room);
	turn_settle(ctx);
}

/*
 * A signal handler that runs meanwhile may call the engine, as no lock is held.
 */
static int sleep_outside(struct ctx *ctx, struct reactor_events *events,
			 int64_t until_ns, const sigset_t *sigmask)
{
	uint8_t before;
	int err = -EINTR;

	events->count = 0;
	if (entry_guard_sleep(&before))
		err = reactor_sleep(&ctx->reactor, events, until_ns, sigmask);
	entry_guard_wake(before);
	return err;
}

void turn_arrivals(struct ctx *ctx)
{
	aio_reads_reap(ctx);
	issue_arrivals(ctx);
	turn_settle(ctx);
}

/*
 * The lock is kept, because this does not wait: events are still valid when
 * they are dispatched. A multishot that was called for data that another thread
 * has taken meanwhile would need a buffer, and might end with ENOBUFS.
 */
int turn_look(struct ctx *ctx, uint32_t want)
{
	struct reactor_events events;
	int err;

	events.room = pace(ctx, want);
	err = reactor_sleep(&ctx->reactor, &events, 0, NULL);
	turn_take(ctx, &events);
	return err;
}

/*
 * epoll wakes the thread that fell asleep last. To avoid taking a wake-up that
 * is meant for another, stay awake until that has arrived.
 */
static void let_others_wake(struct ctx *ctx) HOLDS(&ctx->lock)
{
	for (int i = 0; i < YIELDS_MAX && !list_empty(&ctx->sleepers) &&
			notify_owes_wake(ctx);
	     i++) {
		ctx_unlock(ctx);
		SYS_0(SYS_sched_yield);
		ctx_take(ctx);
	}
}

int turn_nap(struct ctx *ctx, int64_t ns)
{
	const struct sleep_wish nothing = {
		.want = CTX_WANT_NONE,
		.due_ns = CLOCK_NEVER,
	};
	const struct timespec time = {.tv_nsec = ns};
	struct sleeper *sleeper;
	uint64_t mark;
	uint8_t before;
	int err = -EINTR;

	sleeper = sleeper_begin(ctx, &nothing, &mark);
	if (!sleeper)
		return -EAGAIN;
	ctx_unlock(ctx);
	if (entry_guard_sleep(&before))
		err = (int)SYS_2(SYS_nanosleep, &time, NULL);
	entry_guard_wake(before);
	ctx_take(ctx);
	sleeper_end(ctx, sleeper, &mark);
	return err;
}

int turn_sleep(struct ctx *ctx, struct sleep_wish *me, const sigset_t *sigmask)
{
	struct reactor_events events;
	struct sleeper *sleeper;
	uint32_t entered;
	uint64_t mark;
	int err;

	let_others_wake(ctx);
	if (!list_empty(&ctx->again))
		return turn_look(ctx, me->want);
	if (me->due_ns > timer_next_ns(&ctx->timers))
		me->due_ns = timer_next_ns(&ctx->timers);
	reactor_get_ready(&ctx->reactor);
	if (unlikely(ctx->queue.view.share))
		me->due_ns = ctx_share_sleep(ctx, me->due_ns);
	sleeper = sleeper_begin(ctx, me, &mark);
	if (!sleeper)
		return -EAGAIN;
	events.room = pace(ctx, me->want);
	entered = ctx->entered;
	ctx_unlock(ctx);
	err = sleep_outside(ctx, &events, me->due_ns, sigmask);
	ctx_take(ctx);
	if (unlikely(ctx->queue.view.share))
		ctx_share_awake(ctx, me->due_ns);
	sleeper_end(ctx, sleeper, &mark);
	/* As in turn_look(): a thread that entered may have taken the data. */
	if (ctx->entered != entered)
		reactor_recheck(&ctx->reactor, &events);
	turn_take(ctx, &events);
	return err;
}
