/* SPDX-License-Identifier: MIT */
/*
 * Requests whose transfer kernel AIO does (D7).
 *
 * Theory: RWF_NOWAIT has no effect on O_DIRECT: preadv2(2) waits until the
 * device has answered, and the ring would wait with it. So such transfers go to
 * the ring's AIO context, which is opened with the first of them. They are
 * submitted in batches: when a batch is full, when the ring settles, and before
 * anything that could close their file's fd (aio_reads_flush). A request under
 * way is in state REQ_AT_DISK and counted among the punted; as in the kernel,
 * it can't be cancelled. Its completion arrives as a worker's result does, and
 * its operation is issued once more, with ISSUE_LANDED and the result in
 * req->res.
 *
 * Whether an fd is an O_DIRECT file takes a query (90 ns), too much for a
 * cached read. So the result is cached for some requests (DIRECT_CACHE_USES)
 * and then queried again. A stale cached value only costs time: NOWAIT of a
 * file that is not direct reads its cached pages or returns EAGAIN, and after
 * every error of AIO the file is queried again (aio_reads_is_direct_now).
 *
 * Where no context can be had (seccomp, aio-max-nr) workers do all transfers.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_AIO_READS_H
#define POLYRING_SCHED_AIO_READS_H

#include "core/ctx.h"
#include "core/req.h"

/* Is it a file without a disk behind it? Then moving its bytes is a copy. */
bool aio_reads_is_memory(int fd);

/* Is @fd an O_DIRECT file on a disk, as far as known? */
bool aio_reads_is_direct(struct ctx *ctx, int fd);

/* The file did not behave like one: query it again. */
bool aio_reads_is_direct_now(struct ctx *ctx, int fd);

/* Queue the transfer: ISSUE_DISK, or ISSUE_PUNT where AIO can't be used. */
int aio_reads_start(struct req *req, const struct aio_transfer *transfer);

/* Submit what is queued. */
static inline void aio_reads_flush(struct ctx *ctx)
{
	if (unlikely(ctx->disk.aio.queued))
		aio_flush(&ctx->disk.aio);
}

/* Submit, and take in finished transfers. Returns whether there were any. */
bool aio_reads_settle(struct ctx *ctx) HOLDS(&ctx->lock);

/* Take in transfers that may have finished. */
void aio_reads_reap(struct ctx *ctx) HOLDS(&ctx->lock);

void aio_reads_close(struct ctx *ctx);

#endif
