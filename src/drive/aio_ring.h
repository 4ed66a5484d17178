/* SPDX-License-Identifier: MIT */
/*
 * The completion ring of a kernel AIO context: memory that io_setup(2) maps and
 * names the context after.
 *
 * Theory: the kernel writes events and then the tail; whoever takes them moves
 * the head. Where the layout is the one that is known, no call is needed; else
 * io_getevents(2) is asked, without waiting.
 * Locks: the caller's, one taker at a time.
 */
#ifndef POLYRING_DRIVE_AIO_RING_H
#define POLYRING_DRIVE_AIO_RING_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>

/* Take up to @room events: how many, or a negative errno. */
long aio_ring_take(aio_context_t context, struct io_event *events,
		   uint32_t room);

/* Is the event of @data there? False, too, where only the kernel can tell. */
bool aio_ring_holds(aio_context_t context, uint64_t data);

#endif
