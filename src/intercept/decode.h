/* SPDX-License-Identifier: MIT */
/*
 * How long an x86-64 instruction is, and what matters to one who moves it.
 *
 * Theory: a table of letters for each of the two opcode maps says which of
 * ModRM, immediate and displacement follow an opcode; prefixes come before,
 * VEX and EVEX have rules of their own. Nothing is known of what instructions
 * do, but for branches, system calls, and which registers they may write that
 * others leave alone. There we are not exact, but err on one side: a general
 * register above r7 beside a vector register counts as one, too.
 *
 * An encoding that is not in the tables (AMD's XOP, APX, what the 64-bit mode
 * refuses) is not guessed at: the answer is 0, and whoever asked leaves the
 * code alone.
 *
 * Cost: some 15 ns an instruction.
 */
#ifndef POLYRING_INTERCEPT_DECODE_H
#define POLYRING_INTERCEPT_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum {
	INSN_BRANCH = 1 << 0, /* to .target; also a call */
	INSN_RIP = 1 << 1, /* an operand counts from the instruction */
	INSN_CALL = 1 << 2, /* also an indirect one */
	INSN_JUMP_ANYWHERE = 1 << 3, /* jmp to what a register or memory says */
	INSN_RET = 1 << 4,
	INSN_SYSCALL = 1 << 5,
	INSN_ODD = 1 << 6, /* interrupts and the like: not to be moved */
};

/* What an instruction may reach beyond xmm0 to xmm7 and the status flags. */
enum {
	INSN_HIGH = 1 << 0, /* xmm8 to xmm15 */
	INSN_AVX = 1 << 1, /* VEX: of these, the upper halves */
	INSN_AVX512 = 1 << 2, /* EVEX: what else there is */
	INSN_DF = 1 << 3, /* and all other flags: by popf, say */
	INSN_VECTORS = INSN_HIGH | INSN_AVX | INSN_AVX512,
	INSN_ALL = INSN_VECTORS | INSN_DF,
};

struct insn {
	uint8_t length; /* bytes, 1 to 15 */
	uint8_t flags;
	uint8_t reaches;
	const uint8_t *target; /* with INSN_BRANCH */
};

/* Decode what stands at @at, before @end. Its length, or 0. */
int decode_insn(const uint8_t *at, const uint8_t *end, struct insn *insn);

#endif
