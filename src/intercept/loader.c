// SPDX-License-Identifier: MIT
/*
 * Objects that are loaded while the program runs.
 *
 * Theory: after dlopen() and dlmopen() have done their work, new objects are
 * looked at and their sites trapped. A constructor in such an object that
 * makes an io_uring call inline runs before that, and meets the kernel.
 *
 * Standing in front of dlopen() has a catch: the dynamic linker looks at its
 * return address to learn which object calls, whose RUNPATH it then searches
 * and into whose namespace it loads. Called from here it would take us for
 * the caller, and not find what the program finds without us. So the real
 * function is entered with a return address inside the true caller: that of
 * any byte there that means `ret`, which comes back to us (entry.S). A shadow
 * stack would not allow that; where one is in force we call plainly.
 */
#include "intercept/intercept.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "intercept/real.h"

/* How far from the caller we look for the byte; the nearest is ~50 away. */
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

/* A `ret` in the code of @caller, within its page: that one is mapped. */
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
