/* SPDX-License-Identifier: MIT */
/*
 * Threads by a number, so that one can be known to be gone.
 *
 * Theory: a thread that asks for its number takes a slot in a table, for as
 * long as it lives. The number holds the slot and how often it was taken; when
 * the thread ends the slot's count moves on, and the number is nobody's. Zero
 * is the number of threads for which there was no slot; they never seem to be
 * gone. Slots go round, so that a number comes again only after some four
 * billion threads.
 *
 * No locks for who asks; a slot is taken and given back under one. In a forked
 * child the other threads are not there and don't seem to be gone.
 */
#ifndef POLYRING_BASE_THREAD_H
#define POLYRING_BASE_THREAD_H

#include "base/compiler.h"

extern __thread uint32_t thread_number_kept;

uint32_t thread_number_take(void);

/* The calling thread's; a thread-local load but for the first time. */
static inline uint32_t thread_number(void)
{
	uint32_t number = thread_number_kept;

	return likely(number) ? number : thread_number_take();
}

/* By what name the kernel knows it; 0: it has ended, or has no number. */
int thread_id(uint32_t number);

/* It is one of the engine's own: its signals are blocked. */
extern __thread bool thread_is_ours;

/* Has the thread of this number ended? */
bool thread_gone(uint32_t number);

/* In a forked child: whoever held the lock is not here. */
void thread_forget_lock(void);

#endif
