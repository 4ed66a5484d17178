// SPDX-License-Identifier: MIT
#include "io/path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fault.h"

/* A copy must not cross a page: the page after the string may be unmapped. */
#define LOOK_BYTES 64u

int path_bytes(uint64_t address)
{
	char look[LOOK_BYTES];
	size_t seen = 0;

	while (seen < PATH_MAX) {
		uint64_t at = address + seen;
		size_t bytes = LOOK_BYTES - at % LOOK_BYTES;
		const char *end;

		if (fault_copy(look, (const void *)(uintptr_t)at, bytes) < 0)
			return -EFAULT;
		end = memchr(look, 0, bytes);
		if (end)
			seen += (size_t)(end - look) + 1;
		else
			seen += bytes;
		if (end && seen <= PATH_MAX)
			return (int)seen;
	}
	return -ENAMETOOLONG;
}

int path_copy(char *to, uint64_t address, size_t bytes)
{
	if (fault_copy(to, (const void *)(uintptr_t)address, bytes) < 0)
		return -EFAULT;
	to[bytes - 1] = 0;
	return 0;
}
