// SPDX-License-Identifier: MIT
/*
 * The cost of a call that does nothing: io_uring_enter() of a ring, nothing to
 * submit, nothing to wait for.
 *
 * Theory: the instruction is inline, as in liburing, so that the lanes are
 * compared: patched, trapped, the kernel itself. Built with -DDIRECT the engine
 * is called as a library; the difference to that is the cost of a lane. VECTORS
 * names instructions that are never executed: the patch lane reads from them
 * which vector registers the object may use.
 */
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef DIRECT
#include "polyring/polyring.h"
#endif

#define CALLS_AT_ONCE 1000u

#ifdef VECTORS
__attribute__((used, noinline)) static void names_vectors(void)
{
	__asm__ volatile(VECTORS);
}
#endif

static long inline_call(long number, long a, long b)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register long r9 __asm__("r9") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(0l), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static int ring_setup(struct io_uring_params *params)
{
#ifdef DIRECT
	(void)inline_call;
	return polyring_setup(8, params);
#else
	return (int)inline_call(425, 8, (long)params);
#endif
}

static inline long ring_enter(int ring)
{
#ifdef DIRECT
	return polyring_enter(ring, 0, 0, 0, NULL, 0);
#else
	return inline_call(426, ring, 0);
#endif
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 200;
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER};
	int ring = ring_setup(&params);
	uint64_t until = now(CLOCK_MONOTONIC) + ms * 1000000;
	uint64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID), calls = 0;

	if (ring < 0) {
		fprintf(stderr, "call: setup: %d\n", ring);
		return 1;
	}
	do {
		for (unsigned int i = 0; i < CALLS_AT_ONCE; i++) {
			if (ring_enter(ring) != 0)
				return 1;
		}
		calls += CALLS_AT_ONCE;
	} while (now(CLOCK_MONOTONIC) < until);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"ops\":%llu,\"cpu_ns\":%llu}\n", (unsigned long long)calls,
	       (unsigned long long)cpu);
	return 0;
}
