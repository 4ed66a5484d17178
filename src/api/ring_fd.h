/* SPDX-License-Identifier: MIT */
/*
 * The fd by which the application names a ring: which ring it is, and what the
 * application does with it besides the three calls.
 *
 * Theory: a call names its ring by an fd, or by a slot of the calling thread's
 * table (RING_FDS). While nobody polls the fd, its readability need not be
 * exact, which saves calls (D2). When the application closes it, the ring ends.
 */
#ifndef POLYRING_API_RING_FD_H
#define POLYRING_API_RING_FD_H

#include "core/ctx.h"

/* The ring that a call names, locked: 0 or a negative errno. */
int ring_fd_lock(int fd, bool registered, struct ctx **ctx) UNCHECKED_LOCKS;

/* Somebody polls @ring_fd from now on, or nobody does. */
void ring_fd_watch(int ring_fd, bool watched) UNCHECKED_LOCKS;

/* This process is the one that its rings belong to: at start, after a fork. */
void ring_fd_note_process(void);

#endif
