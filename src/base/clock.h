/* SPDX-License-Identifier: MIT */
/*
 * Time as one signed 64-bit count of nanoseconds. KTIME_MAX, some 292 years,
 * means "never".
 */
#ifndef POLYRING_BASE_CLOCK_H
#define POLYRING_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC INT64_C(1000000000)
#define CLOCK_NEVER INT64_MAX

/* The vDSO answers this without a system call. */
static inline int64_t clock_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

#endif
