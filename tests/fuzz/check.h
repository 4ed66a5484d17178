/* SPDX-License-Identifier: MIT */
/*
 * One program on both sides: in a process of its own, shrunk, reported, kept.
 */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include "play.h"

enum verdict {
	VERDICT_SAME,
	VERDICT_DIFFERS,
	VERDICT_CRASH, /* the process that played it ended otherwise */
	VERDICT_HANG,
};

/* Shared with the process that plays. */
struct stage {
	struct program program;
	struct record left; /* the kernel's */
	struct record right; /* polyring's */
	uint64_t number; /* of the program being played, in a batch */
	uint64_t programs;
	uint64_t operations;
	uint64_t unlike; /* programs whose results differ from the record */
	uint64_t first_unlike;
	int signal; /* that ended the player */
};

/* Memory for one, shared with children; ends the process when there is none. */
struct stage *stage_open(void);

/* Does the kernel have io_uring? Otherwise only polyring plays. */
extern bool with_kernel;
void find_kernel(void);

/* Play stage->program here and now. */
bool stage_differs(struct stage *stage);
/* The same in a process of its own. */
enum verdict stage_check(struct stage *stage);
/* Remove steps and values while the verdict stays bad. */
void stage_shrink(struct stage *stage, enum verdict verdict);
/* Print the program and the first difference. */
void stage_tell(struct stage *stage, enum verdict verdict, FILE *to);
/* Print the first difference in the records of the stage. */
void stage_tell_difference(const struct stage *stage, FILE *to);
/* Store the program in @directory; the name follows from its bytes. */
void stage_keep(const struct stage *stage, enum verdict verdict,
		const char *directory);

/* Wait for @pid with a bound; 0, or the wait status; -1 when it was killed. */
int wait_bounded(int pid, struct stage *stage, unsigned int seconds);

#endif
