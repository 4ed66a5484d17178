/* SPDX-License-Identifier: MIT */
/*
 * Calls on a blocking socket that must not wait and have no flag that says so.
 *
 * Theory: O_NONBLOCK is set for the time of the call. It is a flag of the open
 * file, which others may use at the same time: whoever begins a call on the
 * socket just then is told EAGAIN. So this is for sockets alone, which are
 * seldom shared, and for calls that take a few microseconds.
 * Locks: flags_lock, inside the ring lock, from begin to end.
 */
#ifndef POLYRING_IO_NONBLOCK_H
#define POLYRING_IO_NONBLOCK_H

#include "base/lock.h"

/* Held while a socket's O_NONBLOCK is changed. */
extern struct lock flags_lock;

/*
 * Until nonblock_end() calls on @fd don't wait. Returns the former flags for
 * that; negative if there are none.
 */
long nonblock_begin(int fd) TAKES(&flags_lock);
void nonblock_end(int fd, long was) DROPS(&flags_lock);

/* In a forked child: the thread that held flags_lock does not exist here. */
void nonblock_forget_lock(void);

#endif
