/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic linker will do with LD_PRELOAD in a program.
 *
 * Theory: the file shows, before the program starts, whether a library can be
 * preloaded. Five kinds of programs cannot be served:
 *
 *   static      no dynamic linker (PT_INTERP) takes part;
 *   privileged  setuid, setgid, file capabilities: LD_PRELOAD is ignored;
 *   musl        its dynamic linker loads the library, does not find the symbols
 *               of glibc that it needs, and ends the program;
 *   foreign     another architecture: the dynamic linker prints an error;
 *   Go          linked to libc by cgo: the engine would run on the stacks of
 *               goroutines, a few kilobytes.
 *
 * The library must not be preloaded into the last three, which it would harm. A
 * further kind can be served: a program that uses AddressSanitizer's runtime as
 * a shared library ends if another library precedes the runtime, so the runtime
 * is put first.
 *
 * The command is static, too, and needs no service: it asks the kernel. Its
 * file has a note that says what it is.
 *
 * For a script its interpreter is checked. Programs that an interpreter starts
 * are checked when they are started.
 *
 * Used by the command and, between vfork() and exec, by the preload library:
 * this allocates nothing and changes nothing in the process, not even errno.
 */
#ifndef POLYRING_BASE_PRELOAD_H
#define POLYRING_BASE_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>

#define PRELOAD_NAME "libpolyring-preload.so"
#define PRELOAD_RUNTIME_BYTES 64

/*
 * A verb of the command that no user types: `polyring VERB FILE ARGUMENT...`
 * executes the file, its arguments from argv[0] on, with the agent in it. Where
 * the command is, this variable says.
 */
#define PRELOAD_AGENT_VERB "put-agent"
#define PRELOAD_COMMAND "POLYRING_COMMAND"

struct preload_target {
	const char *why; /* NULL: it is served. Otherwise the reason */
	bool harmed; /* our library in LD_PRELOAD would harm it */
	bool agent_serves; /* src/agent can serve it */
	bool command; /* it is `polyring` */
	char runtime[PRELOAD_RUNTIME_BYTES]; /* must be first; "": none */
};

/* A file that cannot be read counts as served: exec will report the error. */
void preload_look(const char *path, struct preload_target *target);

/*
 * The value of LD_PRELOAD for @target: @before (NULL: none), with @ours in its
 * place or, where it would do harm, without it. Returns the length; the value
 * is cut off at @room. PRELOAD_MORE(ours) bytes more than @before has are
 * always enough.
 */
size_t preload_list(const struct preload_target *target, const char *before,
		    const char *ours, char *to, size_t room);

#define PRELOAD_MORE(ours) (strlen(ours) + PRELOAD_RUNTIME_BYTES + 4)

/* The text of the note of that name among a program's; NULL: it has none. */
const char *preload_note(const char *notes, size_t bytes, const char *name);

/* By this one the command's file is known. */
#define PRELOAD_COMMANDS_NOTE "polyring"

/* Does @list, whose words colons and blanks separate, name our library? */
bool preload_named(const char *list);

#endif
