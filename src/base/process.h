/* SPDX-License-Identifier: MIT */
/*
 * Noticing that this process is a child of the one that the memory was made in.
 *
 * Theory: pthread_atfork() tells of libc's fork() only. A child of a bare fork
 * or clone call has a copy of all memory and none of the threads, and nothing
 * is called in it. So one page is given to the kernel to empty in every copy
 * (MADV_WIPEONFORK), and each call looks whether its word is still there.
 *
 * A child that shares the memory (vfork, CLONE_VM) shares the page, too: it
 * differs by its process id alone.
 * No locks. Cost: a load and a branch a call.
 */
#ifndef POLYRING_BASE_PROCESS_H
#define POLYRING_BASE_PROCESS_H

#include "base/compiler.h"

extern uint32_t process_page[];

/* At start, and when a child has been dealt with: this is the process now. */
void process_begin(void);

/* False in a child that nobody was told of. */
static inline bool process_is_known(void)
{
	return load_relaxed(&process_page[0]);
}

/* Does this process share the memory with the one that began, and is another?
 */
bool process_is_guest(void);

/*
 * In such a child, or in one that nobody was told of: are the open files those
 * of the process that began?
 */
bool process_shares_files(void);

/* What to do in a child that nobody was told of. Ends with process_begin(). */
extern void (*process_in_child)(void);

#endif
