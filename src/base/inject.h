/* SPDX-License-Identifier: MIT */
/*
 * Fault injection, for tests only: it is in no library.
 *
 * Theory: the engine asks for memory through mem_source and for everything else
 * through sys_invoke. inject_start() puts itself in front of both, for the
 *whole process and all its threads, and counts. A test then runs its scenario
 *with the first allocation refused, the second, and so on until one run meets
 *no failure any more:
 *
 *	for (n = 0, hit = true; hit; n++) {
 *		inject_start();
 *		inject_allocation(n);
 *		... the scenario ...
 *		hit = inject_stop();
 *	}
 *
 * and the same with inject_call(). One failure a start; rules may be combined.
 */
#ifndef POLYRING_BASE_INJECT_H
#define POLYRING_BASE_INJECT_H

#include <stdbool.h>

/* Stand in front of allocation and system calls; nothing fails yet. */
void inject_start(void);

/* Refuse the @nth allocation from here on (0 is the next one). */
void inject_allocation(long nth);

/* Answer @result to the @nth system call from here on, without making it. */
void inject_call(long nth, long result);

/* Answer @result to every call of @number, without making it. */
void inject_number(long number, long result);

/* How many were asked for since inject_start(). */
long inject_allocations(void);
long inject_calls(void);

/* Step aside. Was anything refused since inject_start()? */
bool inject_stop(void);

#endif
