/* SPDX-License-Identifier: MIT */
/*
 * The standby thread: who drives when nobody waits (D4).
 *
 * Theory: one epoll a process, from the first ring to the last, holds every
 * ring's peer socket (whose hang-up says that the last copy of the ring fd is
 * gone) and the reactors of the rings that are *attended*. At most one thread
 * sleeps in it, and only while some ring needs it: see needs_thread(). Whoever
 * learns that a number was closed looks for hang-ups itself
 * (standby_collect()), so that no thread has to wait for them. A ring goes
 * through these states:
 *
 *   unattended  its application comes and goes; it drives itself
 *   attended    armed work and nobody entered for a while: the thread drives it
 *   closing     its fd is gone; it is ended as soon as nobody is inside, by
 *               whoever found it, the last to leave, or the thread when a
 *               worker brings what it waited for
 *
 * To notice that a ring was left alone the thread *ticks*: 50 us at first,
 * twice as long each time that it finds rings busy, up to a millisecond. When
 * nothing has moved for a while it stops ticking: it ends, or while a ring
 * needs it sleeps for good, and the next thread that leaves a ring with armed
 * work wakes it (one system call for each quiet period). A ring whose
 * completions are announced, by eventfd or to pollers of its fd, is attended
 * for as long as that is so: its application sleeps elsewhere and must not wait
 * for a tick.
 *
 * A DEFER_TASKRUN ring completes only inside enter: it is attended only to
 * announce that work waits, once for each time that its thread leaves.
 *
 * The sleep protocol: the thread clears `ticking`, fences, and looks at all
 * rings once more before it sleeps; a leaving thread counts itself out, drops
 * the lock (a full fence) and then reads `ticking`. One of them sees the other.
 *
 * Locks: the ring's for attended state; standby's own, inside a ring's, for
 * rings coming and going and for the thread.
 */
#ifndef POLYRING_SCHED_STANDBY_H
#define POLYRING_SCHED_STANDBY_H

#include "core/ctx.h"

/*
 * Begin to look after a ring that is about to be handed out. @close ends one
 * whose fd is gone, as ctx_close() does, and is the same for all.
 */
int standby_add(struct ctx *ctx, bool (*close)(struct ctx *ctx));

/* A thread leaves @ctx and drops its lock; work may be armed there. */
void standby_leave(struct ctx *ctx) DROPS(&ctx->lock);

/* Have the thread, if there is one, look at its rings now. */
void standby_nudge(void);

/* End the rings whose fd is gone. Without any lock of a ring. */
void standby_collect(void);

/*
 * The application has closed the number of @ctx, or (NULL) another that may
 * have been a duplicate of a ring's.
 */
void standby_closed(struct ctx *ctx);

/* Are there rings whose own number is closed, but not all duplicates? */
bool standby_has_strays(void);

/* The process ends: end the thread. */
void standby_end(void);

/* In a forked child: there is no thread; start anew with the next ring. */
void standby_forget(void);

#endif
