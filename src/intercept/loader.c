// SPDX-License-Identifier: MIT
/*
 * Objects that are loaded while the program runs.
 *
 * Theory: after dlopen() and dlmopen() have done their work, new objects are
 * examined and their sites trapped. A constructor in such an object that makes
 * an io_uring call inline runs before that, and reaches the kernel.
 *
 * Replacing dlopen() has a difficulty: the dynamic linker uses dlopen()'s
 * return address to find the calling object, whose RUNPATH it then searches and
 * into whose namespace it loads. Called from here it would take this library
 * for the caller, and might not find objects that the program finds without us.
 * So the real function is called with a return address inside the true caller:
 * that of any byte there that is a `ret`, which returns here (entry.S). A
 * shadow stack would not allow that; where one is used the function is called
 * normally.
 */
#include "intercept/intercept.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "intercept/real.h"

/*
 * How far from the caller to look for the byte; the nearest is some 50 bytes
 * away.
 */
#define RET_BYTES_MAX 4096
#define RET_OPCODE 0xc3

void *intercept_call_as(const void *seen, void *function, const void *a,
			const void *b, const void *c);

static bool shadow_stack_in_force(void)
{
	uint64_t pointer = 0;

	/* rdsspq: does nothing where there are no shadow stacks. */
	__asm__("rdsspq %0" : "+r"(pointer));
	return pointer != 0;
}

/* A `ret` in the code of @caller, within its page, which is mapped. */
static const void *find_ret(uintptr_t caller)
{
	uintptr_t end = (caller | (RET_BYTES_MAX - 1)) + 1;
	uintptr_t begin = end - RET_BYTES_MAX;

	if (shadow_stack_in_force())
		return NULL;
	return memchr((const void *)begin, RET_OPCODE, end - begin);
}

POLYRING_API void *dlopen(const char *file, int mode)
{
	const void *ret = find_ret((uintptr_t)__builtin_return_address(0));
	void *handle;

	if (ret)
		handle = intercept_call_as(ret, (void *)&REAL(dlopen), file,
					   (const void *)(long)mode, NULL);
	else
		handle = REAL(dlopen)(file, mode);
	if (handle)
		trap_update(NULL);
	return handle;
}

POLYRING_API void *dlmopen(Lmid_t space, const char *file, int mode)
{
	const void *ret = find_ret((uintptr_t)__builtin_return_address(0));
	void *handle;

	if (ret)
		handle = intercept_call_as(ret, (void *)&REAL(dlmopen),
					   (const void *)space, file,
					   (const void *)(long)mode);
	else
		handle = REAL(dlmopen)(space, file, mode);
	if (handle)
		trap_update(handle);
	return handle;
}
