/* SPDX-License-Identifier: MIT */
/*
 * Driving a ring.
 *
 * Theory: a *turn* takes in everything that happened outside (workers' results,
 * due timers, files that became ready, requests to retry), and then runs the
 * requests that became ready. A thread that waits for a ring drives it turn by
 * turn (D4): a thread in enter, the SQPOLL thread, or the standby thread.
 *
 * Sleeping drops the lock; everything else holds it. Several threads may sleep
 * in one ring; each dispatches the events that it fetched, and none stays
 * asleep once it has what it waits for (notify.h).
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
 * Take in results of workers and of the disk, which needs no system call. This
 * is not a turn: a thread that waits for more still has to sleep.
 */
void turn_arrivals(struct ctx *ctx) HOLDS(&ctx->lock);

/*
 * A turn over what is ready now; @want is how many completions the caller waits
 * for. Keeps the lock.
 */
int turn_look(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock);

/*
 * Sleep in the reactor until what @me waits for happens, or until me->due_ns or
 * the next timer; then take a turn. Returns 0 or -EINTR; another error when the
 * reactor is broken, which also ends the wait.
 */
int turn_sleep(struct ctx *ctx, struct sleep_wish *me, const sigset_t *sigmask)
	HOLDS(&ctx->lock);

/* Sleep for less than a second, and drive nothing: 0, or -EINTR. */
int turn_nap(struct ctx *ctx, int64_t ns) HOLDS(&ctx->lock);

/* Is anything pending that only the reactor can report? */
static inline bool turn_has_events(const struct ctx *ctx)
{
	return ctx->reactor.armed || ctx->timers.count ||
	       !list_empty(&ctx->again);
}

/* Is anything pending that a turn could complete? */
static inline bool turn_has_cause(const struct ctx *ctx)
{
	return ctx->punted || turn_has_events(ctx);
}

#endif
