/* SPDX-License-Identifier: MIT */
/*
 * The parts of the runner: the list of families, transcripts, one play of one
 * scenario in a process of its own, and the comparison.
 */
#ifndef CONFORMANCE_HARNESS_H
#define CONFORMANCE_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "scenario.h"

#define TRANSCRIPT_BYTES (192u * 1024)

/* Shared between the runner and the playing process. */
struct transcript {
	uint32_t used;
	char text[TRANSCRIPT_BYTES];
};
extern struct transcript *transcript; /* the transcript that note() writes to */

/* One scenario in one mode. */
struct piece {
	const struct family *family;
	const struct scenario *scenario;
	enum mode mode;
	char name[128]; /* family.scenario/mode */
};

extern const struct family *const families[];
extern const size_t family_count;

extern const struct side kernel_side;
extern const struct side *engine_side; /* NULL when not built in */

/* Play @piece in this process; returns in it. */
void play_piece(const struct piece *piece, const struct side *on);

/* The last line of a transcript whose scenario had to be killed. */
#define KILLED "!! killed: it took too long"

/*
 * Play each of @count pieces on @on, @jobs at a time, each in its own process
 * that is killed after @seconds. texts[i] becomes the transcript, to be freed.
 * A piece that is expected to end KILLED is killed as soon as it has got there:
 * @expected is NULL, or has a transcript for each piece.
 */
void run_pieces(const struct piece *pieces, size_t count, const struct side *on,
		unsigned int jobs, unsigned int seconds, char **texts,
		char *const *expected);

/* Write the lines that differ, with some context. */
void print_difference(const char *left, const char *right,
		      const char *left_name, const char *right_name);

/*
 * Recorded transcripts: one file a family, in one directory. Those of another
 * kernel contain only what differs from a @base, which is NULL for the base.
 */
struct store;
struct store *store_open(const char *directory, const struct store *base);
void store_close(struct store *store);
/* NULL when there is none, or the scenario has changed since (see store.c). */
const char *store_get(const struct store *store, const char *name);
/* The release of the kernel that was recorded, "" when nothing is recorded. */
const char *store_kernel(const struct store *store);
/* Write the transcripts of one family. Returns 0 or a negative errno. */
int store_write(const char *directory, const struct store *base,
		const struct family *family, const struct piece *pieces,
		char *const *texts, size_t count);

/*
 * Reasons why a kernel's answers to some pieces are known to differ from ours.
 */
struct known;
struct known *known_open(const char *path);
void known_close(struct known *known);
/* The reason, or NULL. */
const char *known_reason(struct known *known, const char *name);
void known_print_unused(const struct known *known, FILE *to);

/* A known difference: a row of the table in deviations.c. */
struct deviation {
	const char *name; /* the name that scenarios have in .deviates */
	const char *what;
	const char *kernel;
	const char *polyring;
	const char *why;
	const char *unplayed; /* why no scenario plays it */
};

/* NULL when there is no row of that name. */
const struct deviation *deviation_find(const char *name);
/* Print doc/deviations.md, or compare it with a file: an exit status. */
int deviations_print(void);
int deviations_check(const char *path);

/* The rules of doc/spec.md, and which of them scenarios cite. */
struct rules;
struct rules *rules_open(const char *spec_path);
void rules_close(struct rules *rules);
/* Returns false when a name in @cited is no rule. */
bool rules_cite(struct rules *rules, const char *cited);
size_t rules_count(const struct rules *rules);
size_t rules_cited(const struct rules *rules);
void rules_print_missing(const struct rules *rules, FILE *to);

#endif
