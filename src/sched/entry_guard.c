// SPDX-License-Identifier: MIT
/*
 * Threads that come back to the engine, or end, while a sleep of theirs is on
 * record.
 *
 * Theory: sleeper.h. Locks: the ring lock of the record's ring, taken here.
 */
#include "core/entry_guard.h"

#include <pthread.h>
#include <signal.h>

#include "base/fault.h"
#include "base/sys.h"
#include "core/ctx_lock.h"
#include "sched/sleeper.h"
#include "sched/standby.h"

__thread uint8_t entry_guard_state;

/* It sleeps no more here, and who still does will look in its place. */
static void take_off(struct sleeper *s) UNCHECKED_LOCKS
{
	struct ctx *ctx = s->ctx;

	list_remove(&s->node);
	ctx->inside--;
	ctx->wake_out = false;
	reactor_report_again(&ctx->reactor);
	reactor_wake(&ctx->reactor);
}

static void go_away(struct sleeper *s) UNCHECKED_LOCKS
{
	struct ctx *ctx = s->ctx;

	ctx_take(ctx);
	take_off(s);
	ctx->away++;
	s->state = SLEEPER_AWAY;
	standby_leave(ctx);
}

/* It will not come back. */
static void sleeper_drop(struct sleeper *s) UNCHECKED_LOCKS
{
	struct ctx *ctx = s->ctx;

	ctx_take(ctx);
	if (s->state == SLEEPER_AWAY)
		ctx->away--;
	else
		take_off(s);
	s->state = SLEEPER_FREE;
	standby_leave(ctx);
}

static bool on_signal_stack(void)
{
	stack_t stack;

	return SYS_2(SYS_sigaltstack, NULL, &stack) == 0 &&
	       stack.ss_flags & SS_ONSTACK;
}

/* Addresses of one stack can be compared, those of two can't. */
static bool sleeper_has_left(const struct sleeper *s)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uint64_t mark;

	if (fault_copy(&mark, s->mark, sizeof(mark)) < 0 ||
	    mark != sleeper_mark(s))
		return true;
	return (uintptr_t)s->mark < here && !on_signal_stack();
}

static bool any_sleeps(void)
{
	for (int i = 0; i < SLEEPERS_MAX; i++)
		if (sleepers[i].state != SLEEPER_FREE)
			return true;
	return false;
}

static void set_cancel_type(int type)
{
	int before;

	if (unlikely(entry_guard_state & ENTRY_CANCELS))
		pthread_setcanceltype(type, &before);
}

static __thread void (*resume_put_off)(void);

bool entry_guard_put_off(void (*resume)(void))
{
	if (!(entry_guard_state & ENTRY_INSIDE))
		return false;
	resume_put_off = resume;
	entry_guard_state |= ENTRY_PUT_OFF;
	return true;
}

/* The handler may leave for good. */
static bool run_put_off(void)
{
	if (likely(!(entry_guard_state & ENTRY_PUT_OFF)))
		return false;
	entry_guard_state &= (uint8_t)~ENTRY_PUT_OFF;
	resume_put_off();
	return true;
}

bool entry_guard_sleep(uint8_t *before)
{
	const uint8_t kept = ENTRY_CANCELS | ENTRY_PUT_OFF;
	uint8_t state = entry_guard_state;

	*before = state & (uint8_t)~ENTRY_PUT_OFF;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* One instruction: a handler sets a bit of it, too. */
	__atomic_fetch_and(&entry_guard_state, kept, __ATOMIC_RELAXED);
	entry_guard_state |= ENTRY_SLEEPS;
	set_cancel_type(PTHREAD_CANCEL_ASYNCHRONOUS);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return !run_put_off();
}

void entry_guard_wake(uint8_t before)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	set_cancel_type(PTHREAD_CANCEL_DEFERRED);
	entry_guard_state = before;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void entry_guard_left(void)
{
	run_put_off();
	set_cancel_type(PTHREAD_CANCEL_ASYNCHRONOUS);
}

bool entry_guard_rare(void)
{
	if (entry_guard_state & ENTRY_INSIDE)
		return false;
	set_cancel_type(PTHREAD_CANCEL_DEFERRED);
	entry_guard_state |= ENTRY_INSIDE;
	if (unlikely(!process_is_known()))
		process_in_child();
	for (int i = 0; i < SLEEPERS_MAX; i++) {
		struct sleeper *s = &sleepers[i];

		if (s->state == SLEEPER_FREE)
			continue;
		if (sleeper_has_left(s))
			sleeper_drop(s);
		else if (s->state == SLEEPER_ASLEEP)
			go_away(s);
	}
	if (!any_sleeps())
		entry_guard_state &= (uint8_t)~ENTRY_SLEEPS;
	return true;
}

void entry_guard_end_thread(void)
{
	if (entry_guard_state & ENTRY_INSIDE)
		return;
	entry_guard_state = ENTRY_INSIDE;
	for (int i = 0; i < SLEEPERS_MAX; i++)
		if (sleepers[i].state != SLEEPER_FREE)
			sleeper_drop(&sleepers[i]);
	entry_guard_state = 0;
}
