// SPDX-License-Identifier: MIT
#include "drive/aio.h"

#include <sys/uio.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "drive/aio_ring.h"

int aio_open(struct aio *aio, int event_fd,
	     void (*done)(void *owner, long result))
{
	long err;

	aio->batch = mem_new(1, sizeof(*aio->batch));
	if (!aio->batch)
		return -ENOMEM;
	aio->context = 0;
	err = SYS_2(SYS_io_setup, AIO_UNDER_WAY_MAX, &aio->context);
	if (err < 0)
		goto free_batch;
	aio->queued = 0;
	aio->under_way = 0;
	aio->event_fd = event_fd;
	aio->done = done;
	return 0;
free_batch:
	mem_free(aio->batch);
	aio->batch = NULL;
	return (int)err;
}

void aio_close(struct aio *aio)
{
	if (!aio->batch)
		return;
	SYS_1(SYS_io_destroy, aio->context);
	aio_abandon(aio);
}

void aio_abandon(struct aio *aio)
{
	mem_free(aio->batch);
	aio->batch = NULL;
	aio->queued = 0;
	aio->under_way = 0;
}

void aio_queue(struct aio *aio, const struct aio_transfer *t, void *owner)
{
	struct iocb *io = &aio->batch->entries[aio->queued];

	*io = (struct iocb){
		.aio_data = (uintptr_t)owner,
		.aio_lio_opcode =
			t->writes ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV,
		.aio_fildes = (uint32_t)t->fd,
		.aio_buf = (uintptr_t)t->vectors,
		.aio_nbytes = t->count,
		.aio_offset = (int64_t)t->position,
		.aio_rw_flags = (__kernel_rwf_t)(t->rw_flags | RWF_NOWAIT),
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)aio->event_fd,
	};
	/* A single buffer needs no vector. */
	if (t->count == 1) {
		io->aio_lio_opcode =
			t->writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		io->aio_buf = (uintptr_t)t->vectors->iov_base;
		io->aio_nbytes = t->vectors->iov_len;
	}
	aio->batch->list[aio->queued++] = io;
}

/*
 * io_submit(2) stops at the first transfer that it refuses, and reports the
 * error only when that one is first.
 */
void aio_flush(struct aio *aio)
{
	struct aio_batch *batch = aio->batch;
	uint32_t at = 0;

	while (at < aio->queued) {
		long n = SYS_3(SYS_io_submit, aio->context, aio->queued - at,
			       batch->list + at);

		if (n > 0) {
			at += (uint32_t)n;
			aio->under_way += (uint32_t)n;
			continue;
		}
		aio->done((void *)(uintptr_t)batch->entries[at++].aio_data,
			  n ? n : -EAGAIN);
	}
	aio->queued = 0;
}

int aio_reap(struct aio *aio)
{
	struct io_event events[AIO_BATCH_MAX];
	int count = 0;
	long n;

	do {
		n = 0;
		if (aio->under_way)
			n = aio_ring_take(aio->context, events,
					  array_size(events));
		if (n < 0)
			return (int)n;
		aio->under_way -= (uint32_t)n;
		count += (int)n;
		for (long i = 0; i < n; i++)
			aio->done((void *)(uintptr_t)events[i].data,
				  (long)events[i].res);
	} while (n == (long)array_size(events));
	return count;
}
