// SPDX-License-Identifier: MIT
/*
 * Notices that the program polls a ring fd, or closes it.
 *
 * Theory: keeping a ring fd's readability exact costs a system call whenever
 * the completion queue becomes empty or stops being empty, and most programs
 * never poll the fd. So rings start unwatched, and each call that polls first
 * sets the ring watched. A ring stays watched, because the library can't tell
 * when the last poller is gone.
 *
 * What closes numbers is told as well (closing.h).
 *
 * The program takes completions without a call, and epoll would continue to
 * report them. So before it waits in an epoll, rings are settled.
 *
 * Otherwise libc's functions are called with the same arguments, but for some
 * signals in the masks (signals.c).
 *
 * A polled fd may be a duplicate of a ring's, so the engine asks the kernel.
 * The answer "no ring" is cached, as a bit for each fd, until the program makes
 * a ring or a duplicate with that fd.
 *
 * Cost: one relaxed load in a process without rings; with rings, a bit for each
 * fd that is polled, and one system call when it is polled first.
 * Not noticed: SIGIO (F_SETOWN), and polls made with the bare system call; in
 * poll and select, a duplicate that SCM_RIGHTS brought, with an fd that was
 * polled before as another file.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "intercept/closing.h"
#include "intercept/real.h"
#include "polyring/polyring.h"

static void watch_one(int fd)
{
	if (fd >= 0 && polyring_owns(fd))
		polyring_watch(fd, true);
}

#define STRANGERS 65536u
#define WORD_BITS 64u

/* fds that were no ring's when they were last asked about. */
static uint64_t strangers[STRANGERS / WORD_BITS];

static bool is_stranger(int fd)
{
	return (unsigned int)fd < STRANGERS &&
	       load_relaxed(&strangers[(unsigned int)fd / WORD_BITS]) &
		       UINT64_C(1) << (unsigned int)fd % WORD_BITS;
}

static void set_stranger(int fd, bool stranger)
{
	const uint64_t bit = UINT64_C(1) << (unsigned int)fd % WORD_BITS;

	if ((unsigned int)fd >= STRANGERS)
		return;
	if (stranger)
		__atomic_fetch_or(&strangers[(unsigned int)fd / WORD_BITS], bit,
				  __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&strangers[(unsigned int)fd / WORD_BITS],
				   ~bit, __ATOMIC_RELAXED);
}

void watch_new_fd(int fd)
{
	if (fd >= 0 && unlikely(is_stranger(fd)))
		set_stranger(fd, false);
}

/* The bit comes before the question: a duplicate made meanwhile clears it. */
static void watch_often(int fd)
{
	if (fd < 0 || likely(is_stranger(fd)))
		return;
	set_stranger(fd, true);
	if (!polyring_owns(fd))
		return;
	set_stranger(fd, false);
	polyring_watch(fd, true);
}

static inline bool rings_exist(void)
{
	return unlikely(load_relaxed(&intercept_rings_exist));
}

static void watch_polled(const struct pollfd *fds, nfds_t count)
{
	if (!rings_exist())
		return;
	for (nfds_t i = 0; i < count; i++)
		watch_often(fds[i].fd);
}

static void watch_set(int count, const fd_set *set)
{
	if (!set)
		return;
	for (int fd = 0; fd < count; fd++)
		/* Not FD_ISSET: sets may be larger than an fd_set. */
		if (set->fds_bits[fd / NFDBITS] &
		    (__fd_mask)(1ul << fd % NFDBITS))
			watch_often(fd);
}

static void watch_selected(int count, const fd_set *in, const fd_set *out,
			   const fd_set *except)
{
	if (!rings_exist())
		return;
	watch_set(count, in);
	watch_set(count, out);
	watch_set(count, except);
}

POLYRING_API int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (rings_exist() && op != EPOLL_CTL_DEL)
		watch_one(fd);
	return REAL(epoll_ctl)(epfd, op, fd, event);
}

void watch_settle(void)
{
	if (rings_exist())
		polyring_settle();
}

POLYRING_API int epoll_wait(int epfd, struct epoll_event *events, int count,
			    int timeout)
{
	watch_settle();
	return REAL(epoll_wait)(epfd, events, count, timeout);
}

/* Under other names in C: libc's headers declare that poll() reads nothing. */
POLYRING_API int intercept_poll(struct pollfd *fds, nfds_t count,
				int timeout) __asm__("poll");
POLYRING_API int intercept_ppoll(struct pollfd *fds, nfds_t count,
				 const struct timespec *timeout,
				 const sigset_t *mask) __asm__("ppoll");

int intercept_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	watch_polled(fds, count);
	return REAL(poll)(fds, count, timeout);
}

POLYRING_API int __poll_chk(struct pollfd *fds, nfds_t count, int timeout,
			    size_t bytes)
{
	watch_polled(fds, count);
	return REAL(__poll_chk)(fds, count, timeout, bytes);
}

int intercept_ppoll(struct pollfd *fds, nfds_t count,
		    const struct timespec *timeout, const sigset_t *mask)
{
	watch_polled(fds, count);
	return SIGNALS_WAIT(mask, REAL(ppoll)(fds, count, timeout, mask_));
}

POLYRING_API int __ppoll_chk(struct pollfd *fds, nfds_t count,
			     const struct timespec *timeout,
			     const sigset_t *mask, size_t bytes)
{
	watch_polled(fds, count);
	return SIGNALS_WAIT(
		mask, REAL(__ppoll_chk)(fds, count, timeout, mask_, bytes));
}

POLYRING_API int select(int count, fd_set *in, fd_set *out, fd_set *except,
			struct timeval *timeout)
{
	watch_selected(count, in, out, except);
	return REAL(select)(count, in, out, except, timeout);
}

POLYRING_API int pselect(int count, fd_set *in, fd_set *out, fd_set *except,
			 const struct timespec *timeout, const sigset_t *mask)
{
	watch_selected(count, in, out, except);
	return SIGNALS_WAIT(
		mask, REAL(pselect)(count, in, out, except, timeout, mask_));
}

/* close() and the others are points where a thread may be cancelled. */
static int closed(int result, int fd)
{
	int errno_before = errno;

	if (result >= 0)
		closing_tell(fd);
	errno = errno_before;
	return result;
}

POLYRING_API int close(int fd)
{
	if (unlikely(closing_refuses(fd)))
		return (int)real_result(-EBADF);
	return closed(REAL(close)(fd), fd);
}

POLYRING_API int close_range(unsigned int first, unsigned int last, int flags)
{
	if (unlikely(closing_meets_ours(first)))
		return closed((int)real_result(closing_range(
				      first, last, (unsigned int)flags)),
			      -1);
	return closed(REAL(close_range)(first, last, flags), -1);
}

POLYRING_API void closefrom(int first)
{
	unsigned int from = first < 0 ? 0 : (unsigned int)first;

	if (unlikely(closing_meets_ours(from)))
		closing_range(from, UINT_MAX, 0);
	else
		REAL(closefrom)(first);
	closed(0, -1);
}

static int replaced(bool made_way, int result, int to)
{
	int errno_before = errno;

	if (unlikely(made_way))
		closing_made_way(to, result);
	errno = errno_before;
	return closed(result, to);
}

POLYRING_API int dup2(int from, int to)
{
	bool made_way = closing_make_way(from, to);

	return replaced(made_way, REAL(dup2)(from, to), to);
}

POLYRING_API int dup3(int from, int to, int flags)
{
	bool made_way = closing_make_way(from, to);

	return replaced(made_way, REAL(dup3)(from, to, flags), to);
}

static int duplicated(int fd)
{
	if (rings_exist())
		watch_new_fd(fd);
	return fd;
}

POLYRING_API int dup(int fd)
{
	return duplicated(REAL(dup)(fd));
}

/* The third argument is a number or an address, or is not there. */
POLYRING_API int watch_fcntl(int fd, int command,
			     long argument) __asm__("fcntl");
POLYRING_API int watch_fcntl64(int fd, int command,
			       long argument) __asm__("fcntl64")
	__attribute__((alias("fcntl")));

int watch_fcntl(int fd, int command, long argument)
{
	int result = REAL(fcntl)(fd, command, argument);

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		return duplicated(result);
	return result;
}
