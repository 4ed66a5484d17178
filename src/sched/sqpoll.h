/* SPDX-License-Identifier: MIT */
/*
 * SQPOLL: one thread a ring that submits and drives.
 *
 * Theory: the thread polls the submission queue. After sq_thread_idle
 * milliseconds without a submission it sets SQ_NEED_WAKEUP, fences, looks once
 * more, and sleeps in the reactor, where armed work still wakes it, and so does
 * enter with SQ_WAKEUP. On a single core a spinning thread would delay the
 * application that it spins for, so it yields in every empty turn.
 * Locks: the ring lock, taken anew for each turn.
 */
#ifndef POLYRING_SCHED_SQPOLL_H
#define POLYRING_SCHED_SQPOLL_H

#include "core/ctx.h"

/* Start the thread: 0 or a negative errno. It ends when the ring closes. */
int sqpoll_start(struct ctx *ctx, uint32_t idle_ms);

#endif
