// SPDX-License-Identifier: MIT
#include "api/ring_fd.h"

#include "base/fd.h"
#include "base/own_fds.h"
#include "base/process.h"
#include "base/sys.h"
#include "core/ctx_lock.h"
#include "core/entry_guard.h"
#include "core/notify.h"
#include "core/registry.h"
#include "core/ring_fds.h"
#include "polyring/polyring.h"
#include "sched/standby.h"

int ring_fd_lock(int fd, bool registered, struct ctx **ctx) UNCHECKED_LOCKS
{
	if (registered)
		return ring_fds_lock((uint32_t)fd, ctx);
	*ctx = ctx_lock_fd(fd);
	if (unlikely(!*ctx))
		return registry_refusal(fd);
	if (likely(!load_relaxed(&(*ctx)->in_slots)) ||
	    registry_verify(*ctx, fd))
		return 0;
	ctx_drop(*ctx);
	return registry_refusal(fd);
}

void ring_fd_watch(int ring_fd, bool watched) UNCHECKED_LOCKS
{
	struct ctx *ctx = ctx_lock_fd(ring_fd);
	bool says_work;

	if (!ctx)
		return;
	/*
	 * Without a completion the byte means that work waits; then it stays.
	 */
	says_work = ctx->watched && ctx->flags & IORING_SETUP_DEFER_TASKRUN;
	store_relaxed(&ctx->watched, watched);
	if (!says_work)
		notify_taken(ctx);
	standby_leave(ctx);
}

POLYRING_API bool polyring_owns(int fd)
{
	return registry_owns(fd);
}

/* If a handler has interrupted a call, the next close handles this one. */
POLYRING_API void polyring_closed(int fd)
{
	struct ctx *ctx = registry_named(fd);

	if (likely(!ctx && fd >= 0 && !standby_has_strays()))
		return;
	/* What a child of vfork() closes is no concern of the engine's. */
	if (process_is_guest() || !entry_guard_begin())
		return;
	standby_closed(ctx);
	entry_guard_end();
}

POLYRING_API bool polyring_keeps(int fd)
{
	return own_fds_has(fd) && !process_is_guest();
}

POLYRING_API int polyring_keeps_next(int from)
{
	int fd = own_fds_next(from);

	return fd < 0 || !process_is_guest() ? fd : -1;
}

static void lose(struct ctx *ctx, void *argument)
{
	reactor_lose(&ctx->reactor, *(const int *)argument);
}

/* Who sleeps behind a number that is lost wakes up while it is still there. */
POLYRING_API void polyring_vacate(int fd)
{
	if (!polyring_keeps(fd) || !entry_guard_begin())
		return;
	if (fd_vacate(fd) < 0) {
		registry_for_each(lose, &fd);
		standby_lose(fd);
		fd_lose(fd);
	}
	entry_guard_end();
}

/*
 * In a handler that has interrupted a call this only sets a flag for that call.
 */
POLYRING_API void polyring_watch(int ring_fd, bool watched)
{
	struct ctx *ctx;

	if (entry_guard_begin()) {
		ring_fd_watch(ring_fd, watched);
		entry_guard_end();
		return;
	}
	ctx = registry_find_ctx(ring_fd);
	if (ctx && watched)
		store_relaxed(&ctx->watched, true);
}

/* The byte of a DEFER_TASKRUN ring may mean that work waits. Then it stays. */
static void settle(struct ctx *ctx, void *argument)
{
	(void)argument;
	if (!load_relaxed(&ctx->byte_out))
		return;
	if (!ctx_take_open(ctx))
		return;
	if (ctx->byte_out &&
	    !(ctx->flags & IORING_SETUP_DEFER_TASKRUN && ctx->attend_fired))
		notify_taken(ctx);
	ctx_unlock(ctx);
}

POLYRING_API void polyring_settle(void)
{
	if (likely(!notify_any_byte_out()) || !entry_guard_begin())
		return;
	registry_for_each(settle, NULL);
	entry_guard_end();
}
