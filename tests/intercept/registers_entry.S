/* SPDX-License-Identifier: MIT */
/*
 * void registers_call(void): load registers_in into all registers, execute one
 * `syscall`, store all registers in registers_out. See registers.c.
 *
 * Compiled several times, so that the patch lane finds different things:
 *   WINDOW  0  nothing around the `syscall` that could be moved: it is trapped
 *           1  one long instruction before it
 *           2  several short ones before it
 *           3  short ones behind it
 *   XMMS    only so many vector registers are used, of SSE, or with AVX or
 *           AVX512 also defined of these; by default all there is
 *   SIX_FLAGS  DF is left alone, and nothing here could set it
 */
#if defined(AVX512)
#define MOVE vmovups
#define VECTOR %zmm
#define VECTOR_SIZE 64
#elif defined(AVX)
#define MOVE vmovups
#define VECTOR %ymm
#define VECTOR_SIZE 32
#else
#define MOVE movups
#define VECTOR %xmm
#define VECTOR_SIZE 16
#endif
#ifndef WINDOW
#define WINDOW 0
#endif

#define GPR(i) 8 * i
#define FLAGS 8 * 15
#define RSP 8 * 16
#define VECTORS 192

	.text
	.globl registers_call
	.type registers_call, @function
registers_call:
	.cfi_startproc
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, saved_rsp(%rip)

#ifdef XMMS
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, \
		16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.if \n < XMMS
	MOVE	registers_in + VECTORS + VECTOR_SIZE * \n(%rip), VECTOR\n
	.endif
	.endr
#else
	mov	registers_mask(%rip), %eax
	xor	%edx, %edx
	xrstor64 registers_in + VECTORS(%rip)
#endif

#ifdef SIX_FLAGS
	/* 8, which is OF, and 120 overflow. */
	mov	registers_in + FLAGS + 1(%rip), %al
	and	$8, %al
	add	$120, %al
	mov	registers_in + FLAGS(%rip), %ah
	sahf
#else
	push	registers_in + FLAGS(%rip)
	popfq
#endif
	mov	registers_in + GPR(0)(%rip), %rax
	mov	registers_in + GPR(1)(%rip), %rbx
	mov	registers_in + GPR(2)(%rip), %rcx
	mov	registers_in + GPR(3)(%rip), %rdx
	mov	registers_in + GPR(4)(%rip), %rsi
	mov	registers_in + GPR(5)(%rip), %rdi
	mov	registers_in + GPR(6)(%rip), %rbp
	mov	registers_in + GPR(7)(%rip), %r8
	mov	registers_in + GPR(8)(%rip), %r9
	mov	registers_in + GPR(9)(%rip), %r10
	mov	registers_in + GPR(10)(%rip), %r11
	mov	registers_in + GPR(11)(%rip), %r12
	mov	registers_in + GPR(12)(%rip), %r13
	mov	registers_in + GPR(13)(%rip), %r14
	mov	registers_in + GPR(14)(%rip), %r15
	mov	registers_in + RSP(%rip), %rsp
#if WINDOW == 1
	nopl	0(%rax, %rax, 1)
	nop
#elif WINDOW == 2
	mov	%rax, %rax
#endif
	syscall
	.globl registers_behind
registers_behind:
#if WINDOW == 3
	mov	%rax, %rax
#endif
	mov	%rsp, registers_out + RSP(%rip)
	mov	%rax, registers_out + GPR(0)(%rip)
	mov	%rbx, registers_out + GPR(1)(%rip)
	mov	%rcx, registers_out + GPR(2)(%rip)
	mov	%rdx, registers_out + GPR(3)(%rip)
	mov	%rsi, registers_out + GPR(4)(%rip)
	mov	%rdi, registers_out + GPR(5)(%rip)
	mov	%rbp, registers_out + GPR(6)(%rip)
	mov	%r8, registers_out + GPR(7)(%rip)
	mov	%r9, registers_out + GPR(8)(%rip)
	mov	%r10, registers_out + GPR(9)(%rip)
	mov	%r11, registers_out + GPR(10)(%rip)
	mov	%r12, registers_out + GPR(11)(%rip)
	mov	%r13, registers_out + GPR(12)(%rip)
	mov	%r14, registers_out + GPR(13)(%rip)
	mov	%r15, registers_out + GPR(14)(%rip)
	mov	saved_rsp(%rip), %rsp
	pushfq
	pop	registers_out + FLAGS(%rip)
	cld
#ifdef XMMS
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, \
		16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.if \n < XMMS
	MOVE	VECTOR\n, registers_out + VECTORS + VECTOR_SIZE * \n(%rip)
	.endif
	.endr
#else
	mov	registers_mask(%rip), %eax
	xor	%edx, %edx
	xsave64	registers_out + VECTORS(%rip)

	/* C code wants its rounding and precision back. */
	fninit
	ldmxcsr	default_mxcsr(%rip)
#endif
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.cfi_endproc
	.size	registers_call, . - registers_call

	.data
	.p2align 3
saved_rsp:
	.quad	0
default_mxcsr:
	.long	0x1f80

	.section .note.GNU-stack, "", @progbits
