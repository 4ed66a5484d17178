/* SPDX-License-Identifier: MIT */
/*
 * Threads of the program, as the agent sees them.
 *
 * Theory: the agent's C library finds a thread's own memory through GS, the
 * program's through FS, so that each has its own and neither is switched when
 * a thread goes from one to the other (tools/thread-by-gs makes it so). A
 * thread of the program that comes to the agent for the first time adopts the
 * memory and the stack of a spare: a thread of the agent's that was made by its
 * C library, has ended for the kernel and has never ended for the library.
 *
 * A new thread begins with the GS of the thread that made it, and an FS of its
 * own. So the guest of a thread is the one that GS leads to if that one notes
 * this thread's FS; else the thread is new. A guest whose thread has ended is
 * adopted again.
 *
 * There is always a spare, or a thread that makes one: who takes the last
 * makes the next.
 *
 * Rules:
 *  1. What runs before a thread has its guest must not use thread-local
 *     memory: it is another thread's.
 *  2. The struct is first looked at by entry.S: offsets are asserted there.
 *
 * Not served: a program that uses GS itself.
 * Cost: reading FS takes 2 ns, or a system call on kernels without FSGSBASE
 * where the processor refuses the instruction.
 */
#ifndef POLYRING_AGENT_GUEST_H
#define POLYRING_AGENT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the trampoline finds on its stack. */
struct trapped {
	uint64_t rip; /* where the program goes on */
	uint64_t was_inside;
	uint64_t rsp; /* the program's */
};

struct guest {
	uint32_t inside; /* the thread is on the agent's stack */
	uint32_t is_new; /* adopted since the agent's code ran for it */
	uint64_t fs; /* the program's, at the last look */
	uint64_t gs;
	uint64_t stack_high; /* what the agent runs on */
	struct trapped *trapped; /* the last trapped call; being made */
	uint64_t believed; /* signals the program takes to be blocked */
	pid_t tid; /* 0: a spare */
	struct guest *next; /* among all */
	struct guest *next_spare;
};

#define GUEST_INSIDE 0
#define GUEST_FS 8
#define GUEST_STACK_HIGH 24

_Static_assert(offsetof(struct guest, inside) == GUEST_INSIDE &&
		       offsetof(struct guest, fs) == GUEST_FS &&
		       offsetof(struct guest, stack_high) == GUEST_STACK_HIGH,
	       "entry.S counts on it");

/* The calling thread's, once it has one. */
extern __thread struct guest guest_here;

/* The first thread's, whose stack ends at @high; and a spare. 0 or -errno. */
int guest_open(uint64_t high);

/* The calling thread's; adopts one if need be. With all signals blocked. */
struct guest *guest_current(void);

/* On the agent's stack, before anything else: what a new guest needs. */
void guest_settle(void);

/* In the child of a fork. */
void guest_forked(void);

/* Can a thread's bases be read without a system call? */
bool guest_reads_bases(void);

#endif
