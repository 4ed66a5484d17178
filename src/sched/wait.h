/* SPDX-License-Identifier: MIT */
/*
 * Waiting for completions inside enter.
 *
 * Theory: the waiting thread drives the ring itself (D4) until there are enough
 * completions, the time is up, or a signal came. With a minimum wait there are
 * two phases: first it waits for all completions wanted, at most for that time;
 * then one completion is enough.
 * Locks: the ring lock, dropped while asleep.
 */
#ifndef POLYRING_SCHED_WAIT_H
#define POLYRING_SCHED_WAIT_H

#include "core/ctx.h"

struct wait_spec {
	uint32_t want;
	int64_t deadline_ns; /* CLOCK_NEVER: none */
	int64_t min_wait_until_ns; /* 0: no minimum wait */
	const sigset_t *sigmask;
};

/*
 * Are there @want completions? Then it also checks armed work once, which must
 * not starve behind completions that need no wait.
 */
bool wait_is_over(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock);

/*
 * Returns 0, -ETIME, -EINTR, or -EAGAIN without memory to sleep; an
 * error only if there is no completion.
 */
int wait_completions(struct ctx *ctx, const struct wait_spec *spec)
	HOLDS(&ctx->lock);

/*
 * On an IOPOLL ring without SQPOLL: until @want completions are there, or
 * nothing is under way that could bring one. There is no other end, as in the
 * kernel, except for a signal. Returns 0 or -EINTR.
 */
int wait_polled(struct ctx *ctx, uint32_t want) HOLDS(&ctx->lock);

#endif
