/* SPDX-License-Identifier: MIT */
/*
 * Readiness: one epoll a ring, edge-triggered (D5).
 *
 * Theory: work is tried first and armed only when it would block. Arming ties
 * a *wait* (a mask and a callback, living in its owner) to a *watch*, which is
 * one open file under one number. A number of the application's may be closed
 * and reused behind our back, so every arming of one is an EPOLL_CTL_MOD: it
 * fails with ENOENT when the number is another file now, and it reports at
 * once what became ready since the try. A number that the engine itself owns
 * (a registered file's) cannot change, and needs no call at all once watched.
 *
 * While something waits, the watch holds a duplicate of the application's
 * file, as the kernel holds a reference; owners do I/O through it
 * (reactor_fd). A held duplicate delays the peer's end of file, so it goes
 * before the completion of the last request that waited can be seen
 * (reactor_release_idle), and at once when its owner says that the file has
 * ended (reactor_release). Until then another request may take it over.
 *
 * A watch whose number became another file is *stray*: its waits go on
 * through the duplicate, no new one joins, and it is freed with the last. Only
 * while there are strays can a MOD reach the wrong watch, a stray's; then every
 * arming compares files, and a number that is its old file again gets its old
 * watch back.
 *
 * Waits of one file are called in the order of the kernel's queues: the last
 * armed first, those that take turns (accepts) behind the others and the first
 * armed first. One event calls as many as it has something for: a callback that
 * found its file empty says so (found_empty), and those that would try the same
 * are not called. The kernel wakes them all, and they queue up anew from the
 * other end; so after each event the list is read from its other end.
 *
 * Locks: the caller's (the ring lock) for all but reactor_sleep() and
 * reactor_wake(), which run without. Events fetched without the lock name a
 * watch by index and generation, so a watch freed meanwhile is recognised.
 * Progress: every event fetched is dispatched by the thread that fetched it.
 * Cost: 205 ns an arming; none for an owned number or a wait that stays armed.
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
	WAIT_TRIES = 1u << 0, /* in vain, where another found it empty */
	WAIT_IN_TURN = 1u << 1, /* the first armed is called first */
	WAIT_STAYS = 1u << 2, /* many times, without queueing up anew */
};

struct reactor_wait {
	struct list node;
	struct reactor_watch *watch; /* NULL when not armed */
	uint32_t mask;
	uint32_t how; /* WAIT_, set before it is armed */
	/*
	 * The file is ready, with these events. Still armed; may disarm itself
	 * or any other wait.
	 */
	void (*ready)(struct reactor_wait *wait, uint32_t events);
};

struct reactor {
	int epoll_fd;
	int wake_fd; /* eventfd; edge-triggered, hence never read */
	uint32_t *by_number; /* index of the watch and 1; 0: none */
	uint32_t numbers;
	struct reactor_watch **blocks; /* where the watches are, by index */
	uint32_t blocks_room;
	uint32_t watches; /* made so far */
	struct reactor_watch *free_watches;
	struct list idle; /* watches that hold a duplicate for nobody */
	struct list strays; /* watches whose number is another file */
	struct list *cursor; /* the next wait of the dispatch under way */
	bool found_empty; /* a callback says: nothing is left to read */
	uint32_t armed;
};

#define REACTOR_EVENTS_MAX 128

struct reactor_events {
	int count;
	uint32_t room; /* to fetch no more than so many; 0: as many as fit */
	struct epoll_event events[REACTOR_EVENTS_MAX];
};

int reactor_open(struct reactor *reactor);
void reactor_close(struct reactor *reactor);

/* In a forked child: let go of what the parent shares. Then only close. */
void reactor_abandon(struct reactor *reactor);

/*
 * Call wait->ready when @fd has any of @mask (or an error or hang-up). @owned
 * says that the engine owns the number. Returns 0; -EPERM when the file can't
 * be polled, -EBADF, -ENOMEM, -ENOSPC.
 */
int reactor_arm(struct reactor *reactor, struct reactor_wait *wait, int fd,
		bool owned, uint32_t mask);

/* Harmless when not armed. */
void reactor_disarm(struct reactor *reactor, struct reactor_wait *wait);

/* Change what an armed wait waits for. */
int reactor_change(struct reactor *reactor, struct reactor_wait *wait,
		   uint32_t mask);

/* The number to do I/O through while armed. */
int reactor_fd(const struct reactor_wait *wait);

/* Close the duplicates that are held for nobody. */
void reactor_close_idle(struct reactor *reactor);

static inline void reactor_release_idle(struct reactor *reactor)
{
	if (unlikely(!list_empty(&reactor->idle)))
		reactor_close_idle(reactor);
}

/* At once, the duplicate of @fd, if nothing waits there. */
void reactor_release(struct reactor *reactor, int fd);

/*
 * The kernel has just given out @fd: whatever had that number is closed, and
 * arming the new file need not ask epoll.
 */
void reactor_renew(struct reactor *reactor, int fd);

/* The engine closes a number of its own, which nothing waits on any more. */
void reactor_forget(struct reactor *reactor, int fd);

/*
 * Wait for events until the deadline on the monotonic clock (0: only look).
 * Without the lock. @sigmask as for epoll_pwait(2). Returns 0, -EINTR, or what
 * else epoll says of a number that is not ours any more.
 */
int reactor_sleep(const struct reactor *reactor, struct reactor_events *events,
		  int64_t deadline_ns, const sigset_t *sigmask);

/*
 * Somebody else had the lock since reactor_sleep() found these: drop what is
 * ready no more. An edge that comes back is found anew.
 */
void reactor_recheck(const struct reactor *reactor,
		     struct reactor_events *events);

/* Call what reactor_sleep() found ready. Returns whether it was woken. */
bool reactor_dispatch(struct reactor *reactor,
		      const struct reactor_events *events);

/* epoll_pwait2(2), also where the kernel or a tool doesn't know it. */
long reactor_epoll_wait(int epoll_fd, struct epoll_event *events, int room,
			const struct timespec *timeout,
			const sigset_t *sigmask);

/*
 * Let sleepers poll the devices of watched sockets for so long before they
 * sleep; 0 turns it off. 0, or what a kernel says that can't.
 */
int reactor_busy_poll(const struct reactor *reactor, uint32_t microseconds,
		      bool prefer);

/*
 * End every sleep, too, while a file of the engine's own has @events; with 0
 * no more.
 */
void reactor_woken_by(const struct reactor *reactor, int fd, uint32_t events);

/* End a sleep, or the next one, from any thread. */
void reactor_wake(const struct reactor *reactor);

#endif
