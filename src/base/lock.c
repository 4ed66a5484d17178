// SPDX-License-Identifier: MIT
#include "base/lock.h"

#include <linux/futex.h>

#include "base/sys.h"

/* A lock is usually held for no longer than a few hundred nanoseconds. */
#define SPINS_BEFORE_SLEEP 100

bool lock_try_briefly(struct lock *lock) UNCHECKED_LOCKS
{
	for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
		if (load_relaxed(&lock->word) == 0 && lock_try(lock))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

void lock_take_slow(struct lock *lock) UNCHECKED_LOCKS
{
	if (lock_try_briefly(lock))
		return;
	/* Pairs with the release in lock_drop(). */
	while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
		SYS_4(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL);
}

void lock_wake_one(struct lock *lock)
{
	SYS_3(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1);
}
