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
#include "drive/waker.h"

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
	uint32_t seen; /* without an epoll: the events of the last check */
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
/* Between two looks where there is no number for an epoll. */
#define NAP_NS 1000000

static void reactor_empty(struct reactor *r)
{
	memset(r, 0, sizeof(*r));
	list_init(&r->idle);
	list_init(&r->strays);
	r->epoll_fd = -1;
	r->event_fd = -1;
}

void reactor_open(struct reactor *r)
{
	reactor_empty(r);
}

static void close_epoll(struct reactor *r)
{
	if (r->epoll_fd < 0)
		return;
	fd_close(r->epoll_fd);
	waker_remove();
	store_relaxed(&r->epoll_fd, -1);
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
	fd_close(r->event_fd);
	close_epoll(r);
}

/* The child's waker is forgotten as a whole. */
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
	fd_close(r->event_fd);
	r->event_fd = -1;
}

void reactor_inherit(struct reactor *r)
{
	int event_fd = r->event_fd;

	close_epoll(r);
	close_watches(r);
	reactor_empty(r);
	r->event_fd = event_fd;
	r->shared = true;
	r->epoll_fd = -1;
}

static int tell_own(const struct reactor *r, int how, int fd, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = WAKE_TAG,
	};

	return (int)SYS_4(SYS_epoll_ctl, r->epoll_fd, how, fd, &event);
}

static struct reactor_own *own_slot(struct reactor *r, const int *fd, bool used)
{
	for (size_t i = 0; i < REACTOR_OWN_MAX; i++)
		if (used ? r->own[i].events && r->own[i].fd == fd
			 : !r->own[i].events)
			return &r->own[i];
	return NULL;
}

int reactor_woken_by(struct reactor *r, const int *fd, uint32_t events)
{
	struct reactor_own *own = own_slot(r, fd, !events);
	int err = reactor_get_ready(r);

	if (!err)
		err = tell_own(r, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, *fd,
			       events);
	if (own && (!err || !events))
		*own = (struct reactor_own){.fd = fd, .events = events};
	return err;
}

int reactor_event_fd(struct reactor *r)
{
	int err;

	if (r->event_fd >= 0)
		return r->event_fd;
	r->event_fd = fd_move_high(
		(int)SYS_2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (r->event_fd < 0)
		return r->event_fd;
	err = reactor_woken_by(r, &r->event_fd, EPOLLIN | EPOLLET);
	if (err < 0) {
		fd_close(r->event_fd);
		r->event_fd = -1;
		return err;
	}
	fd_keep(&r->event_fd);
	r->event_told = r->event_fd;
	return r->event_fd;
}

int reactor_share(struct reactor *r)
{
	int fd = reactor_event_fd(r);

	if (fd < 0)
		return fd;
	r->shared = true;
	return 0;
}

int reactor_reopen(struct reactor *r)
{
	r->event_told = r->event_fd;
	return reactor_woken_by(r, &r->event_fd, EPOLLIN | EPOLLET);
}

/*
 * To ask this process's epoll for the eventfd once more ends sleeps here, and
 * shows that the number is still the eventfd: only then it is written to.
 */
static void wake_processes(struct reactor *r)
{
	const int fd = load_relaxed(&r->event_fd);
	const uint64_t one = 1;
	int err = tell_own(r, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET);

	/* Under another number it is another file to epoll. */
	if (unlikely(err == -ENOENT) && fd != load_relaxed(&r->event_told)) {
		store_relaxed(&r->event_told, fd);
		err = tell_own(r, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
	}
	if (likely(!err))
		SYS_3(SYS_write, fd, &one, sizeof(one));
	else
		store_relaxed(&r->lost, true);
}

void reactor_wake(struct reactor *r)
{
	int epoll_fd = load_relaxed(&r->epoll_fd);

	if (unlikely(epoll_fd < 0)) {
		store_relaxed(&r->wake_early, true);
		/* Pairs with the fence in open_epoll(). */
		full_fence();
		epoll_fd = load_relaxed(&r->epoll_fd);
		if (epoll_fd < 0)
			return;
	}
	if (unlikely(r->shared))
		wake_processes(r);
	else if (unlikely(waker_wake(epoll_fd, WAKE_TAG) < 0))
		store_relaxed(&r->lost, true);
}

void reactor_lose(struct reactor *r, int fd)
{
	int epoll_fd = load_relaxed(&r->epoll_fd);

	if (epoll_fd < 0 || (fd != epoll_fd && !waker_is(fd)))
		return;
	store_relaxed(&r->lost, true);
	waker_wake(epoll_fd, WAKE_TAG);
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

/*
 * There is no number for an epoll: reactor_look_slowly() does its work. Files
 * that can't be polled are refused as epoll would.
 */
static int watch_note(struct reactor_watch *w, int how, uint32_t mask)
{
	struct stat st;

	if (SYS_2(SYS_fstat, w->number, &st) < 0)
		return -EBADF;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -EPERM;
	if (how == EPOLL_CTL_MOD && w->held >= 0 &&
	    !fd_same_file(w->held, w->number))
		return -ENOENT;
	w->mask = mask;
	w->seen = 0;
	return 0;
}

static int watch_tell_epoll(const struct reactor *r, struct reactor_watch *w,
			    int how, uint32_t mask)
{
	struct epoll_event event = {
		.events = mask | EPOLLET,
		.data.u64 = (uint64_t)w->generation << 32 | w->index,
	};
	long err;

	if (unlikely(r->epoll_fd < 0))
		return watch_note(w, how, mask);
	err = SYS_4(SYS_epoll_ctl, r->epoll_fd, how, w->number, &event);
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

static int open_epoll(struct reactor *r)
{
	int fd = waker_epoll();

	if (fd < 0)
		return fd;
	store_relaxed(&r->epoll_fd, fd);
	fd_keep(&r->epoll_fd);
	/* Pairs with the fence in reactor_wake(). */
	full_fence();
	if (load_relaxed(&r->wake_early)) {
		store_relaxed(&r->wake_early, false);
		reactor_wake(r);
	}
	return 0;
}

/*
 * A number that became another file is no way to its file any more: where a
 * duplicate is held, epoll knows it by that.
 */
static void watch_add_anew(struct reactor *r, struct reactor_watch *w)
{
	/* One whose waits are all kept was never told to epoll. */
	const bool told = w->mask;
	bool same =
		!w->stray && (w->held < 0 || fd_same_file(w->held, w->number));

	if (!same && !w->stray)
		watch_set_stray(r, w);
	if (list_empty(&w->waits)) {
		if (!w->stray && r->by_number[w->number] == w->index + 1)
			watch_set_stray(r, w);
		return;
	}
	if (!told)
		return;
	if (!same)
		w->number = w->held;
	watch_tell_epoll(r, w, EPOLL_CTL_ADD, w->mask);
}

int reactor_make_ready(struct reactor *r)
{
	int err;

	/* Whose the number is by now is not known: it isn't closed. */
	if (r->epoll_fd >= 0) {
		fd_lose(r->epoll_fd);
		waker_remove();
		store_relaxed(&r->epoll_fd, -1);
	}
	err = open_epoll(r);
	if (err < 0)
		return err;
	store_relaxed(&r->lost, false);
	r->event_told = r->event_fd;
	for (size_t i = 0; i < REACTOR_OWN_MAX; i++)
		if (r->own[i].events)
			tell_own(r, EPOLL_CTL_ADD, *r->own[i].fd,
				 r->own[i].events);
	for (uint32_t i = 0; i < r->watches; i++)
		watch_add_anew(r, watch_at(r, i));
	return 0;
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
	int err;

	reactor_get_ready(r);
	err = watch_get(r, fd, owned, mask, &w);
	if (err < 0)
		return err;
	/* Without room for a duplicate the fd itself is used. */
	if (!owned && w->held < 0) {
		w->held = fd_dup_spare(fd);
		if (w->held < 0)
			w->held = -1;
		else
			fd_keep(&w->held);
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
		r->polls = reactor_event_fd(r) < 0
				   ? NULL
				   : aio_polls_open(&r->event_fd);
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
	if (start->result >= 0) {
		o->wait->poll = (uint32_t)start->result;
		o->err = 0;
		return;
	}
	o->err = start->result;
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

/* Without an epoll. A handler has its turn, and so have those who come. */
static int sleep_a_little(int64_t deadline_ns, const sigset_t *sigmask)
{
	int64_t ns = deadline_ns == CLOCK_NEVER
			     ? NAP_NS
			     : deadline_ns - clock_now_ns(CLOCK_MONOTONIC);
	struct timespec left = {.tv_nsec = ns < 0	 ? 0
					   : ns < NAP_NS ? ns
							 : NAP_NS};
	long n = SYS_5(SYS_ppoll, NULL, 0, &left, sigmask, sizeof(uint64_t));

	return n == -EINTR ? -EINTR : 0;
}

int reactor_sleep(struct reactor *r, struct reactor_events *found,
		  int64_t deadline_ns, const sigset_t *sigmask)
{
	int epoll_fd = load_relaxed(&r->epoll_fd);
	struct timespec left, *timeout = NULL;
	long n;

	if (unlikely(epoll_fd < 0)) {
		found->count = 0;
		return deadline_ns ? sleep_a_little(deadline_ns, sigmask) : 0;
	}
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
	n = reactor_epoll_wait(epoll_fd, found->events, room_in(found), timeout,
			       sigmask);
	found->count = n > 0 ? (int)n : 0;
	if (likely(n >= 0))
		return 0;
	if (n != -EBADF && n != -EINVAL)
		return (int)n;
	store_relaxed(&r->lost, true);
	return 0;
}

void reactor_look_slowly(struct reactor *r, struct reactor_events *found)
{
	uint32_t looks = r->watches;
	struct pollfd look;

	found->count = 0;
	found->events[found->count++].data.u64 = WAKE_TAG;
	for (; looks && found->count < room_in(found); looks--) {
		struct reactor_watch *w = watch_at(r, r->look_next);

		r->look_next = (r->look_next + 1) % r->watches;
		if (list_empty(&w->waits))
			continue;
		look.fd = w->held >= 0 ? w->held : w->number;
		look.events = (short)w->mask;
		look.revents = 0;
		SYS_3(SYS_poll, &look, 1, 0);
		if (w->lookers && !((uint32_t)look.revents & ~w->seen))
			look.events = 0;
		w->seen = (uint32_t)look.revents;
		if (!look.revents || !look.events)
			continue;
		found->events[found->count++] = (struct epoll_event){
			.events = (uint32_t)look.revents,
			.data.u64 = (uint64_t)w->generation << 32 | w->index,
		};
	}
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

int reactor_busy_poll(struct reactor *r, uint32_t microseconds, bool prefer)
{
	const struct epoll_busy_poll how = {
		.microseconds = microseconds,
		.budget = BUSY_POLL_BUDGET,
		.prefer = prefer,
	};

	int err = reactor_get_ready(r);

	if (err < 0)
		return err;
	return (int)SYS_3(SYS_ioctl, r->epoll_fd, EPOLL_SET_BUSY_POLL, &how);
}
