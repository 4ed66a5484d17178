/* SPDX-License-Identifier: MIT */
/*
 * Strings that the application hands us.
 *
 * Theory: a path is copied when its request is prepared, because the
 * application may reuse the memory as soon as the entry is consumed. Its
 * length is measured first, so that a request carries no more than it needs;
 * the copy is ended by ourselves, whatever became of the original meanwhile.
 */
#ifndef POLYRING_IO_PATH_H
#define POLYRING_IO_PATH_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the string with its end: 1..PATH_MAX, -EFAULT, -ENAMETOOLONG. */
int path_bytes(uint64_t address);

/* Copy as many bytes and end the copy. 0 or -EFAULT. */
int path_copy(char *to, uint64_t address, size_t bytes);

#endif
