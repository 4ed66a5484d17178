/* SPDX-License-Identifier: MIT */
/*
 * The one door to the kernel.
 *
 * Theory: every system call of the engine goes through sys_invoke, a pointer
 * to one function that takes a number and six words and returns a result or a
 * negative errno. That buys three things: errno, which belongs to the
 * application, is never touched; no call is a thread cancellation point; and a
 * test makes any call fail by replacing one pointer (see inject.h).
 * The wrappers below add types and nothing else.
 *
 * Cost: one predicted indirect call, about a nanosecond.
 */
#ifndef POLYRING_BASE_SYS_H
#define POLYRING_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* errno names stay usable beside "return -EINVAL". */
#include <errno.h>

#include "base/compiler.h"

typedef long (*sys_invoke_fn)(long number, long a, long b, long c, long d,
			      long e, long f);

/* The kernel itself. */
long sys_direct(long number, long a, long b, long c, long d, long e, long f);

/* What the engine calls: sys_direct, unless a test put a fault injector here.
 */
extern sys_invoke_fn sys_invoke;

/* A test may replace it while other threads look. */
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
