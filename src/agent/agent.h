/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the agent say to one another.
 *
 * Theory: the agent is a program of its own, static, with the engine in it,
 * that is put into another program before that one's first instruction
 * (inject.h), and stays in its address space with a C library of its own. It
 * serves the program's system calls of io_uring, whatever the program was made
 * of: nothing of it is needed but that it executes `syscall` instructions.
 *
 *   start.c     begins, and lets the program begin
 *   guest.c     memory and stacks for the program's threads
 *   program.c     patches call sites that the program's tables show
 *   filter.c      has the kernel trap the rest: by the call's number, wherever
 *               it is made, but for the agent's own
 *   calls.c     what is done instead of each call
 *   actions.c   keeps our handlers and the signals that they need
 *   process.c  forks, and puts the agent into what is executed
 *   libc.c      where the agent's C library must do otherwise
 *
 * A call that is not served, and all that the agent itself calls, goes to the
 * kernel from the agent's own code, which the filter lets pass.
 */
#ifndef POLYRING_AGENT_AGENT_H
#define POLYRING_AGENT_AGENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/handoff.h"
#include "agent/inject.h"

/* ---- start.c ------------------------------------------------------------- */

/* For main(): returns if this is no program that the agent was put into. */
void agent_begin(void);

extern struct agent_tree agent_tree;
extern struct inject_image agent_image;

/* Does the engine serve this program? False: its calls are the kernel's. */
extern bool agent_serves;

/* ---- entry.S ------------------------------------------------------------- */

extern const char agent_trampoline[], agent_slow_begin[], agent_slow_end[];
extern const void *agent_slow;
void agent_restorer(void);
void agent_leave(uint64_t entry, uint64_t stack, uint64_t xsave_mask)
	__attribute__((noreturn));

/* Where the lanes arrive. */
long agent_from_trap(long number, long a, long b, long c, long d, long e,
		     long f);
long agent_from_patch(long number, long a, long b, long c, long d, long e,
		      long f);

/* ---- calls.c ------------------------------------------------------------- */

/* Returns what the kernel would. On the agent's stack. */
long agent_call(long number, long a, long b, long c, long d, long e, long f);

/* ---- program.c ----------------------------------------------------------- */

/* Patch the program, whose stack is as the kernel made it. */
void program_patch(const uint64_t *stack);

/* Is the program the command? It is told that there is an agent. */
bool program_is_command(const uint64_t *stack);

/* ---- filter.c ------------------------------------------------------------ */

/* Which filters there are: what the program's doings have made necessary. */
enum filters {
	FILTER_ALWAYS = 1, /* io_uring, exec, fork, signals, the end */
	FILTER_RINGS = 2, /* there are rings: what closes or polls files */
	FILTER_WATCHED = 4, /* a ring is in an epoll: waits for those */
};

/* The handler, and the place of agent_slow. 0 or -errno. */
int filter_open(void);

/* Install what is not in force in this tree yet. 0 or -errno. */
int filter_install(enum filters which);

/* ---- actions.c ----------------------------------------------------------- */

int actions_open(void (*on_sigsys)(int, siginfo_t *, void *));
void actions_pass_on(int signo, siginfo_t *info, void *ucontext);
long actions_exchange(long signo, const void *act, void *old, long bytes);
long actions_mask(long how, const void *set, void *old, long bytes);

/* Around exec: the next program inherits what this one believes blocked. */
void actions_leaving(bool is_leaving);

/* In the child of a fork. */
void actions_forked(void);

/* The calls that wait with a mask: without ours in it, in @copy. */
long actions_wait_mask(const void **mask, long bytes, uint64_t *copy);

/* ---- process.c ----------------------------------------------------------- */

long process_fork(long number, long flags, long stack, long parent_tid,
		  long child_tid, long tls);
long process_exec(const struct inject_program *program);

/* The process ends, or the program in it. */
void process_leave(void);

#endif
