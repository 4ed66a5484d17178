// SPDX-License-Identifier: MIT
/*
 * mmap of a ring's fd: its queues, its buffer rings, its region.
 *
 * Theory: queues may be resized, so they are mapped under the ring's lock.
 * Buffer rings and the region are found under RCU only, as another thread may
 * unregister them meanwhile (SPEC 4).
 */
#include "base/rcu.h"
#include "core/entry_guard.h"
#include "core/registry.h"
#include "polyring/polyring.h"

/*
 * The lookup of buffer rings runs without the ring's lock, under RCU: the
 * ring's parts are freed after a grace period. The offset's top bit marks a
 * buffer ring and is also the group's bit 15: if there is a group in the lower
 * half, it is that one (X6).
 */
static long map_buffer_ring(struct ctx *ctx, void *hint, size_t bytes, int prot,
			    int flags, uint64_t offset)
{
	uint16_t bgid = offset >> IORING_OFF_PBUF_SHIFT & 0x7fff;
	long at = kbuf_ring_map(ctx->kbuf, bgid, hint, bytes, prot, flags);

	if (at == -ENOMEM || at == -EINVAL) {
		long upper = kbuf_ring_map(ctx->kbuf, bgid | 0x8000, hint,
					   bytes, prot, flags);

		if (upper > 0)
			return upper;
	}
	return at;
}

static bool is_queue(uint64_t offset)
{
	return !(offset & IORING_OFF_PBUF_RING) &&
	       (offset & IORING_OFF_MMAP_MASK) != IORING_OFF_PARAM_REGION;
}

/* Under the lock: another thread may be changing the size of the queues. */
static long map_queue(struct ctx *ctx, void *hint, size_t bytes, int prot,
		      int flags, uint64_t offset)
{
	long at = -EBADF;

	lock_take(&ctx->lock);
	if (ctx_is_open(ctx))
		at = ring_shared_map(&ctx->queue.memory, hint, bytes, prot,
				     flags, offset);
	lock_drop(&ctx->lock);
	return at;
}

static long map_ring(void *hint, size_t bytes, int prot, int flags, int ring_fd,
		     uint64_t offset)
{
	struct ctx *ctx = registry_find_ctx(ring_fd);
	long at;

	if (!ctx)
		return -EBADF;
	if (offset % PAGE_BYTES)
		return -EINVAL;
	if (is_queue(offset))
		return map_queue(ctx, hint, bytes, prot, flags, offset);
	rcu_enter();
	if (!ctx_is_open(ctx))
		at = -EBADF;
	else if (offset & IORING_OFF_PBUF_RING)
		at = map_buffer_ring(ctx, hint, bytes, prot, flags, offset);
	else
		at = region_map(&ctx->region, hint, bytes, prot, flags);
	rcu_leave();
	return at;
}

POLYRING_API long polyring_mmap(void *hint, size_t bytes, int prot, int flags,
				int ring_fd, uint64_t offset)
{
	long at;

	if (!entry_guard_begin())
		return -EAGAIN;
	at = map_ring(hint, bytes, prot, flags, ring_fd, offset);
	entry_guard_end();
	return at;
}
