/* SPDX-License-Identifier: MIT */
/*
 * Is this thread executing the engine's code, and not asleep in it?
 *
 * Theory: the kernel runs a program's signal handlers between system calls. The
 * engine is ordinary code, and a handler may interrupt it anywhere: with the
 * ring's lock held, or malloc's. A call that such a handler makes would wait
 * for its own thread. So each call sets a flag, and a call that finds the flag
 * set returns -EAGAIN: it has done nothing, and may be retried after the
 * handler has returned. A thread that sleeps in the engine holds nothing, and
 * its handlers may make any call.
 *
 * Cost: a load and two stores a call, to thread-local memory.
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
