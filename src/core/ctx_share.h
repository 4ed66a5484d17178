/* SPDX-License-Identifier: MIT */
/*
 * A ring that several processes have: what its lock brings and takes with it.
 *
 * Theory: ring/share.h says what processes share. Here a locked section loads
 * it and stores it, wakes threads of other processes that sleep in the ring
 * (the first fork makes an eventfd that is in every process's epoll), and
 * completes what processes that died have left: after a death inside a section,
 * and when a thread has waited for requests of others for a while.
 *
 * Locks: the ring lock. Cost: nothing before the first fork, then some 100 ns a
 * section.
 */
#ifndef POLYRING_CORE_CTX_SHARE_H
#define POLYRING_CORE_CTX_SHARE_H

#include "core/ctx.h"

/* Before the first fork with this ring: 0, or it stays this process's alone. */
int ctx_share_begin(struct ctx *ctx);

/* This process, forked, gets a number of its own: 0 or a negative errno. */
int ctx_share_join(struct ctx *ctx);

/*
 * Makes an inherited ring this process's as well, under the plain lock: 0 or a
 * negative errno, and it stays inherited. Filled in by the first fork.
 */
extern int (*ctx_share_adopt)(struct ctx *ctx);

/*
 * Does the process that made the ring live? With SQPOLL its thread takes the
 * entries. A call for a ring of another process, none for one's own.
 */
bool ctx_share_maker_lives(const struct ctx *ctx);

void ctx_share_take(struct ctx *ctx);
/* Two processes must not wait for each other's: false, another has it. */
bool ctx_share_try(struct ctx *ctx);
void ctx_share_drop(struct ctx *ctx);

/* The two halves of dropping, around the announcement of what was posted. */
void ctx_share_commit(struct ctx *ctx);
void ctx_share_let_go(struct ctx *ctx);

/* A thread falls asleep in the ring; how long at most. And it is back. */
int64_t ctx_share_sleep(struct ctx *ctx, int64_t due_ns);
void ctx_share_awake(struct ctx *ctx, int64_t due_ns);

#endif
