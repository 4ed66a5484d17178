/* SPDX-License-Identifier: MIT */
/*
 * The standby thread: who drives when nobody waits (D4).
 *
 * Theory: one thread a process, started with the first ring and ended with the
 * last. It sleeps in an epoll of its own, which holds every ring's peer socket
 * (whose hang-up says that the last copy of the ring fd is gone) and the
 * reactors of the rings it *attends*. A ring goes through these states:
 *
 *   unattended  its application comes and goes; it drives itself
 *   attended    armed work and nobody entered for a while: the thread drives it
 *   closing     its fd is gone; the thread ends it as soon as nobody is inside
 *
 * To notice that a ring was left alone the thread *ticks*: 50 us at first,
 * twice as long each time that it finds rings busy, up to a millisecond. When
 * nothing has moved for a while it stops ticking and sleeps for good, and the
 * next thread that leaves a ring with armed work wakes it (one system call for
 * each quiet period). A ring whose completions are announced, by eventfd or to
 * pollers of its fd, is attended for as long as that is so: its application
 * sleeps elsewhere and must not wait for a tick.
 *
 * A DEFER_TASKRUN ring completes only inside enter: it is attended only to
 * announce that work waits, once for each time that its thread leaves.
 *
 * The sleep protocol: the thread clears `ticking`, fences, and looks at all
 * rings once more before it sleeps; a leaving thread counts itself out, drops
 * the lock (a full fence) and then reads `ticking`. One of them sees the other.
 *
 * Locks: standby's own for attended state, taken before any ring lock.
 */
#ifndef POLYRING_SCHED_STANDBY_H
#define POLYRING_SCHED_STANDBY_H

#include "core/ctx.h"

/* Begin to look after a ring that is about to be handed out. */
int standby_add(struct ctx *ctx);

/* A thread leaves @ctx and drops its lock; work may be armed there. */
void standby_leave(struct ctx *ctx) DROPS(&ctx->lock);

/* Have the thread look at its rings now. */
void standby_nudge(void);

/* The process ends: end the thread. */
void standby_end(void);

/* In a forked child: there is no thread; start anew with the next ring. */
void standby_forget(void);

#endif
