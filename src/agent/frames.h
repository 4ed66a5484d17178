/* SPDX-License-Identifier: MIT */
/*
 * Where the functions of a program are that has no index of them.
 *
 * Theory: `gcc -static` leaves out .eh_frame_hdr, by which functions are found
 * otherwise (intercept/functions.h), and no program header leads to .eh_frame.
 * But that is in memory: records that each begin with a length, the first of
 * them of the kind that describes others (CIE). The program's constant data is
 * searched for such a beginning. It counts if from there to the end all is as
 * it must be: every record of a known form, every function in the program's
 * code. What is found is sorted, and stands for the index.
 */
#ifndef POLYRING_AGENT_FRAMES_H
#define POLYRING_AGENT_FRAMES_H

#include "intercept/functions.h"

/* False: none. What is found is freed by frames_free(). */
bool frames_open(struct functions *functions, uintptr_t base,
		 const ElfW(Phdr) * segments, size_t count);
void frames_free(struct functions *functions);

#endif
