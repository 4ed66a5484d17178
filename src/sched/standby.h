/* SPDX-License-Identifier: MIT */
/*
 * The standby thread, which drives rings that no other thread drives (D4).
 *
 * Theory: one epoll a process, from the first ring to the last, contains every
 * ring's peer socket (whose hang-up means that the last copy of the ring fd is
 * closed) and the reactors of the rings that are *attended*. At most one thread
 * sleeps in it, and only while some ring needs it: see needs_thread(). A thread
 * that learns of a closed fd checks for hang-ups itself (standby_collect()), so
 * that no thread has to wait for them. A ring is in one of these states:
 *
 *   unattended  its application enters regularly; the ring drives itself
 *   attended    armed work and no enter for a while: the thread drives it
 *   closing     its fd is closed; it is ended when no thread is inside, by the
 *               thread that found it, the last one to leave, or the standby
 *               thread when a worker brings the result that was missing
 *
 * To find rings that were left alone the thread *ticks*: after 50 us at first,
 * twice as long each time that it finds rings busy, up to a millisecond. After
 * a while without activity it stops ticking: it ends, or while a ring needs it
 * sleeps without a timeout, and the next thread that leaves a ring with armed
 * work wakes it (one system call for each quiet period). A ring whose
 * completions are announced, by eventfd or to pollers of its fd, is attended
 * for as long as that is so: its application sleeps elsewhere and must not wait
 * for a tick.
 *
 * A DEFER_TASKRUN ring completes only inside enter: it is attended only to
 * announce that work waits, once for each time that its thread leaves.
 *
 * The sleep protocol: the thread clears `ticking`, fences, and checks all rings
 * once more before it sleeps; a leaving thread decrements ctx->inside, drops
 * the lock (a full fence) and then reads `ticking`. One of them sees the other.
 *
 * Locks: the ring's for attended state; standby's own, inside a ring's, for the
 * list of rings and for the thread.
 */
#ifndef POLYRING_SCHED_STANDBY_H
#define POLYRING_SCHED_STANDBY_H

#include "core/ctx.h"

/*
 * Add a ring that is about to be returned to the application. @close ends a
 * ring whose fd is closed, as ctx_close() does, and is the same for all.
 */
int standby_add(struct ctx *ctx, bool (*close)(struct ctx *ctx));

/* A thread leaves @ctx and drops its lock; work may be armed there. */
void standby_leave(struct ctx *ctx) DROPS(&ctx->lock);

/* Make the thread, if there is one, check its rings now. */
void standby_nudge(void);

/* @fd is about to become another file, and has no other number. */
void standby_lose(int fd);

/* End the rings whose fd is closed. Without the lock of any ring. */
void standby_collect(void);

/*
 * The application has closed the fd of @ctx, or (NULL) another that may have
 * been a duplicate of a ring's.
 */
void standby_closed(struct ctx *ctx);

/* Are there rings whose own fd is closed, but not all duplicates? */
bool standby_has_strays(void);

/* The process ends: end the thread. */
void standby_end(void);

/* In a forked child: there is no thread; start anew with the next ring. */
void standby_forget(void);

#endif
