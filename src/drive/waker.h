/* SPDX-License-Identifier: MIT */
/*
 * Ending a sleep in an epoll from another thread, without a file to write to.
 *
 * Theory: the process has one file that is always ready, a socket that nobody
 * is connected to. Each epoll has it among its files and does not ask for it.
 * To wake the epoll is to ask for it once (EPOLL_CTL_MOD, EPOLLONESHOT): the
 * sleep ends, or the next one does. Nothing is written, so where the program
 * has made one of the two numbers another file nothing of ours gets there; the
 * call fails, and who made it builds anew.
 *
 * Locks: its own, a leaf but for that of base/fd.c. waker_wake() takes none.
 * Cost: one epoll_ctl(2) a wake-up, as much as a write to an eventfd.
 */
#ifndef POLYRING_DRIVE_WAKER_H
#define POLYRING_DRIVE_WAKER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Make an epoll that has the file, under a number far above the program's, for
 * waker_remove() to undo. Returns it, or a negative errno.
 */
int waker_epoll(void);

/* An epoll that has it is closed. The last one closes the file. */
void waker_remove(void);

/* End a sleep in @epoll_fd with an event of @data. */
int waker_wake(int epoll_fd, uint64_t data);

/* Is this its number? */
bool waker_is(int fd);

/* The number is another file now. */
void waker_lost(void);

/* In a forked child, which has no epolls. */
void waker_forget(void);

#endif
