// SPDX-License-Identifier: MIT
#include "sched/sqpoll.h"

#include <sched.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "core/ctx_lock.h"
#include "core/notify.h"
#include "drive/worker.h"
#include "sched/standby.h"
#include "sched/submit.h"
#include "sched/turn.h"

#define IDLE_MS_DEFAULT 1000
#define WATCHED_NS 1000000
/* How often a busy thread checks whether the ring's fd is closed. */
#define LOOPS_BETWEEN_LOOKS 64

/* Set NEED_WAKEUP. Returns false if something was submitted meanwhile. */
static bool may_sleep(struct ctx *ctx)
{
	queue_sq_flags(&ctx->queue, IORING_SQ_NEED_WAKEUP, 0);
	/* Pairs with the application's fence between tail and flags. */
	full_fence();
	return !queue_pending(&ctx->queue);
}

static void sleep_until_woken(struct ctx *ctx) HOLDS(&ctx->lock)
{
	struct sleep_wish me = {
		.want = CTX_WANT_NONE,
		.due_ns = CLOCK_NEVER,
	};

	/* Pollers of the ring's fd must see when the CQ is emptied. */
	if (ctx->watched && ctx->byte_out)
		me.due_ns = clock_now_ns(CLOCK_MONOTONIC) + WATCHED_NS;
	if (may_sleep(ctx))
		turn_sleep(ctx, &me, NULL);
	queue_sq_flags(&ctx->queue, 0, IORING_SQ_NEED_WAKEUP);
}

/* Returns whether anything was submitted. */
static bool spin_once(struct ctx *ctx) HOLDS(&ctx->lock)
{
	bool submitted = submit(ctx, ctx->queue.memory.sq_entries) > 0;

	if (turn_has_cause(ctx))
		turn_look(ctx, CTX_WANT_NONE);
	return submitted;
}

static void pin(const struct ctx *ctx)
{
	cpu_set_t set;

	if (!(ctx->flags & IORING_SETUP_SQ_AFF))
		return;
	CPU_ZERO(&set);
	CPU_SET(ctx->sqpoll_cpu, &set);
	SYS_3(SYS_sched_setaffinity, 0, sizeof(set), &set);
}

static void *sqpoll_main(void *argument)
{
	struct ctx *ctx = argument;
	int64_t busy_until = 0;
	uint32_t loops = 0;

	thread_is_ours = true;
	pin(ctx);
	ctx_take(ctx);
	while (ctx->state == CTX_OPEN) {
		int64_t now = clock_now_ns(CLOCK_MONOTONIC);
		bool looks = ++loops % LOOPS_BETWEEN_LOOKS == 0;

		if (!ctx->disabled && spin_once(ctx))
			busy_until = now + ctx->sqpoll_idle_ns;
		else if (now >= busy_until && (looks = true))
			sleep_until_woken(ctx);
		notify_taken(ctx);
		ctx_unlock(ctx);
		if (looks)
			standby_collect();
		sched_yield();
		ctx_take(ctx);
	}
	ctx->sqpoll_runs = false;
	standby_leave(ctx); /* ends the ring */
	return NULL;
}

int sqpoll_start(struct ctx *ctx, uint32_t idle_ms)
{
	int err;

	/* The standby thread may already use the ring. */
	lock_take(&ctx->lock);
	ctx->sqpoll_idle_ns =
		(int64_t)(idle_ms ? idle_ms : IDLE_MS_DEFAULT) * 1000000;
	reactor_woken_by(&ctx->reactor, &ctx->peer_fd, EPOLLRDHUP);
	err = worker_thread(sqpoll_main, ctx, "polyring-sq", NULL);
	ctx->sqpoll_runs = !err;
	lock_drop(&ctx->lock);
	return err;
}
