/* SPDX-License-Identifier: MIT */
/*
 * The agent's ways in and out that must be exact to the register.
 *
 * What differs from those of the preload library (intercept/entry.S, whose
 * rules hold here): the program's stacks may be too small for the engine, a
 * goroutine's is. So the work is done on the stack of the thread's guest
 * (guest.h), unless the thread is there already: then a signal handler of the
 * program's has interrupted it, and its own stack will do.
 *
 * Rules:
 *  1. A thread is inside before it is on the guest's stack, and until it has
 *     left it: a signal handler that comes between finds it inside.
 *  2. Of the program's stack no more is used than the stub's words and one.
 */
#include "intercept/entry_parts.S"

#define GUEST_INSIDE 0
#define GUEST_FS 8
#define GUEST_STACK_HIGH 24
#define HERE(field) %gs:guest_here@tpoff + field

#define WAS_INSIDE 16
#define PROGRAM_SP 24

#define LANE_PATCH 4

	.text

/*
 * A trapped call: filter.c has turned the thread here, on the guest's stack, with
 * all registers as they were at the instruction, and put on that stack
 *
 *	0(%rsp)		where the program goes on
 *	8(%rsp)		inside, as it was
 *	16(%rsp)	the program's stack pointer
 */
	.hidden agent_trampoline
FUNCTION(agent_trampoline)
	pushfq
	cld
	push	%rbp
	mov	%rsp, %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r8
	push	%r9
	push	%r10
	mov	%rax, %r11

	/* XRSTOR wants its header zero but for the bits XSAVE writes. */
	sub	trap_xsave_bytes(%rip), %rsp
	and	$-64, %rsp
	xor	%ecx, %ecx
	.irp	at, 0, 8, 16, 24, 32, 40, 48, 56
	mov	%rcx, XSAVE_HEADER + \at(%rsp)
	.endr
	mov	trap_xsave_mask(%rip), %eax
	xor	%edx, %edx
	xsave64	(%rsp)

	/* agent_from_trap(rax, rdi, rsi, rdx, r10, r8, r9) */
	push	%rcx
	push	%r9
	mov	%r8, %r9
	mov	%r10, %r8
	mov	RDX(%rbp), %rcx
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%r11, %rdi
	call	agent_from_trap
	add	$16, %rsp

	mov	%rax, %r11
	mov	trap_xsave_mask(%rip), %eax
	xor	%edx, %edx
	xrstor64 (%rsp)
	mov	%r11, %rax

	mov	RDI(%rbp), %rdi
	mov	RSI(%rbp), %rsi
	mov	RDX(%rbp), %rdx
	mov	R8(%rbp), %r8
	mov	R9(%rbp), %r9
	mov	R10(%rbp), %r10
	mov	%rbp, %rsp
	pop	%rbp
	/* As the kernel leaves them: r11 the flags, rcx where it goes on. */
	mov	(%rsp), %r11
	cmpl	$0, 16(%rsp)
	jne	1f
	popfq
	pop	%rcx
	lea	8(%rsp), %rsp
	pop	%rsp
	movl	$0, HERE(GUEST_INSIDE)
	jmp	*%rcx
1:	popfq
	pop	%rcx
	lea	8(%rsp), %rsp
	pop	%rsp
	jmp	*%rcx
	.size	agent_trampoline, . - agent_trampoline

/*
 * From a stub of the patch lane. A thread whose guest is not this one, or that
 * has none yet, makes the call at a place where it is trapped: agent_slow.
 */
.macro patched_entry name, kind, count, flags
	.hidden \name
FUNCTION(\name)
	save_flags \flags
	rdfsbase %rcx
	cmp	HERE(GUEST_FS), %rcx
	jne	4f
	mov	%rsp, %rcx
	cmpl	$0, HERE(GUEST_INSIDE)
	jne	1f
	movl	$1, HERE(GUEST_INSIDE)
	mov	HERE(GUEST_STACK_HIGH), %rsp
	push	%rcx
	push	$0
	jmp	2f
1:	and	$-16, %rsp
	push	%rcx
	push	$1
2:	push	(%rcx)
	push	%rbp
	mov	%rsp, %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r8
	push	%r9
	push	%r10
	save_vectors \kind, \count

	cmp	$426, %r11d
	jne	3f
	testb	$LANE_PATCH, counters_lanes(%rip)
	jz	3f
	mov	%r10, %rcx
	call	polyring_enter
	movslq	%eax, %rcx

2:	restore_vectors \kind, \count
	restore_flags \flags
	mov	%rcx, %rax
	mov	RDI(%rbp), %rdi
	mov	RSI(%rbp), %rsi
	mov	RDX(%rbp), %rdx
	mov	R8(%rbp), %r8
	mov	R9(%rbp), %r9
	mov	R10(%rbp), %r10
	mov	WAS_INSIDE(%rbp), %ecx
	mov	PROGRAM_SP(%rbp), %rsp
	mov	(%rbp), %rbp
	lea	8(%rsp), %rsp
	mov	%ecx, HERE(GUEST_INSIDE)
	ret

	/* agent_from_patch(rax, rdi, rsi, rdx, r10, r8, r9) */
3:	push	%r9
	push	%r9
	mov	%r8, %r9
	mov	%r10, %r8
	mov	%rdx, %rcx
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%r11, %rdi
	call	agent_from_patch
	add	$16, %rsp
	mov	%rax, %rcx
	jmp	2b

4:	push	%rbp
	mov	%rsp, %rbp
	mov	%r11, %rcx
	push	%rdx
	restore_flags \flags
	pop	%rdx
	pop	%rbp
	mov	%rcx, %rax
	lea	8(%rsp), %rsp
	jmp	*agent_slow(%rip)
	.size	\name, . - \name
.endm

	patched_entry intercept_patched_sse_8, SSE, 8, SIX_FLAGS
	patched_entry intercept_patched_sse, SSE, 16, SIX_FLAGS
	patched_entry intercept_patched_sse_flags, SSE, 16, ALL_FLAGS
	patched_entry intercept_patched_avx_8, AVX, 8, SIX_FLAGS
	patched_entry intercept_patched_avx, AVX, 16, SIX_FLAGS
	patched_entry intercept_patched_avx_flags, AVX, 16, ALL_FLAGS
	patched_entry intercept_patched_avx512, AVX512, 32, SIX_FLAGS
	patched_entry intercept_patched_avx512_flags, AVX512, 32, ALL_FLAGS

/* What agent_slow points to a copy of: the filter lets the agent's own pass. */
	.hidden agent_slow_begin, agent_slow_end
FUNCTION(agent_slow_begin)
	syscall
	ret
	.globl agent_slow_end
agent_slow_end:
	.size	agent_slow_begin, . - agent_slow_begin

	.hidden agent_restorer
FUNCTION(agent_restorer)
	mov	$15, %eax	/* rt_sigreturn */
	syscall
	.size	agent_restorer, . - agent_restorer

/*
 * agent_leave(entry, stack, mask): begin the program as the kernel would have.
 * XRSTOR loads MXCSR always; all else is in its first state where the header,
 * which follows the 512 bytes of the legacy part, is zero.
 */
	.hidden agent_leave
FUNCTION(agent_leave)
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %rax
	shr	$32, %rdx
	lea	first_state(%rip), %rdi
	xrstor64 (%rdi)
	mov	$158, %eax	/* arch_prctl(ARCH_SET_FS, 0) */
	mov	$0x1002, %edi
	xor	%esi, %esi
	syscall
	mov	%r13, %rsp
	mov	%r12, -16(%rsp)
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	pushq	$0x202
	popfq
	jmp	*-16(%rsp)
	.size	agent_leave, . - agent_leave

	.section .rodata
	.p2align 6
first_state:
	.zero	24
	.long	0x1f80
	.zero	1024

	.section .note.GNU-stack, "", @progbits
