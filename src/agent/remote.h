/* SPDX-License-Identifier: MIT */
/*
 * Another process, stopped and traced by us: its memory, its registers, and
 * system calls that it makes for us.
 *
 * Theory: a call is made by one step over a `syscall` instruction, with the
 * call's registers. The instruction is written over the next one that the
 * process would execute; remote_close() puts back what was there. Signals wait
 * meanwhile: all are blocked, and the mask is put back too.
 * All return 0, or a result, or a negative errno.
 */
#ifndef POLYRING_AGENT_REMOTE_H
#define POLYRING_AGENT_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct remote {
	pid_t pid;
	struct user_regs_struct registers; /* as the process was found */
	uint64_t borrowed; /* the word that stood where the instruction is */
	uint64_t mask; /* of signals, as it was found */
};

int remote_open(struct remote *remote, pid_t pid);
int remote_close(struct remote *remote);

int remote_read(const struct remote *remote, uint64_t at, void *to,
		size_t bytes);
int remote_write(const struct remote *remote, uint64_t at, const void *from,
		 size_t bytes);

long remote_call(const struct remote *remote, long number, long a, long b,
		 long c, long d, long e, long f);

/* Let it go on at @rip with the stack @rsp. */
int remote_turn(const struct remote *remote, uint64_t rip, uint64_t rsp);

#endif
