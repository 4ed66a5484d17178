/* SPDX-License-Identifier: MIT */
/*
 * Register opcodes that set a property of the ring: the size of its queues, its
 * clock, busy polling, where its workers run and how many there may be.
 *
 * Theory: each answers what the kernel answers, and does what can be done from
 * here. Busy polling is asked of the reactor's epoll, which polls the devices
 * of the sockets it watches; where epoll can't, it is refused, and so is naming
 * single devices. Workers are the process's, as in the kernel they are the
 * task's: the last ring to speak sets them, and then its own earlier words
 * hold again, which is what 6.18 does.
 * Locks: the ring lock.
 */
#ifndef POLYRING_API_SETTINGS_H
#define POLYRING_API_SETTINGS_H

#include "core/ctx.h"

/* Each as a row of the table in register.c has it. */
int settings_set_queue_sizes(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_clock(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_napi(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_unset_napi(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_affinity(struct ctx *ctx, void *arg, uint32_t bytes);
int settings_unset_affinity(struct ctx *ctx, void *arg, uint32_t bytes);
int settings_set_worker_bounds(struct ctx *ctx, void *arg, uint32_t nr_args);

#endif
