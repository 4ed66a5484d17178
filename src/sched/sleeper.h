/* SPDX-License-Identifier: MIT */
/*
 * Threads that sleep in a ring, and those that never come back from it.
 *
 * Theory: a signal handler may leave a sleeping call for good: by siglongjmp(),
 * by an exception, by pthread_exit(), or because the thread was cancelled. A
 * sleeping thread holds no lock, but the ring counts it (ctx->inside) and may
 * wake it (ctx->sleepers), and what it fetched last is lost. So the record of a
 * sleep lies in its thread's memory, not on the stack, and is one of:
 *
 *   FREE    no sleep
 *   ASLEEP  on ctx->sleepers, counted in ctx->inside
 *   AWAY    the thread has called the engine again: it is in a handler, or it
 *           has left. It drives nothing and is not woken; ctx->away counts it,
 *           and the ring's memory stays
 *
 * ASLEEP becomes AWAY at the thread's next call, in entry_guard_rare(). If the
 * handler returns, the sleeper takes its place again. If not, the record goes
 * as soon as that is certain: when the mark that the sleep left on its stack is
 * overwritten, or the stack is shorter than that, or the thread ends.
 *
 * Whoever goes AWAY may have taken a wake-up and events with it: the reactor
 * is asked to report everything again, and another sleeper is woken.
 *
 * A thread may sleep SLEEPERS_MAX times at once, in handlers of handlers.
 * Locks: the ring lock of the record's ring. Cost: some stores a sleep.
 */
#ifndef POLYRING_SCHED_SLEEPER_H
#define POLYRING_SCHED_SLEEPER_H

#include "core/ctx.h"

#define SLEEPERS_MAX 4

/*
 * The calling thread is about to sleep in @ctx as @what says. @mark is a local
 * variable of its caller's. NULL: it sleeps too often already.
 */
struct sleeper *sleeper_begin(struct ctx *ctx, const struct sleep_wish *what,
			      uint64_t *mark) HOLDS(&ctx->lock);

/* It is awake, and has the lock again. */
void sleeper_end(struct ctx *ctx, struct sleeper *sleeper, uint64_t *mark)
	HOLDS(&ctx->lock);

/* What lies at its mark until the sleep's frame is overwritten. */
uint64_t sleeper_mark(const struct sleeper *sleeper);

/* The calling thread's. */
extern __thread struct sleeper sleepers[SLEEPERS_MAX];

/* In a forked child: the rings stay the parent's. */
void sleeper_forget(void);

#endif
