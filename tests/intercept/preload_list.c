// SPDX-License-Identifier: MIT
/*
 * What becomes of LD_PRELOAD on the way to a program, as a table.
 */
#include <stdio.h>
#include <string.h>

#include "base/preload.h"

#define OURS "/opt/libpolyring-preload.so"
#define ASAN "libasan.so.8"

static const struct {
	const char *name;
	bool harmed;
	const char *runtime;
	const char *before;
	const char *after;
} cases[] = {
	{"an_empty_list", false, "", NULL, OURS},
	{"what_was_there_stays", false, "", "a.so b.so", OURS ":a.so:b.so"},
	{"once_is_enough", false, "", "a.so:" OURS, OURS ":a.so"},
	{"another_copy_gives_way", false, "", "/x/libpolyring-preload.so",
	 OURS},
	{"other_names_are_others", false, "", "xlibpolyring-preload.so",
	 OURS ":xlibpolyring-preload.so"},
	{"a_runtime_goes_first", false, ASAN, "a.so", ASAN ":" OURS ":a.so"},
	{"a_runtime_of_the_users_stays_first", false, "", "/lib/" ASAN ":a.so",
	 "/lib/" ASAN ":" OURS ":a.so"},
	{"a_runtime_that_we_put_goes", false, "", ASAN ":" OURS ":a.so",
	 OURS ":a.so"},
	{"a_runtime_that_we_put_stays_once", false, ASAN, ASAN ":" OURS,
	 ASAN ":" OURS},
	{"harm_is_kept_away", true, "", "a.so:" OURS ":b.so", "a.so:b.so"},
	{"harm_leaves_nothing", true, "", OURS, ""},
	{"so_does_a_runtime_that_we_put", true, "", ASAN ":" OURS, ""},
};

int main(void)
{
	const size_t count = sizeof(cases) / sizeof(cases[0]);
	int failed = 0;

	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		struct preload_target target = {.harmed = cases[i].harmed};
		char list[256];
		bool good;

		strcpy(target.runtime, cases[i].runtime);
		preload_list(&target, cases[i].before, OURS, list,
			     PRELOAD_MORE(OURS) +
				     (cases[i].before ? strlen(cases[i].before)
						      : 0));
		good = !strcmp(list, cases[i].after);
		failed += !good;
		printf("%s %zu - %s%s%s\n", good ? "ok" : "not ok", i + 1,
		       cases[i].name, good ? "" : " # ", good ? "" : list);
	}
	return failed != 0;
}
