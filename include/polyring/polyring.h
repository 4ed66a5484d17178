/* SPDX-License-Identifier: MIT */
/*
 * polyring: io_uring in user space, called directly.
 *
 * The first four calls correspond to io_uring's system calls and to mmap of a
 * ring fd. They take the same arguments, use the same memory layouts
 * (<linux/io_uring.h>) and return what the kernel would, with errors as a
 * negative errno rather than through errno. Any thread may call any of them.
 */
#ifndef POLYRING_H
#define POLYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyring/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct io_uring_params;

/*
 * io_uring_setup(2). Returns a file descriptor that can be polled, closed,
 * duplicated and mapped (with polyring_mmap), or a negative errno.
 */
int polyring_setup(uint32_t entries, struct io_uring_params *params);

/* io_uring_enter(2), with IORING_ENTER_EXT_ARG's @arg and @arg_bytes. */
int polyring_enter(int ring_fd, uint32_t to_submit, uint32_t min_complete,
		   uint32_t flags, const void *arg, size_t arg_bytes);

/* io_uring_register(2). */
int polyring_register(int ring_fd, uint32_t opcode, void *arg,
		      uint32_t nr_args);

/*
 * mmap(2) of a ring fd. Returns the address as a positive value, or a negative
 * errno; -EBADF when @ring_fd is not a ring of polyring's.
 */
long polyring_mmap(void *hint, size_t bytes, int prot, int flags, int ring_fd,
		   uint64_t offset);

/* Is this fd a ring of polyring's? */
bool polyring_owns(int fd);

/*
 * The program is about to poll this ring fd: keep its readability exact from
 * now on (@watched false: no longer). Rings made through polyring_setup() start
 * watched; the preload library turns that off, and calls this when the program
 * calls poll, select or epoll_ctl with the fd.
 */
void polyring_watch(int ring_fd, bool watched);

/*
 * The program has closed @fd, or made it another file (-1: an unknown set of
 * fds). If the last copy of a ring's fd is closed, the ring ends now, and not
 * only at the next setup. The preload library calls this; others may. Returns
 * immediately if @fd is not a ring's.
 */
void polyring_closed(int fd);

/*
 * Is this number a descriptor of the engine's own, which the program doesn't
 * know of? The preload library asks before the program closes or replaces one:
 * close(2) of it fails with EBADF, as it would on the kernel.
 */
bool polyring_keeps(int fd);

/* The lowest of them that is not below @from, or -1. */
int polyring_keeps_next(int from);

/*
 * The program is about to make @fd, one of the engine's own, another file. The
 * engine goes on with another number; whoever calls this replaces @fd or closes
 * it.
 */
void polyring_vacate(int fd);

/*
 * The program is about to wait in an epoll that may contain rings: make the
 * watched rings whose completions were all taken unreadable.
 */
void polyring_settle(void);

/*
 * The calling thread's cancelability type becomes asynchronous, or deferred
 * again (pthread_setcanceltype(3)). Then polyring cancels the thread only where
 * that does no harm: while it sleeps in a call, or when the call ends.
 */
void polyring_cancels(bool asynchronous);

/*
 * Called in a signal handler: has the signal interrupted a call of polyring's
 * that does not sleep? Then the handler must not leave the call by a jump, and
 * its calls return -EAGAIN; so it may return and do its work in @resume, which
 * polyring calls, in the same thread, when the call ends or begins to sleep.
 * The signals should be blocked until then. Else false.
 */
bool polyring_put_off(void (*resume)(void));

/*
 * ---- groups of provided buffers: extensions to the kernel's interface ------
 */

struct kbuf_counters; /* in <polyring/kbuf.h> */

/*
 * Signal when fewer than @threshold buffers are left in group @bgid, before
 * ENOBUFS ends a multishot: add 1 to @eventfd and to the group's low_signals.
 * The next signal comes only after the group had @threshold buffers again. With
 * @threshold 0 there are no signals, with @eventfd -1 they are only counted.
 * The setting ends with the group. @eventfd stays the caller's and must stay
 * open for as long as the setting lasts.
 *
 * Returns 0; -EBADF or -EOPNOTSUPP when @ring_fd is not a ring of polyring's,
 * -EBADF or -EINVAL when @eventfd is not an eventfd, -ENOENT when there is no
 * such group. The application adds buffers to its buffer ring without a call,
 * so the level is checked whenever a buffer leaves the ring.
 */
int polyring_group_low_water(int ring_fd, uint16_t bgid, uint32_t threshold,
			     int eventfd);

/*
 * Make group @to_bgid of ring @to_fd use the same buffers as group @bgid of
 * ring @from_fd: a pool that any number of rings serve, each on a thread of its
 * own, and that is empty only for all of them. Every ring claims from it,
 * provides to it, unregisters its own group, and gets status, counters, low
 * water and mmap of the pool. Two requests never hold the same buffer; a buffer
 * that a request gives back unused is claimed next, in any of the rings. An INC
 * buffer used in part continues in the ring that began it, so that its
 * completions come in order, and is dropped when that ring leaves the pool;
 * share such a group before it is used.
 *
 * The pool lives until no ring serves it; a buffer ring in the application's
 * memory has to live as long. Entries of an INC ring are not rewritten, and
 * head also counts buffers that requests hold or gave back.
 *
 * Returns 0; -EBADF or -EOPNOTSUPP when one of the two is not a ring of
 * polyring's; -ENOENT when there is no group @bgid; -EEXIST when @to_bgid is in
 * use (an empty classic group is replaced); -EBUSY when the group is classic,
 * not shared yet, and requests hold buffers of it; -ENOMEM.
 */
int polyring_group_share(int from_fd, uint16_t bgid, int to_fd,
			 uint16_t to_bgid);

/*
 * Read the counters of group @bgid. Takes no locks; if other calls run at the
 * same time, each counter is exact for some moment of the call. Returns 0;
 * -EBADF or -EOPNOTSUPP when @ring_fd is not a ring of polyring's, -ENOENT when
 * there is no such group.
 */
int polyring_group_counters(int ring_fd, uint16_t bgid,
			    struct kbuf_counters *counters);

/* One counter of the engine, for tests and tools: its name and value. */
struct polyring_counter {
	const char *name;
	uint64_t value;
};

/*
 * Read up to @count counters of this process. Returns how many there are. Takes
 * no locks; each value is exact for some moment during the call.
 */
size_t polyring_counters(struct polyring_counter *counters, size_t count);

#ifdef __cplusplus
}
#endif
#endif
