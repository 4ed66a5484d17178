/* SPDX-License-Identifier: MIT */
/*
 * Timers: a binary heap of due times on the monotonic clock.
 *
 * Theory: timers are embedded in their owners; the heap holds pointers, and
 * each timer records its slot (1-based, 0 = not armed), so that arming,
 * disarming and firing are O(log n) and a hundred thousand armed timers are
 * cheap. The thread that drives the ring gets the next due time before it
 * sleeps.
 *
 * Locks: the caller's.
 */
#ifndef POLYRING_DRIVE_TIMER_H
#define POLYRING_DRIVE_TIMER_H

#include "base/clock.h"
#include "base/compiler.h"

struct timer {
	int64_t due_ns;
	uint64_t order; /* equal due times fire in the order of arming */
	void (*fire)(struct timer *timer);
	uint32_t slot;
};

struct timer_heap {
	struct timer **slots; /* slots[1] is the earliest */
	uint32_t count;
	uint32_t room;
	uint64_t order;
};

void timer_heap_close(struct timer_heap *heap);

/* Returns 0, or -ENOMEM; then the timer is not armed. */
int timer_arm(struct timer_heap *heap, struct timer *timer, int64_t due_ns);

/* Returns whether it was armed. */
bool timer_disarm(struct timer_heap *heap, struct timer *timer);

/* When the earliest is due; CLOCK_NEVER when none is armed. */
static inline int64_t timer_next_ns(const struct timer_heap *heap)
{
	return heap->count ? heap->slots[1]->due_ns : CLOCK_NEVER;
}

/* Disarm and fire all that are due at @now_ns. */
void timer_fire_due(struct timer_heap *heap, int64_t now_ns);

#endif
