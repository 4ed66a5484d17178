// SPDX-License-Identifier: MIT
/*
 * Where the agent's C library must do otherwise than in a program of its own.
 *
 * Theory: glibc's functions of these names are replaced when the agent is
 * linked, one of them by the linker's --wrap. They are internal and may change
 * with any release: libc_try.c finds out whether they do what is expected.
 *
 * Threads: a thread finds its own memory through GS. The kernel sets FS for a
 * new thread, so the new thread sets GS itself, first of all; its FS stays as
 * that of the program's thread which made it. Here it is FS that is set, as all
 * of the file is the command's before it is changed (image.h).
 *
 * The heap of brk() is the program's. malloc() then takes mappings.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>

/* The public form of what glibc passes. */
struct clone_args_full {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
	uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

long agent_clone(uint64_t flags, void *stack, uint64_t parent_tid,
		 uint64_t child_tid, uint64_t base, int (*run)(void *),
		 void *argument);

/*
 * The new thread finds on its stack: what to run, with which argument, its
 * base.
 */
/* clang-format off */
__asm__(".text\n"
	".hidden agent_clone\n"
	".type agent_clone, @function\n"
	"agent_clone:\n"
	"	mov 8(%rsp), %rax\n"
	"	sub $32, %rsi\n"
	"	mov %r9, (%rsi)\n"
	"	mov %rax, 8(%rsi)\n"
	"	mov %r8, 16(%rsi)\n"
	"	mov %rcx, %r10\n"
	"	mov $56, %eax\n" /* clone */
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	mov $158, %eax\n" /* arch_prctl(ARCH_SET_FS), changed to GS */
	"	mov $0x1002, %edi\n"
	"	mov 16(%rsp), %rsi\n"
	"	syscall\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	add $16, %rsp\n"
	"	call *%rax\n"
	"	mov %eax, %edi\n"
	"	mov $60, %eax\n" /* exit */
	"	syscall\n"
	".size agent_clone, . - agent_clone\n");
/* clang-format on */

int __wrap___clone_internal(const struct clone_args_full *args,
			    int (*run)(void *), void *argument)
	__attribute__((visibility("hidden")));

int __wrap___clone_internal(const struct clone_args_full *args,
			    int (*run)(void *), void *argument)
{
	const uint64_t flags =
		(args->flags & ~(uint64_t)CLONE_SETTLS) | args->exit_signal;
	const uint64_t stack = (args->stack + args->stack_size) & ~UINT64_C(63);
	long tid = agent_clone(flags, (void *)stack, args->parent_tid,
			       args->child_tid, args->tls, run, argument);

	if (tid >= 0)
		return (int)tid;
	errno = (int)-tid;
	return -1;
}

/* Not NULL: glibc's start would ask brk() for its first memory. */
void *__curbrk = (void *)1;

int __brk(void *end);
void *__sbrk(intptr_t bytes);

int __brk(void *end)
{
	(void)end;
	return -1;
}

void *__sbrk(intptr_t bytes)
{
	(void)bytes;
	return (void *)-1;
}

int brk(void *end) __attribute__((alias("__brk")));
void *sbrk(intptr_t bytes) __attribute__((alias("__sbrk")));
