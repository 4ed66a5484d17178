/* SPDX-License-Identifier: MIT */
/*
 * Keeping one end of a pipe open without a number for it.
 *
 * Theory: a poll of kernel AIO (IOCB_CMD_POLL) has a reference of its file, and
 * that of a pipe's reading end ends with the hang-up: when the last writer has
 * closed. So the engine submits one and closes its number; the file stays where
 * it was, in epolls as well, and the event of the poll says that it has gone.
 * That event is brought by a thread of the kernel, mostly before close(2)
 * returns; where it is not, an epoll that has the file reports the hang-up.
 *
 * Contexts count against aio-max-nr, which all processes share: the first is
 * small, the next is made when it is full, and twice as large.
 *
 * Locks: its own, a leaf. hold_any() takes none.
 * Cost: one io_submit(2) a file; hold_any() some loads.
 */
#ifndef POLYRING_DRIVE_HOLD_H
#define POLYRING_DRIVE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Keep the file of @fd, a pipe's reading end, open until it hangs up. Then
 * hold_reap() reports @data. Returns 0; -EAGAIN and what else io_setup(2) and
 * io_submit(2) say where it can't be had.
 */
int hold_begin(int fd, uint64_t data);

/* May hold_reap() have something to report? */
bool hold_any(void);

/* Call gone() for each that has hung up. */
void hold_reap(void (*gone)(uint64_t data));

/* In a forked child: what is held is the parent's. */
void hold_forget(void);

#endif
