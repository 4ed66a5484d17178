/* SPDX-License-Identifier: MIT */
/*
 * The shapes that call sites have: long shape_NAME(long number) makes one call
 * io_uring_enter(-1, 1, 0, 0) or whatever the number says. See shapes.c.
 */
	.macro	shape name
	.p2align 4
	.globl	shape_\name
	.type	shape_\name, @function
shape_\name:
	.cfi_startproc
	mov	%edi, %ecx
	mov	$-1, %edi
	mov	$1, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	.endm

	.macro	end_shape name
	.cfi_endproc
	.size	shape_\name, . - shape_\name
	.endm

	.text

	/* The number is an immediate, directly before. */
	shape	immediate
	mov	$426, %eax
	syscall
	ret
	end_shape immediate

	/* It comes from a register. */
	shape	register
	mov	%ecx, %eax
	syscall
	ret
	end_shape register

	/* It is moved behind the way into a loop. */
	shape	loop
	mov	$2, %r8d
	mov	%ecx, %r9d
1:	mov	%r9d, %eax
	syscall
	dec	%r8d
	jnz	1b
	ret
	end_shape loop

	/* Nothing before can be moved; something behind can. */
	shape	behind_a_call
	mov	%ecx, %eax
	call	1f
	syscall
	cmp	$0, %rax
	ret
1:	ret
	end_shape behind_a_call

	/* Two, with too little between them for two jumps. */
	shape	twins
	mov	%ecx, %eax
	syscall
	mov	$426, %eax
	syscall
	ret
	end_shape twins

	/* A way leads to the instruction itself, another through the window. */
	shape	entered
	mov	%ecx, %eax
	cmp	$0, %ecx
	jge	1f
	mov	$426, %eax
1:	syscall
	jmp	2f
2:	ret
	end_shape entered

	/* Entered from another function. */
	shape	entered_from_outside
	mov	$426, %eax
	.globl	shape_hole
shape_hole:
	nop
	syscall
	jmp	1f
1:	ret
	end_shape entered_from_outside

	shape	outside
	mov	%ecx, %eax
	jmp	shape_hole
	end_shape outside

	/* The number is another's, but there are two ways to come here. */
	shape	another_number
	mov	%ecx, %eax
	cmp	$0, %ecx
	jge	1f
	mov	$39, %eax
1:	syscall
	ret
	end_shape another_number

	/* A computed jump may lead anywhere. */
	shape	computed
	mov	%ecx, %eax
	lea	1f(%rip), %r11
	jmp	*%r11
	nopl	0(%rax, %rax, 1)
1:	syscall
	ret
	end_shape computed

	/* Its table does not say that it is a function. */
	.p2align 4
	.globl	shape_unknown
shape_unknown:
	mov	%edi, %eax
	mov	$-1, %edi
	mov	$1, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	syscall
	ret

	.section .note.GNU-stack, "", @progbits
