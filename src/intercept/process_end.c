// SPDX-License-Identifier: MIT
/*
 * The ways in which libc lets a process end: the line of counters.c is written.
 *
 * Theory: exit() runs destructors, _exit() does not, so each has its own. (The
 * agent sees the system call instead.)
 */
#include "intercept/intercept.h"
#include "intercept/real.h"

__attribute__((destructor)) static void counters_at_exit(void)
{
	counters_write();
}

POLYRING_API void _exit(int status)
{
	counters_write();
	REAL(_exit)(status);
	__builtin_unreachable();
}

POLYRING_API void _Exit(int status) __attribute__((alias("_exit")));
