/* SPDX-License-Identifier: MIT */
/*
 * Is this thread executing the engine's code, and not asleep in it?
 *
 * Theory: the kernel runs a program's signal handlers between system calls. The
 * engine is ordinary code, and a handler may interrupt it anywhere: with the
 * ring's lock held, or malloc's. A call that such a handler makes would wait
 * for its own thread. So each call sets a flag, and a call that finds the flag
 * set returns -EAGAIN: it has done nothing, and may be retried after the
 * handler has returned. A thread that sleeps in the engine holds nothing: its
 * handlers may make any call, and may leave the sleep for good
 * (sched/sleeper.h).
 *
 * A thread whose cancelability is asynchronous must not be cancelled while the
 * flag is set: its cancelability is deferred for that time. The application
 * announces a change of the type with polyring_cancels().
 *
 * Whoever owns the program's signal handlers (the preload library) puts those
 * off that come while the flag is set, with polyring_put_off().
 *
 * Cost: a load and two stores a call, to thread-local memory.
 */
#ifndef POLYRING_CORE_ENTRY_GUARD_H
#define POLYRING_CORE_ENTRY_GUARD_H

#include "base/compiler.h"
#include "base/process.h"

enum {
	ENTRY_INSIDE = 1u << 0, /* the thread is in the engine, awake */
	ENTRY_SLEEPS = 1u << 1, /* it fell asleep there, and may have left */
	ENTRY_CANCELS = 1u << 2, /* its cancelability is asynchronous */
	ENTRY_PUT_OFF = 1u << 3, /* a handler waits for the call's end */
};

extern __thread uint8_t entry_guard_state;

/* As entry_guard_begin(), of a thread that is inside, slept, or cancels. */
bool entry_guard_rare(void);
/* Behind entry_guard_end(), of a thread that slept or cancels. */
void entry_guard_left(void);

/* The calling thread ends, and the records of its sleeps with it. */
void entry_guard_end_thread(void);

/*
 * Around a sleep; @before is for the second. False: a handler ran that was put
 * off, and the sleep is over before it begins.
 */
bool entry_guard_sleep(uint8_t *before);
void entry_guard_wake(uint8_t before);

/*
 * In a signal handler: has it interrupted a call? Then @resume is called when
 * the call ends or sleeps, and holds nothing.
 */
bool entry_guard_put_off(void (*resume)(void));

/* Returns false when the thread is inside already. */
static inline bool entry_guard_begin(void)
{
	if (unlikely(entry_guard_state) || unlikely(!process_is_known()))
		return entry_guard_rare();
	entry_guard_state = ENTRY_INSIDE;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static inline void entry_guard_end(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	entry_guard_state &= (uint8_t)~ENTRY_INSIDE;
	if (unlikely(entry_guard_state))
		entry_guard_left();
}

#endif
