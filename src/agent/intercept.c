// SPDX-License-Identifier: MIT
/*
 * What the parts of intercept that are linked into the agent ask of the lanes.
 *
 * Theory: in the preload library errno is the program's, and its address is
 * computed before the first site is patched. Here errno is the agent's own, and
 * a patched site does not know it. And the program has not begun when it is
 * patched: what other threads there are is the agent's.
 */
#include "intercept/intercept.h"

void intercept_find_errno(void)
{
}

bool intercept_has_one_thread(void)
{
	return true;
}
