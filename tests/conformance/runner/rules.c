/* SPDX-License-Identifier: MIT */
/*
 * The rules of the specification, and how many of them are cited.
 *
 * Theory: doc/spec.md is the list. In sections 2 to 7 a line "| P1 |" or "- R2
 * " states a rule; no other line starts with a rule's name. A scenario that
 * cites a rule that the specification doesn't have is wrong.
 */
#include "harness.h"

#include <ctype.h>

#define RULES_MAX 128

struct rule {
	char name[8];
	bool cited;
};

struct rules {
	struct rule all[RULES_MAX];
	size_t count;
};

/* Copies the rule's name from the start of @line, if it states one. */
static bool rule_of(const char *line, char *name, size_t room)
{
	size_t length;

	if (strncmp(line, "| ", 2) && strncmp(line, "- ", 2))
		return false;
	line += 2;
	if (!isupper(line[0]) || !isdigit(line[1]))
		return false;
	length = 1 + strspn(line + 1, "0123456789");
	if (line[length] != ' ' || length >= room)
		return false;
	memcpy(name, line, length);
	name[length] = '\0';
	return true;
}

struct rules *rules_open(const char *spec_path)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	FILE *file = fopen(spec_path, "r");
	char line[1024];
	int section = 0;

	while (rules && file && fgets(line, sizeof(line), file)) {
		struct rule *rule = &rules->all[rules->count];

		sscanf(line, "## %d.", &section);
		if (section < 2 || section > 7)
			continue;
		if (rules->count < RULES_MAX &&
		    rule_of(line, rule->name, sizeof(rule->name)))
			rules->count++;
	}
	if (file)
		fclose(file);
	return rules;
}

void rules_close(struct rules *rules)
{
	free(rules);
}

static bool cite_one(struct rules *rules, const char *name)
{
	size_t i;

	for (i = 0; i < rules->count; i++) {
		if (strcmp(rules->all[i].name, name))
			continue;
		rules->all[i].cited = true;
		return true;
	}
	return false;
}

bool rules_cite(struct rules *rules, const char *cited)
{
	char words[256];
	char *save = NULL;
	char *word;

	snprintf(words, sizeof(words), "%s", cited ? cited : "");
	for (word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		if (!cite_one(rules, word))
			return false;
	return true;
}

size_t rules_count(const struct rules *rules)
{
	return rules->count;
}

size_t rules_cited(const struct rules *rules)
{
	size_t cited = 0;
	size_t i;

	for (i = 0; i < rules->count; i++)
		cited += rules->all[i].cited;
	return cited;
}

void rules_print_missing(const struct rules *rules, FILE *to)
{
	size_t i;

	for (i = 0; i < rules->count; i++)
		if (!rules->all[i].cited)
			fprintf(to, "no scenario cites %s\n",
				rules->all[i].name);
}
