// SPDX-License-Identifier: MIT
/* Lengths and kinds of instructions that stand for their families. */
#include "intercept/decode.h"

#include "tap.h"

static const struct {
	const char *name;
	uint8_t bytes[16];
	int length;
	unsigned int flags, reaches;
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
	{"movaps %xmm9,%xmm1", {0x41, 0x0f, 0x28, 0xc9}, 4, 0, INSN_HIGH},
	{"movaps %xmm1,%xmm9", {0x44, 0x0f, 0x28, 0xc9}, 4, 0, INSN_HIGH},
	{"movaps (%r9,%r9),%xmm1", {0x43, 0x0f, 0x28, 0x0c, 0x09}, 5, 0, 0},
	{"movaps (%r9),%xmm9", {0x45, 0x0f, 0x28, 0x09}, 4, 0, INSN_HIGH},
	{"movdqa %xmm8,(%rax)",
	 {0x66, 0x44, 0x0f, 0x7f, 0x00},
	 5,
	 0,
	 INSN_HIGH},
	{"psllq $1,%xmm8", {0x66, 0x41, 0x0f, 0x73, 0xf0, 1}, 6, 0, INSN_HIGH},
	{"cmpltps %xmm8,%xmm0", {0x41, 0x0f, 0xc2, 0xc0, 1}, 5, 0, INSN_HIGH},
	{"pxor %xmm15,%xmm15", {0x66, 0x45, 0x0f, 0xef, 0xff}, 5, 0, INSN_HIGH},
	{"movzbl %r9b,%r9d", {0x45, 0x0f, 0xb6, 0xc9}, 4, 0, 0},
	{"cmove %r9d,%r9d", {0x45, 0x0f, 0x44, 0xc9}, 4, 0, 0},
	{"nopl of r9", {0x45, 0x0f, 0x1f, 0xc9}, 4, 0, 0},
	{"movnti %r9,(%rax)", {0x4c, 0x0f, 0xc3, 0x08}, 4, 0, 0},
	{"pshufb %xmm1,%xmm0", {0x66, 0x0f, 0x38, 0x00, 0xc1}, 5, 0, 0},
	{"pshufb %xmm9,%xmm0",
	 {0x66, 0x41, 0x0f, 0x38, 0x00, 0xc1},
	 6,
	 0,
	 INSN_HIGH},
	{"palignr $1", {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 1}, 6, 0, 0},
	{"palignr $0x81", {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x81}, 6, 0, 0},
	{"palignr $1,%xmm9,%xmm0",
	 {0x66, 0x41, 0x0f, 0x3a, 0x0f, 0xc1, 1},
	 7,
	 0,
	 INSN_HIGH},
	{"movbe", {0x0f, 0x38, 0xf0, 0x07}, 4, 0, 0},
	{"crc32 %r9b,%r9d", {0xf2, 0x45, 0x0f, 0x38, 0xf0, 0xc9}, 6, 0, 0},
	{"vzeroupper", {0xc5, 0xf8, 0x77}, 3, 0, INSN_AVX},
	{"vpaddd %ymm", {0xc5, 0xf5, 0xfe, 0xc2}, 4, 0, INSN_AVX},
	{"vpshufd $1", {0xc5, 0xf9, 0x70, 0xc1, 1}, 5, 0, INSN_AVX},
	{"vpaddd, ymm8 is the sum",
	 {0xc5, 0x75, 0xfe, 0xc2},
	 4,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vpaddd, ymm8 is the first",
	 {0xc5, 0xbd, 0xfe, 0xc2},
	 4,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vpaddd, ymm8 is the second",
	 {0xc4, 0xc1, 0x75, 0xfe, 0xc0},
	 5,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vpaddd (%r8,%r8),%ymm1,%ymm0",
	 {0xc4, 0x81, 0x75, 0xfe, 0x04, 0x00},
	 6,
	 0,
	 INSN_AVX},
	{"vpaddd by three bytes, ymm8 is the sum",
	 {0xc4, 0x61, 0x75, 0xfe, 0xc2},
	 5,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vpaddd by three bytes, ymm8 is the first",
	 {0xc4, 0xe1, 0x3d, 0xfe, 0xc2},
	 5,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vpgatherdd %ymm1,(%rax,%ymm2),%ymm0",
	 {0xc4, 0xe2, 0x75, 0x90, 0x04, 0x10},
	 6,
	 0,
	 INSN_AVX},
	{"vpgatherdd %ymm1,(%rax,%ymm10),%ymm0",
	 {0xc4, 0xa2, 0x75, 0x90, 0x04, 0x10},
	 6,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"vblendvps %ymm3,%ymm2,%ymm1,%ymm0",
	 {0xc4, 0xe3, 0x75, 0x4a, 0xc2, 0x30},
	 6,
	 0,
	 INSN_AVX},
	{"vblendvps %ymm8,%ymm2,%ymm1,%ymm0",
	 {0xc4, 0xe3, 0x75, 0x4a, 0xc2, 0x80},
	 6,
	 0,
	 INSN_AVX | INSN_HIGH},
	{"kmovd %eax,%k1", {0xc5, 0xfb, 0x92, 0xc8}, 4, 0, INSN_VECTORS},
	{"kandw %k1,%k2,%k3", {0xc5, 0xec, 0x41, 0xd9}, 4, 0, INSN_VECTORS},
	{"kshiftlw $1,%k1,%k2",
	 {0xc4, 0xe3, 0xf9, 0x32, 0xd1, 1},
	 6,
	 0,
	 INSN_VECTORS},
	{"andn", {0xc4, 0xe2, 0x70, 0xf2, 0xc2}, 5, 0, INSN_AVX},
	{"vpternlogd",
	 {0x62, 0xf3, 0x75, 0x48, 0x25, 0xc2, 1},
	 7,
	 0,
	 INSN_VECTORS},
	{"vpaddd %xmm2,%xmm1,%xmm0, masked by k1",
	 {0x62, 0xf1, 0x75, 0x09, 0xfe, 0xc2},
	 6,
	 0,
	 INSN_VECTORS},
	{"vpaddd %xmm18,%xmm1,%xmm16",
	 {0x62, 0xa1, 0x75, 0x08, 0xfe, 0xc2},
	 6,
	 0,
	 INSN_VECTORS},
	{"popf", {0x9d}, 1, 0, INSN_DF},
	{"std", {0xfd}, 1, 0, INSN_DF},
	{"iretq", {0x48, 0xcf}, 2, INSN_ODD, INSN_DF},
	{"cld", {0xfc}, 1, 0, 0},
	{"sahf", {0x9e}, 1, 0, 0},
	{"xrstor64", {0x48, 0x0f, 0xae, 0x2c, 0x24}, 5, 0, INSN_VECTORS},
	{"xsave64", {0x48, 0x0f, 0xae, 0x24, 0x24}, 5, 0, INSN_VECTORS},
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
	length = decode_insn(bytes, bytes + sizeof(bytes), &insn);
	if (length != rows[row].length)
		printf("# length %d\n", length);
	if (!length || length != rows[row].length)
		return length == rows[row].length;
	return insn.flags == rows[row].flags &&
	       insn.reaches == rows[row].reaches;
}

/* One byte less than the whole is not an instruction. */
static int needs_all_its_bytes(size_t row)
{
	uint8_t bytes[32] = {0};
	struct insn insn;

	memcpy(bytes, rows[row].bytes, 16);
	for (int i = 0; i < rows[row].length; i++)
		if (decode_insn(bytes, bytes + i, &insn))
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
	      decode_insn(back + 2, back + 4, &insn) == 2 &&
		      insn.target == back);
	return tap_end();
}
