/* SPDX-License-Identifier: MIT */
/*
 * Compiler attributes: branch hints, locks in signatures, and loads and stores
 * whose names state their ordering.
 *
 * Theory: memory that another thread or the application may write is never
 * accessed by a plain expression. load_* and store_* state the ordering; every
 * acquire load names, in a comment where it is called, the release it pairs
 * with.
 *
 * tools/check-locks has clang's -Wthread-safety check HOLDS, TAKES, DROPS and
 * GUARDED; for other compilers they are documentation. GUARDED is for
 * variables: in C, clang does not let a field name the lock beside it, so a
 * struct's theory says which lock guards its fields.
 */
#ifndef POLYRING_BASE_COMPILER_H
#define POLYRING_BASE_COMPILER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does this build check invariants? Option -Dchecked=true. */
#ifndef POLYRING_CHECKED
#define POLYRING_CHECKED 0
#endif

/*
 * In the checked build, and in no other, @holds must be true. For the _valid()
 * of an object, where it is entered and left.
 */
#define CHECK(holds)                   \
	do {                           \
		if (POLYRING_CHECKED)  \
			assert(holds); \
	} while (0)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))
#define PAGE_BYTES 4096u /* of x86-64 */
#define array_size(a) (sizeof(a) / sizeof((a)[0]))

/* Keeps cold code out of its caller, which then needs fewer registers. */
#define NOINLINE __attribute__((noinline))

/* For the path of every request, whatever its size. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Exported from the shared object; everything else is hidden. */
#define POLYRING_API __attribute__((visibility("default")))

#ifdef __clang__
#define LOCK_TYPE(name) __attribute__((capability(name)))
#define HOLDS(...) __attribute__((requires_capability(__VA_ARGS__)))
#define TAKES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define DROPS(...) __attribute__((release_capability(__VA_ARGS__)))
#define TRIES(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define GUARDED(lock) __attribute__((guarded_by(lock)))
#define ASSUMES(...) __attribute__((assert_capability(__VA_ARGS__)))
#define UNCHECKED_LOCKS __attribute__((no_thread_safety_analysis))
#else
#define LOCK_TYPE(name)
#define HOLDS(...)
#define TAKES(...)
#define DROPS(...)
#define TRIES(...)
#define GUARDED(lock)
#define ASSUMES(...)
#define UNCHECKED_LOCKS
#endif

#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/*
 * Orders earlier stores before later loads, for the sleeper and for the waker.
 */
#define full_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

static inline bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Invariants that cost too much for every build are asserted in those with 1.
 */
#ifndef POLYRING_CHECKED
#define POLYRING_CHECKED 0
#endif

#endif
