/* SPDX-License-Identifier: MIT */
/*
 * What the way in (inject.c) leaves for the agent (start.c) in a new program.
 *
 * Theory: a tree is all that `polyring run` started, and what that starts in
 * turn. Filters outlive exec, so the agent of every program of a tree lies at
 * the same address, which the filter lets pass. The first program of the tree
 * chooses it at random; it is handed on from there, with what else holds for
 * the whole tree. The agent's stack, its image and this note are one mapping.
 */
#ifndef POLYRING_AGENT_HANDOFF_H
#define POLYRING_AGENT_HANDOFF_H

#include <stdint.h>

/* "POLYRING_NAME=value", each ended by a zero byte, then an empty one. */
#define SETTINGS_BYTES 2048

struct agent_tree {
	uint64_t base; /* of the agent's image; 0: not chosen yet */
	uint32_t filters; /* which are in force; see agent.h */
	uint32_t padding;
	char settings[SETTINGS_BYTES]; /* they hold where a program has none */
};

struct agent_handoff {
	uint64_t magic;
	uint64_t entry, stack; /* where the program begins, its stack pointer */
	uint64_t low, high; /* the agent's image */
	uint64_t stack_low, stack_high; /* what the agent runs on */
	uint64_t file, file_bytes; /* the agent's file, mapped for children */
	int32_t fd; /* of that file: to be closed */
	int32_t helper; /* a child of ours: to be waited for. 0: none */
	struct agent_tree tree;
};

#define HANDOFF_MAGIC UINT64_C(0x676e6972796c6f70) /* "polyring" */

/* The type of the auxiliary vector's entry that has the note's address. */
#define AT_AGENT_HANDOFF 0x70726e67

#endif
