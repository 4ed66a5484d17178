/* SPDX-License-Identifier: MIT */
/*
 * Strings from the application.
 *
 * Theory: a path is copied when its request is prepared, because the
 * application may reuse the memory as soon as the entry is consumed. Its length
 * is measured first, so that a request is no larger than needed. The copy is
 * terminated here, because the original may have changed since.
 */
#ifndef POLYRING_IO_PATH_H
#define POLYRING_IO_PATH_H

#include <stddef.h>
#include <stdint.h>

/*
 * The length of the string with its end: 1..PATH_MAX, -EFAULT, -ENAMETOOLONG.
 */
int path_bytes(uint64_t address);

/* Copy @bytes and terminate the copy. 0 or -EFAULT. */
int path_copy(char *to, uint64_t address, size_t bytes);

#endif
