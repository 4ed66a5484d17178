/* SPDX-License-Identifier: MIT */
/*
 * The patch lane: patch.c has its theory. Everything runs under the lock of
 * sites.c.
 */
#ifndef POLYRING_INTERCEPT_PATCH_H
#define POLYRING_INTERCEPT_PATCH_H

#include "intercept/functions.h"
#include "intercept/intercept.h"

/*
 * Turn the @sites of one object into calls. Sites for which that worked are
 * removed from the list, the rest stays. @code: from the lowest to the highest
 * address of the object's code.
 */
void patch_sites(const struct functions *functions, const struct code *code,
		 struct site_list *sites);

/* Is the `syscall` before @behind, in @code that is loaded, patched? */
bool patch_serves(const struct code *code, const uint8_t *behind);

/* Objects have been unloaded: free their stubs. */
void patch_reap(void);

#endif
