/* SPDX-License-Identifier: MIT */
/*
 * Threads for blocking work (D7).
 *
 * Theory: two pools a process. The *bounded* one serves disks, whose work ends
 * by itself; the *unbounded* one serves calls that may wait for ever, so that
 * such waits never starve disks. A pool starts a thread when work is queued and
 * no thread is idle, up to its bound, and a thread ends after some idle
 * seconds. Work is embedded in its owner and queued in order.
 *
 * A work is queued, then running, then finished. worker_cancel() removes it
 * while it is queued, and otherwise returns false. run() is called without any
 * lock and reports its end by its own means. It makes calls that wait with
 * worker_call(), which worker_interrupt() interrupts.
 *
 * A thread has the rights of the one that created it: credentials, Landlock
 * domain, seccomp filters, root, cwd and umask. A pool's thread may have been
 * created by any thread, so work that depends on rights is *cloned*: the
 * caller of worker_start() creates a thread for it that does nothing else.
 *
 * Locks: one mutex a pool, inside. Threads block all signals but those of
 * faults.
 */
#ifndef POLYRING_DRIVE_WORKER_H
#define POLYRING_DRIVE_WORKER_H

#include <pthread.h>
#include <sched.h>

#include "base/list.h"

struct keeper;

struct work {
	struct list node; /* zeroed or self-pointing when not queued */
	void (*run)(struct work *work);
	bool unbounded;
	bool at_once; /* is not queued behind others: either starts or fails */
	bool cloned; /* runs on a new thread, with its starter's rights */
	uint32_t stop; /* set by worker_interrupt() */
	struct keeper *keeper; /* held; NULL: none (drive/keeper.h) */
	struct list kept; /* in the keeper's queue */
};

/*
 * Queue @work. Returns 0, or, where it was not queued: -ECANCELED, as the
 * kernel, when no thread exists and the process may have none; -ENOMEM when
 * there is no memory for one; -EAGAIN with at_once or cloned when there are as
 * many as there may be.
 */
int worker_start(struct work *work);

/* Returns true if it was still queued; then it will not run. */
bool worker_cancel(struct work *work);

/*
 * Interrupt running work: the system call that it waits in, or its next one,
 * returns -EINTR, unless it already has a result. No result is lost. Returns
 * false if the work's thread can't get a signal.
 */
bool worker_interrupt(struct work *work);

/* In run(): a system call that worker_interrupt() interrupts. */
long worker_call(const struct work *work, long number, long a, long b, long c,
		 long d, long e, long f);

/*
 * Set how many threads one pool may have, at least 1; 0 changes nothing.
 * Returns the former value. Surplus threads end after their current work.
 */
uint32_t worker_limit(bool unbounded, uint32_t max_threads);

/* The processors of both pools' threads, from their next work on; NULL: all. */
void worker_pin(const cpu_set_t *cpus);

/* The process ends: end the idle threads. */
void worker_end(void);

/* In a forked child the threads don't exist: start anew. */
void worker_forget_threads(void);

/*
 * Start a thread of the engine's, with all signals blocked but those of faults:
 * detached or, if @thread is given, to be joined.
 */
int worker_thread(void *(*body)(void *), void *argument, const char *name,
		  pthread_t *thread);

#endif
