// SPDX-License-Identifier: MIT
/*
 * The version of the library, for programs that were compiled with the headers
 * of another. No locks.
 */
#include "base/compiler.h"
#include "polyring/polyring.h"

POLYRING_API const char *polyring_version(void)
{
	return POLYRING_VERSION;
}
