// SPDX-License-Identifier: MIT
#include "intercept/real.h"

#include <stdlib.h>

#include "intercept/intercept.h"

struct real_functions real_functions;

static void *real_lookup(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function) {
		intercept_say("this C library has no %s()", name);
		abort();
	}
	return function;
}

void real_resolve(void)
{
#define REAL_RESOLVE(name)                  \
	store_relaxed(&real_functions.name, \
		      (__typeof__(&name))real_lookup(#name));
	REAL_FUNCTIONS(REAL_RESOLVE)
#undef REAL_RESOLVE
}
