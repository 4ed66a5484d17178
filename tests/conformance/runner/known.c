/* SPDX-License-Identifier: MIT */
/*
 * Known differences between an older kernel and the engine that answers as it.
 *
 * Theory: one text file beside the kernel's record. A line is a pattern for
 * names of pieces, a blank, and the reason; lines that start with '#' are
 * comments. A line that no longer excuses anything is reported, so that the
 * list stays as short as possible.
 */
#include "harness.h"

#include <fnmatch.h>

#define KNOWN_MAX 128

struct line {
	char pattern[96];
	char reason[400];
	bool used;
};

struct known {
	size_t count;
	struct line lines[KNOWN_MAX];
};

struct known *known_open(const char *path)
{
	struct known *known = calloc(1, sizeof(*known));
	FILE *file = fopen(path, "r");
	char text[512];

	if (!known)
		abort();
	while (file && fgets(text, sizeof(text), file)) {
		struct line *line = &known->lines[known->count];

		if (*text != '#' && known->count < KNOWN_MAX &&
		    sscanf(text, "%95s %399[^\n]", line->pattern,
			   line->reason) == 2)
			known->count++;
	}
	if (file)
		fclose(file);
	return known;
}

void known_close(struct known *known)
{
	free(known);
}

const char *known_reason(struct known *known, const char *name)
{
	size_t i;

	for (i = 0; i < known->count; i++) {
		if (fnmatch(known->lines[i].pattern, name, 0))
			continue;
		known->lines[i].used = true;
		return known->lines[i].reason;
	}
	return NULL;
}

void known_print_unused(const struct known *known, FILE *to)
{
	size_t i;

	for (i = 0; i < known->count; i++)
		if (!known->lines[i].used)
			fprintf(to, "no difference any more: %s\n",
				known->lines[i].pattern);
}
