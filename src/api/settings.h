/* SPDX-License-Identifier: MIT */
/*
 * Register opcodes that set a property of the ring: the size of its queues, its
 * clock, busy polling, the affinity of its workers and how many there may be.
 *
 * Theory: each returns what the kernel returns, and does what user space can.
 * Busy polling is set on the reactor's epoll, which polls the devices of the
 * sockets that it watches; where epoll does not support it, it is refused, and
 * so is naming single devices. Workers belong to the process, as in the kernel
 * they belong to the task: the last ring to make the call sets the bounds for
 * all, and for a bound that it leaves 0 its own earlier one applies again, as
 * in 6.18.
 * Locks: the ring lock.
 */
#ifndef POLYRING_API_SETTINGS_H
#define POLYRING_API_SETTINGS_H

#include "core/ctx.h"

/* Functions for the rows of the table in register.c. */
int settings_set_queue_sizes(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_clock(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_napi(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_unset_napi(struct ctx *ctx, void *arg, uint32_t nr_args);
int settings_set_affinity(struct ctx *ctx, void *arg, uint32_t bytes);
int settings_unset_affinity(struct ctx *ctx, void *arg, uint32_t bytes);
int settings_set_worker_bounds(struct ctx *ctx, void *arg, uint32_t nr_args);

#endif
