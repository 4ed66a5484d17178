// SPDX-License-Identifier: MIT
#include "sched/standby.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/fd.h"
#include "base/rcu.h"
#include "base/process.h"
#include "base/sys.h"
#include "base/thread.h"
#include "core/ctx_lock.h"
#include "core/notify.h"
#include "core/registry.h"
#include "drive/waker.h"
#include "drive/worker.h"
#include "sched/turn.h"

#define TICK_MIN_NS 50000
#define TICK_MAX_NS 1000000
/* Ticks without activity in any ring before the thread stops ticking. */
#define QUIET_TICKS_MAX 64
#define EVENTS_MAX 64
/* The ending thread may itself hold the lock that this waits for. */
#define END_PATIENCE_S 1

/* Low bits of an event's data: which of a ring's two descriptors. */
enum { TAG_PEER = 0, TAG_REACTOR = 1, TAG_MASK = 1 };

/* Enters that slept before the application counts as one that waits there... */
#define WAITS_ENOUGH 4
/* ...and leaves in a row without sleeping before it no longer does. */
#define UNWAITED_MAX 64
/* Leaves between two tries to start a thread after a failure. */
#define LEAVES_BETWEEN_TRIES 1024

enum thread_is {
	THREAD_NONE,
	THREAD_RUNS,
	THREAD_ENDS, /* unless a ring still needs it */
};

static struct {
	bool (*close)(struct ctx *ctx); /* ends a ring: ctx_close() */
	struct lock lock; /* guards the rings and the thread */
	uint32_t thread_is; /* enum thread_is */
	bool leaving; /* the process ends */
	bool to_join; /* thread runs, or has run */
	pthread_t thread;
	long guest; /* the guest process that started it; 0: none */
	int id; /* of the thread; 0: it has not begun */
	uint32_t
		rings; /* added and not yet ended; with one, epoll_fd is open */
	uint32_t strays; /* of these, rings whose own fd is closed */
	uint32_t refused; /* leaves before the next try to start a thread */
	int epoll_fd;
	uint32_t epolls; /* made so far: the last one knows the rings that say
			    so */
	uint32_t ticking;
	uint32_t quiet_ticks;
	int64_t tick_ns;
} standby = {.epoll_fd = -1};

static bool announces(const struct ctx *ctx)
{
	return ctx->watched || ctx->event_fd >= 0;
}

static bool defers(const struct ctx *ctx)
{
	return ctx->flags & IORING_SETUP_DEFER_TASKRUN;
}

/* Another process may wait for what this one has to bring forward. */
static bool has_other_processes(const struct ctx *ctx)
{
	return ctx->queue.view.share;
}

/*
 * Is there work that only the thread can complete? A ring whose completions are
 * announced is driven until it has none. Otherwise the application may look
 * only at the CQ's memory, unless it has shown that it waits in enter, or has
 * asked for TASKRUN_FLAG.
 */
static bool needs_thread(const struct ctx *ctx)
{
	if (ctx->sqpoll_runs || ctx->apart ||
	    !(turn_has_cause(ctx) || (ctx->watched && ctx->byte_out)))
		return false;
	if (announces(ctx) || (has_other_processes(ctx) && !defers(ctx)))
		return true;
	return !(ctx->flags &
		 (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		  IORING_SETUP_IOPOLL)) &&
	       ctx->waits < WAITS_ENOUGH;
}

/*
 * epoll passes the pointer to the thread; thread sanitizer has to be informed.
 */
static int epoll_tell(int how, int fd, uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data.ptr = data};

	RCU_TELL_RELEASE();
	return (int)SYS_4(SYS_epoll_ctl, standby.epoll_fd, how, fd, &event);
}

static int epoll_attend(struct ctx *ctx, int how)
{
	return epoll_tell(how, ctx->reactor.epoll_fd, EPOLLIN | EPOLLONESHOT,
			  (void *)((uintptr_t)ctx | TAG_REACTOR));
}

/*
 * Under the ring's lock. One event, then attend() again. Where epoll refuses
 * the ring stays unattended. Either epoll may have been made anew.
 */
static void attend(struct ctx *ctx)
{
	int err = reactor_get_ready(&ctx->reactor);

	if (!err)
		err = epoll_attend(ctx, ctx->attended ? EPOLL_CTL_MOD
						      : EPOLL_CTL_ADD);
	if (err == -EEXIST)
		err = epoll_attend(ctx, EPOLL_CTL_MOD);
	else if (err == -ENOENT)
		err = epoll_attend(ctx, EPOLL_CTL_ADD);
	ctx->attended = !err;
	ctx->attended_by = load_relaxed(&standby.epolls);
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
 * Is there anything for a turn? What woke this thread may be what the ring's
 * own thread has taken meanwhile.
 */
static bool has_work(const struct ctx *ctx)
{
	return fd_ready_now(ctx->reactor.epoll_fd, POLLIN) ||
	       !list_empty(&ctx->again) ||
	       timer_next_ns(&ctx->timers) <= clock_now_ns(CLOCK_MONOTONIC);
}

/*
 * Take one turn, or for a DEFER_TASKRUN ring announce that work waits. A thread
 * that sleeps in the ring drives it: a turn here would take its events and
 * wake-ups.
 */
static void drive(struct ctx *ctx) HOLDS(&ctx->lock)
{
	if (!list_empty(&ctx->sleepers))
		return;
	if (ctx->state == CTX_OPEN && defers(ctx)) {
		if (has_work(ctx))
			notify_work_waits(ctx);
		else
			attend(ctx);
		return;
	}
	turn_look(ctx, CTX_WANT_NONE);
	notify_taken(ctx);
	attend(ctx);
}

static void start_thread(void);

/* Is the last copy of the ring's fd closed? */
static bool hung_up(const struct ctx *ctx)
{
	struct pollfd look = {.fd = ctx->peer_fd, .events = POLLRDHUP};

	return SYS_3(SYS_poll, &look, 1, 0) > 0 &&
	       look.revents & (POLLRDHUP | POLLHUP);
}

/*
 * The event may be of an earlier ring with the same ctx, so check for the
 * hang-up.
 */
static bool begin_to_end(struct ctx *ctx)
{
	bool ends;

	ctx_take(ctx);
	ends = ctx->state == CTX_OPEN && hung_up(ctx);
	if (ends) {
		registry_clear(ctx);
		store_relaxed(&ctx->state, CTX_CLOSING);
		epoll_tell(EPOLL_CTL_DEL, ctx->peer_fd, 0, NULL);
		if (ctx->sqpoll_runs)
			reactor_woken_by(&ctx->reactor, &ctx->peer_fd, 0);
		queue_detach(&ctx->queue);
		reactor_wake(&ctx->reactor);
	}
	ctx_drop(ctx);
	return ends;
}

/* Only one thread ends a ring. */
static bool take_over(struct ctx *ctx)
{
	bool mine;

	ctx_take(ctx);
	mine = ctx->state == CTX_CLOSING && !ctx->ending;
	if (mine) {
		ctx->ending = true;
		step_back(ctx);
	}
	ctx_drop(ctx);
	return mine;
}

/* Under the lock. */
static void close_epoll_if_unused(void)
{
	if (standby.rings || standby.thread_is != THREAD_NONE)
		return;
	if (standby.epoll_fd < 0)
		return;
	fd_close(standby.epoll_fd);
	standby.epoll_fd = -1;
	waker_remove();
}

static void count_out(bool stray)
{
	lock_take(&standby.lock);
	standby.rings--;
	standby.strays -= stray;
	close_epoll_if_unused();
	lock_drop(&standby.lock);
	/* Without rings the thread, if there is one, must end. */
	if (!load_relaxed(&standby.rings))
		standby_nudge();
}

/*
 * A thread that arrives meanwhile sees ctx->ending and leaves, so check once
 * more whether the ring can end. Returns whether only a worker is waited for.
 */
static bool give_over(struct ctx *ctx, bool *again)
{
	bool used, waits;

	ctx_take(ctx);
	ctx->ending = false;
	used = ctx->inside || ctx->away || ctx->sqpoll_runs;
	*again = !used && !ctx->punted;
	waits = !used && ctx->punted;
	if (waits)
		attend(ctx); /* arrivals of workers come this way */
	ctx_drop(ctx);
	return waits;
}

static void finish(struct ctx *ctx)
{
	bool again = true, stray = ctx->stray;

	while (again && take_over(ctx)) {
		if (standby.close(ctx)) {
			count_out(stray);
			return;
		}
		if (give_over(ctx, &again))
			start_thread();
	}
}

/* A ring that has ended meanwhile has no queues to publish to. */
static bool lock_live(struct ctx *ctx) TRIES(true, &ctx->lock) UNCHECKED_LOCKS
{
	/* Nothing of this process's is in it yet. */
	if (load_relaxed(&ctx->state) == CTX_INHERITED)
		return false;
	ctx_take(ctx);
	if (likely(ctx->state != CTX_FREE))
		return true;
	ctx_drop(ctx);
	return false;
}

static void on_event(const struct epoll_event *event)
{
	uintptr_t data = (uintptr_t)event->data.ptr;
	struct ctx *ctx = (struct ctx *)(data & ~(uintptr_t)TAG_MASK);
	bool closing;

	if (!ctx)
		return; /* from standby_nudge() */
	if ((data & TAG_MASK) == TAG_PEER) {
		if (begin_to_end(ctx))
			finish(ctx);
		return;
	}
	if (!lock_live(ctx))
		return;
	closing = ctx->state == CTX_CLOSING;
	if (!closing && ctx->attended) {
		ctx->attend_fired = true;
		drive(ctx);
	}
	ctx_unlock(ctx);
	if (closing)
		finish(ctx);
}

struct look {
	bool moving; /* a ring has activity: keep ticking */
	bool needed; /* a ring needs the thread */
	int64_t next_timer_ns;
};

/* If epoll has no room for the ring, check it again after a while. */
static void attend_or_come_back(struct ctx *ctx, struct look *look)
	HOLDS(&ctx->lock)
{
	int64_t later_ns = clock_now_ns(CLOCK_MONOTONIC) + TICK_MAX_NS;

	attend(ctx);
	if (ctx->attended)
		return;
	turn_look(ctx, CTX_WANT_NONE);
	if (look->next_timer_ns > later_ns)
		look->next_timer_ns = later_ns;
}

static void look_at_open(struct ctx *ctx, struct look *look) HOLDS(&ctx->lock)
{
	bool moved = ctx->standby_seen != ctx->entered;
	bool alone = !ctx->inside && !ctx->sqpoll_runs && !defers(ctx) &&
		     !ctx->apart && turn_has_cause(ctx);

	look->needed |= needs_thread(ctx);
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
	if (ctx->attended && ctx->attended_by != load_relaxed(&standby.epolls))
		attend(ctx);
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

static void standby_look_at(struct ctx *ctx, void *argument)
{
	struct look *look = argument;
	bool closing;

	if (!lock_live(ctx))
		return;
	closing = ctx->state == CTX_CLOSING;
	if (!closing)
		look_at_open(ctx, look);
	look->needed |= closing && ctx->punted;
	ctx_unlock(ctx);
	if (closing)
		finish(ctx);
}

static void look_at_all(struct look *look)
{
	look->moving = false;
	look->needed = false;
	look->next_timer_ns = CLOCK_NEVER;
	registry_for_each(standby_look_at, look);
}

/* How long to sleep: a tick, until a timer, or without end. */
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

/* With the first ring, so that no number is taken but in setup. */
static int open_epoll_locked(void)
{
	int fd = waker_epoll();

	if (fd < 0)
		return fd;
	store_relaxed(&standby.epoll_fd, fd);
	fd_keep(&standby.epoll_fd);
	store_relaxed(&standby.epolls, standby.epolls + 1);
	return 0;
}

static int add_peer(struct ctx *ctx)
{
	return epoll_tell(EPOLL_CTL_ADD, ctx->peer_fd, EPOLLRDHUP,
			  (void *)((uintptr_t)ctx | TAG_PEER));
}

static void add_peer_again(struct ctx *ctx, void *argument)
{
	(void)argument;
	if (load_relaxed(&ctx->state) == CTX_OPEN)
		add_peer(ctx);
}

/* What epoll says of a number that is another file by now. */
static bool is_lost(int err)
{
	return err == -EBADF || err == -EINVAL || err == -ENOENT;
}

/*
 * The number of the epoll, or the waker's, has become another file. Whose it is
 * by now is not known, so it isn't closed. Attended rings are added again when
 * the thread looks at them.
 */
static void make_anew(void)
{
	int err;

	lock_take(&standby.lock);
	if (standby.epoll_fd >= 0) {
		fd_lose(standby.epoll_fd);
		standby.epoll_fd = -1;
		waker_remove();
	}
	err = open_epoll_locked();
	if (!err)
		registry_for_each(add_peer_again, NULL);
	lock_drop(&standby.lock);
}

static int sleep_until(struct epoll_event *events, int64_t deadline_ns)
{
	static const struct timespec nap = {.tv_nsec = TICK_MAX_NS};
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
	if (is_lost((int)n))
		make_anew();
	if (unlikely(standby.epoll_fd < 0))
		SYS_2(SYS_nanosleep, &nap, NULL);
	return n > 0 ? (int)n : 0;
}

/*
 * There was no activity for a while and no ring needs the thread. A thread that
 * leaves a ring reads thread_is after dropping the ring's lock, so checking all
 * rings once more finds work that was left before.
 */
static bool may_end(struct look *look)
{
	bool end;

	store_relaxed(&standby.thread_is, THREAD_ENDS);
	full_fence();
	look_at_all(look);
	lock_take(&standby.lock);
	end = standby.leaving || !standby.rings ||
	      (!look->needed && standby.thread_is == THREAD_ENDS);
	if (end) {
		store_relaxed(&standby.thread_is, THREAD_NONE);
		close_epoll_if_unused();
	} else {
		store_relaxed(&standby.thread_is, THREAD_RUNS);
		store_relaxed(&standby.ticking, 1);
	}
	lock_drop(&standby.lock);
	return end;
}

static bool nothing_to_do(const struct look *look)
{
	return standby.leaving || !load_relaxed(&standby.rings) ||
	       (!look->needed && !load_relaxed(&standby.ticking));
}

static void *standby_main(void *argument)
{
	struct epoll_event events[EVENTS_MAX];
	struct look look;

	(void)argument;
	thread_is_ours = true;
	store_relaxed(&standby.id, (int)SYS_0(SYS_gettid));
	for (;;) {
		int n;

		int64_t until_ns;

		look_at_all(&look);
		until_ns = next_deadline(&look);
		if (nothing_to_do(&look)) {
			if (may_end(&look))
				return NULL;
			continue;
		}
		n = sleep_until(events, until_ns);
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
	}
}

/* Under the lock. If no thread can be started, only enters drive the ring. */
static int start(void)
{
	int err;

	/* The thread before has ended or is about to. */
	if (standby.to_join)
		pthread_join(standby.thread, NULL);
	standby.to_join = false;
	standby.leaving = false;
	standby.quiet_ticks = 0;
	store_relaxed(&standby.tick_ns, TICK_MIN_NS);
	store_relaxed(&standby.ticking, 1);
	store_relaxed(&standby.id, 0);
	store_relaxed(&standby.guest,
		      process_is_guest() ? SYS_0(SYS_getpid) : 0);
	err = worker_thread(standby_main, NULL, "polyring-idle",
			    &standby.thread);
	if (err < 0)
		return err;
	store_relaxed(&standby.thread_is, THREAD_RUNS);
	standby.to_join = true;
	return 0;
}

/* A guest that has ended has taken the thread with it. */
static bool ended_with_guest(void)
{
	int id = load_relaxed(&standby.id);

	return unlikely(load_relaxed(&standby.guest)) && id &&
	       SYS_3(SYS_tgkill, standby.guest, id, 0) == -ESRCH;
}

static bool standby_runs(void)
{
	return load_relaxed(&standby.thread_is) == THREAD_RUNS &&
	       !ended_with_guest();
}

static void start_thread(void)
{
	lock_take(&standby.lock);
	if (ended_with_guest()) {
		standby.thread_is = THREAD_NONE;
		standby.to_join = false;
		standby.guest = 0;
	}
	if (standby.refused)
		standby.refused--;
	else if (standby.thread_is == THREAD_NONE && standby.rings &&
		 start() < 0)
		standby.refused = LEAVES_BETWEEN_TRIES;
	else if (standby.thread_is == THREAD_ENDS)
		store_relaxed(&standby.thread_is, THREAD_RUNS);
	lock_drop(&standby.lock);
}

int standby_add(struct ctx *ctx, bool (*close)(struct ctx *ctx))
{
	int err = 0;

	if (unlikely(ctx->apart))
		return 0; /* its fds mean nothing to the thread */
	lock_take(&standby.lock);
	standby.close = close;
	if (!standby.rings && standby.thread_is == THREAD_NONE)
		err = open_epoll_locked();
	if (!err)
		err = add_peer(ctx);
	if (is_lost(err)) {
		lock_drop(&standby.lock);
		make_anew();
		lock_take(&standby.lock);
		err = add_peer(ctx);
	}
	if (!err)
		standby.rings++;
	close_epoll_if_unused();
	lock_drop(&standby.lock);
	return err;
}

void standby_collect(void)
{
	struct epoll_event events[EVENTS_MAX];
	long n;

	if (!load_relaxed(&standby.rings))
		return;
	n = SYS_6(SYS_epoll_pwait, standby.epoll_fd, events, EVENTS_MAX, 0,
		  NULL, 0);
	RCU_TELL_ACQUIRE();
	if (unlikely(is_lost((int)n)))
		make_anew();
	for (long i = 0; i < n; i++)
		on_event(&events[i]);
}

bool standby_has_strays(void)
{
	return load_relaxed(&standby.strays);
}

void standby_closed(struct ctx *ctx)
{
	standby_collect();
	if (!ctx)
		return;
	ctx_take(ctx);
	if (ctx->state == CTX_OPEN && !ctx->stray &&
	    !registry_verify(ctx, ctx->ring_fd)) {
		registry_clear(ctx);
		ctx->stray = true;
		lock_take(&standby.lock);
		standby.strays++;
		lock_drop(&standby.lock);
	}
	ctx_drop(ctx);
}

/* Under the lock: without rings the thread and its fds may be gone. */
void standby_nudge(void)
{
	bool lost = false;

	lock_take(&standby.lock);
	if (standby.thread_is != THREAD_NONE)
		lost = waker_wake(standby.epoll_fd, 0) < 0;
	lock_drop(&standby.lock);
	if (unlikely(lost))
		make_anew();
}

void standby_lose(int fd)
{
	int epoll_fd = load_relaxed(&standby.epoll_fd);

	if (epoll_fd < 0 || (fd != epoll_fd && !waker_is(fd)))
		return;
	make_anew();
	waker_wake(epoll_fd, 0);
}

void standby_end(void)
{
	struct timespec until;
	bool join;

	/* A signal handler ends the process from within the engine. */
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

/* Records this leave, to learn whether the application comes back by itself. */
static void note_leave(struct ctx *ctx)
{
	if (ctx->slept) {
		ctx->slept = false;
		ctx->unwaited = 0;
		if (ctx->waits < WAITS_ENOUGH)
			ctx->waits++;
	} else if (++ctx->unwaited > UNWAITED_MAX) {
		ctx->unwaited = 0;
		ctx->waits = 0;
	}
}

void standby_leave(struct ctx *ctx)
{
	bool closing = ctx->state == CTX_CLOSING;
	bool cause = turn_has_cause(ctx) || (ctx->watched && ctx->byte_out);
	bool slept = ctx->slept, needs;

	if (unlikely(cause && !closing && !ctx->apart &&
		     (ctx->attended ? ctx->attend_fired : announces(ctx))))
		attend(ctx);
	if (cause || slept)
		note_leave(ctx);
	needs = cause && !closing && (!slept || has_other_processes(ctx)) &&
		needs_thread(ctx);
	cause = cause && !defers(ctx);
	ctx_unlock(ctx);
	if (unlikely(closing))
		finish(ctx);
	else if (unlikely(needs) && !standby_runs())
		start_thread();
	else if (cause && load_relaxed(&standby.thread_is) == THREAD_RUNS)
		tick_again();
}

void standby_forget(void)
{
	standby.lock.word = 0;
	fd_close(standby.epoll_fd);
	standby.epoll_fd = -1;
	standby.thread_is = THREAD_NONE;
	standby.to_join = false;
	standby.rings = 0;
	standby.strays = 0;
	standby.refused = 0;
	standby.ticking = 0;
}
