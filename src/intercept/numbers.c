// SPDX-License-Identifier: MIT
#include "intercept/numbers.h"

#include <string.h>
#include <sys/syscall.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "intercept/decode.h"

#define SYSCALL_BYTES 2
#define BEFORE_BYTES 24

/* mov $number,%eax or %rax */
static bool loads_number(const uint8_t *at, const struct insn *insn,
			 int32_t *number)
{
	bool short_form = insn->length == 5 && at[0] == 0xb8;
	bool long_form = insn->length == 7 && !memcmp(at, "\x48\xc7\xc0", 3);

	if (!short_form && !long_form)
		return false;
	memcpy(number, at + insn->length - sizeof(*number), sizeof(*number));
	return true;
}

/* The operand that an instruction writes. */
enum writes {
	WRITES_ANY, /* not known, or rax besides */
	WRITES_NONE,
	WRITES_REG, /* ModRM.reg */
	WRITES_RM, /* ModRM.rm, if that is a register */
	WRITES_LOW, /* the opcode's low three bits */
};

static enum writes writes_of(uint8_t opcode)
{
	switch (opcode) {
	case 0x01: /* add, or, and, sub, xor: to a register or memory */
	case 0x09:
	case 0x21:
	case 0x29:
	case 0x31:
	case 0x81:
	case 0x83:
	case 0x88: /* mov */
	case 0x89:
	case 0xc6:
	case 0xc7:
		return WRITES_RM;
	case 0x03: /* the same, from memory; movsxd, mov, lea */
	case 0x0b:
	case 0x23:
	case 0x2b:
	case 0x33:
	case 0x63:
	case 0x8b:
	case 0x8d:
		return WRITES_REG;
	case 0x39: /* cmp, test, nop, jmp */
	case 0x3b:
	case 0x84:
	case 0x85:
	case 0x90:
	case 0xe9:
	case 0xeb:
		return WRITES_NONE;
	}
	if (opcode >= 0x50 && opcode <= 0x57)
		return WRITES_NONE; /* push */
	if (opcode >= 0x58 && opcode <= 0x5f)
		return WRITES_LOW; /* pop */
	if (opcode >= 0x70 && opcode <= 0x7f)
		return WRITES_NONE; /* jcc */
	return opcode >= 0xb8 && opcode <= 0xbf ? WRITES_LOW : WRITES_ANY;
}

/* May the instruction at @at write eax? In doubt, yes. */
static bool writes_eax(const uint8_t *at)
{
	uint8_t rex = (*at & 0xf0) == 0x40 ? *at++ : 0;
	bool high_reg = rex & 4, high_rm = rex & 1;

	switch (writes_of(at[0])) {
	case WRITES_NONE:
		return false;
	case WRITES_REG:
		return !(at[1] >> 3 & 7) && !high_reg;
	case WRITES_RM:
		return at[1] >> 6 == 3 && !(at[1] & 7) && !high_rm;
	case WRITES_LOW:
		return !(at[0] & 7) && !high_rm;
	case WRITES_ANY:
		break;
	}
	return true;
}

/* The value of eax at the `syscall`, as far as known. */
struct eax {
	const uint8_t *loaded; /* the instruction that set it; NULL: none */
	const uint8_t *behind; /* the end of that instruction */
	const uint8_t *floor; /* the last jump target before the `syscall` */
	int32_t number;
	bool seen, anywhere;
};

static void eax_before(struct eax *eax, const uint8_t *at,
		       const struct insn *insn)
{
	if (loads_number(at, insn, &eax->number)) {
		eax->loaded = at;
		eax->behind = at + insn->length;
	} else if (writes_eax(at)) {
		eax->loaded = NULL;
	}
}

/* False if the function can't be decoded. */
static bool eax_look(struct eax *eax, const struct code *function,
		     const uint8_t *syscall)
{
	const uint8_t *at = function->begin;
	struct insn insn;

	for (; at < function->end; at += insn.length) {
		if (!decode_insn(at, function->end, &insn))
			return false;
		if (insn.flags & INSN_JUMP_ANYWHERE)
			eax->anywhere = true;
		if (insn.flags & INSN_BRANCH && insn.target <= syscall &&
		    insn.target > eax->floor)
			eax->floor = insn.target;
		if (at < syscall)
			eax_before(eax, at, &insn);
		else if (at == syscall)
			eax->seen = insn.flags == INSN_SYSCALL;
	}
	return true;
}

static bool is_ours(int32_t number)
{
	for (size_t i = 0; i < numbers_served_count; i++)
		if (number == numbers_served[i])
			return true;
	return false;
}

enum numbers numbers_at(const struct functions *functions,
			const uint8_t *syscall)
{
	struct eax eax = {.loaded = NULL};
	struct code function;
	bool known;

	if (!functions || !functions_find(functions, syscall, &function) ||
	    !eax_look(&eax, &function, syscall))
		return NUMBERS_UNKNOWN;
	if (!eax.seen)
		return NUMBERS_NO_SYSCALL;
	known = eax.loaded && eax.floor <= eax.loaded &&
		(!eax.anywhere || eax.behind == syscall);
	return known && !is_ours(eax.number) ? NUMBERS_OTHER : NUMBERS_OURS;
}

/* ---- bytes --------------------------------------------------------------- */

/*
 * mov to eax or rax from a register, from memory, or of a number below 65,536.
 */
static bool loads_eax(const uint8_t *at)
{
	return (at[0] == 0x89 && at[1] >> 6 == 3 && !(at[1] & 7)) ||
	       (at[0] == 0x8b && !(at[1] >> 3 & 7)) ||
	       (at[0] == 0xb8 && !at[3] && !at[4]) ||
	       (at[0] == 0xc7 && at[1] == 0xc0 && !at[4] && !at[5]);
}

static bool loaded_before(const struct code *code, const uint8_t *syscall)
{
	const uint8_t *from = syscall - code->begin > BEFORE_BYTES
				      ? syscall - BEFORE_BYTES
				      : code->begin;

	/* loads_eax() reads at most 6 bytes. */
	for (; from < syscall && from + 6 <= code->end; from++)
		if (loads_eax(from))
			return true;
	return false;
}

bool numbers_plausible(const struct code *code, const uint8_t *syscall)
{
	const uint8_t *behind = syscall + SYSCALL_BYTES;
	ptrdiff_t left = code->end - behind;

	/* cmp $-4095,%rax; some compare with -4096 */
	if (left >= 6 && !memcmp(behind, "\x48\x3d", 2) &&
	    !memcmp(behind + 3, "\xf0\xff\xff", 3))
		return true;
	/* ret */
	return left >= 1 && *behind == 0xc3 && loaded_before(code, syscall);
}
