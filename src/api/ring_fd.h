/* SPDX-License-Identifier: MIT */
/*
 * The fd of a ring: which ring it refers to, and what the application does with
 * it besides the three calls.
 *
 * Theory: a call names its ring by an fd, or by a slot of the calling thread's
 * table (RING_FDS). While the fd is not polled, its readability need not be
 * exact, which saves calls (D2). When the application closes the fd, the ring
 * ends.
 */
#ifndef POLYRING_API_RING_FD_H
#define POLYRING_API_RING_FD_H

#include "core/ctx.h"

/* Find and lock the ring of a call: 0 or a negative errno. */
int ring_fd_lock(int fd, bool registered, struct ctx **ctx) UNCHECKED_LOCKS;

/* The application polls @ring_fd from now on, or no longer. */
void ring_fd_watch(int ring_fd, bool watched) UNCHECKED_LOCKS;

#endif
