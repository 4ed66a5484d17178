// SPDX-License-Identifier: MIT
/*
 * fork(), and the end of the process.
 *
 * Theory: a child has the memory of its parent but none of its threads, so the
 * requests stay the parent's; both have the rings from the first fork on
 * (core/ctx_share.h). When a thread forks, another one may be in the middle of
 * a change; therefore the forking thread takes every lock first.
 */
#include <pthread.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/rcu.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/tool.h"
#include "core/ctx_share.h"
#include "core/registry.h"
#include "core/ring_fds.h"
#include "drive/aio_now.h"
#include "drive/waker.h"
#include "drive/worker.h"
#include "io/nonblock.h"
#include "sched/ctx_life.h"
#include "sched/sleeper.h"
#include "sched/standby.h"

static void inherit_ring(struct ctx *ctx, void *argument)
{
	(void)argument;
	ctx_inherit(ctx);
}

/* Where it can't be shared, the child does without. */
static void share(struct ctx *ctx, void *argument)
{
	(void)argument;
	if (ctx->locked_for_fork && ctx->state == CTX_OPEN &&
	    !ctx->queue.view.share)
		ctx_share_begin(ctx);
}

/*
 * Another thread may be in the middle of a change, and the child would get half
 * of it: a duplicate, for example, that is not recorded yet. So every ring's
 * lock is taken first; they are never held for long. A fork in a signal handler
 * may have interrupted the holder of a lock itself, hence the bound.
 */
#define FORK_PATIENCE 100000

static struct lock fork_lock; /* one thread forks at a time */

/*
 * A ring that has ended meanwhile is unlocked now: unlocking visits only open
 * rings.
 */
static void lock_for_fork(struct ctx *ctx, void *argument) UNCHECKED_LOCKS
{
	bool held = false;

	(void)argument;
	for (int i = 0; i < FORK_PATIENCE && !held; i++) {
		held = lock_try(&ctx->lock);
		if (!held)
			SYS_0(SYS_sched_yield);
	}
	if (held && ctx->state == CTX_FREE)
		lock_drop(&ctx->lock);
	else
		ctx->locked_for_fork = held;
}

static void go_on(struct ctx *ctx, void *argument) UNCHECKED_LOCKS
{
	(void)argument;
	if (!ctx->locked_for_fork)
		return;
	ctx->locked_for_fork = false;
	lock_drop(&ctx->lock);
}

static void before_fork(void) UNCHECKED_LOCKS
{
	lock_take(&fork_lock);
	registry_for_each(lock_for_fork, NULL);
	registry_for_each(share, NULL);
	ring_fds_before_fork();
	fd_before_fork();
	urcu_bp_before_fork();
}

static void in_parent(void) UNCHECKED_LOCKS
{
	urcu_bp_after_fork_parent();
	fd_after_fork();
	ring_fds_in_parent();
	registry_for_each(go_on, NULL);
	lock_drop(&fork_lock);
}

static void in_child(void)
{
	urcu_bp_after_fork_child();
	fd_after_fork();
	ring_fds_in_child();
	registry_forget_lock();
	standby_forget();
	sleeper_forget();
	aio_now_forget();
	worker_forget_threads();
	thread_forget_lock();
	nonblock_forget_lock();
	ctx_share_adopt = ctx_adopt;
	registry_for_each(inherit_ring, NULL);
	waker_forget();
	fork_lock.word = 0;
	process_begin();
}

/*
 * A bare fork or clone call told nobody, so that no lock was taken before.
 * Where it left the files common, what the parent has must stay open.
 */
static void in_untold_child(void)
{
	fd_close_nothing(process_shares_files());
	urcu_bp_before_fork();
	in_child();
	fd_close_nothing(false);
}

/*
 * valgrind reports threads that still run as leaks; the kernel does not mind
 * them.
 */
__attribute__((destructor)) static void at_end(void)
{
	if (!under_valgrind())
		return;
	standby_end();
	worker_end();
}

__attribute__((constructor)) static void at_start(void)
{
	process_in_child = in_untold_child;
	process_begin();
	pthread_atfork(before_fork, in_parent, in_child);
}
