/* SPDX-License-Identifier: MIT */
/*
 * Memory that the application lends for longer than a call: the kernel would
 * pin its pages, and go on using them when the application unmaps them.
 *
 * Theory: of a shared mapping we make a second one, which is ours: the same
 * pages, at another address. Nothing but a copy can be had of a private one. So
 * it is used where it is, and watched: where the engine itself meets a hole
 * there, an empty page is put into it and the engine goes on. What it writes
 * there nobody reads, and what it reads is zeros. (A page that something else
 * was mapped to meanwhile is written to; the kernel would spare it.)
 *
 * An area is watched for as long as its loan lasts. AREAS_MAX of them at a
 * time; more are used unwatched.
 *
 * Locks: none; a slot is taken by one exchange. borrow_revive() runs in a
 * signal handler.
 */
#ifndef POLYRING_BASE_BORROW_H
#define POLYRING_BASE_BORROW_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Borrow whole pages that are there and writable. Returns where to use them:
 * a mapping of ours, or @address itself.
 */
void *borrow_take(void *address, size_t bytes);

/* End the loan: @at is what borrow_take() returned for @address. */
void borrow_return(void *address, void *at, size_t bytes);

/*
 * A fault of the engine's own code at @address: true when it was on a watched
 * page that has gone and the instruction may run again.
 */
bool borrow_revive(void *address, const void *ucontext);

#endif
