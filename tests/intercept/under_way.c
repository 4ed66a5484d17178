// SPDX-License-Identifier: MIT
/*
 * Code that threads are running through becomes patched. The module's threads
 * call in a loop from its constructor on, that is before dlopen() returns and
 * the library can scan it. The first calls reach the kernel, all calls after
 * dlopen() the engine, and none anything else. Run under `polyring deny`.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "under_way.h"

#define ROUNDS 60

static int passed, failed;

static void check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	passed += good;
	failed += !good;
}

static int one_round(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);
	struct under_way *way;
	long wrong;

	if (!handle) {
		printf("# %s\n", dlerror());
		return 0;
	}
	way = dlsym(handle, "under_way");
	wrong = way->stop();
	if (wrong)
		printf("# %ld wrong answers, the last %ld\n", wrong,
		       way->answer);
	dlclose(handle);
	return wrong == 0;
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : ".";
	char path[4096];
	int good = 1;

	snprintf(path, sizeof(path), "%s/libunder_way_module.so", directory);
	for (int i = 0; i < ROUNDS && good; i++)
		good = one_round(path);
	check("threads_run_through_a_site_that_is_being_patched", good);
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed,
	       failed);
	return failed != 0;
}
