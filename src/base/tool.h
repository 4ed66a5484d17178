/* SPDX-License-Identifier: MIT */
/*
 * Does the process run under valgrind?
 *
 * Theory: valgrind recognises a sequence of instructions that do nothing on a
 * processor, and handles a request whose fields rax points to. This is its
 * published interface; the request used here asks whether valgrind is running.
 * Costs a nanosecond.
 */
#ifndef POLYRING_BASE_TOOL_H
#define POLYRING_BASE_TOOL_H

#include <stdbool.h>
#include <stdint.h>

static inline bool under_valgrind(void)
{
	const uint64_t running_on_valgrind[6] = {0x1001};
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(running_on_valgrind)
			 : "cc", "memory");
	return answer;
}

#endif
