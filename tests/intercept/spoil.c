// SPDX-License-Identifier: MIT
/*
 * An engine that uses all it may: it stands before the real one, and when that
 * returns there is something else in each vector register and in errno. The
 * real one leaves most alone: an entry that forgot one would not be found out.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "polyring/polyring.h"

#define MXCSR 24
#define XSTATE_BV 512
#define XSAVE_BYTES 2816
/* What of XCR0 is vectors: those of SSE, AVX, AVX-512. */
#define VECTORS 0xe6u

/* How often it was done. */
extern int spoiled;
POLYRING_API int spoiled;

/* A signal handler may do the same in the middle of it. */
static void spoil(void)
{
	uint8_t image[XSAVE_BYTES] __attribute__((aligned(64)));
	uint32_t low, high, mxcsr;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	low &= VECTORS;
	memset(image, 0xa5, sizeof(image));
	memset(image + XSTATE_BV, 0, 64);
	memcpy(image + XSTATE_BV, &low, sizeof(low));
	__asm__("stmxcsr %0" : "=m"(mxcsr));
	memcpy(image + MXCSR, &mxcsr, sizeof(mxcsr));
	__asm__ volatile("xrstor64 %0" : : "m"(image), "a"(low), "d"(0));
	errno = 1000;
	spoiled++;
}

static __typeof__(&polyring_enter) real_enter;
static __typeof__(&polyring_register) real_register;

/* Before any signal handler may come here. */
__attribute__((constructor)) static void find_real(void)
{
	real_enter = dlsym(RTLD_NEXT, "polyring_enter");
	real_register = dlsym(RTLD_NEXT, "polyring_register");
}

POLYRING_API int polyring_enter(int ring_fd, uint32_t to_submit,
				uint32_t min_complete, uint32_t flags,
				const void *arg, size_t arg_bytes)
{
	int result = real_enter(ring_fd, to_submit, min_complete, flags, arg,
				arg_bytes);

	spoil();
	return result;
}

POLYRING_API int polyring_register(int ring_fd, uint32_t opcode, void *arg,
				   uint32_t nr_args)
{
	int result = real_register(ring_fd, opcode, arg, nr_args);

	spoil();
	return result;
}
