/* SPDX-License-Identifier: MIT */
/*
 * Events of the rings, for a process that watches: `polyring trace`.
 *
 * Theory: the watcher makes a file in memory, struct trace_memory, and names it
 * in POLYRING_TRACE. A process maps that file when it sets up its first ring,
 * and each of its rings takes a channel of it: a queue of events with one
 * writer, whoever holds the ring's lock, and one reader, the watcher. A channel
 * that is full loses events and counts them. The writer never waits and makes
 * no system call, so a program goes on when its watcher is slow or gone.
 *
 * A channel is FREE, then OPEN when a ring takes it, then CLOSED when the ring
 * ends, and FREE again when the watcher has read the rest. In a forked child a
 * ring that the child gives up is its parent's still, and so is the channel.
 *
 * Nothing is mapped and nothing is open in a process that is not watched. In
 * one that is, the file is mapped, and no fd stays open. Times are counts of
 * the processor's clock, which the watcher converts.
 *
 * Locks: trace_submit() and trace_complete() belong to the holder of the ring
 * lock, the rest to anybody. Cost: without a watcher nothing (queue.h says
 * how); with one a cache line and the reading of the clock an event.
 */
#ifndef POLYRING_OBSERVE_TRACE_H
#define POLYRING_OBSERVE_TRACE_H

#include "base/compiler.h"

#define TRACE_VARIABLE "POLYRING_TRACE"
#define TRACE_MAGIC UINT64_C(0x31656361727470) /* also the format's version */
#define TRACE_CHANNELS 256u
#define TRACE_EVENTS 8192u /* of a channel; a power of two */
#define TRACE_ENTRY_BYTES 48

enum trace_kind {
	TRACE_SUBMIT = 1, /* an entry was read from the submission queue */
	TRACE_COMPLETE, /* a completion was posted */
	TRACE_OVERFLOW, /* the same, and the queue was full */
	TRACE_SILENT, /* a request ended without a completion */
};

struct trace_event {
	uint64_t ticks;
	uint8_t kind; /* enum trace_kind */
	uint8_t spare[3];
	int32_t thread; /* its id; 0: unknown */
	union {
		/* The first bytes of an entry; the rest is its operation's. */
		uint8_t entry[TRACE_ENTRY_BYTES];
		struct {
			uint64_t user_data;
			int32_t res;
			uint32_t flags;
		} done;
	};
};

_Static_assert(sizeof(struct trace_event) == 64, "one cache line");

enum trace_state { TRACE_FREE, TRACE_TAKEN, TRACE_OPEN, TRACE_CLOSED };

struct trace_channel {
	/* Set by the ring, before it is OPEN. */
	uint32_t state; /* enum trace_state */
	int32_t pid;
	int32_t ring_fd;
	uint32_t setup_flags;
	uint32_t untaken; /* CLOSED: completions that nobody took */
	/* The writer's. */
	_Alignas(64) uint64_t written;
	uint64_t dropped;
	/* The watcher's. */
	_Alignas(64) uint64_t read;
	_Alignas(64) struct trace_event events[TRACE_EVENTS];
};

struct trace_memory {
	uint64_t magic;
	uint64_t bytes;
	uint32_t without; /* rings that found no free channel */
	_Alignas(64) struct trace_channel channels[TRACE_CHANNELS];
};

static inline uint64_t trace_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/*
 * A channel for a new ring, or NULL: the process is not watched, or none is
 * free. @ring_fd and @setup_flags are for the watcher.
 */
struct trace_channel *trace_channel_take(int ring_fd, uint32_t setup_flags);

/* The ring ends with @untaken completions that the application did not take. */
void trace_channel_close(struct trace_channel *channel, uint32_t untaken);

/* @entry: TRACE_ENTRY_BYTES bytes of a submission entry. */
void trace_submit(struct trace_channel *channel, const void *entry);

/* @kind: any but TRACE_SUBMIT. */
void trace_complete(struct trace_channel *channel, enum trace_kind kind,
		    uint64_t user_data, int32_t res, uint32_t flags);

#endif
