/* SPDX-License-Identifier: MIT */
/*
 * The agent's file: it is the command's own.
 *
 * Theory: the command is linked with the agent, as one static program. Started
 * by a shell it is the command, and finds a thread's memory through FS as
 * every program does; so it can be served itself. Its image as it is put into
 * other programs differs in one byte of each instruction that names FS. The
 * build notes in a table which bytes these are (tools/thread-by-gs); who puts
 * the agent somewhere reads the command's file and changes them.
 *
 * An agent in whose program the command runs must not serve it, as it asks the
 * kernel. Nor may the command put an agent into what it executes there: it gets
 * the one that is there already. A note among the program's headers leads that
 * agent to a word that tells the command.
 */
#ifndef POLYRING_AGENT_IMAGE_H
#define POLYRING_AGENT_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/inject.h"

#define IMAGE_CHANGES_MAX 3071

struct image_by_gs {
	uint32_t count;
	uint32_t offsets[IMAGE_CHANGES_MAX]; /* in the file */
};

/* The command's file, changed. 0 or -errno; it stays mapped. */
int image_open(struct inject_image *image);

/* Is there an agent in this process, which is the command's? */
bool image_under_agent(void);

/* In the agent: if the command's note is among these, tell the command. */
bool image_tell_command(const void *notes, uint64_t bytes);

#endif
