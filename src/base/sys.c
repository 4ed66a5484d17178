// SPDX-License-Identifier: MIT
#include "base/sys.h"

#ifndef __x86_64__
#error "polyring runs on x86-64 only so far"
#endif

long sys_direct(long number, long a, long b, long c, long d, long e, long f)
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

sys_invoke_fn sys_invoke = sys_direct;
