/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing of a ring.
 *
 * Theory: a ring is opened by setup, in the thread of the application, and
 * becomes visible to other threads only when it is complete. It ends when the
 * last copy of its fd is closed, in the thread that notices that: first it
 * waits until no thread is inside, then it cancels everything pending, then it
 * closes the parts in the reverse order of their opening. A forked child has
 * its parent's rings (core/ctx_share.h) without the parent's requests, and
 * opens what it needs of its own when it first uses the ring.
 *
 * Locks: none to open; ctx_close() takes the ring lock; a child is alone.
 */
#ifndef POLYRING_SCHED_CTX_LIFE_H
#define POLYRING_SCHED_CTX_LIFE_H

#include "core/ctx.h"

/* Returns the ring fd or a negative errno; fills @params (D2, D3). */
int ctx_open(struct io_uring_params *params, const struct abi_view *abi);

/*
 * End a ring whose fd is closed: cancel all requests, release everything,
 * recycle. Returns false while a thread is inside, or, after cancelling what it
 * can, while a worker still has requests: call it again when the last has left
 * (standby_leave()) or the reactor has an event.
 */
bool ctx_close(struct ctx *ctx) UNCHECKED_LOCKS;

/*
 * In a forked child: it is shared with the parent, and waits to be adopted;
 * where it can't be (ctx_share_begin() failed), it is abandoned: the child
 * closes its numbers.
 */
void ctx_inherit(struct ctx *ctx);
void ctx_abandon(struct ctx *ctx);

/* See ctx_share_adopt. */
int ctx_adopt(struct ctx *ctx);

#endif
