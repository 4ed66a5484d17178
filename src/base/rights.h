/* SPDX-License-Identifier: MIT */
/*
 * Rights of the calling thread that no system call of the engine's checks.
 *
 * Theory: most of what the kernel's io_uring asks of a thread's rights is asked
 * again by the system call that the engine makes. What it asks on its own
 * account is asked here: two questions, without state or locks, each a system
 * call.
 */
#ifndef POLYRING_BASE_RIGHTS_H
#define POLYRING_BASE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

/* Is the capability, CAP_..., effective? */
bool rights_have(unsigned int capability);

/*
 * Does RLIMIT_MEMLOCK allow so many bytes? What is locked already isn't
 * counted.
 */
bool rights_limit_allows(size_t bytes);

#endif
