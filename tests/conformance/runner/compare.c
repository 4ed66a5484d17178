/* SPDX-License-Identifier: MIT */
/*
 * Showing where two transcripts differ.
 *
 * Theory: the longest common subsequence of lines, by the usual table.
 * Transcripts are short; lines after LINES_MAX are not shown.
 * Cost: LINES_MAX squared cells of two bytes, only when something differs.
 */
#include "harness.h"

#define LINES_MAX 600
#define CONTEXT 4

struct lines {
	size_t count;
	const char *at[LINES_MAX];
	int length[LINES_MAX];
};

static uint16_t common[LINES_MAX + 1][LINES_MAX + 1];

static void split(struct lines *lines, const char *text)
{
	lines->count = 0;
	while (*text && lines->count < LINES_MAX) {
		const char *end = strchrnul(text, '\n');

		lines->at[lines->count] = text;
		lines->length[lines->count++] = (int)(end - text);
		text = *end ? end + 1 : end;
	}
}

static bool same(const struct lines *l, size_t i, const struct lines *r,
		 size_t j)
{
	return l->length[i] == r->length[j] &&
	       !memcmp(l->at[i], r->at[j], (size_t)l->length[i]);
}

/* common[i][j]: how many lines are common from line i and line j on. */
static void measure(const struct lines *l, const struct lines *r)
{
	size_t i;
	size_t j;

	memset(common, 0, sizeof(common));
	for (i = l->count; i-- > 0;) {
		for (j = r->count; j-- > 0;) {
			uint16_t skip = common[i + 1][j];

			if (same(l, i, r, j))
				common[i][j] =
					(uint16_t)(common[i + 1][j + 1] + 1);
			else
				common[i][j] = common[i][j + 1] > skip
						       ? common[i][j + 1]
						       : skip;
		}
	}
}

static void print_line(char mark, const struct lines *lines, size_t i)
{
	printf("    %c %.*s\n", mark, lines->length[i], lines->at[i]);
}

/* Is a differing line within CONTEXT lines of (i, j)? */
static bool near_change(const struct lines *l, const struct lines *r, size_t i,
			size_t j)
{
	size_t ahead;

	for (ahead = 0; ahead <= CONTEXT; ahead++)
		if (i + ahead >= l->count || j + ahead >= r->count ||
		    !same(l, i + ahead, r, j + ahead))
			return i + ahead < l->count || j + ahead < r->count;
	return false;
}

void print_difference(const char *left, const char *right,
		      const char *left_name, const char *right_name)
{
	static struct lines l;
	static struct lines r;
	size_t after = 0;
	size_t i = 0;
	size_t j = 0;

	split(&l, left);
	split(&r, right);
	measure(&l, &r);
	printf("    - %s\n    + %s\n", left_name, right_name);
	while (i < l.count || j < r.count) {
		if (i < l.count && j < r.count && same(&l, i, &r, j)) {
			if (after || near_change(&l, &r, i, j))
				print_line(' ', &l, i);
			after -= after > 0;
			i++;
			j++;
			continue;
		}
		after = CONTEXT;
		if (j == r.count ||
		    (i < l.count && common[i + 1][j] >= common[i][j + 1]))
			print_line('-', &l, i++);
		else
			print_line('+', &r, j++);
	}
}
