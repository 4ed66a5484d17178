/* SPDX-License-Identifier: MIT */
/*
 * polyring: io_uring in user space, called directly.
 *
 * The four calls mirror io_uring's system calls and mmap of a ring fd. They
 * take the same arguments, share the same memory layouts (<linux/io_uring.h>)
 * and return what the kernel would, with errors as a negative errno rather
 * than through errno. All of them may be called from any thread.
 */
#ifndef POLYRING_H
#define POLYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * errno; -EBADF when @ring_fd is not a ring of ours.
 */
long polyring_mmap(void *hint, size_t bytes, int prot, int flags, int ring_fd,
		   uint64_t offset);

/* Is this file descriptor a ring of ours? */
bool polyring_owns(int fd);

/*
 * Someone is about to poll this ring fd: keep its readability exact from now
 * on. Rings made through polyring_setup() start that way; the preload library
 * turns it off and calls this when it sees a poll, select or epoll_ctl.
 */
void polyring_watch(int ring_fd, bool watched);

/*
 * The program has closed @fd, or made it another file (-1: an unknown number of
 * them). A ring whose last copy is gone is ended now, and not at the next
 * setup. The preload library calls this; others may. Returns at once for what
 * is no ring's number.
 */
void polyring_closed(int fd);

/*
 * Someone is about to wait in an epoll that may have rings among its files: of
 * the watched none stays readable whose completions were taken.
 */
void polyring_settle(void);

/* ---- groups of provided buffers: what no kernel offers ---------------------
 */

struct kbuf_counters; /* in <polyring/kbuf.h> */

/*
 * Signal when fewer than @threshold buffers are left in group @bgid, before
 * ENOBUFS ends a multishot: add 1 to @eventfd and to the group's low_signals.
 * After that the group is quiet until it has been seen with @threshold buffers
 * again. @threshold 0 turns it off, @eventfd -1 only counts; it ends with the
 * group. @eventfd stays the caller's and must outlive the setting.
 *
 * Returns 0; -EBADF or -EOPNOTSUPP when @ring_fd is not a ring of ours, -EBADF
 * or -EINVAL when @eventfd is not an eventfd, -ENOENT when there is no such
 * group. An application's buffer ring gets new buffers without the engine's
 * knowing: it is looked at whenever a buffer leaves it.
 */
int polyring_group_low_water(int ring_fd, uint16_t bgid, uint32_t threshold,
			     int eventfd);

/*
 * Let group @to_bgid of ring @to_fd stand for the same buffers as group @bgid
 * of ring @from_fd: a pool, which any number of rings serve, each on a thread
 * of its own, and which runs dry for all of them or for none. Every ring claims
 * from it, provides to it, unregisters its own group and asks for status,
 * counters, low water and mmap of the whole pool. Two requests never hold the
 * same buffer; what one gives back unused the next one gets, in whichever ring.
 * An INC buffer used in part goes on in the ring that began it, so that its
 * completions come in order, and ends with it; share such a group before it is
 * used.
 *
 * The pool lives until no ring serves it; a buffer ring in the application's
 * memory has to live as long. Entries of an INC ring are not rewritten, and
 * head counts buffers that requests hold or gave back, too.
 *
 * Returns 0; -EBADF or -EOPNOTSUPP when one of the two is not a ring of ours;
 * -ENOENT when there is no group @bgid; -EEXIST when @to_bgid is taken (an
 * empty classic group gives way); -EBUSY when the group is classic, not shared
 * yet, and requests hold buffers of it; -ENOMEM.
 */
int polyring_group_share(int from_fd, uint16_t bgid, int to_fd,
			 uint16_t to_bgid);

/*
 * Read what became of the buffers of group @bgid. No locks; beside other calls
 * each counter is exact for some moment. Returns 0; -EBADF or -EOPNOTSUPP when
 * @ring_fd is not a ring of ours, -ENOENT when there is no such group.
 */
int polyring_group_counters(int ring_fd, uint16_t bgid,
			    struct kbuf_counters *counters);

/* One counter of the engine, for tests and tools: its name and value. */
struct polyring_counter {
	const char *name;
	uint64_t value;
};

/*
 * Read up to @count counters of this process. Returns how many there are.
 * No locks; each value is exact for some moment during the call.
 */
size_t polyring_counters(struct polyring_counter *counters, size_t count);

#ifdef __cplusplus
}
#endif
#endif
