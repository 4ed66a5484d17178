/* SPDX-License-Identifier: MIT */
/*
 * The kernel's AIO: transfers of O_DIRECT files that run without a thread (D7).
 * Has no notion of a request.
 *
 * Theory: a transfer is queued, then submitted together with the others in the
 * queue (aio_flush), and reported once by the owner's done(), with the result
 * that preadv2(2) would have had. Each has RWF_NOWAIT, so that io_submit(2)
 * starts the transfer and does nothing else: where it would have to wait (a
 * full device queue, metadata not in memory, blocks to be allocated, a file
 * that is not O_DIRECT after all) the result is EAGAIN, and also when the
 * context is full. The vectors and the file are read while flushing and not
 * later.
 *
 * A completion signals the eventfd that aio_open() was given. The completion
 * ring is in the process's memory, so reaping costs no call if the ring's
 * layout is the known one. A transfer can't be cancelled; closing waits for
 * those under way.
 *
 * Locks: the caller's, for everything here. done() may queue no transfer.
 * Bounds: AIO_BATCH_MAX a call, AIO_UNDER_WAY_MAX in the context.
 */
#ifndef POLYRING_DRIVE_AIO_H
#define POLYRING_DRIVE_AIO_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;

#define AIO_BATCH_MAX 64u
#define AIO_UNDER_WAY_MAX 256u

struct aio_batch {
	struct iocb entries[AIO_BATCH_MAX];
	struct iocb *list[AIO_BATCH_MAX];
};

struct aio {
	aio_context_t context;
	struct aio_batch *batch; /* NULL: not open */
	uint32_t queued;
	uint32_t under_way;
	int event_fd;
	void (*done)(void *owner, long result);
};

/* The arguments of preadv2(2) and pwritev2(2). */
struct aio_transfer {
	int fd;
	bool writes;
	const struct iovec *vectors; /* at least one */
	size_t count;
	uint64_t position;
	uint32_t rw_flags;
};

/* 0, -ENOMEM, or the error of io_setup(2). @event_fd stays the caller's. */
int aio_open(struct aio *aio, int event_fd,
	     void (*done)(void *owner, long result));

/* Does nothing when not open. */
void aio_close(struct aio *aio);

/* In a forked child: the transfers and their context are the parent's. */
void aio_abandon(struct aio *aio);

/* False if the batch is full. */
static inline bool aio_has_room(const struct aio *aio)
{
	return aio->queued < AIO_BATCH_MAX;
}

/* There must be room. */
void aio_queue(struct aio *aio, const struct aio_transfer *transfer,
	       void *owner);

/*
 * Start the queued transfers. For one that can't be started done() gets the
 * error.
 */
void aio_flush(struct aio *aio);

/*
 * Call done() for all that have ended. Returns how many, or a negative errno.
 */
int aio_reap(struct aio *aio);

#endif
