// SPDX-License-Identifier: MIT
/*
 * io_uring_enter: submitting, and waiting for completions.
 *
 * Theory: a call finds its ring, takes its lock once, and leaves through
 * standby_leave(), where completions become visible. It counts its thread in
 * and out, so that the standby thread can see whether a thread drives the ring
 * (D4).
 *
 * Cost of an enter with nothing to do: two loads to find the ring, one exchange
 * each to take and drop the lock.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/offer.h"
#include "api/ring_fd.h"
#include "base/fault.h"
#include "base/sys.h"
#include "core/ctx_lock.h"
#include "core/ctx_share.h"
#include "core/entry_guard.h"
#include "core/notify.h"
#include "polyring/polyring.h"
#include "sched/order.h"
#include "sched/standby.h"
#include "sched/submit.h"
#include "sched/turn.h"
#include "sched/wait.h"

/* A copy of the arguments that EXT_ARG points to. */
struct enter_arg {
	struct wait_spec spec;
	uint64_t sigmask_address;
	size_t sigmask_bytes;
	sigset_t sigmask;
};

static int read_sigmask(struct enter_arg *a)
{
	const void *from = (const void *)(uintptr_t)a->sigmask_address;

	if (!from)
		return 0;
	if (a->sigmask_bytes != sizeof(uint64_t))
		return -EINVAL;
	memset(&a->sigmask, 0, sizeof(a->sigmask));
	if (fault_copy(&a->sigmask, from, sizeof(uint64_t)) < 0)
		return -EFAULT;
	a->spec.sigmask = &a->sigmask;
	return 0;
}

/*
 * The start of the application's clock, on the clock that the engine sleeps by.
 */
static int64_t origin_ns(clockid_t clock, uint32_t flags)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);

	if (!(flags & IORING_ENTER_ABS_TIMER))
		return now;
	return clock == CLOCK_MONOTONIC ? 0 : now - clock_now_ns(clock);
}

/*
 * A time that is invalid, or before the start of an absolute clock, is never
 * due.
 */
static void set_deadline(struct enter_arg *a, const struct ctx *ctx,
			 const struct io_timespec *ts, uint32_t flags)
{
	int64_t ns;

	if (__builtin_mul_overflow(ts->tv_sec, NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, ts->tv_nsec, &ns) ||
	    (flags & IORING_ENTER_ABS_TIMER && ns < 0) ||
	    __builtin_add_overflow(ns, origin_ns(ctx->clock, flags), &ns))
		return;
	a->spec.deadline_ns = ns;
}

/* Without another time the wait ends at this one (6.18). */
static void read_min_wait(struct enter_arg *a, uint32_t microseconds,
			  bool is_timed)
{
	if (!microseconds)
		return;
	a->spec.min_wait_until_ns =
		clock_now_ns(CLOCK_MONOTONIC) + (int64_t)microseconds * 1000;
	if (!is_timed)
		a->spec.deadline_ns = a->spec.min_wait_until_ns;
}

/* The same fields, from the ring's region. */
static int read_wait(struct enter_arg *a, const struct ctx *ctx,
		     uint64_t offset, size_t bytes, uint32_t flags)
{
	struct io_uring_reg_wait wait;
	int err;

	if (bytes != sizeof(wait))
		return -EINVAL;
	err = region_read_wait(&ctx->region, offset, &wait);
	if (err < 0)
		return err;
	if (wait.flags & ~IORING_REG_WAIT_TS)
		return -EINVAL;
	read_min_wait(a, wait.min_wait_usec, wait.flags & IORING_REG_WAIT_TS);
	a->sigmask_address = wait.sigmask;
	a->sigmask_bytes = wait.sigmask_sz;
	if (wait.flags & IORING_REG_WAIT_TS)
		set_deadline(a, ctx, &wait.ts, flags);
	return 0;
}

static int read_arg(struct enter_arg *a, const struct ctx *ctx, const void *arg,
		    size_t bytes, uint32_t flags)
{
	struct io_uring_getevents_arg ext;
	struct io_timespec ts;

	if (!(flags & IORING_ENTER_EXT_ARG)) {
		a->sigmask_address = (uintptr_t)arg;
		a->sigmask_bytes = bytes;
		return 0;
	}
	if (flags & IORING_ENTER_EXT_ARG_REG)
		return read_wait(a, ctx, (uintptr_t)arg, bytes, flags);
	if (bytes != sizeof(ext))
		return -EINVAL;
	if (fault_copy(&ext, arg, sizeof(ext)) < 0)
		return -EFAULT;
	if (ext.min_wait_usec && /* the field was reserved then */
	    !abi_knows(&ctx->abi, ABI_FEATURES, IORING_FEAT_MIN_TIMEOUT))
		return -EINVAL;
	read_min_wait(a, ext.min_wait_usec, ext.ts);
	a->sigmask_address = ext.sigmask;
	a->sigmask_bytes = ext.sigmask_sz;
	if (!ext.ts)
		return 0;
	if (fault_copy(&ts, (void *)(uintptr_t)ext.ts, sizeof(ts)) < 0)
		return -EFAULT;
	set_deadline(a, ctx, &ts, flags);
	return 0;
}

/* With SQPOLL its thread polls, and enter waits like on any ring. */
static bool is_polled_here(const struct ctx *ctx)
{
	return (ctx->flags & (IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL)) ==
	       IORING_SETUP_IOPOLL;
}

static int get_events(struct ctx *ctx, uint32_t min_complete, uint32_t flags,
		      const void *arg, size_t bytes) HOLDS(&ctx->lock)
{
	struct enter_arg a = {.spec = {.deadline_ns = CLOCK_NEVER}};
	uint32_t most = ctx->queue.memory.cq_entries;
	int err = read_arg(&a, ctx, arg, bytes, flags);

	if (err < 0)
		return err;
	a.spec.want = min_complete < most ? min_complete : most;
	if (wait_is_over(ctx, a.spec.want))
		return 0;
	if (is_polled_here(ctx))
		return wait_polled(ctx, a.spec.want);
	/* The signal mask is needed only if the thread sleeps. */
	err = read_sigmask(&a);
	ctx->slept = true;
	return err < 0 ? err : wait_completions(ctx, &a.spec);
}

/* How often a thread that waits for room looks. */
#define NAP_NS 1000000

/*
 * The SQPOLL thread submits; this thread wakes it, or waits for room. The
 * wake-up may reach another sleeper of the ring, so this thread submits the
 * waiting entries itself, so that they need not wait for the SQPOLL thread.
 * After that room is missing only without memory, or where the SQPOLL thread is
 * another process's. As in the kernel, a signal that ends the wait for room is
 * no error.
 */
static int leave_to_sqpoll(struct ctx *ctx, uint32_t to_submit, uint32_t flags)
	HOLDS(&ctx->lock)
{
	const uint32_t all = ctx->foreign ? 0 : ctx->queue.memory.sq_entries;

	if (flags & IORING_ENTER_SQ_WAKEUP) {
		reactor_wake(&ctx->reactor);
		submit(ctx, all);
	}
	while (flags & IORING_ENTER_SQ_WAIT && queue_sq_full(&ctx->queue) &&
	       submit(ctx, all) <= 0 && !turn_nap(ctx, NAP_NS))
		;
	return (int)to_submit;
}

/*
 * With SINGLE_ISSUER only one thread submits; with DEFER_TASKRUN only it
 * completes.
 */
static int check_enter(const struct ctx *ctx, uint32_t to_submit,
		       uint32_t flags)
{
	bool own_work = to_submit || (flags & IORING_ENTER_GETEVENTS &&
				      ctx->flags & IORING_SETUP_DEFER_TASKRUN);

	if (unlikely(!abi_knows(&ctx->abi, ABI_ENTER, flags)))
		return -EINVAL;
	if (ctx->disabled)
		return -EBADFD;
	if (ctx->flags & IORING_SETUP_SQPOLL && !ctx_share_maker_lives(ctx))
		return -EOWNERDEAD;
	if (own_work && ctx->issuer_known &&
	    !(ctx->flags & IORING_SETUP_SQPOLL) && !ctx_is_issuer(ctx))
		return -EEXIST;
	return 0;
}

static int enter_locked(struct ctx *ctx, uint32_t to_submit,
			uint32_t min_complete, uint32_t flags, const void *arg,
			size_t bytes) HOLDS(&ctx->lock)
{
	int done = 0, err = check_enter(ctx, to_submit, flags);

	if (err < 0)
		return err;
	if (ctx->flags & IORING_SETUP_SQPOLL)
		done = leave_to_sqpoll(ctx, to_submit, flags);
	else if (to_submit)
		done = submit(ctx, to_submit);
	if (done < 0 || (uint32_t)done != to_submit)
		return done;
	if (flags & IORING_ENTER_GETEVENTS)
		err = get_events(ctx, min_complete, flags, arg, bytes);
	return done ? done : err;
}

/* For when there is no ring to check the flags. */
static bool enter_flags_known(uint32_t flags)
{
	struct abi_view abi;

	abi_view_make(&abi, abi_version_chosen());
	return !(flags & ~(uint32_t)ENTER_FLAGS) &&
	       abi_knows(&abi, ABI_ENTER, flags);
}

static inline int enter_ring(int ring_fd, uint32_t to_submit,
			     uint32_t min_complete, uint32_t flags,
			     const void *arg, size_t arg_bytes) UNCHECKED_LOCKS
{
	struct ctx *ctx;
	int result, err;

	err = ring_fd_lock(ring_fd, flags & IORING_ENTER_REGISTERED_RING, &ctx);
	if (unlikely(err < 0))
		return enter_flags_known(flags) ? err : -EINVAL;
	ctx->inside++;
	ctx->entered++;
	counter_add(&ctx->counters, COUNTER_ENTERS, 1);
	result = enter_locked(ctx, to_submit, min_complete, flags, arg,
			      arg_bytes);
	order_leave(ctx, true);
	notify_taken(ctx);
	ctx->inside--;
	standby_leave(ctx);
	return result;
}

POLYRING_API int polyring_enter(int ring_fd, uint32_t to_submit,
				uint32_t min_complete, uint32_t flags,
				const void *arg, size_t arg_bytes)
{
	int result;

	if (!entry_guard_begin())
		return -EAGAIN;
	result = enter_ring(ring_fd, to_submit, min_complete, flags, arg,
			    arg_bytes);
	entry_guard_end();
	return result;
}

POLYRING_API void polyring_cancels(bool asynchronous)
{
	if (asynchronous)
		entry_guard_state |= ENTRY_CANCELS;
	else
		entry_guard_state &= (uint8_t)~ENTRY_CANCELS;
}

POLYRING_API bool polyring_put_off(void (*resume)(void))
{
	return entry_guard_put_off(resume);
}
