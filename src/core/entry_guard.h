/* SPDX-License-Identifier: MIT */
/*
 * Is this thread in the engine's code, and awake?
 *
 * Theory: the kernel runs a program's signal handlers between system calls; we
 * are ordinary code, and a handler may interrupt it anywhere: with the ring's
 * lock held, or malloc's. A call that a handler then makes could only wait for
 * itself. So each call says that it is inside, and one that finds its thread
 * inside answers -EAGAIN: nothing was done, and it may be tried again once the
 * handler has returned. A thread asleep in the engine holds nothing, and its
 * handlers may do anything.
 *
 * Cost: a load and two stores a call, to memory of the thread's own.
 */
#ifndef POLYRING_CORE_ENTRY_GUARD_H
#define POLYRING_CORE_ENTRY_GUARD_H

#include "base/compiler.h"

extern __thread bool thread_in_engine;

/* Returns false when the thread is inside already. */
static inline bool entry_guard_begin(void)
{
	if (unlikely(thread_in_engine))
		return false;
	thread_in_engine = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static inline void entry_guard_end(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread_in_engine = false;
}

#endif
