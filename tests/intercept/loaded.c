// SPDX-License-Identifier: MIT
/*
 * Objects with inline io_uring calls that arrive by dlopen() and dlmopen().
 * This program itself has none, so nothing is armed before. One of them is
 * found only along the RUNPATH of the object that opens it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "loaded.h"

static int passed, failed;

static void check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	passed += good;
	failed += !good;
}

static int calls_work(void *handle)
{
	loaded_call_fn call;

	if (!handle) {
		printf("# %s\n", dlerror());
		return 0;
	}
	*(void **)&call = dlsym(handle, "loaded_call");
	return call && call() == 0;
}

static void *open_by_hop(const char *directory)
{
	loaded_open_fn open_it = NULL;
	char path[4096];
	void *hop;

	snprintf(path, sizeof(path), "%s/libloaded_hop.so", directory);
	hop = dlopen(path, RTLD_NOW);
	if (hop)
		*(void **)&open_it = dlsym(hop, "loaded_open");
	return open_it ? open_it() : NULL;
}

/* How many mappings the process has. */
static int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int count = 0;

	for (int c; maps && (c = fgetc(maps)) != EOF;)
		count += c == '\n';
	if (maps)
		fclose(maps);
	return count;
}

static int comes_and_goes(const char *path, int times)
{
	while (times--) {
		void *handle = dlopen(path, RTLD_NOW);

		if (!calls_work(handle))
			return 0;
		dlclose(handle);
	}
	return 1;
}

/* The first rounds may leave mappings; further rounds may not add any. */
static void test_coming_and_going(const char *path)
{
	int good = comes_and_goes(path, 3);
	int before = mappings();

	check("an_object_that_comes_and_goes_is_served",
	      good && comes_and_goes(path, 200));
	check("and_leaves_nothing_behind", mappings() < before + 5);
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : ".";
	void *first, *other;
	char path[4096];

	snprintf(path, sizeof(path), "%s/hidden/libloaded_module.so",
		 directory);
	test_coming_and_going(path);
	check("an_object_is_found_along_its_openers_runpath",
	      (first = open_by_hop(directory)) != NULL);
	check("its_inline_calls_are_served", calls_work(first));
	other = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
	check("those_in_a_namespace_of_its_own_too", calls_work(other));
	check("an_object_that_is_not_there_is_not_found",
	      !dlopen("libpolyring-no-such.so", RTLD_NOW) && dlerror());
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed,
	       failed);
	return failed != 0;
}
