// SPDX-License-Identifier: MIT
/*
 * An engine that changes every register that it may change: it calls the real
 * one and then puts other values into each vector register and into errno. The
 * real one does not use most of them, so a test with it would not notice an
 * entry that fails to save one.
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

/* How often registers were changed. */
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

/* Before any signal handler may run this. */
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
