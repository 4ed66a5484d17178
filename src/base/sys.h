/* SPDX-License-Identifier: MIT */
/*
 * All system calls of the engine.
 *
 * Theory: every system call of the engine goes through sys_invoke, a pointer to
 * a function that takes a call's number and six arguments and returns a result
 * or a negative errno. So errno, which belongs to the application, is never
 * changed; no call is a thread cancellation point; and a test makes any call
 * fail by replacing one pointer (see inject.h). The macros below only add
 * casts.
 *
 * Cost: one predicted indirect call, about a nanosecond.
 */
#ifndef POLYRING_BASE_SYS_H
#define POLYRING_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Include the errno names for "return -EINVAL". */
#include <errno.h>

#include "base/compiler.h"

typedef long (*sys_invoke_fn)(long number, long a, long b, long c, long d,
			      long e, long f);

/* Makes the system call. */
long sys_direct(long number, long a, long b, long c, long d, long e, long f);

/* The engine's calls: sys_direct, unless a test has replaced it. */
extern sys_invoke_fn sys_invoke;

/* A test may replace the pointer while other threads read it. */
#define SYS_6(nr, a, b, c, d, e, f)                                       \
	load_relaxed (&sys_invoke)((nr), (long)(a), (long)(b), (long)(c), \
				   (long)(d), (long)(e), (long)(f))
#define SYS_5(nr, a, b, c, d, e) SYS_6(nr, a, b, c, d, e, 0)
#define SYS_4(nr, a, b, c, d) SYS_6(nr, a, b, c, d, 0, 0)
#define SYS_3(nr, a, b, c) SYS_6(nr, a, b, c, 0, 0, 0)
#define SYS_2(nr, a, b) SYS_6(nr, a, b, 0, 0, 0, 0)
#define SYS_1(nr, a) SYS_6(nr, a, 0, 0, 0, 0, 0)
#define SYS_0(nr) SYS_6(nr, 0, 0, 0, 0, 0, 0)

#endif
