/* SPDX-License-Identifier: MIT */
/*
 * Serial numbers for threads, which show whether a thread has ended.
 *
 * Theory: a thread that asks for its number takes a slot in a table until it
 * ends. The number consists of the slot and of how often the slot was taken;
 * when the thread ends, the slot's count changes, and no thread has the number
 * any more. Threads for which there was no slot have the number zero, and never
 * seem to have ended. Slots are used in turn, so that a number is used again
 * only after some four billion threads.
 *
 * Asking takes no lock; taking and freeing a slot takes one. In a forked child
 * the other threads don't exist, and don't seem to have ended.
 */
#ifndef POLYRING_BASE_THREAD_H
#define POLYRING_BASE_THREAD_H

#include "base/compiler.h"

extern __thread uint32_t thread_number_kept;

uint32_t thread_number_take(void);

/*
 * The calling thread's number: a thread-local load, except for the first time.
 */
static inline uint32_t thread_number(void)
{
	uint32_t number = thread_number_kept;

	return likely(number) ? number : thread_number_take();
}

/* Its thread id in the kernel; 0: it has ended, or has no number. */
int thread_id(uint32_t number);

/* The thread is one of the engine's: its signals are blocked. */
extern __thread bool thread_is_ours;

/* The thread's memory goes to another thread: as at its end. */
void thread_end(void);

/* Has the thread with this number ended? */
bool thread_gone(uint32_t number);

/* In a forked child: the thread that held the lock does not exist here. */
void thread_forget_lock(void);

#endif
