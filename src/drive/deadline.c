// SPDX-License-Identifier: MIT
#include "drive/deadline.h"

#include <errno.h>

#include "base/fault.h"

int deadline_set(struct deadline *when, const struct io_timespec *ts)
{
	when->ns = 0;
	if (ts->tv_sec < 0 || ts->tv_nsec < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(ts->tv_sec, NS_PER_SEC, &when->ns) ||
	    __builtin_add_overflow(when->ns, ts->tv_nsec, &when->ns))
		when->ns = CLOCK_NEVER;
	return 0;
}

int deadline_read(struct deadline *when, uint64_t address, uint32_t flags)
{
	struct io_timespec ts;

	if (fault_copy(&ts, (const void *)(uintptr_t)address, sizeof(ts)) < 0)
		return -EFAULT;
	when->flags = flags;
	return deadline_set(when, &ts);
}

static clockid_t clock_of(const struct deadline *when)
{
	if (when->flags & IORING_TIMEOUT_REALTIME)
		return CLOCK_REALTIME;
	if (when->flags & IORING_TIMEOUT_BOOTTIME)
		return CLOCK_BOOTTIME;
	return CLOCK_MONOTONIC;
}

int64_t deadline_due_ns(const struct deadline *when)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);
	int64_t span = when->ns, due;

	if (when->flags & IORING_TIMEOUT_ABS)
		span -= clock_now_ns(clock_of(when));
	if (span < 0)
		span = 0;
	return __builtin_add_overflow(now, span, &due) ? CLOCK_NEVER : due;
}
