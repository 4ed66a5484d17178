/* SPDX-License-Identifier: MIT */
/*
 * Many reads with one call, by the kernel's AIO, for data that is in memory
 * already (D19). Has no notion of a request.
 *
 * Theory: io_submit(2) takes many reads, of any positions. Each has RWF_NOWAIT,
 * so what is cached is copied within the call and the rest fails with EAGAIN,
 * as a preadv2(2) of its own would. Each result is an event in the context's
 * completion ring, which is memory of the process, so taking the results costs
 * no call. Only a file that answers later (O_DIRECT) has no event yet when
 * io_submit(2) returns; the event is then waited for, as preadv2(2) would wait.
 *
 * A context has no fd. It counts against aio-max-nr, so the owner opens one
 * only for repeated use. Destroying one takes the kernel milliseconds, so one
 * that is closed is kept for the next that is opened.
 *
 * Locks: the caller's, one for each context; the kept one is swapped without
 * any. Bounds: AIO_NOW_MAX reads a call, one context kept.
 */
#ifndef POLYRING_DRIVE_AIO_NOW_H
#define POLYRING_DRIVE_AIO_NOW_H

#include <linux/aio_abi.h>
#include <stdint.h>

#define AIO_NOW_MAX 64u

struct aio_now {
	aio_context_t context;
	struct iocb entries[AIO_NOW_MAX];
	struct iocb *list[AIO_NOW_MAX];
	int64_t results[AIO_NOW_MAX];
};

/* NULL: there is no AIO, none is left, or no memory. */
struct aio_now *aio_now_open(void);

/* Does nothing for NULL. */
void aio_now_close(struct aio_now *now);

/* In a forked child: the context is the parent's. Nothing for NULL. */
void aio_now_abandon(struct aio_now *now);

/* The same for the one that is kept. */
void aio_now_forget(void);

/* Set the read at @index, which is below AIO_NOW_MAX. */
static inline void aio_now_set(struct aio_now *now, uint32_t index, int fd,
			       void *memory, uint64_t bytes, uint64_t position)
{
	now->entries[index] = (struct iocb){
		.aio_data = index,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)memory,
		.aio_nbytes = bytes,
		.aio_offset = (int64_t)position,
		.aio_rw_flags = RWF_NOWAIT,
	};
}

/*
 * Make the first @count reads: now->results has what preadv2(2) would have
 * returned, or -EAGAIN for a read that was not tried.
 */
void aio_now_run(struct aio_now *now, uint32_t count);

#endif
