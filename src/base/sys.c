// SPDX-License-Identifier: MIT
#include "base/sys.h"

#include "base/tsan.h"

#ifndef __x86_64__
#error "polyring runs on x86-64 only so far"
#endif

/*
 * Thread sanitizer sees none of these calls, so it must be informed that an
 * address was unmapped before it was mapped anew.
 */
static char mappings;

static void tell_unmapping(long number)
{
	if (number == SYS_munmap)
		TSAN_RELEASE(&mappings);
}

static void tell_mapped(long number)
{
	if (number == SYS_mmap || number == SYS_mremap)
		TSAN_ACQUIRE(&mappings);
}

long sys_direct(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	tell_unmapping(number);
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	tell_mapped(number);
	return result;
}

sys_invoke_fn sys_invoke = sys_direct;
