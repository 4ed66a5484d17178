// SPDX-License-Identifier: MIT
#include "intercept/xsave.h"

#include <cpuid.h>

/* x87, SSE, AVX and the three parts of AVX-512: what C code may change. */
#define XSAVE_WANTED 0xe7u
#define XSAVE_LEGACY_BYTES 576u

uint64_t trap_xsave_bytes;
uint32_t trap_xsave_mask;

bool xsave_measure(void)
{
	unsigned int a, b, c, d;
	uint64_t bytes = XSAVE_LEGACY_BYTES;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	trap_xsave_mask = a & XSAVE_WANTED;
	for (unsigned int part = 2; part < 8; part++) {
		if (!(trap_xsave_mask & 1u << part))
			continue;
		/* a: bytes, b: where they begin. */
		__cpuid_count(0xd, part, a, b, c, d);
		if (bytes < (uint64_t)a + b)
			bytes = (uint64_t)a + b;
	}
	trap_xsave_bytes = bytes;
	return true;
}
