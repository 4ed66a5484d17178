// SPDX-License-Identifier: MIT
/*
 * Code that comes neither with the program nor by dlopen(): code that the
 * program maps from files itself, and code that it makes at run time.
 *
 * Theory: memory becomes executable by mmap(), mprotect() or pkey_mprotect().
 * Each range is examined afterwards (sites.c), and trapped if it may make the
 * calls that we serve. A JIT's code is written before it is made executable, or
 * the memory is writable all the time. A range that is trapped is not examined
 * again.
 *
 * Not noticed: bare system calls, and memory that is made executable by
 * mremap() or a second mapping whose code is written through the first after it
 * was examined.
 * Cost: a compare for each such call; a scan of the bytes if it is code.
 */
#include "intercept/intercept.h"

#include <sys/mman.h>

#include "base/sys.h"
#include "intercept/real.h"

static bool is_open;

void mapped_open(void)
{
	store_relaxed(&is_open, true);
}

void mapped_look(const void *at, size_t bytes, int prot)
{
	if (unlikely(prot & PROT_EXEC) && load_relaxed(&is_open))
		trap_mapped((uintptr_t)at, bytes, prot & PROT_WRITE);
}

/* Not with the real one: like mmap(), it may be called very early. */
POLYRING_API int mprotect(void *at, size_t bytes, int prot)
{
	long result =
		sys_direct(SYS_mprotect, (long)at, (long)bytes, prot, 0, 0, 0);

	if (!result)
		mapped_look(at, bytes, prot);
	return (int)real_result(result);
}

/* In libc key -1 means mprotect(). */
POLYRING_API int pkey_mprotect(void *at, size_t bytes, int prot, int key)
{
	long result;

	if (key == -1)
		return mprotect(at, bytes, prot);
	result = sys_direct(SYS_pkey_mprotect, (long)at, (long)bytes, prot, key,
			    0, 0);
	if (!result)
		mapped_look(at, bytes, prot);
	return (int)real_result(result);
}
