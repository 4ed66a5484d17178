// SPDX-License-Identifier: MIT
#include "drive/reactor.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/tool.h"
#include "drive/aio_polls.h"

/* There is one for each waiting connection, so it is small. */
struct reactor_watch {
	struct list waits;
	union {
		struct list idle; /* or among the strays */
		struct reactor_watch *next_free;
	};
	int number; /* the fd by which epoll identifies the file */
	int held; /* the engine's duplicate, -1: none */
	uint32_t index;
	uint32_t generation;
	uint32_t mask; /* the events that epoll was last asked for */
	uint32_t lookers; /* waits without WAIT_TRIES */
	bool owned;
	bool stray;
	bool from_back; /* the list of waits is read from its other end */
};

#define BLOCK_WATCHES 64u

static struct reactor_watch *watch_at(const struct reactor *r, uint32_t index)
{
	return &r->blocks[index / BLOCK_WATCHES][index % BLOCK_WATCHES];
}

/* The watch that the cached fd maps to; NULL: none yet. */
static struct reactor_watch *watch_of(const struct reactor *r, int fd)
{
	if (fd < 0 || (uint32_t)fd >= r->numbers || !r->by_number[fd])
		return NULL;
	return watch_at(r, r->by_number[fd] - 1);
}

/* Events that epoll always reports. */
#define ALWAYS (EPOLLERR | EPOLLHUP)
#define WAKE_TAG UINT64_MAX

static int reactor_make_epoll(struct reactor *r)
{
	struct epoll_event wake = {
		.events = EPOLLIN | EPOLLET,
		.data.u64 = WAKE_TAG,
	};
	long err;

	r->epoll_fd =
		fd_move_high((int)SYS_1(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (r->epoll_fd < 0)
		return r->epoll_fd;
	err = SYS_4(SYS_epoll_ctl, r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd,
		    &wake);
	if (!err)
		return 0;
	fd_close(r->epoll_fd);
	r->epoll_fd = -1;
	return (int)err;
}

static void reactor_empty(struct reactor *r)
{
	memset(r, 0, sizeof(*r));
	list_init(&r->idle);
	list_init(&r->strays);
}

int reactor_open(struct reactor *r)
{
	int err;

	reactor_empty(r);
	r->wake_fd = fd_move_high(
		(int)SYS_2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (r->wake_fd < 0)
		return r->wake_fd;
	err = reactor_make_epoll(r);
	if (err < 0)
		fd_close(r->wake_fd);
	return err;
}

int reactor_reopen(struct reactor *r)
{
	return reactor_make_epoll(r);
}

static void close_watches(struct reactor *r)
{
	aio_polls_close(r->polls);
	for (uint32_t i = 0; i < r->watches; i++)
		fd_close(watch_at(r, i)->held);
	for (uint32_t i = 0; i * BLOCK_WATCHES < r->watches; i++)
		mem_free(r->blocks[i]);
	mem_free(r->blocks);
	mem_free(r->by_number);
}

void reactor_close(struct reactor *r)
{
	close_watches(r);
	fd_close(r->wake_fd);
	fd_close(r->epoll_fd);
}

void reactor_leave(struct reactor *r)
{
	aio_polls_abandon(r->polls);
	r->polls = NULL;
	fd_close(r->epoll_fd);
	r->epoll_fd = -1;
}

void reactor_abandon(struct reactor *r)
{
	reactor_leave(r);
	fd_close(r->wake_fd);
	r->wake_fd = -1;
}

void reactor_inherit(struct reactor *r)
{
	int wake_fd = r->wake_fd;

	fd_close(r->epoll_fd);
	close_watches(r);
	reactor_empty(r);
	r->wake_fd = wake_fd;
	r->epoll_fd = -1;
}

void reactor_woken_by(const struct reactor *r, int fd, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = WAKE_TAG,
	};

	SYS_4(SYS_epoll_ctl, r->epoll_fd,
	      events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

void reactor_wake(const struct reactor *r)
{
	uint64_t one = 1;

	SYS_3(SYS_write, r->wake_fd, &one, sizeof(one));
}

/*
 * @table, or a larger copy of it, so that @index is inside. NULL: out of
 * memory.
 */
static void *table_reach(void *table, size_t each, uint32_t *room,
			 uint32_t index)
{
	uint32_t wanted = *room ? *room : 64;
	void *bigger;

	if (index < *room)
		return table;
	while (wanted <= index)
		wanted *= 2;
	bigger = mem_new(wanted, each);
	if (!bigger)
		return NULL;
	if (*room)
		memcpy(bigger, table, *room * each);
	mem_free(table);
	*room = wanted;
	return bigger;
}

/*
 * The next watch of a block, or the first of a new block. NULL: out of memory.
 */
static struct reactor_watch *watch_fresh(struct reactor *r)
{
	uint32_t block = r->watches / BLOCK_WATCHES;
	struct reactor_watch **blocks, *w;

	blocks =
		table_reach(r->blocks, sizeof(*blocks), &r->blocks_room, block);
	if (!blocks)
		return NULL;
	r->blocks = blocks;
	if (!blocks[block])
		blocks[block] =
			mem_new(BLOCK_WATCHES, sizeof(struct reactor_watch));
	if (!blocks[block])
		return NULL;
	w = watch_at(r, r->watches);
	w->index = r->watches++;
	return w;
}

/* Watches are reused, not freed: an event may still refer to one. */
static struct reactor_watch *watch_new(struct reactor *r, int number,
				       bool owned)
{
	struct reactor_watch *w = r->free_watches;

	if (w)
		r->free_watches = w->next_free;
	else
		w = watch_fresh(r);
	if (!w)
		return NULL;
	list_init(&w->waits);
	list_init(&w->idle);
	w->lookers = 0;
	w->from_back = false;
	w->number = number;
	w->held = -1;
	w->generation++;
	w->mask = 0;
	w->owned = owned;
	w->stray = false;
	return w;
}

static void watch_let_go(struct reactor_watch *w)
{
	fd_close(w->held);
	w->held = -1;
	list_remove(&w->idle);
}

static void watch_free(struct reactor *r, struct reactor_watch *w)
{
	watch_let_go(w);
	w->generation++;
	w->next_free = r->free_watches;
	r->free_watches = w;
}

static int watch_tell_epoll(const struct reactor *r, struct reactor_watch *w,
			    int how, uint32_t mask)
{
	struct epoll_event event = {
		.events = mask | EPOLLET,
		.data.u64 = (uint64_t)w->generation << 32 | w->index,
	};
	long err = SYS_4(SYS_epoll_ctl, r->epoll_fd, how, w->number, &event);

	if (err == -EEXIST)
		err = SYS_4(SYS_epoll_ctl, r->epoll_fd, EPOLL_CTL_MOD,
			    w->number, &event);
	if (!err)
		w->mask = mask;
	return (int)err;
}

/* The fd is another file now: its waits continue without the fd. */
static void watch_set_stray(struct reactor *r, struct reactor_watch *w)
{
	r->by_number[w->number] = 0;
	w->stray = true;
	list_remove(&w->idle);
	list_push_back(&r->strays, &w->idle);
	if (list_empty(&w->waits))
		watch_free(r, w);
}

static int watch_add(struct reactor *r, int fd, bool owned, uint32_t mask,
		     struct reactor_watch **watch)
{
	struct reactor_watch *w;
	uint32_t *numbers;
	int err;

	numbers = table_reach(r->by_number, sizeof(*numbers), &r->numbers,
			      (uint32_t)fd);
	if (!numbers)
		return -ENOMEM;
	r->by_number = numbers;
	w = watch_new(r, fd, owned);
	if (!w)
		return -ENOMEM;
	err = watch_tell_epoll(r, w, EPOLL_CTL_ADD, mask);
	if (err < 0) {
		watch_free(r, w);
		return err;
	}
	r->by_number[fd] = w->index + 1;
	*watch = w;
	return 0;
}

/* The stray watch of this fd whose file is @fd's, or NULL. */
static struct reactor_watch *stray_of(const struct reactor *r, int fd)
{
	struct list *node;

	list_for_each (node, &r->strays) {
		struct reactor_watch *w =
			list_entry(node, struct reactor_watch, idle);

		if (w->number == fd && w->held >= 0 &&
		    fd_same_file(w->held, fd))
			return w;
	}
	return NULL;
}

/*
 * While a stray watch waits, epoll still identifies its file by the fd. If the
 * fd has become that file again, a MOD succeeds although it is meant for the
 * file that came between. So the fd is compared with the duplicate here, and
 * the stray watch takes its place again.
 */
static struct reactor_watch *watch_sort_out(struct reactor *r, int fd,
					    struct reactor_watch *w)
{
	struct reactor_watch *stray;

	if (w && w->held >= 0 && !fd_same_file(w->held, fd)) {
		watch_set_stray(r, w);
		w = NULL;
	}
	if (w)
		return w;
	stray = stray_of(r, fd);
	if (stray) {
		stray->stray = false;
		list_remove(&stray->idle);
		r->by_number[fd] = stray->index + 1;
	}
	return stray;
}

/*
 * Find or make the watch for the file that @fd is now; adds @mask to its
 * events.
 */
static int watch_get(struct reactor *r, int fd, bool owned, uint32_t mask,
		     struct reactor_watch **watch)
{
	struct reactor_watch *w = watch_of(r, fd);
	int err;

	if (fd < 0)
		return -EBADF;
	if (unlikely(!list_empty(&r->strays)))
		w = watch_sort_out(r, fd, w);
	if (!w)
		return watch_add(r, fd, owned, mask, watch);
	*watch = w;
	if (owned && w->owned && (mask & ~w->mask) == 0)
		return 0;
	/* Masks only grow: an unneeded edge costs less than a call. */
	err = watch_tell_epoll(r, w, EPOLL_CTL_MOD, w->mask | mask);
	if (err != -ENOENT)
		return err;
	watch_set_stray(r, w);
	return watch_add(r, fd, owned, mask, watch);
}

static struct list *next_wait(const struct reactor_watch *w,
			      const struct list *node)
{
	return w->from_back ? node->prev : node->next;
}

static void watch_join(struct reactor *r, struct reactor_watch *w,
		       struct reactor_wait *wait)
{
	if (w->from_back == !(wait->how & WAIT_IN_TURN))
		list_push_back(&w->waits, &wait->node);
	else
		list_push_front(&w->waits, &wait->node);
	w->lookers += !(wait->how & WAIT_TRIES);
	wait->watch = w;
	r->armed++;
}

int reactor_arm(struct reactor *r, struct reactor_wait *wait, int fd,
		bool owned, uint32_t mask)
{
	struct reactor_watch *w;
	int err = watch_get(r, fd, owned, mask, &w);

	if (err < 0)
		return err;
	/* Without room for a duplicate the fd itself is used. */
	if (!owned && w->held < 0) {
		w->held = fd_dup_spare(fd);
		if (w->held < 0)
			w->held = -1;
	}
	list_remove(&w->idle);
	watch_join(r, w, wait);
	wait->mask = mask | ALWAYS;
	return 0;
}

/* Its event came, or there will be none. */
#define POLL_OVER UINT32_MAX

/*
 * AIO asks a file that was woken without a word what is ready, in a thread of
 * the kernel. To a signalfd that is a thread without signals, and a kept event
 * would come late for those that say nothing else: only files that say what
 * woke them are polled so.
 */
static bool file_says_why(int fd)
{
	char path[32], target[32];
	struct stat of;
	long n;

	if (SYS_2(SYS_fstat, fd, &of) < 0)
		return false;
	if (S_ISSOCK(of.st_mode) || S_ISFIFO(of.st_mode))
		return true;
	if (of.st_mode & S_IFMT)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = SYS_3(SYS_readlink, path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = 0;
	return !strcmp(target, "anon_inode:[eventfd]") ||
	       !strcmp(target, "anon_inode:[timerfd]");
}

/*
 * A watch that epoll does not know: as a stray's, its waits go on through the
 * duplicate, and the last takes it along.
 */
static struct reactor_watch *watch_once(struct reactor *r, int fd, bool owned)
{
	struct reactor_watch *w;

	if (!file_says_why(fd))
		return NULL;
	w = watch_new(r, fd, owned);
	if (!w)
		return NULL;
	w->stray = true;
	if (!owned)
		w->held = fd_dup_spare(fd);
	if (w->held < 0)
		w->held = -1;
	r->once = w;
	r->once_generation = w->generation;
	return w;
}

/* The last one, if it is there and of this file. */
static struct reactor_watch *watch_once_again(const struct reactor *r, int fd,
					      bool owned, uint32_t epoch)
{
	struct reactor_watch *w = r->once;

	if (!w || w->generation != r->once_generation || w->number != fd ||
	    w->owned != owned)
		return NULL;
	if (r->once_epoch == epoch || owned ||
	    (w->held >= 0 && fd_same_file(w->held, fd)))
		return w;
	return NULL;
}

static bool has_polls(struct reactor *r)
{
	if (likely(r->polls))
		return true;
	if (!r->polls_refused)
		r->polls = aio_polls_open(r->wake_fd);
	r->polls_refused = !r->polls;
	return r->polls != NULL;
}

static bool once_join(struct reactor *r, struct reactor_once *o, uint32_t epoch)
{
	struct reactor_watch *w;

	w = watch_once_again(r, o->fd, o->owned, epoch);
	if (!w)
		w = watch_once(r, o->fd, o->owned);
	if (!w)
		return false;
	r->once_epoch = epoch;
	o->wait->poll = POLL_OVER;
	o->wait->how = WAIT_KEPT;
	watch_join(r, w, o->wait);
	return true;
}

/* Urgent data alone wakes nobody, as in the kernel's io_uring. */
static uint32_t once_mask(uint32_t mask)
{
	return mask & (POLLIN | POLLRDNORM | POLLRDBAND)
		       ? mask
		       : mask & ~(uint32_t)POLLPRI;
}

static void once_settle(struct reactor *r, struct reactor_once *o,
			const struct aio_poll_start *start)
{
	if (start->said >= 0) {
		o->wait->poll = (uint32_t)start->said;
		o->err = 0;
		return;
	}
	o->err = start->said;
	reactor_disarm(r, o->wait);
	o->wait->how = 0;
}

void reactor_arm_once(struct reactor *r, struct reactor_once *all,
		      uint32_t count, uint32_t epoch)
{
	struct aio_poll_start starts[REACTOR_ONCE_MAX];
	struct reactor_once *joined[REACTOR_ONCE_MAX];
	uint32_t many = 0;

	_Static_assert(REACTOR_ONCE_MAX == AIO_POLLS_BATCH, "one call");
	for (uint32_t i = 0; i < count; i++) {
		all[i].err = -ENOSYS;
		if (!has_polls(r) || !once_join(r, &all[i], epoch))
			continue;
		joined[many] = &all[i];
		starts[many++] = (struct aio_poll_start){
			.fd = reactor_fd(all[i].wait),
			.mask = once_mask(all[i].mask),
			.owner = all[i].wait,
		};
	}
	if (many)
		aio_polls_start(r->polls, starts, many);
	for (uint32_t i = 0; i < many; i++)
		once_settle(r, joined[i], &starts[i]);
}

static void once_fired(void *owner, uint32_t events)
{
	struct reactor_wait *wait = owner;

	wait->poll = POLL_OVER;
	wait->ready(wait, events);
}

static void once_disarm(const struct reactor *r,
			const struct reactor_wait *wait)
{
	if (wait->poll != POLL_OVER && r->polls)
		aio_polls_cancel(r->polls, wait->poll);
}

void reactor_disarm(struct reactor *r, struct reactor_wait *wait)
{
	struct reactor_watch *w = wait->watch;

	if (!w)
		return;
	if (r->cursor == &wait->node)
		r->cursor = next_wait(w, &wait->node);
	list_remove(&wait->node);
	w->lookers -= !(wait->how & WAIT_TRIES);
	wait->watch = NULL;
	r->armed--;
	if (unlikely(wait->how & WAIT_KEPT))
		once_disarm(r, wait);
	if (!list_empty(&w->waits))
		return;
	if (w->stray)
		watch_free(r, w);
	else if (w->held >= 0)
		list_push_back(&r->idle, &w->idle);
}

int reactor_change(struct reactor *r, struct reactor_wait *wait, uint32_t mask)
{
	struct reactor_watch *w = wait->watch;
	int err = 0;

	if (!w->stray)
		err = watch_tell_epoll(r, w, EPOLL_CTL_MOD, w->mask | mask);
	if (err == -ENOENT)
		watch_set_stray(r, w);
	else if (err < 0)
		return err;
	/* epoll can't change a stray watch; its events stay as they are. */
	wait->mask = mask | ALWAYS;
	return 0;
}

int reactor_fd(const struct reactor_wait *wait)
{
	const struct reactor_watch *w = wait->watch;

	return w->held >= 0 ? w->held : w->number;
}

void reactor_close_idle(struct reactor *r)
{
	while (!list_empty(&r->idle))
		watch_let_go(
			list_entry(r->idle.next, struct reactor_watch, idle));
}

void reactor_release(struct reactor *r, int fd)
{
	struct reactor_watch *w = watch_of(r, fd);

	if (w && list_empty(&w->waits))
		watch_let_go(w);
}

void reactor_renew(struct reactor *r, int fd)
{
	struct reactor_watch *w = watch_of(r, fd);

	if (w)
		watch_set_stray(r, w);
}

void reactor_forget(struct reactor *r, int fd)
{
	struct reactor_watch *w = watch_of(r, fd);

	if (r->once && r->once->number == fd)
		r->once = NULL;
	if (!w)
		return;
	r->by_number[fd] = 0;
	/*
	 * Closing the fd does not remove it from epoll while others share the
	 * file.
	 */
	SYS_4(SYS_epoll_ctl, r->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	watch_free(r, w);
}

/*
 * epoll_pwait2 came with Linux 5.11; without it, waits round up to
 * milliseconds.
 */
long reactor_epoll_wait(int epoll_fd, struct epoll_event *events, int room,
			const struct timespec *timeout, const sigset_t *sigmask)
{
	static bool have_pwait2 = true;
	long n, ms = -1;

	/* valgrind warns about system calls that it does not support. */
	if (timeout && load_relaxed(&have_pwait2) && !under_valgrind()) {
		n = SYS_6(SYS_epoll_pwait2, epoll_fd, events, room, timeout,
			  sigmask, sizeof(uint64_t));
		if (n != -ENOSYS)
			return n;
		store_relaxed(&have_pwait2, false);
	}
	if (timeout && timeout->tv_sec > INT32_MAX / 2000)
		ms = INT32_MAX / 2;
	else if (timeout)
		ms = timeout->tv_sec * 1000 +
		     (timeout->tv_nsec + 999999) / 1000000;
	return SYS_6(SYS_epoll_pwait, epoll_fd, events, room, ms, sigmask,
		     sizeof(uint64_t));
}

static int room_in(const struct reactor_events *found)
{
	if (!found->room || found->room > REACTOR_EVENTS_MAX)
		return REACTOR_EVENTS_MAX;
	return (int)found->room;
}

int reactor_sleep(const struct reactor *r, struct reactor_events *found,
		  int64_t deadline_ns, const sigset_t *sigmask)
{
	struct timespec left, *timeout = NULL;
	long n;

	if (deadline_ns != CLOCK_NEVER) {
		int64_t ns = 0;

		if (deadline_ns)
			ns = deadline_ns - clock_now_ns(CLOCK_MONOTONIC);
		if (ns < 0)
			ns = 0;
		left.tv_sec = ns / NS_PER_SEC;
		left.tv_nsec = ns % NS_PER_SEC;
		timeout = &left;
	}
	n = reactor_epoll_wait(r->epoll_fd, found->events, room_in(found),
			       timeout, sigmask);
	found->count = n > 0 ? (int)n : 0;
	return n < 0 ? (int)n : 0;
}

/* Would the kernel have woken the remaining waits, and queued them again? */
static bool has_queued_anew(const struct reactor_watch *w, uint32_t events)
{
	const struct list *first = next_wait(w, &w->waits);
	const struct reactor_wait *wait =
		list_entry(first, struct reactor_wait, node);

	if (first == &w->waits || !(events & wait->mask))
		return false;
	return (wait->how & (WAIT_TRIES | WAIT_IN_TURN | WAIT_STAYS)) ==
	       WAIT_TRIES;
}

static void watch_ready_in_order(struct reactor *r, struct reactor_watch *w,
				 uint32_t events)
{
	/* All waits get the end of the file, and an error. */
	bool for_all = events & (ALWAYS | EPOLLRDHUP), empty = false;
	struct reactor_wait *wait;
	bool tries;

	/* A callback may disarm any wait: reactor_disarm() moves the cursor. */
	r->cursor = next_wait(w, &w->waits);
	while (r->cursor != &w->waits && !(empty && !w->lookers)) {
		wait = list_entry(r->cursor, struct reactor_wait, node);
		r->cursor = next_wait(w, &wait->node);
		tries = wait->how & WAIT_TRIES;
		if (!(events & wait->mask) || (tries && empty))
			continue;
		r->found_empty = false;
		wait->ready(wait, events & wait->mask);
		empty |= tries && r->found_empty && !for_all;
	}
	r->cursor = NULL;
	w->from_back ^= has_queued_anew(w, events);
}

static void watch_ready(struct reactor *r, struct reactor_watch *w,
			uint32_t events)
{
	struct list *node = w->waits.next;
	struct reactor_wait *wait = list_entry(node, struct reactor_wait, node);

	if (unlikely(node != w->waits.prev))
		watch_ready_in_order(r, w, events);
	else if (likely(node != &w->waits) && events & wait->mask)
		wait->ready(wait, events & wait->mask);
}

/* The watch that an event refers to, NULL if it was freed. */
static struct reactor_watch *watch_named(const struct reactor *r, uint64_t tag)
{
	struct reactor_watch *w;

	if (tag == WAKE_TAG)
		return NULL;
	w = watch_at(r, (uint32_t)tag);
	return w->generation == (uint32_t)(tag >> 32) ? w : NULL;
}

void reactor_report_again(struct reactor *r)
{
	for (uint32_t i = 0; i < r->watches; i++) {
		struct reactor_watch *w = watch_at(r, i);

		if (!list_empty(&w->waits) && !w->stray)
			watch_tell_epoll(r, w, EPOLL_CTL_MOD, w->mask);
	}
	/* AIO's are where they were; the signal was taken. */
	if (r->polls)
		reactor_wake(r);
}

void reactor_recheck(const struct reactor *r, struct reactor_events *found)
{
	for (int i = 0; i < found->count; i++) {
		struct epoll_event *event = &found->events[i];
		struct reactor_watch *w = watch_named(r, event->data.u64);
		struct pollfd look = {.events = (short)event->events};

		if (!w)
			continue;
		look.fd = w->held >= 0 ? w->held : w->number;
		/* If poll(2) fails the events stay as epoll reported them. */
		if (SYS_3(SYS_poll, &look, 1, 0) >= 0 &&
		    !(look.revents & POLLNVAL))
			event->events &= (uint32_t)look.revents;
	}
}

bool reactor_dispatch(struct reactor *r, const struct reactor_events *found)
{
	bool woken = false;

	for (int i = 0; i < found->count; i++) {
		uint64_t tag = found->events[i].data.u64;
		struct reactor_watch *w = watch_named(r, tag);

		if (w)
			watch_ready(r, w, found->events[i].events);
		else
			woken |= tag == WAKE_TAG;
	}
	/* Their signal is spent: where they can't be had, another has to come.
	 */
	if (woken && r->polls && aio_polls_reap(r->polls, once_fired) < 0)
		reactor_wake(r);
	return woken;
}

/* From linux/eventpoll.h of 6.9; the distribution's is older. */
struct epoll_busy_poll {
	uint32_t microseconds;
	uint16_t budget;
	uint8_t prefer;
	uint8_t pad;
};
#define EPOLL_SET_BUSY_POLL _IOW(0x8A, 0x01, struct epoll_busy_poll)
#define BUSY_POLL_BUDGET 8 /* packets a round: the kernel's default */

int reactor_busy_poll(const struct reactor *r, uint32_t microseconds,
		      bool prefer)
{
	const struct epoll_busy_poll how = {
		.microseconds = microseconds,
		.budget = BUSY_POLL_BUDGET,
		.prefer = prefer,
	};

	return (int)SYS_3(SYS_ioctl, r->epoll_fd, EPOLL_SET_BUSY_POLL, &how);
}
