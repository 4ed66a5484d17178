/* SPDX-License-Identifier: MIT */
/*
 * A thread that keeps the rights of another one for later.
 *
 * Theory: a thread has the rights of its creator: credentials, Landlock domain,
 * seccomp filters, root, cwd and umask. Work that must be done with the rights
 * of a thread, but not yet, holds a keeper that this thread has made. The
 * thread starts it before another thread can want the work to be done: that
 * creates the keeper's own thread, which runs what it is given and ends when no
 * work holds it any more. A keeper that was never started has no thread, and
 * refuses.
 *
 * References: keeper_new() returns the first one.
 * Locks: one mutex a keeper, inside.
 */
#ifndef POLYRING_DRIVE_KEEPER_H
#define POLYRING_DRIVE_KEEPER_H

#include "drive/worker.h"

struct keeper;

/* NULL: no memory. */
struct keeper *keeper_new(void);
struct keeper *keeper_get(struct keeper *keeper);
/* NULL does nothing. */
void keeper_put(struct keeper *keeper);

/* Does anything hold it but the caller? */
bool keeper_is_shared(struct keeper *keeper);

/*
 * Create its thread, with the rights of the calling one. Without a thread to be
 * had it goes on refusing.
 */
void keeper_start(struct keeper *keeper);

/*
 * Call work->run(), which must not wait, on the thread. False: there is no
 * thread, and nothing will run.
 */
bool keeper_run(struct keeper *keeper, struct work *work);

#endif
