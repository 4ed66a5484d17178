/* SPDX-License-Identifier: MIT */
/*
 * The entries that handle single registers: libc's syscall(), the trampoline of
 * the trap lane, and the code that the stubs of the patch lane call.
 *
 * The trampoline, theory: a trapped `syscall` instruction raised SIGSYS. The
 * handler changed two registers of the interrupted context, rip and rcx, and
 * returned; so the thread now runs here as ordinary code, outside any signal
 * handler, with the registers that it had at the instruction:
 *
 *	rax number; rdi, rsi, rdx, r10, r8, r9 arguments; rsp the program's;
 *	rcx the address after the instruction, as the instruction sets it.
 *
 * Rules, each tested in tests/intercept/registers.c:
 *  1. The 128 bytes below rsp belong to the interrupted function.
 *  2. All registers are restored but rax (the result), rcx (the address after
 *     the instruction) and r11 (the flags), as the kernel does. That includes
 *     the flags and the vector and x87 registers, which the engine's C code and
 *     libc's memcpy use.
 *  3. C code is entered with the stack aligned to 16 bytes and DF clear.
 *  4. All state is on the stack and in registers: a signal handler may
 *     interrupt this code anywhere and enter it again.
 *  5. The unwind tables are right at each instruction: debuggers, profilers.
 * It needs about 3 KiB of the program's stack, plus the engine's needs.
 */
#include "intercept/entry_parts.S"

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

	/*
	 * XRSTOR requires a header of zeros, except for the bits that XSAVE
	 * writes.
	 */
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
 * The entries of the patch lane. A stub (stub.h) calls them, so at the entry
 * there is
 *
 *	0(%rsp)		the return address into the stub
 *	8(%rsp)		the address after the site, for unwinders
 *	16(%rsp)	the red zone, then the program's stack
 *
 * and all registers are as at the site but rcx, which the stub restores. The
 * rules are the trampoline's. The differences reduce the cost:
 *  - Only the vector registers that the site's object can write are saved
 *    (patch.c), and by moves: XSAVE and XRSTOR take 160 ns.
 *  - Likewise the flags. pushf and popf take 1.5 and 3 ns and are for objects
 *    that can set DF. For other objects six flags are saved: by lahf and sahf,
 *    and OF by an addition that overflows or not. The rest of r11 is known.
 *  - io_uring_enter is called from here. The site's code does not expect errno
 *    to change, so it is saved. All other calls, and the first call, which
 *    notes that the lane is used, go through intercept_from_patch().
 */
#define FROM_STUB (16 + RED_ZONE)
#define LANE_PATCH 4


.macro patched_entry name, kind, count, flags
	.hidden \name
FUNCTION(\name)
	.cfi_startproc
	.cfi_def_cfa rsp, FROM_STUB
	.cfi_offset rip, 8 - FROM_STUB
	save_flags \flags
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
	save_vectors \kind, \count

	cmp	$426, %r11d
	jne	2f
	testb	$LANE_PATCH, counters_lanes(%rip)
	jz	2f
	mov	intercept_errno_at(%rip), %rax
	mov	%fs:(%rax), %eax
	mov	%eax, ERRNO(%rbp)
	mov	%r10, %rcx
	call	*polyring_enter@GOTPCREL(%rip)
	mov	intercept_errno_at(%rip), %rcx
	mov	ERRNO(%rbp), %edx
	mov	%edx, %fs:(%rcx)
	movslq	%eax, %rcx

1:	restore_vectors \kind, \count
	restore_flags \flags
	mov	%rcx, %rax
	mov	RDI(%rbp), %rdi
	mov	RSI(%rbp), %rsi
	mov	RDX(%rbp), %rdx
	mov	R8(%rbp), %r8
	mov	R9(%rbp), %r9
	mov	R10(%rbp), %r10
	.cfi_remember_state
	lea	FLAGS + 8(%rbp), %rsp
	.cfi_def_cfa rsp, FROM_STUB
	mov	(%rbp), %rbp
	.cfi_same_value rbp
	ret
	.cfi_restore_state

	/* intercept_from_patch(rax, rdi, rsi, rdx, r10, r8, r9) */
2:	push	%r9
	push	%r9
	mov	%r8, %r9
	mov	%r10, %r8
	mov	%rdx, %rcx
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%r11, %rdi
	call	intercept_from_patch
	add	$16, %rsp
	mov	%rax, %rcx
	jmp	1b
	.cfi_endproc
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

/*
 * long syscall(long number, ...): io_uring's three, mmap, and calls that close
 * fds go to the dispatcher, which takes the same seven arguments in the same
 * registers. All other calls are made without touching the stack, as in libc:
 * some callers clone() this way. The number has 32 bits, as for the kernel.
 */
FUNCTION(syscall)
	.cfi_startproc
	lea	-425(%rdi), %eax
	cmp	$2, %eax
	jbe	intercept_from_libc
	cmp	$11, %eax	/* close_range */
	je	intercept_from_libc
	cmp	$9, %edi	/* mmap */
	je	intercept_from_libc
	cmp	$3, %edi	/* close */
	je	intercept_from_libc
	cmp	$33, %edi	/* dup2 */
	je	intercept_from_libc
	cmp	$292, %edi	/* dup3 */
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
 * void *intercept_call_as(void *seen, void *function, void *a, void *b, void
 * *c)
 *
 * Call function(a, b, c) so that its return address is @seen, the address of a
 * `ret` instruction, which then returns to this function. The dynamic linker
 * takes dlopen()'s return address to find the caller, and searches that
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
