/* SPDX-License-Identifier: MIT */
/*
 * Due times: converts the timespec of a request, relative or absolute, on one
 * of three clocks, to a due time on the monotonic clock, which the timers use.
 */
#ifndef POLYRING_DRIVE_DEADLINE_H
#define POLYRING_DRIVE_DEADLINE_H

#include "abi/uring.h"
#include "base/clock.h"

struct deadline {
	int64_t ns; /* a span, or an instant with IORING_TIMEOUT_ABS */
	uint32_t flags; /* IORING_TIMEOUT_ABS, _BOOTTIME, _REALTIME */
};

/* Read the application's timespec: 0, -EFAULT, or -EINVAL when negative. */
int deadline_read(struct deadline *when, uint64_t address, uint32_t flags);

/* Set it from a copy of the timespec: 0 or -EINVAL. */
int deadline_set(struct deadline *when, const struct io_timespec *ts);

/* The due time; a span is counted from now. */
int64_t deadline_due_ns(const struct deadline *when);

#endif
