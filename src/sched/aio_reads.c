// SPDX-License-Identifier: MIT
#include "sched/aio_reads.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include "base/sys.h"
#include "core/req.h"
#include "sched/issue.h"

/* Requests to an fd before it is queried again. */
#define DIRECT_CACHE_USES 64

static struct direct_cache *aio_reads_cached_kind(struct ctx *ctx, int fd)
{
	return &ctx->disk.direct[(uint32_t)fd % DIRECT_CACHE_ENTRIES];
}

bool aio_reads_is_memory(int fd)
{
	struct statfs fs;

	return SYS_2(SYS_fstatfs, fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

bool aio_reads_is_direct_now(struct ctx *ctx, int fd)
{
	struct direct_cache *b = aio_reads_cached_kind(ctx, fd);
	long flags = SYS_2(SYS_fcntl, fd, F_GETFL);

	b->fd = fd;
	b->left = DIRECT_CACHE_USES;
	b->direct = flags >= 0 && flags & O_DIRECT && !aio_reads_is_memory(fd);
	return b->direct;
}

bool aio_reads_is_direct(struct ctx *ctx, int fd)
{
	struct direct_cache *b = aio_reads_cached_kind(ctx, fd);

	if (unlikely(b->fd != fd || !b->left))
		return aio_reads_is_direct_now(ctx, fd);
	b->left--;
	return b->direct;
}

static void aio_reads_landed(void *owner, long result)
{
	struct req *req = owner;
	struct ctx *ctx = req->ctx;

	req->res = (int32_t)result;
	req->outcome = ISSUE_DISK;
	ctx->disk.landed = true;
	lock_take(&ctx->arrivals_lock);
	list_push_back(&ctx->arrivals, &req->node);
	lock_drop(&ctx->arrivals_lock);
}

static int aio_reads_open(struct ctx *ctx)
{
	int fd = reactor_event_fd(&ctx->reactor);

	return fd < 0 ? fd : aio_open(&ctx->disk.aio, fd, aio_reads_landed);
}

int aio_reads_start(struct req *req, const struct aio_transfer *transfer)
{
	struct disk *disk = &req->ctx->disk;

	if (unlikely(!disk->aio.batch)) {
		if (!disk->refused)
			disk->refused = aio_reads_open(req->ctx) < 0;
		if (disk->refused)
			return ISSUE_PUNT;
	}
	disk->aio.event_fd = req->ctx->reactor.event_fd;
	if (!aio_has_room(&disk->aio))
		aio_flush(&disk->aio);
	aio_queue(&disk->aio, transfer, req);
	return ISSUE_DISK;
}

bool aio_reads_settle(struct ctx *ctx)
{
	if (likely(!ctx->disk.aio.queued && !ctx->disk.landed))
		return false;
	aio_flush(&ctx->disk.aio);
	aio_reads_reap(ctx);
	return true;
}

void aio_reads_reap(struct ctx *ctx)
{
	if (likely(!ctx->disk.aio.batch))
		return;
	/* aio_reap() has consumed their signal, so another turn must come. */
	if (aio_reap(&ctx->disk.aio) < 0)
		reactor_wake(&ctx->reactor);
	ctx->disk.landed = false;
	issue_arrivals(ctx);
}

void aio_reads_close(struct ctx *ctx)
{
	aio_close(&ctx->disk.aio);
}
