// SPDX-License-Identifier: MIT
#include "sched/standby.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/fd.h"
#include "base/rcu.h"
#include "base/sys.h"
#include "core/notify.h"
#include "core/registry.h"
#include "sched/life.h"
#include "sched/turn.h"

#define TICK_MIN_NS 50000
#define TICK_MAX_NS 1000000
/* Ticks without any ring moving before the thread sleeps for good. */
#define QUIET_TICKS_MAX 64
#define EVENTS_MAX 64
/* It may wait for a lock that the ending thread itself has. */
#define END_PATIENCE_S 1

/* Low bits of an event's data: which of a ring's two descriptors. */
enum { TAG_PEER = 0, TAG_REACTOR = 1, TAG_MASK = 1 };

static struct {
	struct lock lock; /* starting, and the attended state of rings */
	bool running;
	bool leaving; /* the process ends */
	bool to_join; /* thread runs, or has run */
	pthread_t thread;
	uint32_t rings; /* added and not yet ended */
	int epoll_fd;
	int wake_fd;
	uint32_t ticking;
	uint32_t quiet_ticks;
	int64_t tick_ns;
} standby;

static bool announces(const struct ctx *ctx)
{
	return ctx->watched || ctx->event_fd >= 0;
}

static bool defers(const struct ctx *ctx)
{
	return ctx->flags & IORING_SETUP_DEFER_TASKRUN;
}

/* epoll hands the pointer to the thread; thread sanitizer has to be told. */
static int epoll_tell(int how, int fd, uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data.ptr = data};

	RCU_TELL_RELEASE();
	return (int)SYS_4(SYS_epoll_ctl, standby.epoll_fd, how, fd, &event);
}

/*
 * Under the ring's lock. One event, then attend() again. Where epoll refuses
 * the ring stays unattended.
 */
static void attend(struct ctx *ctx)
{
	int how = ctx->attended ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int err = epoll_tell(how, ctx->reactor.epoll_fd, EPOLLIN | EPOLLONESHOT,
			     (void *)((uintptr_t)ctx | TAG_REACTOR));

	if (err == -EEXIST)
		err = epoll_tell(EPOLL_CTL_MOD, ctx->reactor.epoll_fd,
				 EPOLLIN | EPOLLONESHOT,
				 (void *)((uintptr_t)ctx | TAG_REACTOR));
	ctx->attended = !err;
	ctx->attend_fired = false;
}

static void step_back(struct ctx *ctx)
{
	if (!ctx->attended)
		return;
	epoll_tell(EPOLL_CTL_DEL, ctx->reactor.epoll_fd, 0, NULL);
	ctx->attended = false;
}

/*
 * One turn, or for a DEFER_TASKRUN ring the word that one is due. A thread
 * that sleeps in the ring drives it: to look there beside it would take its
 * events, and its wake-ups, away.
 */
static void drive(struct ctx *ctx) HOLDS(&ctx->lock)
{
	if (!list_empty(&ctx->sleepers))
		return;
	if (ctx->state == CTX_OPEN && defers(ctx)) {
		notify_work_waits(ctx);
		return;
	}
	turn_look(ctx, CTX_WANT_NONE);
	notify_taken(ctx);
	attend(ctx);
}

static void end_ring(struct ctx *ctx)
{
	lock_take(&ctx->lock);
	registry_clear(ctx);
	if (ctx->state == CTX_OPEN) {
		store_relaxed(&ctx->state, CTX_CLOSING);
		epoll_tell(EPOLL_CTL_DEL, ctx->peer_fd, 0, NULL);
		queue_detach(&ctx->queue);
		if (!ctx->attended)
			attend(ctx); /* arrivals of workers come this way */
		reactor_wake(&ctx->reactor);
	}
	lock_drop(&ctx->lock);
}

static void on_event(const struct epoll_event *event)
{
	uintptr_t data = (uintptr_t)event->data.ptr;
	struct ctx *ctx = (struct ctx *)(data & ~(uintptr_t)TAG_MASK);

	if (!ctx)
		return; /* the nudge */
	if ((data & TAG_MASK) == TAG_PEER) {
		end_ring(ctx);
		return;
	}
	lock_take(&ctx->lock);
	if (ctx->state != CTX_FREE && ctx->attended) {
		ctx->attend_fired = true;
		drive(ctx);
	}
	ctx_unlock(ctx);
}

struct look {
	bool moving; /* somebody comes and goes: keep ticking */
	int64_t next_timer_ns;
};

/* Where epoll has no room for the ring, it is looked at after a while. */
static void attend_or_come_back(struct ctx *ctx, struct look *look)
{
	int64_t later_ns = clock_now_ns(CLOCK_MONOTONIC) + TICK_MAX_NS;

	attend(ctx);
	if (!ctx->attended && look->next_timer_ns > later_ns)
		look->next_timer_ns = later_ns;
}

static void look_at_open(struct ctx *ctx, struct look *look) HOLDS(&ctx->lock)
{
	bool moved = ctx->standby_seen != ctx->entered;
	bool alone = !ctx->inside && !ctx->sqpoll_runs && !defers(ctx) &&
		     turn_has_cause(ctx);

	ctx->standby_seen = ctx->entered;
	if (moved || (alone && !ctx->attended))
		look->moving = true;
	if (ctx->attended && moved && !announces(ctx))
		step_back(ctx);
	else if (!ctx->attended && alone && !moved)
		attend_or_come_back(ctx, look);
	if (ctx->byte_out && !(defers(ctx) && ctx->attend_fired)) {
		notify_taken(ctx);
		look->moving |= ctx->byte_out;
	}
	if (!ctx->attended)
		return;
	if (timer_next_ns(&ctx->timers) <= clock_now_ns(CLOCK_MONOTONIC) ||
	    !list_empty(&ctx->again))
		drive(ctx);
	if (!defers(ctx) && timer_next_ns(&ctx->timers) < look->next_timer_ns)
		look->next_timer_ns = timer_next_ns(&ctx->timers);
	if (!list_empty(&ctx->again))
		look->next_timer_ns = 0;
}

static void look_at(struct ctx *ctx, void *argument)
{
	struct look *look = argument;
	bool closing;

	lock_take(&ctx->lock);
	if (ctx->state == CTX_OPEN)
		look_at_open(ctx, look);
	closing = ctx->state == CTX_CLOSING;
	if (closing)
		step_back(ctx);
	ctx_unlock(ctx);
	if (!closing)
		return;
	if (ctx_close(ctx)) {
		lock_take(&standby.lock);
		standby.rings--;
		lock_drop(&standby.lock);
	} else {
		lock_take(&ctx->lock);
		attend_or_come_back(ctx, look);
		lock_drop(&ctx->lock);
	}
}

static void look_at_all(struct look *look)
{
	look->moving = false;
	look->next_timer_ns = CLOCK_NEVER;
	registry_for_each(look_at, look);
}

/* How long to sleep: a tick, until a timer, or for good. */
static int64_t next_deadline(struct look *look)
{
	int64_t now = clock_now_ns(CLOCK_MONOTONIC), due;

	if (look->moving) {
		standby.quiet_ticks = 0;
	} else if (++standby.quiet_ticks > QUIET_TICKS_MAX &&
		   load_relaxed(&standby.ticking)) {
		store_relaxed(&standby.ticking, 0);
		full_fence();
		look_at_all(look);
		if (look->moving)
			store_relaxed(&standby.ticking, 1);
	}
	if (!load_relaxed(&standby.ticking))
		return look->next_timer_ns;
	due = now + load_relaxed(&standby.tick_ns);
	if (load_relaxed(&standby.tick_ns) < TICK_MAX_NS)
		store_relaxed(&standby.tick_ns, 2 * (due - now));
	return due < look->next_timer_ns ? due : look->next_timer_ns;
}

static int sleep_until(struct epoll_event *events, int64_t deadline_ns)
{
	struct timespec left, *timeout = NULL;
	int64_t ns;
	long n;

	if (deadline_ns != CLOCK_NEVER) {
		ns = deadline_ns - clock_now_ns(CLOCK_MONOTONIC);
		ns = ns > 0 ? ns : 0;
		left.tv_sec = ns / NS_PER_SEC;
		left.tv_nsec = ns % NS_PER_SEC;
		timeout = &left;
	}
	n = reactor_epoll_wait(standby.epoll_fd, events, EVENTS_MAX, timeout,
			       NULL);
	RCU_TELL_ACQUIRE();
	return n > 0 ? (int)n : 0;
}

static void close_own_files(void)
{
	fd_close(standby.wake_fd);
	fd_close(standby.epoll_fd);
	standby.wake_fd = -1;
	standby.epoll_fd = -1;
	standby.running = false;
}

/* The last ring is gone, and nothing of ours shall stay behind. */
static bool may_end(void)
{
	bool end;

	lock_take(&standby.lock);
	end = !standby.rings || standby.leaving;
	if (end)
		close_own_files();
	lock_drop(&standby.lock);
	return end;
}

static void *standby_main(void *argument)
{
	struct epoll_event events[EVENTS_MAX];
	struct look look;

	(void)argument;
	for (;;) {
		int n;

		look_at_all(&look);
		if (may_end())
			return NULL;
		n = sleep_until(events, next_deadline(&look));
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
	}
}

static int start(void)
{
	long err;

	/* The one before wants nothing more of us. */
	if (standby.to_join)
		pthread_join(standby.thread, NULL);
	standby.to_join = false;
	store_relaxed(&standby.tick_ns, TICK_MIN_NS);
	standby.epoll_fd =
		fd_move_high((int)SYS_1(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (standby.epoll_fd < 0)
		return standby.epoll_fd;
	standby.wake_fd = fd_move_high(
		(int)SYS_2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	err = standby.wake_fd;
	if (err < 0)
		goto close_epoll;
	err = epoll_tell(EPOLL_CTL_ADD, standby.wake_fd, EPOLLIN | EPOLLET,
			 NULL);
	if (!err)
		err = worker_thread(standby_main, NULL, "polyring-idle",
				    &standby.thread);
	if (err < 0)
		goto close_wake;
	standby.running = true;
	standby.to_join = true;
	standby.leaving = false;
	return 0;
close_wake:
	fd_close(standby.wake_fd);
close_epoll:
	fd_close(standby.epoll_fd);
	return (int)err;
}

int standby_add(struct ctx *ctx)
{
	int err = 0;

	lock_take(&standby.lock);
	if (!standby.running)
		err = start();
	if (!err)
		err = epoll_tell(EPOLL_CTL_ADD, ctx->peer_fd, EPOLLRDHUP,
				 (void *)((uintptr_t)ctx | TAG_PEER));
	if (!err)
		standby.rings++;
	lock_drop(&standby.lock);
	return err;
}

/* Under the lock: without rings the thread and its numbers may be gone. */
void standby_nudge(void)
{
	uint64_t one = 1;

	lock_take(&standby.lock);
	if (standby.running)
		SYS_3(SYS_write, standby.wake_fd, &one, sizeof(one));
	lock_drop(&standby.lock);
}

void standby_end(void)
{
	struct timespec until;
	bool join;

	/* Ended from within the engine, by a signal's handler. */
	if (!lock_try(&standby.lock))
		return;
	standby.leaving = true;
	join = standby.to_join;
	standby.to_join = false;
	lock_drop(&standby.lock);
	standby_nudge();
	if (!join)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_PATIENCE_S;
	pthread_timedjoin_np(standby.thread, NULL, &until);
}

/* Without the ring's lock: one system call for each quiet period. */
static void tick_again(void)
{
	if (load_relaxed(&standby.ticking))
		return;
	store_relaxed(&standby.tick_ns, TICK_MIN_NS);
	store_relaxed(&standby.ticking, 1);
	standby_nudge();
}

void standby_leave(struct ctx *ctx)
{
	bool closing = ctx->state == CTX_CLOSING;
	bool cause = turn_has_cause(ctx) || (ctx->watched && ctx->byte_out);

	if (unlikely(cause && !closing &&
		     (ctx->attended ? ctx->attend_fired : announces(ctx))))
		attend(ctx);
	cause = cause && !defers(ctx);
	ctx_unlock(ctx);
	if (unlikely(closing))
		standby_nudge();
	else if (cause)
		tick_again();
}

void standby_forget(void)
{
	standby.lock.word = 0;
	if (standby.running)
		close_own_files();
	standby.to_join = false;
	standby.rings = 0;
	standby.ticking = 0;
}
