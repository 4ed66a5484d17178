/* SPDX-License-Identifier: MIT */
/*
 * For programs that are run under `polyring run` and, to see that they expect
 * the right thing, on the kernel too.
 *
 * Theory: a program prints a line of TAP for each check and, at the end, the
 * counts; it exits with 1 when a check failed. Its io_uring calls are inline
 * instructions with the number as an immediate, as liburing's are.
 */
#ifndef POLYRING_TESTS_TAP_H
#define POLYRING_TESTS_TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/uring.h"

static int tap_passed, tap_failed;

static inline void tap_check(int good, const char *name, const char *file,
			     int line)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok",
	       tap_passed + tap_failed + 1, name);
	if (!good)
		printf("# %s:%d\n", file, line);
	tap_passed += good;
	tap_failed += !good;
	fflush(stdout);
}

#define CHECK(name, condition) \
	tap_check(!!(condition), (name), __FILE__, __LINE__)

/* Printed by a test that needs something that is missing here. */
#define REQUIRE(condition)                    \
	do {                                  \
		if (!(condition)) {           \
			CHECK(#condition, 0); \
			exit(tap_end());      \
		}                             \
	} while (0)

static inline int tap_end(void)
{
	printf("1..%d\n%d passed, %d failed\n", tap_passed + tap_failed,
	       tap_passed, tap_failed);
	return tap_failed != 0;
}

/* @nr is a constant: "n" refuses anything else. Does not touch errno. */
#define INLINE_SYSCALL(nr, a, b, c, d, e, f)                                \
	({                                                                  \
		register long r10_ __asm__("r10") = (long)(d);              \
		register long r8_ __asm__("r8") = (long)(e);                \
		register long r9_ __asm__("r9") = (long)(f);                \
		long result_;                                               \
		__asm__ volatile("mov %1, %%eax\n\tsyscall"                 \
				 : "=&a"(result_)                           \
				 : "n"(nr), "D"((long)(a)), "S"((long)(b)), \
				   "d"((long)(c)), "r"(r10_), "r"(r8_),     \
				   "r"(r9_)                                 \
				 : "rcx", "r11", "memory");                 \
		result_;                                                    \
	})

static inline int inline_setup(unsigned int entries,
			       struct io_uring_params *params)
{
	return (int)INLINE_SYSCALL(425, entries, params, 0, 0, 0, 0);
}

static inline int inline_enter(int fd, unsigned int submit, unsigned int wait,
			       unsigned int flags)
{
	return (int)INLINE_SYSCALL(426, fd, submit, wait, flags, 0, 0);
}

static inline int inline_register(int fd, unsigned int opcode, void *arg,
				  unsigned int count)
{
	return (int)INLINE_SYSCALL(427, fd, opcode, arg, count, 0, 0);
}

/* A ring that is there only to be counted and closed. */
static inline int inline_ring(void)
{
	struct io_uring_params params = {0};

	return inline_setup(4, &params);
}

#endif
