/* SPDX-License-Identifier: MIT */
/*
 * Requests whose transfer kernel AIO does (D7).
 *
 * Theory: RWF_NOWAIT means nothing to O_DIRECT: preadv2(2) sits there until
 * the device has answered, and with it the whole ring. So such transfers go to
 * the ring's AIO context, opened with the first of them. They are submitted in
 * batches: when a batch is full, when the ring settles, and before anything
 * that could take their file's number away (aio_reads_flush). A request under
 * way is in state REQ_AT_DISK and counted among the punted; as in the kernel,
 * nobody can cancel it. What becomes of it arrives as a worker's result does,
 * and its operation is issued once more, with ISSUE_LANDED and the answer in
 * req->res.
 *
 * Whether a number is an O_DIRECT file has to be asked (90 ns), too much for a
 * read of the page cache. So what was learnt is believed for some requests
 * (DISK_BELIEF) and then asked again. A wrong belief costs time and nothing
 * else: NOWAIT of a file that is not direct reads its cache or says EAGAIN, and
 * every answer but success is looked at with a fresh eye (disk_believe_not).
 *
 * Where there is no context to be had (seccomp, aio-max-nr) workers do it all.
 * Locks: the ring lock.
 */
#ifndef POLYRING_SCHED_AIO_READS_H
#define POLYRING_SCHED_AIO_READS_H

#include "core/ctx.h"
#include "core/req.h"

/* A file without a disk behind it: moving its bytes is but a copy. */
bool aio_reads_is_memory(int fd);

/* Is @fd an O_DIRECT file on a disk, as far as known? */
bool aio_reads_is_direct(struct ctx *ctx, int fd);

/* It did not behave like one: look again. */
bool aio_reads_is_direct_now(struct ctx *ctx, int fd);

/* Queue the transfer: ISSUE_DISK, or ISSUE_PUNT where AIO is not to be had. */
int aio_reads_start(struct req *req, const struct aio_transfer *transfer);

/* Submit what is queued. */
static inline void aio_reads_flush(struct ctx *ctx)
{
	if (unlikely(ctx->disk.aio.queued))
		aio_flush(&ctx->disk.aio);
}

/* Submit, and let what is done already arrive: whether anything was there. */
bool aio_reads_settle(struct ctx *ctx) HOLDS(&ctx->lock);

/* Something may have ended: let it arrive. */
void aio_reads_reap(struct ctx *ctx) HOLDS(&ctx->lock);

void aio_reads_close(struct ctx *ctx);

#endif
