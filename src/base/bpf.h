/* SPDX-License-Identifier: MIT */
/*
 * Writing a seccomp filter, instruction by instruction.
 *
 * Theory: a filter is a short program over struct seccomp_data. It is emitted
 * into an array of the caller's, which has room for all of it. The functions
 * that emit jumps say what a jump's distance counts.
 * No locks. Cost: a store an instruction.
 */
#ifndef POLYRING_BASE_BPF_H
#define POLYRING_BASE_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_program {
	struct sock_filter *code;
	size_t length;
};

static inline void bpf_emit(struct bpf_program *p, uint16_t op, uint32_t k,
			    uint8_t yes, uint8_t no)
{
	p->code[p->length++] = (struct sock_filter)BPF_JUMP(op, k, yes, no);
}

#define LOAD(p, field)                        \
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, \
		 (uint32_t)offsetof(struct seccomp_data, field), 0, 0)
#define LOAD_HIGH(p, field)                   \
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, \
		 (uint32_t)offsetof(struct seccomp_data, field) + 4, 0, 0)
#define RETURN(p, value) bpf_emit(p, BPF_RET | BPF_K, value, 0, 0)
#define IF_EQUAL(p, k, yes, no) \
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define IF_BITS(p, k, yes, no) \
	bpf_emit(p, BPF_JMP | BPF_JSET | BPF_K, k, yes, no)
#define IF_LEAST(p, k, yes, no) \
	bpf_emit(p, BPF_JMP | BPF_JGE | BPF_K, k, yes, no)

#endif
