/* SPDX-License-Identifier: MIT */
/*
 * A system call as programs make it that want nothing of libc, for the lanes to
 * find. Returns what the kernel does: a negative errno.
 */
#ifndef POLYRING_TESTS_BARE_CALL_H
#define POLYRING_TESTS_BARE_CALL_H

static inline long bare_call(long number, long a, long b, long c, long d,
			     long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
