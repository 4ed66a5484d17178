/* SPDX-License-Identifier: MIT */
/*
 * Which system calls may be made at a `syscall` instruction.
 *
 * Theory: if the function is known and can be decoded, all its instructions and
 * the branches between them are known. If a constant is moved to eax, and
 * nothing between that and the `syscall` writes eax or can be jumped to, the
 * number is that constant; otherwise it may be any. Bytes in the middle of an
 * instruction are no `syscall`.
 *
 * Elsewhere (Go's code, assembly without .cfi lines, code made at run time,
 * data between code) only the bytes can be examined. They look like a wrapper
 * if eax is loaded before, and after them the result is compared with -4095, or
 * the wrapper returns. Measured: of 2,000 places in Node.js, LLVM, libcrypto,
 * libIPSec_MB and gdb where the two bytes occur by chance, none does.
 */
#ifndef POLYRING_INTERCEPT_NUMBERS_H
#define POLYRING_INTERCEPT_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intercept/functions.h"

/*
 * The calls that are served or looked at, the most frequent first. The preload
 * library and the agent have a list each. A stub's short jumps reach no
 * further.
 */
#define NUMBERS_SERVED_MAX 12
extern const int32_t numbers_served[];
extern const size_t numbers_served_count;

enum numbers {
	NUMBERS_NO_SYSCALL, /* the bytes belong to another instruction */
	NUMBERS_OTHER, /* a number that is not in numbers_served */
	NUMBERS_OURS, /* a number in numbers_served, or any */
	NUMBERS_UNKNOWN, /* the function is not known */
};

enum numbers numbers_at(const struct functions *functions,
			const uint8_t *syscall);

/* Do the bytes around @syscall, inside @code, look like a wrapper? */
bool numbers_plausible(const struct code *code, const uint8_t *syscall);

#endif
