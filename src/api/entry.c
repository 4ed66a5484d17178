// SPDX-License-Identifier: MIT
/*
 * The library's front door: setup, enter, register, mmap.
 *
 * Theory: each call finds its ring, takes its lock once, and leaves through
 * ctx_unlock(), where completions become visible. Arguments are checked in the
 * kernel's order; the application's structs are copied in once, and copied out
 * only when all went well. enter() counts the thread in and out so that the
 * standby thread knows whether anybody drives (D4).
 *
 * Cost of an enter with nothing to do: two loads to find the ring, one
 * exchange each to take and drop the lock.
 */
#include "api/entry.h"

#include <sched.h>
#include <string.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/rcu.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/tool.h"
#include "core/inside.h"
#include "core/notify.h"
#include "core/registry.h"
#include "sched/standby.h"
#include "sched/life.h"
#include "sched/submit.h"
#include "sched/turn.h"
#include "sched/wait.h"
#include "ops/conn.h"
#include "ops/msg_ring.h"
#include "polyring/polyring.h"
#include "api/query.h"
#include "api/register.h"
#include "tables/ring_fds.h"

static long process; /* ours; a vfork child's is another */

/* Why is @fd no ring of ours? */
static int not_a_ring(int fd)
{
	return fd_is_open(fd) ? -EOPNOTSUPP : -EBADF;
}

/* The ring that a call names, locked: 0 or a negative errno. */
static int lock_ring(int fd, bool registered, struct ctx **ctx) UNCHECKED_LOCKS
{
	if (registered)
		return ring_fds_lock((uint32_t)fd, ctx);
	*ctx = ctx_lock_fd(fd);
	if (unlikely(!*ctx))
		return not_a_ring(fd);
	if (likely(!load_relaxed(&(*ctx)->in_slots)) ||
	    registry_verify(*ctx, fd))
		return 0;
	lock_drop(&(*ctx)->lock);
	return not_a_ring(fd);
}

/* ---- setup ---- */

static bool cpu_usable(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	return cpu < CPU_SETSIZE &&
	       SYS_3(SYS_sched_getaffinity, 0, sizeof(set), &set) > 0 &&
	       CPU_ISSET(cpu, &set);
}

static int check_setup_flags(const struct abi_view *abi, uint32_t flags)
{
	const uint32_t taskrun = IORING_SETUP_COOP_TASKRUN |
				 IORING_SETUP_TASKRUN_FLAG |
				 IORING_SETUP_DEFER_TASKRUN;

	if (flags & ~(uint32_t)SETUP_FLAGS || !abi_knows(abi, ABI_SETUP, flags))
		return -EINVAL;
	if (flags & IORING_SETUP_SQPOLL && flags & taskrun)
		return -EINVAL;
	if (flags & IORING_SETUP_SQ_AFF && !(flags & IORING_SETUP_SQPOLL))
		return -EINVAL;
	if (flags & IORING_SETUP_TASKRUN_FLAG &&
	    !(flags & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if (flags & IORING_SETUP_DEFER_TASKRUN &&
	    !(flags & IORING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if (flags & IORING_SETUP_REGISTERED_FD_ONLY &&
	    !(flags & IORING_SETUP_NO_MMAP))
		return -EINVAL;
	if (flags & IORING_SETUP_CQE_MIXED && flags & IORING_SETUP_CQE32)
		return -EINVAL;
	return 0;
}

/* Workers are shared by all rings as it is: ATTACH_WQ only has to name one. */
static int check_relations(const struct io_uring_params *p)
{
	if (p->flags & IORING_SETUP_ATTACH_WQ) {
		int err = not_a_ring((int)p->wq_fd);

		if (err == -EBADF)
			return -ENXIO;
		if (!polyring_owns((int)p->wq_fd))
			return -EINVAL;
	}
	if (p->flags & IORING_SETUP_SQ_AFF && !cpu_usable(p->sq_thread_cpu))
		return -EINVAL;
	return 0;
}

static void watch(int ring_fd, bool watched) UNCHECKED_LOCKS
{
	struct ctx *ctx = ctx_lock_fd(ring_fd);
	bool says_work;

	if (!ctx)
		return;
	/* Without a completion a byte says that work waits, and stays. */
	says_work = ctx->watched && ctx->flags & IORING_SETUP_DEFER_TASKRUN;
	store_relaxed(&ctx->watched, watched);
	if (!says_work)
		notify_taken(ctx);
	standby_leave(ctx);
}

/* Nobody can poll a ring that has no file of the application's. */
static int hand_out_slot(int fd)
{
	struct ctx *ctx = ctx_of_fd(fd);
	int slot = ring_fds_adopt(ctx, fd);

	if (slot < 0)
		fd_close(fd);
	else
		watch(fd, false);
	return slot;
}

static int setup(uint32_t entries, struct io_uring_params *params)
{
	struct io_uring_params p;
	struct abi_view abi;
	int err, fd;

	abi_view_make(&abi, abi_version_chosen());
	err = fault_handler_install();
	if (err < 0)
		return err;
	if (fault_copy(&p, params, sizeof(p)) < 0)
		return -EFAULT;
	if (p.resv[0] || p.resv[1] || p.resv[2])
		return -EINVAL;
	err = check_setup_flags(&abi, p.flags);
	if (!err)
		err = ring_shared_size(entries, &p);
	if (!err)
		err = check_relations(&p);
	if (err < 0)
		return err;
	err = ring_fds_open();
	if (err < 0)
		return err;
	standby_collect();
	p.features = FEATURES & abi.known[ABI_FEATURES];
	fd = ctx_open(&p, &abi);
	if (fd >= 0 && fault_copy(params, &p, sizeof(p)) < 0) {
		fd_close(fd);
		standby_collect();
		return -EFAULT;
	}
	if (fd >= 0 && p.flags & IORING_SETUP_REGISTERED_FD_ONLY)
		return hand_out_slot(fd);
	return fd;
}

POLYRING_API int polyring_setup(uint32_t entries,
				struct io_uring_params *params)
{
	int fd;

	if (!inside_begin())
		return -EAGAIN;
	fd = setup(entries, params);
	inside_end();
	return fd;
}

/* ---- enter ---- */

/* What EXT_ARG brings, copied in. */
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

/* When the application's time began, on the clock that we sleep by. */
static int64_t origin_ns(clockid_t clock, uint32_t flags)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC);

	if (!(flags & IORING_ENTER_ABS_TIMER))
		return now;
	return clock == CLOCK_MONOTONIC ? 0 : now - clock_now_ns(clock);
}

/* A time that can't be, or that an absolute clock never had, never comes. */
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

/* Without another time the wait ends with it (6.18). */
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

/* The same words, in the ring's region. */
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
	if (ext.min_wait_usec && /* the word was a reserved one */
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
	/* Only a thread that sleeps needs its signal mask looked at. */
	err = read_sigmask(&a);
	ctx->slept = true;
	return err < 0 ? err : wait_completions(ctx, &a.spec);
}

/*
 * The SQPOLL thread submits; this thread wakes it, or waits for room. The
 * wake-up may reach another who sleeps in the ring, so what waits for the
 * thread is submitted here: it must not wait for long.
 */
static int leave_to_sqpoll(struct ctx *ctx, uint32_t to_submit, uint32_t flags)
	HOLDS(&ctx->lock)
{
	const uint32_t all = ctx->queue.memory.sq_entries;

	if (flags & IORING_ENTER_SQ_WAKEUP) {
		reactor_wake(&ctx->reactor);
		submit(ctx, all);
	}
	while (flags & IORING_ENTER_SQ_WAIT &&
	       queue_pending(&ctx->queue) == all && submit(ctx, all) <= 0) {
		ctx_unlock(ctx);
		SYS_0(SYS_sched_yield);
		lock_take(&ctx->lock);
	}
	return (int)to_submit;
}

/* The one issuer submits; with DEFER_TASKRUN it alone completes as well. */
static int check_enter(const struct ctx *ctx, uint32_t to_submit,
		       uint32_t flags)
{
	bool own_work = to_submit || (flags & IORING_ENTER_GETEVENTS &&
				      ctx->flags & IORING_SETUP_DEFER_TASKRUN);

	if (unlikely(!abi_knows(&ctx->abi, ABI_ENTER, flags)))
		return -EINVAL;
	if (ctx->disabled)
		return -EBADFD;
	if (own_work && ctx->issuer_known &&
	    !(ctx->flags & IORING_SETUP_SQPOLL) &&
	    !pthread_equal(ctx->issuer, pthread_self()))
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

/* Asked when there is no ring that would know. */
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

	err = lock_ring(ring_fd, flags & IORING_ENTER_REGISTERED_RING, &ctx);
	if (unlikely(err < 0))
		return enter_flags_known(flags) ? err : -EINVAL;
	ctx->inside++;
	ctx->entered++;
	counter_add(&ctx->counters, COUNTER_ENTERS, 1);
	result = enter_locked(ctx, to_submit, min_complete, flags, arg,
			      arg_bytes);
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

	if (!inside_begin())
		return -EAGAIN;
	result = enter_ring(ring_fd, to_submit, min_complete, flags, arg,
			    arg_bytes);
	inside_end();
	return result;
}

/* ---- register ---- */

static int send_message(const void *arg, uint32_t nr_args)
{
	struct io_uring_sqe sqe;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&sqe, arg, sizeof(sqe)) < 0)
		return -EFAULT;
	return msg_ring_send(&sqe);
}

static int without_ring(uint32_t opcode, void *arg, uint32_t nr_args)
{
	if (!abi_has(abi_profile(abi_version_chosen()), ABI_NO_RING))
		return -EBADF;
	if (opcode == IORING_REGISTER_QUERY)
		return query(arg, nr_args);
	if (opcode == IORING_REGISTER_SEND_MSG_RING)
		return send_message(arg, nr_args);
	return -EINVAL;
}

/* May a call name its ring by a slot of RING_FDS? */
static bool slots_register(void)
{
	struct abi_view abi;

	abi_view_make(&abi, abi_version_chosen());
	return abi_knows(&abi, ABI_FEATURES, IORING_FEAT_REG_REG_RING);
}

static int register_ring(int ring_fd, uint32_t opcode, void *arg,
			 uint32_t nr_args) UNCHECKED_LOCKS
{
	bool registered = opcode & IORING_REGISTER_USE_REGISTERED_RING;
	struct ctx *ctx;
	int err, result;

	opcode &= ~IORING_REGISTER_USE_REGISTERED_RING;
	if (registered && !slots_register())
		return -EINVAL;
	if (opcode >= IORING_REGISTER_LAST ||
	    regdefs[opcode].since > abi_series(abi_version_chosen()))
		return -EINVAL;
	if (ring_fd == -1 && !registered)
		return without_ring(opcode, arg, nr_args);
	err = lock_ring(ring_fd, registered, &ctx);
	if (err < 0)
		return err;
	ctx->inside++; /* SYNC_CANCEL sleeps */
	result = register_call(ctx, opcode, arg, nr_args);
	ctx->inside--;
	standby_leave(ctx);
	return result;
}

POLYRING_API int polyring_register(int ring_fd, uint32_t opcode, void *arg,
				   uint32_t nr_args)
{
	int result;

	if (!inside_begin())
		return -EAGAIN;
	result = register_ring(ring_fd, opcode, arg, nr_args);
	inside_end();
	return result;
}

/* ---- mmap and the rest ---- */

/*
 * The lookup of buffer rings runs without the ring's lock, under RCU: the
 * ring's parts go after a grace period. The offset's top bit
 * marks a buffer ring and is also the group's bit 15: a group of the lower half
 * is meant if there is one (X6).
 */
static long map_buffer_ring(struct ctx *ctx, void *hint, size_t bytes, int prot,
			    int flags, uint64_t offset)
{
	uint16_t bgid = offset >> IORING_OFF_PBUF_SHIFT & 0x7fff;
	long at = kbuf_ring_map(ctx->kbuf, bgid, hint, bytes, prot, flags);

	if (at == -ENOMEM || at == -EINVAL) {
		long upper = kbuf_ring_map(ctx->kbuf, bgid | 0x8000, hint,
					   bytes, prot, flags);

		if (upper > 0)
			return upper;
	}
	return at;
}

static bool is_queue(uint64_t offset)
{
	return !(offset & IORING_OFF_PBUF_RING) &&
	       (offset & IORING_OFF_MMAP_MASK) != IORING_OFF_PARAM_REGION;
}

/* Under the lock: the queues may be about to change their size. */
static long map_queue(struct ctx *ctx, void *hint, size_t bytes, int prot,
		      int flags, uint64_t offset)
{
	long at = -EBADF;

	lock_take(&ctx->lock);
	if (ctx->state == CTX_OPEN)
		at = ring_shared_map(&ctx->queue.memory, hint, bytes, prot,
				     flags, offset);
	lock_drop(&ctx->lock);
	return at;
}

static long map_ring(void *hint, size_t bytes, int prot, int flags, int ring_fd,
		     uint64_t offset)
{
	struct ctx *ctx = ctx_of_fd(ring_fd);
	long at;

	if (!ctx)
		return -EBADF;
	if (offset % 4096)
		return -EINVAL;
	if (is_queue(offset))
		return map_queue(ctx, hint, bytes, prot, flags, offset);
	rcu_enter();
	/* Pairs with the release in publish(), sched/life.c. */
	if (load_acquire(&ctx->state) != CTX_OPEN)
		at = -EBADF;
	else if (offset & IORING_OFF_PBUF_RING)
		at = map_buffer_ring(ctx, hint, bytes, prot, flags, offset);
	else
		at = region_map(&ctx->region, hint, bytes, prot, flags);
	rcu_leave();
	return at;
}

POLYRING_API long polyring_mmap(void *hint, size_t bytes, int prot, int flags,
				int ring_fd, uint64_t offset)
{
	long at;

	if (!inside_begin())
		return -EAGAIN;
	at = map_ring(hint, bytes, prot, flags, ring_fd, offset);
	inside_end();
	return at;
}

POLYRING_API bool polyring_owns(int fd)
{
	struct ctx *ctx = ctx_of_fd(fd);

	/* Pairs with the release in publish(), sched/life.c. */
	return ctx && load_acquire(&ctx->state) == CTX_OPEN &&
	       registry_verify(ctx, fd);
}

/*
 * A child of vfork() has our memory but other numbers: what it closes is no
 * concern of ours.
 */
static bool is_our_process(void)
{
	return SYS_0(SYS_getpid) == process;
}

/* A handler that interrupts a call leaves it to whoever closes next. */
POLYRING_API void polyring_closed(int fd)
{
	struct ctx *ctx = registry_named(fd);

	if (likely(!ctx && fd >= 0 && !standby_has_strays()))
		return;
	if (!is_our_process() || !inside_begin())
		return;
	standby_closed(ctx);
	inside_end();
}

/* A handler can only leave word for the call that it interrupts. */
POLYRING_API void polyring_watch(int ring_fd, bool watched)
{
	struct ctx *ctx;

	if (inside_begin()) {
		watch(ring_fd, watched);
		inside_end();
		return;
	}
	ctx = ctx_of_fd(ring_fd);
	if (ctx && watched)
		store_relaxed(&ctx->watched, true);
}

/* The byte of a DEFER_TASKRUN ring may say that work waits. Then it stays. */
static void settle(struct ctx *ctx, void *argument)
{
	(void)argument;
	if (!load_relaxed(&ctx->byte_out))
		return;
	lock_take(&ctx->lock);
	if (ctx->state == CTX_OPEN && ctx->byte_out &&
	    !(ctx->flags & IORING_SETUP_DEFER_TASKRUN && ctx->attend_fired))
		notify_taken(ctx);
	ctx_unlock(ctx);
}

POLYRING_API void polyring_settle(void)
{
	if (likely(!notify_any_byte_out()) || !inside_begin())
		return;
	registry_for_each(settle, NULL);
	inside_end();
}

POLYRING_API size_t polyring_counters(struct polyring_counter *out,
				      size_t count)
{
	struct counters sum;

	registry_counters(&sum);
	for (size_t i = 0; i < count && i < COUNTER_COUNT; i++) {
		out[i].name = counter_names[i];
		out[i].value = sum.value[i];
	}
	return COUNTER_COUNT;
}

/* ---- fork ---- */

/* The child has the memory but none of the threads: the rings stay behind. */
static void abandon(struct ctx *ctx, void *argument)
{
	(void)argument;
	ctx_abandon(ctx);
}

/*
 * Another thread may be in the middle of something, and the child would get
 * half of it: a duplicate, say, that nobody has noted. So every ring's lock is
 * taken first; they are never held for long. A fork out of a signal handler
 * may have interrupted the holder itself, hence the bound.
 */
#define FORK_PATIENCE 100000

static struct lock fork_lock; /* one thread forks at a time */

/* A ring that has ended meanwhile is nobody's to let go again. */
static void hold_still(struct ctx *ctx, void *argument) UNCHECKED_LOCKS
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
		ctx->held_for_fork = held;
}

static void go_on(struct ctx *ctx, void *argument) UNCHECKED_LOCKS
{
	(void)argument;
	if (!ctx->held_for_fork)
		return;
	ctx->held_for_fork = false;
	lock_drop(&ctx->lock);
}

static void before_fork(void) UNCHECKED_LOCKS
{
	lock_take(&fork_lock);
	registry_for_each(hold_still, NULL);
	ring_fds_before_fork();
	urcu_bp_before_fork();
}

static void in_parent(void) UNCHECKED_LOCKS
{
	urcu_bp_after_fork_parent();
	ring_fds_in_parent();
	registry_for_each(go_on, NULL);
	lock_drop(&fork_lock);
}

static void in_child(void)
{
	process = SYS_0(SYS_getpid);
	urcu_bp_after_fork_child();
	ring_fds_in_child();
	registry_forget_lock();
	standby_forget();
	worker_forget_threads();
	thread_forget_lock();
	conn_forget_lock();
	registry_for_each(abandon, NULL);
	fork_lock.word = 0;
}

/* To valgrind, threads that stay are leaks; to the kernel they are nothing. */
__attribute__((destructor)) static void at_end(void)
{
	if (!under_valgrind())
		return;
	standby_end();
	worker_end();
}

__attribute__((constructor)) static void at_start(void)
{
	process = SYS_0(SYS_getpid);
	pthread_atfork(before_fork, in_parent, in_child);
}
