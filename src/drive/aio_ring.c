// SPDX-License-Identifier: MIT
#include "drive/aio_ring.h"

#include <time.h>

#include "base/compiler.h"
#include "base/sys.h"

struct completion_ring {
	uint32_t id;
	uint32_t count;
	uint32_t head;
	uint32_t tail;
	uint32_t magic;
	uint32_t features[2];
	uint32_t header_bytes;
	struct io_event events[];
};

#define COMPLETION_RING_MAGIC 0xa10a10a1u

static bool ring_is_known(const struct completion_ring *ring)
{
	return ring->magic == COMPLETION_RING_MAGIC && !ring->features[1] &&
	       ring->header_bytes == sizeof(*ring);
}

long aio_ring_take(aio_context_t context, struct io_event *events,
		   uint32_t room)
{
	static const struct timespec at_once;
	struct completion_ring *ring = (struct completion_ring *)context;
	uint32_t head = ring->head, tail, n;

	if (!ring_is_known(ring))
		return SYS_5(SYS_io_getevents, context, 0, room, events,
			     &at_once);
	/* Pairs with the kernel's store after it wrote the events. */
	tail = load_acquire(&ring->tail);
	for (n = 0; n < room && head != tail; n++) {
		events[n] = ring->events[head];
		head = (head + 1) % ring->count;
	}
	store_release(&ring->head, head);
	return n;
}

bool aio_ring_holds(aio_context_t context, uint64_t data)
{
	const struct completion_ring *ring =
		(const struct completion_ring *)context;
	uint32_t head = ring->head, tail;

	if (!ring_is_known(ring))
		return false;
	/* Pairs with the kernel's store after it wrote the events. */
	tail = load_acquire(&ring->tail);
	for (; head != tail; head = (head + 1) % ring->count)
		if (ring->events[head].data == data)
			return true;
	return false;
}
