/* SPDX-License-Identifier: MIT */
/*
 * Parts of ways in, for those of the preload library and of the agent: how
 * flags and vector registers are saved, at what price entry.S says.
 */
#define RED_ZONE 128
#define XSAVE_HEADER 512

#define FUNCTION(name)		\
	.globl name;		\
	.type name, @function;	\
	.p2align 4;		\
name:

/* What is kept, counted from rbp; below the last are the vector registers. */
#define FLAGS 8
#define RDI -8
#define RSI -16
#define RDX -24
#define R8 -32
#define R9 -40
#define R10 -48
#define ERRNO -56
#define ERRNO_ROOM 16

#define SSE 16
#define AVX 32
#define AVX512 64

#define SIX_FLAGS 0
#define ALL_FLAGS 1

/* lahf: AH is SF, ZF, AF, PF, CF and a bit that is always set. AL is OF. */
.macro save_flags which
	mov	%rax, %r11
	.if \which == ALL_FLAGS
	pushfq
	cld
	.else
	lahf
	seto	%al
	push	%rax
	.endif
.endm

/* Also r11. 1 + 127 overflows. IF, 0x200, is set in every program. */
.macro restore_flags which
	.if \which == ALL_FLAGS
	mov	FLAGS(%rbp), %r11
	push	%r11
	popfq
	.else
	mov	FLAGS(%rbp), %rax
	movzbl	%al, %r11d
	movzbl	%ah, %edx
	shl	$11, %r11d
	lea	0x200(%rdx, %r11), %r11d
	add	$127, %al
	sahf
	.endif
.endm

/* @move the first @count registers, @bytes wide, to or from the stack. */
.macro to_stack move, register, bytes, count
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.if \n < \count
	\move	%\register\n, \bytes * \n(%rsp)
	.endif
	.endr
.endm

.macro from_stack move, register, bytes, count
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.if \n < \count
	\move	\bytes * \n(%rsp), %\register\n
	.endif
	.endr
.endm

.macro save_vectors kind, count
	.if \kind == SSE
	sub	$\count * 16 + ERRNO_ROOM, %rsp
	and	$-16, %rsp
	to_stack movaps, xmm, 16, \count
	.elseif \kind == AVX
	sub	$\count * 32 + ERRNO_ROOM, %rsp
	and	$-32, %rsp
	to_stack vmovaps, ymm, 32, \count
	vzeroupper
	.else
	sub	$32 * 64 + 64 + ERRNO_ROOM, %rsp
	and	$-64, %rsp
	to_stack vmovaps, zmm, 64, 16
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovaps	%zmm\n, 64 * \n(%rsp)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	%k\n, 64 * 32 + 8 * \n(%rsp)
	.endr
	vzeroupper
	.endif
.endm

.macro restore_vectors kind, count
	.if \kind == SSE
	from_stack movaps, xmm, 16, \count
	.elseif \kind == AVX
	from_stack vmovaps, ymm, 32, \count
	.else
	from_stack vmovaps, zmm, 64, 16
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovaps	64 * \n(%rsp), %zmm\n
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	64 * 32 + 8 * \n(%rsp), %k\n
	.endr
	.endif
.endm
