/* SPDX-License-Identifier: MIT */
/*
 * Static trace points, which gdb, perf and bpftrace find in the file.
 *
 * Theory: a trace point is an address and, for this address, the place of each
 * argument. PROBE() writes both to a note of the kind that systemtap's
 * <sys/sdt.h> makes (owner stapsdt, type 3; systemtap's wiki describes it),
 * in a section that is not loaded. That header puts a nop at the address; this
 * one does not, because a breakpoint can be at any instruction. So a point
 * costs nothing, if its arguments are fields, or variables that are needed
 * later anyway.
 *
 * Arguments are integers of 4 or 8 bytes, or unsigned ones of fewer. No locks.
 */
#ifndef POLYRING_BASE_PROBE_H
#define POLYRING_BASE_PROBE_H

#include <stdint.h>

/* Negative: signed. */
#define PROBE_SIZE(x) \
	_Generic((x), int32_t : -4, int64_t : -8, default : (int)sizeof(x))

#define PROBE_ASM(name, arguments)                                             \
	"990:\n"                                                               \
	".pushsection .note.stapsdt,\"?\",\"note\"\n"                          \
	".balign 4\n"                                                          \
	".4byte 992f-991f, 994f-993f, 3\n"                                     \
	"991: .asciz \"stapsdt\"\n"                                            \
	"992: .balign 4\n"                                                     \
	"993: .8byte 990b\n"                                                   \
	".8byte _.stapsdt.base\n"                                              \
	".8byte 0\n" /* no semaphore */                                        \
	".asciz \"polyring\"\n"                                                \
	".asciz \"" #name "\"\n"                                               \
	".asciz \"" arguments "\"\n"                                           \
	"994: .balign 4\n"                                                     \
	".popsection\n" /* Tools compare its address with the one in the note. \
			 */                                                    \
	".ifndef _.stapsdt.base\n"                                             \
	".pushsection .stapsdt.base,\"aG\",\"progbits\","                      \
	".stapsdt.base,comdat\n"                                               \
	".weak _.stapsdt.base\n"                                               \
	".hidden _.stapsdt.base\n"                                             \
	"_.stapsdt.base: .space 1\n"                                           \
	".size _.stapsdt.base, 1\n"                                            \
	".popsection\n"                                                        \
	".endif\n"

/* Argument @n. */
#define PROBE_ARG(n, x) [s##n] "n"(PROBE_SIZE(x)), [a##n] "nor"(x)

/* The same for a field, which is not loaded for this. */
#define PROBE_FIELD(n, x) [s##n] "n"(PROBE_SIZE(x)), [a##n] "m"(x)

#define PROBE_AT(n) "%c[s" #n "]@%[a" #n "]"

/* The arguments are made by these two. */
#define PROBE2(name, a, b) \
	__asm__ volatile(PROBE_ASM(name, PROBE_AT(1) " " PROBE_AT(2)) : : a, b)

#define PROBE3(name, a, b, c)                                                \
	__asm__ volatile(                                                    \
		PROBE_ASM(name, PROBE_AT(1) " " PROBE_AT(2) " " PROBE_AT(3)) \
		:                                                            \
		: a, b, c)

#define PROBE4(name, a, b, c, d)                                          \
	__asm__ volatile(                                                 \
		PROBE_ASM(name, PROBE_AT(1) " " PROBE_AT(2) " " PROBE_AT( \
					3) " " PROBE_AT(4))               \
		:                                                         \
		: a, b, c, d)

#endif
