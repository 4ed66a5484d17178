// SPDX-License-Identifier: MIT
/*
 * What polyring adds to groups of provided buffers: low water (X1), sharing
 * (X2) and counters (X3), for programs that are written for polyring.
 *
 * Theory: on the same layer as enter.c: it finds the ring and passes the call
 * to kbuf. It does not change what io_uring calls do. Setting a level takes the
 * ring's lock, sharing that of both; reading counters takes none, and any
 * thread may do it whatever the ring does (RCU, like mmap).
 */
#include "base/fd.h"
#include "base/rcu.h"
#include "core/ctx.h"
#include "core/ctx_lock.h"
#include "core/registry.h"
#include "polyring/kbuf.h"
#include "polyring/polyring.h"

/* -1 means none. */
static int check_eventfd(int fd)
{
	int own;

	if (fd == -1)
		return 0;
	own = fd_dup_eventfd(fd);
	if (own < 0)
		return own;
	fd_close(own);
	return 0;
}

POLYRING_API int polyring_group_low_water(int ring_fd, uint16_t bgid,
					  uint32_t threshold,
					  int eventfd) UNCHECKED_LOCKS
{
	struct ctx *ctx;
	int err;

	ctx = ctx_lock_fd(ring_fd);
	if (!ctx)
		return registry_refusal(ring_fd);
	err = check_eventfd(eventfd);
	if (!err)
		err = kbuf_low_water(ctx->kbuf, bgid, threshold, eventfd);
	ctx_unlock(ctx);
	return err;
}

POLYRING_API int polyring_group_counters(int ring_fd, uint16_t bgid,
					 struct kbuf_counters *counters)
{
	struct ctx *ctx = registry_find_ctx(ring_fd);
	int err;

	if (!ctx)
		return registry_refusal(ring_fd);
	rcu_enter();
	/* Pairs with the release in publish(), sched/ctx_life.c. */
	if (load_acquire(&ctx->state) == CTX_OPEN)
		err = kbuf_counters(ctx->kbuf, bgid, counters);
	else
		err = registry_refusal(ring_fd);
	rcu_leave();
	return err;
}

POLYRING_API int polyring_group_share(int from_fd, uint16_t bgid, int to_fd,
				      uint16_t to_bgid) UNCHECKED_LOCKS
{
	struct ctx *to = registry_find_ctx(to_fd), *from;
	int err;

	if (!to)
		return registry_refusal(to_fd);
	from = ctx_lock_fd(from_fd);
	if (!from)
		return registry_refusal(from_fd);
	ctx_lock_second(from, to);
	if (from->state != CTX_OPEN || to->state != CTX_OPEN)
		err = -EBADF;
	else
		err = kbuf_group_share(from->kbuf, bgid, to->kbuf, to_bgid);
	if (to != from)
		ctx_unlock(to);
	ctx_unlock(from);
	return err;
}
