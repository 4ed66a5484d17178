/* SPDX-License-Identifier: MIT */
/*
 * QUERY: what the engine supports, queried without a ring.
 *
 * Theory: the application chains queries, each a header with room for the
 * result. An unknown query gets an error as its result, and the next one is
 * read; a query that can't be read or written ends the call. The chain's length
 * has a bound, because it may be circular.
 * Locks: none.
 */
#ifndef POLYRING_API_QUERY_H
#define POLYRING_API_QUERY_H

#include <stdint.h>

/* 0, or -EINVAL, -EFAULT, -ERANGE for a chain that is too long. */
int query(void *header, uint32_t nr_args);

#endif
