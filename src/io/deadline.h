/* SPDX-License-Identifier: MIT */
/*
 * Points in time as requests give them: a timespec, relative or absolute, on
 * one of three clocks, turned into a due time on the monotonic clock that the
 * timers run on.
 */
#ifndef POLYRING_IO_DEADLINE_H
#define POLYRING_IO_DEADLINE_H

#include "abi/uring.h"
#include "base/clock.h"

struct when {
	int64_t ns; /* a span, or an instant with IORING_TIMEOUT_ABS */
	uint32_t flags; /* IORING_TIMEOUT_ABS, _BOOTTIME, _REALTIME */
};

/* Read the application's timespec: 0, -EFAULT, or -EINVAL when negative. */
int when_read(struct when *when, uint64_t address, uint32_t flags);

/* The same from a copy: 0 or -EINVAL. */
int when_set(struct when *when, const struct io_timespec *ts);

/* When it is due, counted from now. */
int64_t when_due_ns(const struct when *when);

#endif
