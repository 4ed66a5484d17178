/* SPDX-License-Identifier: MIT */
/*
 * Driving a ring.
 *
 * Theory: a *turn* takes in everything that happened outside: workers'
 * results, due timers, files that became ready, second tries, and then runs
 * what that made ready. Whoever waits for a ring drives it turn by turn (D4):
 * a thread in enter, the SQPOLL thread, or the standby thread.
 *
 * Sleeping drops the lock; everything else holds it. Several threads may sleep
 * in one ring; each dispatches the events it fetched, and none is left asleep
 * with what it waits for (notify.h).
 *
 * Locks: the ring lock. Progress: one turn does a bounded amount of work: the
 * events of one fetch, one try for each request that asked for another.
 */
#ifndef POLYRING_SCHED_TURN_H
#define POLYRING_SCHED_TURN_H

#include "core/ctx.h"

/* Run what is ready after a submission or a turn: links, drains, counts. */
void turn_settle(struct ctx *ctx) HOLDS(&ctx->lock);

/*
 * Take in what workers and the disk have done, which memory shows without a
 * call. No turn: whoever waits for more still has to sleep.
 */
void turn_arrivals(struct ctx *ctx) HOLDS(&ctx->lock);

/* A turn of what is there now, for one who wants so many. Keeps the lock. */
int turn_look(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock);

/*
 * Wait in the reactor for something to happen, for what @me names, or until
 * me->due_ns or the next timer; then take a turn. Returns 0 or -EINTR; another
 * error when the reactor is broken, which is also the end of waiting.
 */
int turn_sleep(struct ctx *ctx, struct sleep_wish *me, const sigset_t *sigmask)
	HOLDS(&ctx->lock);

/* Sleep for less than a second, and drive nothing: 0, or -EINTR. */
int turn_nap(struct ctx *ctx, int64_t ns) HOLDS(&ctx->lock);

/* Is there anything that only a look into the reactor could bring? */
static inline bool turn_has_events(const struct ctx *ctx)
{
	return ctx->reactor.armed || ctx->timers.count ||
	       !list_empty(&ctx->again);
}

/* Is there anything that a turn could bring? */
static inline bool turn_has_cause(const struct ctx *ctx)
{
	return ctx->punted || turn_has_events(ctx);
}

#endif
