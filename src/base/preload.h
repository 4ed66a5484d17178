/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic linker will make of LD_PRELOAD in a program.
 *
 * Theory: whether a library can be preloaded is seen in the file before the
 * program starts. Four kinds of programs cannot be served:
 *
 *   static      no dynamic linker (PT_INTERP) takes part;
 *   privileged  setuid, setgid, file capabilities: LD_PRELOAD is ignored;
 *   musl        its dynamic linker does load the library, finds nothing of
 *               glibc's that it needs, and ends the program;
 *   foreign     another architecture: the dynamic linker prints an error.
 *
 * From the last two the library must be kept away, or they come to harm. A
 * fifth kind can be served: a program with AddressSanitizer's runtime as a
 * shared library ends if another library stands before the runtime, so the
 * runtime goes to the front.
 *
 * A script is its interpreter. What an interpreter starts is looked at when
 * it is started.
 *
 * Used by the command and, between vfork() and exec, by the preload library:
 * nothing is allocated, nothing of the process is changed, errno included.
 */
#ifndef POLYRING_BASE_PRELOAD_H
#define POLYRING_BASE_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>

#define PRELOAD_NAME "libpolyring-preload.so"
#define PRELOAD_RUNTIME_BYTES 64

struct preload_target {
	const char *why; /* NULL: it is served. Else why not */
	bool harmed; /* by a library of ours in LD_PRELOAD */
	char runtime[PRELOAD_RUNTIME_BYTES]; /* goes first; "": none */
};

/* A file that cannot be read counts as served: exec will know better. */
void preload_look(const char *path, struct preload_target *target);

/*
 * The value of LD_PRELOAD for @target: @before (NULL: none), with @ours at its
 * place or, where it would do harm, without. Returns its length; it is cut off
 * at @room. PRELOAD_MORE(ours) bytes more than @before has are always enough.
 */
size_t preload_list(const struct preload_target *target, const char *before,
		    const char *ours, char *to, size_t room);

#define PRELOAD_MORE(ours) (strlen(ours) + PRELOAD_RUNTIME_BYTES + 4)

/* Does a word of @list, which colons and blanks separate, name our library? */
bool preload_named(const char *list);

#endif
