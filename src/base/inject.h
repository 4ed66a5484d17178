/* SPDX-License-Identifier: MIT */
/*
 * Fault injection, for tests only: no library contains it.
 *
 * Theory: the engine allocates through mem_source and makes every system call
 * through sys_invoke. inject_start() replaces both, for the process and all its
 * threads, and counts the calls. A test then runs its scenario with the first
 * allocation refused, then with the second, and so on until a run meets no
 * failure:
 *
 *	for (n = 0, hit = true; hit; n++) {
 *		inject_start();
 *		inject_allocation(n);
 *		... the scenario ...
 *		hit = inject_stop();
 *	}
 *
 * The same works with inject_call(). Each start fails one call; rules may be
 * combined.
 */
#ifndef POLYRING_BASE_INJECT_H
#define POLYRING_BASE_INJECT_H

#include <stdbool.h>

/* Replace allocation and system calls; nothing fails yet. */
void inject_start(void);

/* Refuse the @nth allocation after this (0 is the next one). */
void inject_allocation(long nth);

/* Return @result from the @nth system call after this, without making it. */
void inject_call(long nth, long result);

/* Return @result from every system call @number, without making it. */
void inject_number(long number, long result);

/* How many there were since inject_start(). */
long inject_allocations(void);
long inject_calls(void);

/* Restore both. Returns whether anything was refused since inject_start(). */
bool inject_stop(void);

#endif
