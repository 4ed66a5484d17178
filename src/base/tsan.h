/* SPDX-License-Identifier: MIT */
/*
 * Informs thread sanitizer about orderings that it cannot see: everything
 * before a release of an address happened before a later acquire of that
 * address.
 */
#ifndef POLYRING_BASE_TSAN_H
#define POLYRING_BASE_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define SEEN_BY_TSAN 1
#elif defined(__has_feature)
#define SEEN_BY_TSAN __has_feature(thread_sanitizer)
#else
#define SEEN_BY_TSAN 0
#endif

#if SEEN_BY_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define TSAN_RELEASE(addr) __tsan_release(addr)
#define TSAN_ACQUIRE(addr) __tsan_acquire(addr)
#else
#define TSAN_RELEASE(addr) ((void)(addr))
#define TSAN_ACQUIRE(addr) ((void)(addr))
#endif

#endif
