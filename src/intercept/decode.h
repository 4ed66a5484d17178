/* SPDX-License-Identifier: MIT */
/*
 * The length of an x86-64 instruction, and the properties that matter for
 * moving it.
 *
 * Theory: a table of letters for each of the two opcode maps says which of
 * ModRM, immediate and displacement follow an opcode; prefixes come before, VEX
 * and EVEX have rules of their own. What instructions do is not decoded, except
 * branches, system calls, and writes to registers that most instructions leave
 * alone. These are not exact but err on the safe side: a general register above
 * r7 next to a vector register counts as a vector register too.
 *
 * For an encoding that is not in the tables (AMD's XOP, APX, opcodes that
 * 64-bit mode refuses) the result is 0, and the caller does not change the
 * code.
 *
 * Cost: some 15 ns an instruction.
 */
#ifndef POLYRING_INTERCEPT_DECODE_H
#define POLYRING_INTERCEPT_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum {
	INSN_BRANCH = 1 << 0, /* to .target; also a call */
	INSN_RIP = 1 << 1, /* an operand is relative to the instruction */
	INSN_CALL = 1 << 2, /* also an indirect one */
	/* jmp to an address in a register or memory */
	INSN_JUMP_ANYWHERE = 1 << 3,
	INSN_RET = 1 << 4,
	INSN_SYSCALL = 1 << 5,
	INSN_ODD = 1 << 6, /* interrupts and the like: must not be moved */
};

/*
 * Registers beyond xmm0 to xmm7 and the status flags that an instruction may
 * write.
 */
enum {
	INSN_HIGH = 1 << 0, /* xmm8 to xmm15 */
	INSN_AVX = 1 << 1, /* VEX: of these, the upper halves */
	INSN_AVX512 = 1 << 2, /* EVEX: all others */
	INSN_DF = 1 << 3, /* and all other flags, e.g. by popf */
	INSN_VECTORS = INSN_HIGH | INSN_AVX | INSN_AVX512,
	INSN_ALL = INSN_VECTORS | INSN_DF,
};

struct insn {
	uint8_t length; /* bytes, 1 to 15 */
	uint8_t flags;
	uint8_t reaches;
	const uint8_t *target; /* with INSN_BRANCH */
};

/* Decode the instruction at @at, before @end. Returns its length, or 0. */
int decode_insn(const uint8_t *at, const uint8_t *end, struct insn *insn);

#endif
