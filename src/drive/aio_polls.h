/* SPDX-License-Identifier: MIT */
/*
 * Waiting once for a file, by the kernel's AIO (IOCB_CMD_POLL). Knows no
 * request.
 *
 * Theory: epoll reports what is ready when somebody looks: an event whose data
 * was taken before that is none. A poll of AIO is queued at the file itself and
 * its event is made by the wake-up, as a poll of io_uring is; so it stays
 * whatever becomes of the data, and the file is let go in the same moment. Many
 * are started with one call, and their events are taken from memory.
 *
 * A poll is known by the number of its entry. A canceled one has no owner any
 * more, and its entry is free when its event has come, which a thread of the
 * kernel brings.
 *
 * Contexts count against aio-max-nr, which all processes share: the first is
 * small, and a larger one is made when it is full. Each event signals the
 * eventfd that aio_polls_open() was given.
 *
 * Locks: the caller's, for everything here. Bounds: AIO_POLLS_BATCH a call.
 * Cost: 100 ns to start one of many and 120 ns for its event, on the machine of
 * design.md.
 */
#ifndef POLYRING_DRIVE_AIO_POLLS_H
#define POLYRING_DRIVE_AIO_POLLS_H

#include <stdint.h>

struct aio_polls;

#define AIO_POLLS_BATCH 128u

struct aio_poll_start {
	int fd;
	uint32_t mask; /* POLLIN, ...: sixteen bits */
	void *owner;
	int result; /* the poll's number, or why it was not started */
};

/*
 * NULL: there is no AIO, or no memory. *@event_fd stays the caller's and is
 * read for each poll.
 */
struct aio_polls *aio_polls_open(const int *event_fd);

/* Ends all that wait, without an event. */
void aio_polls_close(struct aio_polls *polls);

/* In a forked child: the contexts are the parent's. */
void aio_polls_abandon(struct aio_polls *polls);

/*
 * Start up to AIO_POLLS_BATCH polls. -EAGAIN: no more are to be had; -EINVAL:
 * AIO can't poll that file, though epoll may; -EBADF; -ENOMEM.
 */
void aio_polls_start(struct aio_polls *polls, struct aio_poll_start *starts,
		     uint32_t count);

/*
 * There will be no event to the owner. The kernel's reference of the file is
 * given back by one of its own threads, which is waited for, but not for long.
 */
void aio_polls_cancel(struct aio_polls *polls, uint32_t number);

/*
 * Call fired() for each whose file is ready. It may start and cancel others.
 * 0, or why not all could be looked at.
 */
int aio_polls_reap(struct aio_polls *polls,
		   void (*fired)(void *owner, uint32_t events));

#endif
