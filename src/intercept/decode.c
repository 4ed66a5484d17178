// SPDX-License-Identifier: MIT
#include "intercept/decode.h"

#include <stdbool.h>

#define INSN_BYTES_MAX 15

/*
 * One letter for each opcode:
 *   .  nothing follows            M  ModRM            x  not in 64-bit mode
 *   b  8 bits                     B  ModRM, 8 bits
 *   z  32 bits, 16 with 66        Z  ModRM, as z
 *   w  16 bits                    v  as z, 64 with REX.W
 *   j  8 bits from here           J  32 bits from here
 *   o  an address                 e  16 and 8 bits
 *   3  ModRM; 0 and 1 have b      4  ModRM; 0 and 1 have z
 *   S  as M, of vectors           T  as B, of vectors
 *   f  nothing follows; writes all flags, or DF
 * Prefixes, VEX, EVEX and the escapes are handled before.
 */
static const char one_byte[] = "MMMMbzxxMMMMbzxx"
			       "MMMMbzxxMMMMbzxx"
			       "MMMMbzxxMMMMbzxx"
			       "MMMMbzxxMMMMbzxx"
			       "xxxxxxxxxxxxxxxx"
			       "................"
			       "xxxMxxxxzZbB...."
			       "jjjjjjjjjjjjjjjj"
			       "BZxBMMMMMMMMMMMM"
			       "..........x..f.."
			       "oooo....bz......"
			       "bbbbbbbbvvvvvvvv"
			       "BBw.xxBZe.w..bxf"
			       "MMMMxxx.MMMMMMMM"
			       "jjjjbbbbJJxj...."
			       "x.xx..34.....fMM";

/* After 0f; 38 and 3a select two more maps, which are uniform. */
static const char two_byte[] = "MMMMx.....x.xM.B"
			       "SSSSSSSSMMMMMMMM"
			       "MMMMxxxxSSSSSSSS"
			       "......x.xxxxxxxx"
			       "MMMMMMMMMMMMMMMM"
			       "SSSSSSSSSSSSSSSS"
			       "SSSSSSSSSSSSSSSS"
			       "TTTTSSS.xxxxSSSS"
			       "JJJJJJJJJJJJJJJJ"
			       "MMMMMMMMMMMMMMMM"
			       "...MBMxx...MBMMM"
			       "MMMMMMMMMMBMMMMM"
			       "MMTMTTTM........"
			       "SSSSSSSSSSSSSSSS"
			       "SSSSSSSSSSSSSSSS"
			       "SSSSSSSSSSSSSSSS";

enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_LATER };

struct reader {
	const uint8_t *begin, *at, *end;
	bool beyond; /* the instruction continues past the end */
	bool short_operand, short_address;
	uint8_t rex; /* VEX has the same bits */
	/* the field is 8 or more, if it is a register */
	bool high_vvvv, high_immediate;
	uint8_t opcode;
	enum map map;
	struct insn *insn;
};

static uint8_t peek(struct reader *r, size_t by)
{
	if ((size_t)(r->end - r->at) > by)
		return r->at[by];
	r->beyond = true;
	return 0;
}

static void skip(struct reader *r, size_t bytes)
{
	if ((size_t)(r->end - r->at) < bytes)
		r->beyond = true;
	else
		r->at += bytes;
}

static uint8_t take(struct reader *r)
{
	uint8_t byte = peek(r, 0);

	skip(r, 1);
	return byte;
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	}
	return false;
}

/*
 * Legacy prefixes in any order, then REX, which counts only as the last prefix.
 */
static void read_prefixes(struct reader *r)
{
	for (; is_prefix(peek(r, 0)) && !r->beyond; skip(r, 1)) {
		r->short_operand = r->short_operand || *r->at == 0x66;
		r->short_address = r->short_address || *r->at == 0x67;
	}
	if (peek(r, 0) >> 4 == 4)
		r->rex = take(r);
}

/* It may be an operation on general registers; this is not examined. */
static void read_vex(struct reader *r, uint8_t first)
{
	static const enum map maps[8] = {MAP_LATER, MAP_0F,    MAP_0F38,
					 MAP_0F3A,  MAP_LATER, MAP_0F38,
					 MAP_0F38,  MAP_LATER};
	uint8_t one = (uint8_t)~take(r), two;

	r->insn->reaches = first == 0x62 ? INSN_VECTORS : INSN_AVX;
	r->rex = one >> 5 & (first == 0xc5 ? 4 : 7);
	r->map = first == 0xc5 ? MAP_0F : maps[~one & 7];
	two = first == 0xc5 ? one : (uint8_t)~take(r);
	r->high_vvvv = two & 0x40;
	skip(r, first == 0x62 ? 1 : 0);
	r->opcode = take(r);
}

static void read_opcode(struct reader *r)
{
	r->opcode = take(r);
	if (r->opcode == 0xc4 || r->opcode == 0xc5 || r->opcode == 0x62) {
		read_vex(r, r->opcode);
		return;
	}
	r->map = MAP_ONE;
	if (r->opcode != 0x0f)
		return;
	r->opcode = take(r);
	r->map = MAP_0F;
	if (r->opcode != 0x38 && r->opcode != 0x3a)
		return;
	r->map = r->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
	r->opcode = take(r);
}

static char letter_of(const struct reader *r)
{
	switch (r->map) {
	case MAP_ONE:
		return one_byte[r->opcode];
	case MAP_0F:
		return two_byte[r->opcode];
	case MAP_0F38:
		return r->opcode < 0xf0 ? 'S' : 'M';
	case MAP_0F3A:
		return 'T';
	case MAP_LATER:
		break;
	}
	return 'x';
}

static bool has_modrm(char letter)
{
	switch (letter) {
	case 'M':
	case 'B':
	case 'Z':
	case '3':
	case '4':
	case 'S':
	case 'T':
		return true;
	}
	return false;
}

/* Read ModRM, SIB and displacement. Returns ModRM. */
static uint8_t read_modrm(struct reader *r)
{
	uint8_t modrm = take(r), mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return modrm;
	if (mod == 0 && rm == 5) {
		r->insn->flags |= INSN_RIP;
		skip(r, 4);
	}
	if (rm == 4 && (take(r) & 7) == 5 && mod == 0)
		skip(r, 4);
	skip(r, mod == 1 ? 1 : mod == 2 ? 4 : 0);
	return modrm;
}

static size_t operand_bytes(const struct reader *r)
{
	return r->short_operand && !(r->rex & 8) ? 2 : 4;
}

/* The target of a branch: relative to the instruction's end. */
static void read_branch(struct reader *r, size_t bytes)
{
	int32_t far = 0;

	r->insn->flags |= INSN_BRANCH;
	if (r->short_operand && !(r->rex & 8))
		/* processors of different makers differ here */
		r->beyond = true;
	for (size_t i = 0; i < bytes; i++)
		far |= (int32_t)((uint32_t)peek(r, i) << 8 * i);
	skip(r, bytes);
	if (bytes == 1)
		far = (int8_t)far;
	r->insn->target = r->at + far;
}

/* Read what follows ModRM, by the letter. */
static void read_rest(struct reader *r, char letter, uint8_t modrm)
{
	bool group = (modrm >> 3 & 7) < 2; /* test, unlike not and neg */

	switch (letter) {
	case 'T':
		r->high_immediate = peek(r, 0) & 0x80;
		skip(r, 1);
		break;
	case 'b':
	case 'B':
		skip(r, 1);
		break;
	case 'z':
	case 'Z':
		skip(r, operand_bytes(r));
		break;
	case 'w':
		skip(r, 2);
		break;
	case 'v':
		skip(r, r->rex & 8 ? 8 : operand_bytes(r));
		break;
	case 'o':
		skip(r, r->short_address ? 4 : 8);
		break;
	case 'e':
		skip(r, 3);
		break;
	case '3':
		skip(r, group ? 1 : 0);
		break;
	case '4':
		skip(r, group ? operand_bytes(r) : 0);
		break;
	case 'j':
		read_branch(r, 1);
		break;
	case 'J':
		read_branch(r, 4);
		break;
	}
}

static uint8_t control_one(uint8_t opcode, uint8_t modrm)
{
	switch (opcode) {
	case 0xe8:
		return INSN_CALL;
	case 0xc2:
	case 0xc3:
		return INSN_RET;
	case 0xff:
		if ((modrm >> 3 & 6) == 2)
			return INSN_CALL;
		return (modrm >> 3 & 6) == 4 ? INSN_JUMP_ANYWHERE : 0;
	case 0xca:
	case 0xcb:
	case 0xcc:
	case 0xcd:
	case 0xcf:
	case 0xf1:
	case 0xf4:
		return INSN_ODD;
	}
	return 0;
}

/* fxsave, xsave and similar instructions; xsavec and xrstors. */
static bool moves_all_state(uint8_t opcode, uint8_t modrm)
{
	unsigned int member = modrm >> 3 & 7;

	if (modrm >> 6 == 3)
		return false;
	if (opcode == 0xae)
		return member != 2 && member != 3 && member != 7;
	return opcode == 0xc7 && member >= 3 && member <= 5;
}

static uint8_t control_0f(uint8_t opcode)
{
	if (opcode == 0x05)
		return INSN_SYSCALL;
	if (opcode == 0x07 || opcode == 0x0b || opcode == 0x34 ||
	    opcode == 0x35)
		return INSN_ODD;
	return 0;
}

/* Instructions on k0 to k7 that are encoded with VEX. */
static bool names_masks(const struct reader *r)
{
	if (r->map == MAP_0F)
		return r->opcode >> 4 == 4 || r->opcode >> 4 == 9;
	return r->map == MAP_0F3A && r->opcode >> 2 == 0x30 >> 2;
}

/* Gathering loads have an index in a vector register. */
static bool names_high(const struct reader *r, uint8_t modrm)
{
	bool in_register = modrm >> 6 == 3;
	bool gathers = r->map == MAP_0F38 && r->opcode >> 2 == 0x90 >> 2;

	return r->rex & 4 || (in_register && r->rex & 1) || r->high_vvvv ||
	       (gathers && r->rex & 2);
}

static uint8_t reached(const struct reader *r, char letter, uint8_t modrm)
{
	uint8_t reaches = r->insn->reaches;

	if (reaches && names_masks(r))
		return INSN_VECTORS;
	if (reaches && letter == 'T' && r->high_immediate)
		return reaches | INSN_HIGH;
	if (reaches || letter == 'S' || letter == 'T')
		return reaches | (names_high(r, modrm) ? INSN_HIGH : 0);
	if (r->map == MAP_0F && moves_all_state(r->opcode, modrm))
		return INSN_VECTORS;
	return letter == 'f' ? INSN_DF : 0;
}

int decode_insn(const uint8_t *at, const uint8_t *end, struct insn *insn)
{
	struct reader r = {.begin = at, .at = at, .end = end, .insn = insn};
	uint8_t modrm = 0;
	char letter;

	*insn = (struct insn){0};
	if (end - at > INSN_BYTES_MAX)
		r.end = at + INSN_BYTES_MAX;
	read_prefixes(&r);
	read_opcode(&r);
	letter = letter_of(&r);
	if (letter == 'x')
		return 0;
	if (has_modrm(letter))
		modrm = read_modrm(&r);
	if (r.map == MAP_ONE && r.opcode == 0x8f && modrm >> 3 & 7)
		return 0; /* XOP */
	read_rest(&r, letter, modrm);
	if (r.beyond)
		return 0;
	if (r.map == MAP_ONE)
		insn->flags |= control_one(r.opcode, modrm);
	if (r.map == MAP_0F && !insn->reaches)
		insn->flags |= control_0f(r.opcode);
	insn->reaches = reached(&r, letter, modrm);
	insn->length = (uint8_t)(r.at - at);
	return insn->length;
}
