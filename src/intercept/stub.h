/* SPDX-License-Identifier: MIT */
/*
 * The code that a patched call site jumps to.
 *
 * Theory: a stub replaces one stretch of code, the window, which contains one
 * `syscall`. It executes the instructions before the `syscall`; then, depending
 * on the number in eax, it either calls the engine or makes the system call
 * itself; then it executes the instructions after the `syscall`, and jumps back
 * to the window's end:
 *
 *		instructions before
 *		is it 426, 9, ...?		without changing a flag
 *		syscall				no: clone() and others must work
 *		rcx = address after the site	as the instruction sets it
 *		jmp 2f
 *	1:	rcx = address after the site
 *		skip the red zone, push rcx
 *		call the entry in entry.S	by a pointer in the stubs' page
 *		pop rcx, go back
 *	2:	instructions after
 *		jmp the window's end
 *
 * Only rcx may be used here: the program keeps all other registers over a
 * system call. The instructions must not be relative to their own address;
 * patch.c ensures that.
 */
#ifndef POLYRING_INTERCEPT_STUB_H
#define POLYRING_INTERCEPT_STUB_H

#include <stddef.h>
#include <stdint.h>

struct window {
	const uint8_t *begin; /* the jump is written here, 5 bytes */
	const uint8_t *syscall; /* 2 bytes */
	const uint8_t *end; /* the program continues here */
};

/* The most bytes that the stub of @window can have. */
size_t stub_bytes(const struct window *window);

/*
 * Write the stub of @window to @at, which is less than 2 GiB from it. @entry is
 * where the address of the function to call is, as near. Returns the stub's
 * end.
 */
uint8_t *stub_write(uint8_t *at, const struct window *window,
		    const uint8_t *entry);

/* Write to @at, which will be mapped at @seen, a jump of 5 bytes to @target. */
#define STUB_JUMP_BYTES 5
void stub_jump_write(uint8_t *at, const uint8_t *seen, const uint8_t *target);

#endif
