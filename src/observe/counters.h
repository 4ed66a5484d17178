/* SPDX-License-Identifier: MIT */
/*
 * Counters of what the engine has done.
 *
 * Theory: each ring has its own counters, plain variables that only the holder
 * of its lock changes; the figure of a process is the sum over all rings that
 * it ever had. Readers take no lock. Counters show tests that rings served a
 * program, and show people what the engine does. The table below is the only
 * place that names them.
 * Cost: one plain add to a cache line of the ring.
 */
#ifndef POLYRING_OBSERVE_COUNTERS_H
#define POLYRING_OBSERVE_COUNTERS_H

#include "base/compiler.h"

#define COUNTER_TABLE(X)                                              \
	X(RINGS, "rings", "rings set up")                             \
	X(ENTERS, "enters", "calls of io_uring_enter")                \
	X(REQUESTS, "requests", "submission entries accepted")        \
	X(COMPLETIONS, "completions", "completion entries posted")    \
	X(BUFFERS_CLAIMED, "buffers_claimed",                         \
	  "times provided buffers were used")                         \
	X(ARMED, "armed", "requests that had to wait for their file") \
	X(JOINED, "joined", "reads that shared a system call")        \
	X(PUNTED, "punted", "requests handed to a worker")            \
	X(SLEEPS, "sleeps", "waits that went to sleep")

enum counter {
#define COUNTER_ENUM(id, name, text) COUNTER_##id,
	COUNTER_TABLE(COUNTER_ENUM)
#undef COUNTER_ENUM
		COUNTER_COUNT
};

struct counters {
	uint64_t value[COUNTER_COUNT];
};

extern const char *const counter_names[COUNTER_COUNT];

static inline void counter_add(struct counters *counters, enum counter which,
			       uint64_t amount)
{
	uint64_t *value = &counters->value[which];

	store_relaxed(value, *value + amount);
}

#endif
