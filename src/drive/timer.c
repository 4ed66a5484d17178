// SPDX-License-Identifier: MIT
#include "drive/timer.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define ROOM_AT_FIRST 64u

void timer_heap_close(struct timer_heap *heap)
{
	mem_free(heap->slots);
	memset(heap, 0, sizeof(*heap));
}

static bool earlier(const struct timer *a, const struct timer *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->order < b->order;
}

static void timer_put(struct timer_heap *heap, uint32_t slot,
		      struct timer *timer)
{
	heap->slots[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct timer_heap *heap, uint32_t slot, struct timer *timer)
{
	while (slot > 1 && earlier(timer, heap->slots[slot / 2])) {
		timer_put(heap, slot, heap->slots[slot / 2]);
		slot /= 2;
	}
	timer_put(heap, slot, timer);
}

static void sift_down(struct timer_heap *heap, uint32_t slot,
		      struct timer *timer)
{
	uint32_t child;

	while ((child = slot * 2) <= heap->count) {
		if (child < heap->count &&
		    earlier(heap->slots[child + 1], heap->slots[child]))
			child++;
		if (!earlier(heap->slots[child], timer))
			break;
		timer_put(heap, slot, heap->slots[child]);
		slot = child;
	}
	timer_put(heap, slot, timer);
}

static int make_room(struct timer_heap *heap)
{
	uint32_t room = heap->room ? heap->room * 2 : ROOM_AT_FIRST;
	struct timer **slots;

	if (heap->count + 1 < heap->room)
		return 0;
	slots = mem_new(room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	if (heap->room)
		memcpy(slots, heap->slots, heap->room * sizeof(*slots));
	mem_free(heap->slots);
	heap->slots = slots;
	heap->room = room;
	return 0;
}

int timer_arm(struct timer_heap *heap, struct timer *timer, int64_t due_ns)
{
	int err = make_room(heap);

	if (err < 0)
		return err;
	timer->due_ns = due_ns;
	timer->order = heap->order++;
	sift_up(heap, ++heap->count, timer);
	return 0;
}

bool timer_disarm(struct timer_heap *heap, struct timer *timer)
{
	uint32_t slot = timer->slot;
	struct timer *last;

	if (!slot)
		return false;
	timer->slot = 0;
	last = heap->slots[heap->count--];
	if (last == timer)
		return true;
	if (slot > 1 && earlier(last, heap->slots[slot / 2]))
		sift_up(heap, slot, last);
	else
		sift_down(heap, slot, last);
	return true;
}

void timer_fire_due(struct timer_heap *heap, int64_t now_ns)
{
	/*
	 * Timers that are armed while this fires others fire at the next call.
	 */
	uint64_t bound = heap->order;

	while (timer_next_ns(heap) <= now_ns) {
		struct timer *timer = heap->slots[1];

		if (timer->order >= bound)
			break;
		timer_disarm(heap, timer);
		timer->fire(timer);
	}
}
