/* SPDX-License-Identifier: MIT */
/*
 * execve() of a program that begins with the agent in it.
 *
 * Theory: the process that executes makes a helper, by a clone() that leaves
 * no child to be seen (no signal at its end, and the agent waits for it before
 * the program's first instruction). The helper traces its parent, which then
 * executes the program itself: pid, parent and /proc/self/exe are what they
 * would have been. When the kernel reports that the new program is there the
 * helper
 *
 *  1. steps once, as the kernel has yet to write execve's result into rax;
 *  2. borrows two bytes at the program's entry for a `syscall` instruction,
 *     and lets the program map the agent's file with it (remote.c);
 *  3. gives the agent a stack, with arguments and an auxiliary vector like
 *     those the kernel gives, and the note of handoff.h;
 *  4. turns the program towards the agent's entry, and goes.
 *
 * The program runs on as the agent, which ends by jumping to the program's
 * entry with the stack that the kernel made (start.c).
 *
 * Used by the command and by the agent, there also in a child that shares its
 * parent's memory: nothing is allocated, nothing of the process is changed but
 * the mask of signals, for a moment. The agent's file is a memfd, so it need
 * not be there in the program's root.
 *
 * Whoever may not trace (Yama, seccomp, a program that is traced already) is
 * told so before the program has begun.
 */
#ifndef POLYRING_AGENT_INJECT_H
#define POLYRING_AGENT_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/handoff.h"

struct inject_program {
	int dir; /* as execveat() has it: AT_FDCWD, "path", 0 for execve() */
	const char *path;
	char *const *argv;
	char *const *environment;
	int flags;
};

struct inject_image {
	const void *file; /* the agent's, in memory */
	size_t bytes;
};

/*
 * Returns only if the program did not begin: a negative errno of the exec, or
 * -ENOTSUP if the process can't be traced. @leaving, if any, is called right
 * before the exec and with false when it has failed.
 */
int inject_exec(const struct inject_program *program,
		const struct inject_image *image, const struct agent_tree *tree,
		void (*leaving)(bool is_leaving));

#endif
