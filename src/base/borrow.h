/* SPDX-License-Identifier: MIT */
/*
 * Memory of the application that the engine uses for longer than a call. The
 * kernel would pin its pages, and keep using them after the application has
 * unmapped them.
 *
 * Theory: of a shared mapping the engine makes a second mapping: the same
 * pages, at another address. That is impossible for a private mapping, so the
 * engine uses the application's addresses. Both are watched: when the engine's
 * own code faults there, because the page is unmapped or its file was
 * truncated, it maps an empty page and continues. It then reads zeros, and
 * nothing reads what it writes. (If the application has mapped something else
 * to its own addresses, the engine writes to that; the kernel would not.)
 *
 * An area is watched for as long as it is borrowed, at most AREAS_MAX areas at
 * a time; further areas are used unwatched.
 *
 * Locks: none; a slot is taken by one exchange. borrow_revive() runs in a
 * signal handler.
 */
#ifndef POLYRING_BASE_BORROW_H
#define POLYRING_BASE_BORROW_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Borrow complete pages that are mapped and writable. Returns the address to
 * use: a mapping of the engine's, or @address itself.
 */
void *borrow_take(void *address, size_t bytes);

/* Give it back: @at is what borrow_take() returned for @address. */
void borrow_return(void *address, void *at, size_t bytes);

/*
 * The engine's own code has faulted at @address, which is unmapped or behind
 * the end of its file. Returns true if the page was watched, and the
 * instruction may run again.
 */
bool borrow_revive(void *address, const void *ucontext);

#endif
