// SPDX-License-Identifier: MIT
/*
 * One call site that a jump replaces, in an object that is looked at again
 * when others come and go; and the filters that are in force then.
 */
#include <dlfcn.h>
#include <errno.h>

#include "tap.h"

/* The number stays in the code, so that the object goes on counting. */
__attribute__((noinline)) static long own_syscall(long number, long a)
{
	register long flags __asm__("r10") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(1l), "d"(0l), "r"(flags)
			 : "rcx", "r11", "memory");
	return result;
}

static void look_again(void)
{
	for (int i = 0; i < 3; i++) {
		void *handle = dlopen("libm.so.6", RTLD_NOW);

		if (handle)
			dlclose(handle);
	}
}

int main(void)
{
	FILE *status;
	char line[256];

	look_again();
	status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "Seccomp_filters:", 16))
			fputs(line, stdout);
	if (status)
		fclose(status);
	return own_syscall(426, -1) == -EBADF ? 0 : 1;
}
