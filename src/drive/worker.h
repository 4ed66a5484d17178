/* SPDX-License-Identifier: MIT */
/*
 * Threads for work that blocks (D7).
 *
 * Theory: two pools a process. The *bounded* one serves disks, whose work ends
 * by itself; the *unbounded* one serves what may wait for ever, so that such
 * waits never starve disks. A pool starts a thread when work is queued and
 * nobody is idle, up to its bound, and a thread leaves after some idle
 * seconds. Work lives in its owner and is queued in order.
 *
 * A work is queued, then running, then finished; worker_cancel() removes it
 * while it is queued and tells the truth otherwise. run() is called without
 * any lock and reports its end by its own means. A call that waits is made with
 * worker_call(), which worker_interrupt() ends.
 *
 * Locks: one mutex a pool, inside. Threads block all signals.
 */
#ifndef POLYRING_DRIVE_WORKER_H
#define POLYRING_DRIVE_WORKER_H

#include <pthread.h>
#include <sched.h>

#include "base/list.h"

struct work {
	struct list node; /* zeroed or self-pointing when not queued */
	void (*run)(struct work *work);
	bool unbounded;
	bool at_once; /* is not queued behind others: it runs, or isn't started
		       */
	uint32_t stop; /* set by worker_interrupt() */
};

/*
 * Queue @work. Returns 0, or -EAGAIN when no thread exists and none could be
 * started, or with at_once none is free: the work was not queued.
 */
int worker_start(struct work *work);

/* True: it was still queued, and will not run. */
bool worker_cancel(struct work *work);

/*
 * Of a work that runs: the system call that it waits in, or its next one, says
 * -EINTR, unless it has a result already. Nothing of it is lost. False: its
 * thread can't be reached.
 */
bool worker_interrupt(struct work *work);

/* In run(): a system call that worker_interrupt() ends. */
long worker_call(const struct work *work, long number, long a, long b, long c,
		 long d, long e, long f);

/*
 * How many threads one pool may have, at least 1; 0 asks only. Returns what it
 * was. Those that are too many leave after what they are doing.
 */
uint32_t worker_limit(bool unbounded, uint32_t max_threads);

/* Where threads of both pools run from their next work on; NULL: anywhere. */
void worker_pin(const cpu_set_t *cpus);

/* The process ends: end those that idle. */
void worker_end(void);

/* In a forked child the threads are gone: begin anew. */
void worker_forget_threads(void);

/*
 * Start a thread of the engine's own, all signals blocked: detached, or where
 * @thread is given, to be joined.
 */
int worker_thread(void *(*body)(void *), void *argument, const char *name,
		  pthread_t *thread);

#endif
