// SPDX-License-Identifier: MIT
#include "api/settings.h"

#include "base/fault.h"
#include "drive/worker.h"

/* The kernel's limit on how long a waiter polls. */
#define BUSY_POLL_US_MAX 10000u

/* Allocate memory of the new sizes, and fill the result. */
static int open_resized(const struct ctx *ctx, struct io_uring_params *p,
			struct ring_memory *fresh)
{
	const uint32_t layout = IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |
				IORING_SETUP_CQE_MIXED |
				IORING_SETUP_NO_SQARRAY | IORING_SETUP_NO_MMAP;
	int err;

	if (p->flags & ~(IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP))
		return -EINVAL;
	err = ring_shared_size(p->sq_entries, p);
	if (err < 0)
		return err;
	p->flags |= ctx->flags & layout;
	return ring_shared_open(fresh, p);
}

int settings_set_queue_sizes(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_params p;
	struct ring_memory fresh;
	int err;

	/* Only with DEFER_TASKRUN does a single thread move the cursors. */
	if (!(ctx->flags & IORING_SETUP_DEFER_TASKRUN))
		return -EINVAL;
	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&p, arg, sizeof(p)) < 0)
		return -EFAULT;
	err = open_resized(ctx, &p, &fresh);
	if (err < 0)
		return err;
	err = fault_copy(arg, &p, sizeof(p));
	if (!err)
		err = queue_resize(&ctx->queue, &fresh);
	if (err < 0)
		ring_shared_close(&fresh);
	return err;
}

int settings_set_clock(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_clock_register reg;

	if (!arg || nr_args)
		return -EINVAL;
	if (fault_copy(&reg, arg, sizeof(reg)) < 0)
		return -EFAULT;
	if (reg.resv[0] || reg.resv[1] || reg.resv[2])
		return -EINVAL;
	if (reg.clockid != CLOCK_MONOTONIC && reg.clockid != CLOCK_BOOTTIME)
		return -EINVAL;
	ctx->clock = (clockid_t)reg.clockid;
	return 0;
}

static int check_napi(const struct io_uring_napi *asked)
{
	if (asked->opcode != IO_URING_NAPI_REGISTER_OP ||
	    asked->op_param != IO_URING_NAPI_TRACKING_DYNAMIC)
		return -EINVAL;
	return 0;
}

/* The former settings are copied out first, even if the call then fails. */
int settings_set_napi(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_napi asked, before = ctx->napi;
	int err;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&asked, arg, sizeof(asked)) < 0)
		return -EFAULT;
	if (asked.pad[0] || asked.pad[1] || asked.resv)
		return -EINVAL;
	if (fault_copy(arg, &before, sizeof(before)) < 0)
		return -EFAULT;
	err = check_napi(&asked);
	if (err < 0)
		return err;
	if (asked.busy_poll_to > BUSY_POLL_US_MAX)
		asked.busy_poll_to = BUSY_POLL_US_MAX;
	asked.prefer_busy_poll = asked.prefer_busy_poll != 0;
	err = reactor_busy_poll(&ctx->reactor, asked.busy_poll_to,
				asked.prefer_busy_poll);
	if (err < 0)
		return -EINVAL; /* as a kernel that was built without it */
	ctx->napi = asked;
	return 0;
}

int settings_unset_napi(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_napi before = ctx->napi;

	if (nr_args != 1)
		return -EINVAL;
	before.op_param = 0;
	if (arg && fault_copy(arg, &before, sizeof(before)) < 0)
		return -EFAULT;
	if (ctx->napi.op_param != IO_URING_NAPI_TRACKING_INACTIVE)
		reactor_busy_poll(&ctx->reactor, 0, false);
	ctx->napi = (struct io_uring_napi){
		.op_param = IO_URING_NAPI_TRACKING_INACTIVE,
	};
	return 0;
}

int settings_set_affinity(struct ctx *ctx, void *arg, uint32_t bytes)
{
	cpu_set_t cpus;

	(void)ctx;
	if (!arg || !bytes)
		return -EINVAL;
	CPU_ZERO(&cpus);
	if (bytes > sizeof(cpus))
		bytes = sizeof(cpus);
	if (fault_copy(&cpus, arg, bytes) < 0)
		return -EFAULT;
	worker_pin(&cpus);
	return 0;
}

int settings_unset_affinity(struct ctx *ctx, void *arg, uint32_t bytes)
{
	(void)ctx;
	if (arg || bytes)
		return -EINVAL;
	worker_pin(NULL);
	return 0;
}

int settings_set_worker_bounds(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	uint32_t most[2];

	if (!arg || nr_args != 2)
		return -EINVAL;
	if (fault_copy(most, arg, sizeof(most)) < 0)
		return -EFAULT;
	if (most[0] > INT32_MAX || most[1] > INT32_MAX)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		if (most[i])
			ctx->worker_bounds[i] = most[i];
		most[i] = worker_limit(i, ctx->worker_bounds[i]);
	}
	return fault_copy(arg, most, sizeof(most));
}
