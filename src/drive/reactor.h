/* SPDX-License-Identifier: MIT */
/*
 * Readiness: one epoll a ring, edge-triggered (D5).
 *
 * Theory: an operation is tried first and armed only when it would block.
 * Arming attaches a *wait* (a mask and a callback, embedded in its owner) to a
 * *watch*, which is one open file under one fd. The application may close an fd
 * and reuse it without the engine's knowledge, so every arming of an
 * application's fd is an EPOLL_CTL_MOD: it fails with ENOENT when the fd is
 * another file now, and it reports immediately what became ready since the try.
 * An fd of the engine's own (a registered file's) cannot change, and needs no
 * call once it is watched.
 *
 * While a wait is armed, the watch holds a duplicate of the application's file,
 * as the kernel holds a reference; owners do I/O with it (reactor_fd). A
 * duplicate delays the peer's end of file. So it is closed before the
 * completion of the last request that waited can be seen
 * (reactor_release_idle), and immediately when its owner reports that the file
 * has ended (reactor_release). Until then another request may take it over.
 *
 * A watch whose fd became another file is *stray*: its waits continue with the
 * duplicate, no new wait joins, and it is freed with the last wait. Only while
 * there are strays can a MOD reach the wrong watch, a stray's; then every
 * arming compares files, and an fd that is its old file again gets its old
 * watch back.
 *
 * Waits of one file are called in the order of the kernel's queues: the last
 * armed first, and behind them those with WAIT_IN_TURN (accepts), the first
 * armed first. An event calls as many waits as it has data for: a callback that
 * found its file empty sets found_empty, and the other waits that would try the
 * same are not called. The kernel wakes them all, and they queue again from the
 * other end; so after each event the list is read from its other end.
 *
 * A wait for one event can be *kept* (reactor_arm_once): kernel AIO's poll
 * makes its event when the file wakes it, not when somebody looks, so it is not
 * lost where the data is taken meanwhile, and none of many costs a call of its
 * own. Its watch is never told to epoll, and shared by those that are armed one
 * behind the other on one file.
 *
 * The epoll is made when something first waits, so that a ring that is only
 * open costs no number. Its number may become another file all the same, where
 * the program replaces what it doesn't know. Calls on it then fail, and it is
 * made anew with all that waits; no sleep turns into a loop.
 *
 * Locks: the caller's (the ring lock) for all but reactor_sleep() and
 * reactor_wake(), which run without. Events fetched without the lock refer to a
 * watch by index and generation, so a watch freed meanwhile is recognised.
 * Progress: every event fetched is dispatched by the thread that fetched it.
 * Cost: 205 ns an arming; none for an fd of the engine's or a wait that stays
 * armed.
 */
#ifndef POLYRING_DRIVE_REACTOR_H
#define POLYRING_DRIVE_REACTOR_H

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/compiler.h"
#include "base/list.h"

struct reactor_watch;

enum {
	WAIT_TRIES = 1u << 0, /* not called once another has found it empty */
	WAIT_IN_TURN = 1u << 1, /* the first armed is called first */
	/* called many times, keeps its place in the queue */
	WAIT_STAYS = 1u << 2,
	WAIT_KEPT = 1u << 3, /* the reactor's: its event stands, no look */
};

struct reactor_wait {
	struct list node;
	struct reactor_watch *watch; /* NULL when not armed */
	union {
		uint32_t mask;
		uint32_t poll; /* WAIT_KEPT: AIO's number of it */
	};
	uint32_t how; /* WAIT_, set before it is armed */
	/*
	 * The file has these events. The wait is still armed; the callback may
	 * disarm it or any other wait.
	 */
	void (*ready)(struct reactor_wait *wait, uint32_t events);
};

/* A file of the engine's own that ends every sleep. */
struct reactor_own {
	const int *fd; /* where its holder has it */
	uint32_t events; /* 0: none */
};

#define REACTOR_OWN_MAX 2

struct reactor {
	int epoll_fd; /* -1: none yet, nothing was waited for */
	bool lost; /* its number, or the waker's, is another file */
	bool wake_early; /* woken before there was an epoll */
	uint32_t look_next; /* without an epoll: the next watch to look at */
	struct reactor_own own[REACTOR_OWN_MAX];
	uint32_t *by_number; /* by fd: index of the watch plus 1; 0: none */
	uint32_t numbers;
	struct reactor_watch **blocks; /* the watches, by index */
	uint32_t blocks_room;
	uint32_t watches; /* made so far */
	struct reactor_watch *free_watches;
	struct list idle; /* watches whose duplicate nothing waits for */
	struct list strays; /* watches whose fd is another file */
	struct list *cursor; /* the next wait of the dispatch under way */
	bool found_empty; /* set by a callback: nothing is left to read */
	int event_fd; /* that AIO and processes signal, -1: none yet */
	int event_told; /* the number by which epoll knows it */
	bool shared; /* event_fd is in the epolls of other processes, too */
	struct aio_polls *polls; /* NULL: none yet */
	bool polls_refused; /* there is no AIO */
	struct reactor_watch *once; /* the last of reactor_arm_once() */
	uint32_t once_generation;
	uint32_t once_epoch;
	uint32_t armed;
};

#define REACTOR_EVENTS_MAX 128

struct reactor_events {
	int count;
	uint32_t room; /* the most to fetch; 0: as many as fit */
	struct epoll_event events[REACTOR_EVENTS_MAX];
};

/* The checked build's invariant, while no dispatch is under way. */
static inline bool reactor_valid(const struct reactor *reactor)
{
	return !reactor->cursor && reactor->idle.next && reactor->strays.next &&
	       (!reactor->numbers || reactor->by_number) &&
	       (!reactor->watches || reactor->blocks);
}

void reactor_open(struct reactor *reactor);
void reactor_close(struct reactor *reactor);

/*
 * In a forked child: close what is shared with the parent. Then only close it.
 */
void reactor_abandon(struct reactor *reactor);

/*
 * Before a fork: from now on a wake-up ends sleeps in the child, too, by an
 * eventfd that it inherits. 0 or a negative errno.
 */
int reactor_share(struct reactor *reactor);

/*
 * In a forked child: let go of what the kernel shares with the parent. Waits
 * may still be disarmed.
 */
void reactor_leave(struct reactor *reactor);

/*
 * Afterwards, when no wait is left: keep nothing but the wake-up, which ends
 * sleeps in both processes. Then close, or open what is missing: 0 or a
 * negative errno.
 */
void reactor_inherit(struct reactor *reactor);
int reactor_reopen(struct reactor *reactor);

/*
 * Have an epoll, before the first sleep that may last: made now, or anew where
 * the program has made its number another file. Returns 0; -EMFILE, -ENFILE,
 * -ENOMEM, -ENOSPC: then sleeps are short, and reactor_look_slowly() looks.
 */
int reactor_make_ready(struct reactor *reactor);

static inline int reactor_get_ready(struct reactor *reactor)
{
	if (likely(reactor->epoll_fd >= 0 && !load_relaxed(&reactor->lost)))
		return 0;
	return reactor_make_ready(reactor);
}

/*
 * @fd is about to become another file, and can't be kept under another number.
 * Without the lock: whoever sleeps behind it wakes up.
 */
void reactor_lose(struct reactor *reactor, int fd);

/*
 * Call wait->ready when @fd has any of @mask (or an error or hang-up). @owned:
 * the fd is the engine's. Returns 0; -EPERM when the file can't be polled,
 * -EBADF, -ENOMEM, -ENOSPC.
 */
int reactor_arm(struct reactor *reactor, struct reactor_wait *wait, int fd,
		bool owned, uint32_t mask);

struct reactor_once {
	struct reactor_wait *wait;
	int fd;
	bool owned;
	uint32_t mask;
	int err;
};

#define REACTOR_ONCE_MAX 128u

/*
 * Arm up to so many for one event each, which is kept from the moment of the
 * wake-up and may name more than was asked for. @all[].err: 0, or why not:
 * reactor_arm() may still do, as there may be files that AIO can't poll, or no
 * AIO. While @epoch stays the same so do the files behind fds.
 */
void reactor_arm_once(struct reactor *reactor, struct reactor_once *all,
		      uint32_t count, uint32_t epoch);

/* Does nothing when not armed. */
void reactor_disarm(struct reactor *reactor, struct reactor_wait *wait);

/* Change the events of an armed wait. */
int reactor_change(struct reactor *reactor, struct reactor_wait *wait,
		   uint32_t mask);

/* The fd to do I/O with while armed. */
int reactor_fd(const struct reactor_wait *wait);

/* Close the duplicates that nothing waits for. */
void reactor_close_idle(struct reactor *reactor);

static inline void reactor_release_idle(struct reactor *reactor)
{
	if (unlikely(!list_empty(&reactor->idle)))
		reactor_close_idle(reactor);
}

/* Close the duplicate of @fd immediately, if nothing waits for it. */
void reactor_release(struct reactor *reactor, int fd);

/*
 * The kernel has just returned @fd from a call: the file that had this fd
 * before is closed, and arming the new file need not ask epoll.
 */
void reactor_renew(struct reactor *reactor, int fd);

/* The engine closes @fd, an fd of its own that nothing waits for any more. */
void reactor_forget(struct reactor *reactor, int fd);

/*
 * Wait for events until the deadline on the monotonic clock (0: does not wait).
 * Without the lock. @sigmask as for epoll_pwait(2). Returns 0, -EINTR, or
 * another error of epoll if its fd was closed.
 */
int reactor_sleep(struct reactor *reactor, struct reactor_events *events,
		  int64_t deadline_ns, const sigset_t *sigmask);

/*
 * Without an epoll: what poll(2) finds ready, and a wake-up, as nobody can send
 * one. Under the lock.
 */
void reactor_look_slowly(struct reactor *reactor,
			 struct reactor_events *events);

static inline bool reactor_is_slow(const struct reactor *reactor)
{
	return unlikely(reactor->epoll_fd < 0) && reactor->armed;
}

/*
 * The events that a reactor_sleep() fetched are lost: let epoll report all that
 * is ready once more. Strays are left out: epoll can't be asked for them.
 */
void reactor_report_again(struct reactor *reactor);

/*
 * Another thread had the lock since reactor_sleep() fetched these: drop events
 * that are over. A new edge is fetched again.
 */
void reactor_recheck(const struct reactor *reactor,
		     struct reactor_events *events);

/*
 * Call the waits of the fetched events. Returns whether reactor_wake() was
 * called.
 */
bool reactor_dispatch(struct reactor *reactor,
		      const struct reactor_events *events);

/*
 * epoll_pwait2(2), or a replacement where the kernel or a tool doesn't support
 * it.
 */
long reactor_epoll_wait(int epoll_fd, struct epoll_event *events, int room,
			const struct timespec *timeout,
			const sigset_t *sigmask);

/*
 * Let sleepers poll the devices of watched sockets for so long before they
 * sleep; 0 turns it off. Returns 0, or the error of a kernel that does not
 * support it.
 */
int reactor_busy_poll(struct reactor *reactor, uint32_t microseconds,
		      bool prefer);

/*
 * Also end every sleep while *@fd, an fd of the engine's, has @events; with 0
 * no longer.
 */
int reactor_woken_by(struct reactor *reactor, const int *fd, uint32_t events);

/*
 * The eventfd that transfers of kernel AIO signal: it ends every sleep, and is
 * never read. Made with the first call; it may become another fd later. Returns
 * it, or a negative errno.
 */
int reactor_event_fd(struct reactor *reactor);

/* End a sleep, or the next one, from any thread. */
void reactor_wake(struct reactor *reactor);

#endif
