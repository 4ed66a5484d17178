// SPDX-License-Identifier: MIT
/* Lengths and kinds of instructions that stand for their families. */
#include "intercept/decode.h"

#include "tap.h"

static const struct {
	const char *name;
	uint8_t bytes[16];
	int length;
	unsigned int flags, vectors;
} rows[] = {
	{"mov $imm,%eax", {0xb8, 1, 1, 0, 0}, 5, 0, 0},
	{"mov $imm,%ax", {0x66, 0xb8, 1, 1}, 4, 0, 0},
	{"movabs $imm,%rax", {0x48, 0xb8}, 10, 0, 0},
	{"movabs addr,%al", {0xa0}, 9, 0, 0},
	{"syscall", {0x0f, 0x05}, 2, INSN_SYSCALL, 0},
	{"mov %r12d,%eax", {0x44, 0x89, 0xe0}, 3, 0, 0},
	{"mov 8(%rsp),%eax", {0x8b, 0x44, 0x24, 8}, 4, 0, 0},
	{"mov 256(%rbx),%eax", {0x8b, 0x83, 0, 1}, 6, 0, 0},
	{"mov 0(,%rax,8),%eax", {0x8b, 0x04, 0xc5}, 7, 0, 0},
	{"mov 0(%rip),%eax", {0x8b, 0x05}, 6, INSN_RIP, 0},
	{"test $1,%al by f6", {0xf6, 0xc0, 1}, 3, 0, 0},
	{"not %al by f6", {0xf6, 0xd0}, 2, 0, 0},
	{"test $1,%eax by f7", {0xf7, 0xc0, 1}, 6, 0, 0},
	{"enter", {0xc8, 1, 1, 1}, 4, 0, 0},
	{"je 2", {0x74, 0x02}, 2, INSN_BRANCH, 0},
	{"je far", {0x0f, 0x84, 4}, 6, INSN_BRANCH, 0},
	{"call far", {0xe8, 4}, 5, INSN_BRANCH | INSN_CALL, 0},
	{"call __tls_get_addr, as compilers pad it",
	 {0x66, 0x66, 0x48, 0xe8, 4},
	 8,
	 INSN_BRANCH | INSN_CALL,
	 0},
	{"a branch of 16 bits, or not", {0x66, 0xe9, 4}, 0, 0, 0},
	{"call *%rax", {0xff, 0xd0}, 2, INSN_CALL, 0},
	{"jmp *%rax", {0xff, 0xe0}, 2, INSN_JUMP_ANYWHERE, 0},
	{"notrack jmp *%rax", {0x3e, 0xff, 0xe0}, 3, INSN_JUMP_ANYWHERE, 0},
	{"ret", {0xc3}, 1, INSN_RET, 0},
	{"int3", {0xcc}, 1, INSN_ODD, 0},
	{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, 0, 0},
	{"movups %xmm0,8(%rsp)", {0x0f, 0x11, 0x44, 0x24, 8}, 5, 0, 0},
	{"movaps %xmm9,%xmm1", {0x41, 0x0f, 0x28, 0xc9}, 4, 0, 0},
	{"pshufb %xmm1,%xmm0", {0x66, 0x0f, 0x38, 0x00, 0xc1}, 5, 0, 0},
	{"palignr $1", {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 1}, 6, 0, 0},
	{"movbe", {0x0f, 0x38, 0xf0, 0x07}, 4, 0, 0},
	{"vzeroupper", {0xc5, 0xf8, 0x77}, 3, 0, INSN_AVX},
	{"vpaddd %ymm", {0xc5, 0xf5, 0xfe, 0xc2}, 4, 0, INSN_AVX},
	{"vpshufd $1", {0xc5, 0xf9, 0x70, 0xc1, 1}, 5, 0, INSN_AVX},
	{"andn", {0xc4, 0xe2, 0x70, 0xf2, 0xc2}, 5, 0, INSN_AVX},
	{"vpternlogd",
	 {0x62, 0xf3, 0x75, 0x48, 0x25, 0xc2, 1},
	 7,
	 0,
	 INSN_AVX512},
	{"xsave64", {0x48, 0x0f, 0xae, 0x24, 0x24}, 5, 0, INSN_AVX512},
	{"mfence", {0x0f, 0xae, 0xf0}, 3, 0, 0},
	{"sixteen prefixes",
	 {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	  0x66, 0x66, 0x66, 0x66, 0x90},
	 0,
	 0,
	 0},
	{"32-bit code's", {0x06}, 0, 0, 0},
	{"XOP", {0x8f, 0xe8, 0x78, 0xc2, 0xec, 0x0e}, 0, 0, 0},
};

static int decodes(size_t row)
{
	uint8_t bytes[32] = {0};
	struct insn insn;
	int length;

	memcpy(bytes, rows[row].bytes, 16);
	length = insn_decode(bytes, bytes + sizeof(bytes), &insn);
	if (length != rows[row].length)
		printf("# length %d\n", length);
	if (!length || length != rows[row].length)
		return length == rows[row].length;
	return insn.flags == rows[row].flags &&
	       insn.vectors == rows[row].vectors;
}

/* One byte less than the whole is not an instruction. */
static int needs_all_its_bytes(size_t row)
{
	uint8_t bytes[32] = {0};
	struct insn insn;

	memcpy(bytes, rows[row].bytes, 16);
	for (int i = 0; i < rows[row].length; i++)
		if (insn_decode(bytes, bytes + i, &insn))
			return 0;
	return 1;
}

int main(void)
{
	static const uint8_t back[] = {0x0f, 0x05, 0xeb, 0xfc};
	struct insn insn;
	int good = 1;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(rows[i].name, decodes(i));
		good = good && needs_all_its_bytes(i);
	}
	CHECK("an_instruction_needs_all_its_bytes", good);
	CHECK("a_branch_says_where_it_goes",
	      insn_decode(back + 2, back + 4, &insn) == 2 &&
		      insn.target == back);
	return tap_end();
}
