/* SPDX-License-Identifier: MIT */
/*
 * A mutex of one 32-bit field.
 *
 * Theory: 0 free, 1 held, 2 held and a thread may sleep for it. Taking and
 * dropping an uncontended lock is one atomic exchange each and never a system
 * call. Not recursive, and not fair: a thread that calls enter in a loop must
 * not hand its ring to a sleeper at every call.
 */
#ifndef POLYRING_BASE_LOCK_H
#define POLYRING_BASE_LOCK_H

#include "base/compiler.h"

struct LOCK_TYPE("lock") lock {
	uint32_t word;
};

void lock_take_slow(struct lock *lock);
void lock_wake_one(struct lock *lock);

/*
 * Try for as long as a lock is usually held, without sleeping: for who holds
 * another lock that the holder of this one may want.
 */
bool lock_try_briefly(struct lock *lock) TRIES(true, lock);

static inline bool lock_try(struct lock *lock) TRIES(true, lock) UNCHECKED_LOCKS
{
	uint32_t free_word = 0;

	/* Pairs with the release in lock_drop(). */
	return __atomic_compare_exchange_n(&lock->word, &free_word, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_take(struct lock *lock) TAKES(lock) UNCHECKED_LOCKS
{
	if (unlikely(!lock_try(lock)))
		lock_take_slow(lock);
}

static inline void lock_drop(struct lock *lock) DROPS(lock) UNCHECKED_LOCKS
{
	if (unlikely(__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) ==
		     2))
		lock_wake_one(lock);
}

/*
 * For the lock analysis: a caller of the callback holds the lock, which the
 * callback's type can't say.
 */
static inline void lock_assume(struct lock *lock) ASSUMES(lock) UNCHECKED_LOCKS
{
	(void)lock;
}

#endif
