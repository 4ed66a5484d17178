// SPDX-License-Identifier: MIT
#include "base/thread.h"

#include <pthread.h>

#include "base/lock.h"
#include "base/sys.h"

#define SLOTS 65536u
#define SLOT_BITS 16

__thread uint32_t thread_number_kept;
__thread bool thread_is_ours;

static struct lock threads_lock;
static pthread_key_t key; /* never changes once has_key */

static struct {
	uint16_t times[SLOTS]; /* odd while the slot is taken */
	int ids[SLOTS]; /* of those that are */
	uint32_t next;
	bool has_key;
} threads GUARDED(&threads_lock);

static uint32_t thread_number_of(uint32_t slot)
{
	return (uint32_t)load_relaxed(&threads.times[slot]) << SLOT_BITS | slot;
}

static void thread_give_back(void *slot_and_one)
{
	uint32_t slot = (uint32_t)((uintptr_t)slot_and_one - 1);

	thread_number_kept = 0;
	lock_take(&threads_lock);
	store_relaxed(&threads.times[slot],
		      (uint16_t)(threads.times[slot] + 1));
	lock_drop(&threads_lock);
}

/* A free slot, or SLOTS if there is none. */
static uint32_t find_slot(void) HOLDS(&threads_lock)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t slot = threads.next++ % SLOTS;

		if (!(threads.times[slot] & 1))
			return slot;
	}
	return SLOTS;
}

static uint32_t take_slot(void)
{
	uint32_t slot = SLOTS;

	lock_take(&threads_lock);
	if (!threads.has_key)
		threads.has_key = !pthread_key_create(&key, thread_give_back);
	if (threads.has_key)
		slot = find_slot();
	if (slot < SLOTS) {
		store_relaxed(&threads.ids[slot], (int)SYS_0(SYS_gettid));
		store_relaxed(&threads.times[slot],
			      (uint16_t)(threads.times[slot] + 1));
	}
	lock_drop(&threads_lock);
	return slot;
}

uint32_t thread_number_take(void)
{
	uint32_t slot = take_slot();

	if (slot == SLOTS)
		return 0;
	if (pthread_setspecific(key, (void *)(uintptr_t)(slot + 1))) {
		thread_give_back((void *)(uintptr_t)(slot + 1));
		return 0;
	}
	thread_number_kept = thread_number_of(slot);
	return thread_number_kept;
}

void thread_end(void)
{
	const uint32_t slot = thread_number_kept % SLOTS;

	if (thread_number_kept)
		thread_give_back((void *)(uintptr_t)(slot + 1));
}

bool thread_gone(uint32_t number)
{
	return number && thread_number_of(number % SLOTS) != number;
}

int thread_id(uint32_t number)
{
	int id = load_relaxed(&threads.ids[number % SLOTS]);

	return number && !thread_gone(number) ? id : 0;
}

void thread_forget_lock(void)
{
	threads_lock.word = 0;
	if (thread_number_kept)
		store_relaxed(&threads.ids[thread_number_kept % SLOTS],
			      (int)SYS_0(SYS_gettid));
}
