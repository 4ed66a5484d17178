/* SPDX-License-Identifier: MIT */
/*
 * The ways in that must be exact to the register: libc's syscall(), the
 * trampoline of the trap lane, and where the stubs of the patch lane arrive.
 *
 * The trampoline, theory: a trapped `syscall` instruction raised SIGSYS. The
 * handler changed two registers of the interrupted context, rip and rcx, and
 * returned; so the thread now runs here as ordinary code, outside any signal
 * handler, with the registers that it had at the instruction:
 *
 *	rax number; rdi, rsi, rdx, r10, r8, r9 arguments; rsp the program's;
 *	rcx the address behind the instruction, as the instruction leaves it.
 *
 * Rules, each tested in tests/intercept/registers.c:
 *  1. The 128 bytes below rsp belong to the interrupted function.
 *  2. All registers come back as they were, but rax (the result), rcx (the
 *     address behind the instruction) and r11 (the flags): what the kernel
 *     does. That includes the flags and the vector and x87 registers, which
 *     the engine's C code and libc's memcpy use.
 *  3. C code is entered with the stack aligned to 16 bytes and DF clear.
 *  4. Nothing is kept outside the stack and registers: a signal handler may
 *     come in anywhere here and arrive here again.
 *  5. The unwind tables are right at each instruction: debuggers, profilers.
 * It needs about 3 KiB of the program's stack, plus what the engine uses.
 */
#define RED_ZONE 128
#define XSAVE_HEADER 512

#define FUNCTION(name)		\
	.globl name;		\
	.type name, @function;	\
	.p2align 4;		\
name:

	.text

	.hidden intercept_trampoline
FUNCTION(intercept_trampoline)
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa rsp, 0
	.cfi_register rip, rcx
	lea	-RED_ZONE(%rsp), %rsp
	.cfi_def_cfa_offset RED_ZONE
	push	%rcx
	.cfi_adjust_cfa_offset 8
	.cfi_offset rip, -RED_ZONE - 8
	pushfq
	.cfi_adjust_cfa_offset 8
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -RED_ZONE - 24
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r8
	push	%r9
	push	%r10
	cld
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

	/* intercept_from_trap(rax, rdi, rsi, rdx, r10, r8, r9) */
	push	%rcx
	push	%r9
	mov	%r8, %r9
	mov	%r10, %r8
	mov	-24(%rbp), %rcx
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%r11, %rdi
	call	intercept_from_trap
	add	$16, %rsp

	mov	%rax, %r11
	mov	trap_xsave_mask(%rip), %eax
	xor	%edx, %edx
	xrstor64 (%rsp)
	mov	%r11, %rax

	mov	-8(%rbp), %rdi
	mov	-16(%rbp), %rsi
	mov	-24(%rbp), %rdx
	mov	-32(%rbp), %r8
	mov	-40(%rbp), %r9
	mov	-48(%rbp), %r10
	mov	%rbp, %rsp
	.cfi_def_cfa_register rsp
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_same_value rbp
	mov	(%rsp), %r11
	popfq
	.cfi_adjust_cfa_offset -8
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	lea	RED_ZONE(%rsp), %rsp
	.cfi_def_cfa_offset 0
	jmp	*%rcx
	.cfi_endproc
	.size	intercept_trampoline, . - intercept_trampoline

/*
 * The entries of the patch lane. A stub (stub.h) called; so at the entry stand
 *
 *	0(%rsp)		the way back into the stub
 *	8(%rsp)		the address behind the site, for those who unwind
 *	16(%rsp)	the red zone, then the program's stack
 *
 * and all registers as at the site but rcx, which the stub restores. The rules
 * are the trampoline's. What differs is the price: flags are restored with
 * sahf and an addition that overflows or not, as popf takes 3 ns; DF, which
 * popf alone could restore together with the rest, is looked at. And only the
 * vector registers are saved that the site's object knows (patch.c).
 */
#define FROM_STUB (16 + RED_ZONE)
#define SSE 16
#define AVX 32
#define AVX512 64

/* @move each of the first 16 registers, @bytes wide, to or from the stack. */
.macro to_stack move, register, bytes
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\move	%\register\n, \bytes * \n(%rsp)
	.endr
.endm

.macro from_stack move, register, bytes
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\move	\bytes * \n(%rsp), %\register\n
	.endr
.endm

/* XSAVE and XRSTOR take 160 ns, whatever they save; SSE's moves take 2. */
.macro save_vectors kind
	.if \kind == SSE
	sub	$16 * 16, %rsp
	and	$-16, %rsp
	to_stack movaps, xmm, 16
	.elseif \kind == AVX
	sub	$16 * 32, %rsp
	and	$-32, %rsp
	to_stack vmovaps, ymm, 32
	vzeroupper
	.else
	sub	$32 * 64 + 64, %rsp
	and	$-64, %rsp
	to_stack vmovaps, zmm, 64
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovaps	%zmm\n, 64 * \n(%rsp)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	%k\n, 64 * 32 + 8 * \n(%rsp)
	.endr
	vzeroupper
	.endif
.endm

.macro restore_vectors kind
	.if \kind == SSE
	from_stack movaps, xmm, 16
	.elseif \kind == AVX
	from_stack vmovaps, ymm, 32
	.else
	from_stack vmovaps, zmm, 64
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovaps	64 * \n(%rsp), %zmm\n
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	64 * 32 + 8 * \n(%rsp), %k\n
	.endr
	.endif
.endm

.macro patched_entry name, kind
	.hidden \name
FUNCTION(\name)
	.cfi_startproc
	.cfi_def_cfa rsp, FROM_STUB
	.cfi_offset rip, 8 - FROM_STUB
	pushfq
	.cfi_adjust_cfa_offset 8
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -FROM_STUB - 16
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r8
	push	%r9
	push	%r10
	cld
	save_vectors \kind

	/* The call that is frequent has its arguments almost in place. */
	cmp	$426, %eax
	jne	3f
	mov	%r10, %rcx
	call	intercept_enter_from_patch
	jmp	4f

	/* intercept_from_patch(rax, rdi, rsi, rdx, r10, r8, r9) */
3:	push	%r9
	push	%r9
	mov	%r8, %r9
	mov	%r10, %r8
	mov	%rdx, %rcx
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%rax, %rdi
	call	intercept_from_patch
	add	$16, %rsp

4:	mov	%rax, %rdi
	restore_vectors \kind
	mov	8(%rbp), %r11
	test	$0x400, %r11d
	jnz	1f
	/* OF is bit 11 of the flags; 1 + 127 overflows. The rest by sahf. */
	mov	%r11d, %eax
	mov	%r11d, %ecx
	shl	$8, %eax
	shr	$11, %ecx
	and	$1, %ecx
	mov	%cl, %al
	add	$127, %al
	sahf
2:	mov	%rdi, %rax
	mov	-8(%rbp), %rdi
	mov	-16(%rbp), %rsi
	mov	-24(%rbp), %rdx
	mov	-32(%rbp), %r8
	mov	-40(%rbp), %r9
	mov	-48(%rbp), %r10
	mov	%rbp, %rsp
	.cfi_def_cfa_register rsp
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_same_value rbp
	lea	8(%rsp), %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_def_cfa rbp, FROM_STUB + 16
	.cfi_offset rbp, -FROM_STUB - 16
1:	push	%r11
	popfq
	jmp	2b
	.cfi_endproc
	.size	\name, . - \name
.endm

	patched_entry intercept_patched_sse, SSE
	patched_entry intercept_patched_avx, AVX
	patched_entry intercept_patched_avx512, AVX512

/*
 * long syscall(long number, ...): io_uring's three and mmap go to the
 * dispatcher, which takes the same seven words in the same places. All else
 * goes straight through without touching the stack, as libc's does: some
 * callers clone() this way. The number is 32 bits wide, to the kernel too.
 */
FUNCTION(syscall)
	.cfi_startproc
	lea	-425(%rdi), %eax
	cmp	$2, %eax
	jbe	intercept_from_libc
	cmp	$9, %edi
	je	intercept_from_libc
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	cmp	$-4095, %rax
	jae	1f
	ret
1:	neg	%eax
	push	%rax
	.cfi_adjust_cfa_offset 8
	call	__errno_location@PLT
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	mov	%ecx, (%rax)
	mov	$-1, %rax
	ret
	.cfi_endproc
	.size	syscall, . - syscall

/*
 * void *intercept_call_as(void *seen, void *function, void *a, void *b, void *c)
 *
 * Call function(a, b, c) so that its return address is @seen, the address of
 * a `ret` instruction; that one comes back here. The dynamic linker looks at
 * dlopen()'s return address to learn who calls, and searches along that
 * object's RUNPATH; see loader.c.
 */
	.hidden intercept_call_as
FUNCTION(intercept_call_as)
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	mov	%rdi, %r10
	mov	%rsi, %r11
	mov	%rdx, %rdi
	mov	%rcx, %rsi
	mov	%r8, %rdx
	lea	1f(%rip), %rax
	sub	$8, %rsp
	push	%rax
	push	%r10
	jmp	*%r11
1:	mov	%rbp, %rsp
	pop	%rbp
	.cfi_def_cfa rsp, 8
	.cfi_same_value rbp
	ret
	.cfi_endproc
	.size	intercept_call_as, . - intercept_call_as

	.section .note.GNU-stack, "", @progbits
