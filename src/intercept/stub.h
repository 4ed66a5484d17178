/* SPDX-License-Identifier: MIT */
/*
 * The code that a patched call site jumps to.
 *
 * Theory: a stub stands in for one stretch of code, the window, that holds one
 * `syscall`. It executes what stood before the instruction, then, by the number
 * in eax, either calls the engine or makes the system call itself, then
 *executes what stood behind it, and jumps back to the window's end:
 *
 *		instructions before
 *		is it 426, 9, ...?		without touching a flag
 *		syscall				no: clone() and others live on
 *		rcx = address behind the site	as the instruction leaves it
 *		jmp 2f
 *	1:	rcx = address behind the site
 *		step over the red zone, push rcx
 *		call the entry in entry.S	by a pointer in the stubs' page
 *		pop rcx, step back
 *	2:	instructions behind
 *		jmp the window's end
 *
 * Only rcx is free here: the program keeps all else over a system call. The
 * instructions must not be such as count from where they stand; patch.c sees
 * to that.
 */
#ifndef POLYRING_INTERCEPT_STUB_H
#define POLYRING_INTERCEPT_STUB_H

#include <stddef.h>
#include <stdint.h>

struct window {
	const uint8_t *begin; /* the jump comes here, 5 bytes */
	const uint8_t *syscall; /* 2 bytes */
	const uint8_t *end; /* the program goes on here */
};

/* No stub is longer. */
size_t stub_bytes(const struct window *window);

/*
 * Write the stub of @window to @at, which lies less than 2 GiB from it. @entry
 * is where the address of the function to call stands, as near. Returns the
 * stub's end.
 */
uint8_t *stub_write(uint8_t *at, const struct window *window,
		    const uint8_t *entry);

/* Write to @at, which will be seen at @seen, a jump of 5 bytes to @target. */
#define STUB_JUMP_BYTES 5
void stub_jump_write(uint8_t *at, const uint8_t *seen, const uint8_t *target);

#endif
