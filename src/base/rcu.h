/* SPDX-License-Identifier: MIT */
/*
 * RCU: liburcu's bulletproof flavour, which needs no registration of threads
 * and so can be used in a program that does not know about it.
 *
 * Theory: pointers are published and fetched with the compiler's own atomics,
 * which thread sanitizer understands. It cannot see the grace period, so that
 * is modelled by a release at the end of each reader and an acquire after
 * synchronize_rcu().
 */
#ifndef POLYRING_BASE_RCU_H
#define POLYRING_BASE_RCU_H

#include <urcu-bp.h>

#include "base/compiler.h"
#include "base/tsan.h"

extern char rcu_grace_period;
#define RCU_TELL_RELEASE() TSAN_RELEASE(&rcu_grace_period)
#define RCU_TELL_ACQUIRE() TSAN_ACQUIRE(&rcu_grace_period)

static inline void rcu_enter(void)
{
	urcu_bp_read_lock();
}

static inline void rcu_leave(void)
{
	RCU_TELL_RELEASE();
	urcu_bp_read_unlock();
}

/*
 * Wait until every reader that might use an unpublished pointer has finished.
 */
static inline void rcu_wait_for_readers(void)
{
	urcu_bp_synchronize_rcu();
	RCU_TELL_ACQUIRE();
}

/* A reader's fetch pairs with the writer's publish. */
#define rcu_fetch(p) load_acquire(p)
#define rcu_publish(p, v) store_release(p, v)

#endif
