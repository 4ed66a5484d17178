/* SPDX-License-Identifier: MIT */
/*
 * QUERY: what the engine knows, asked without a ring.
 *
 * Theory: the application chains questions, each a header with room for the
 * answer. A question that isn't known is answered so and the next one read;
 * what can't be read or written ends the call. The chain's length has a bound,
 * because it may be a circle.
 * Locks: none.
 */
#ifndef POLYRING_API_QUERY_H
#define POLYRING_API_QUERY_H

#include <stdint.h>

/* 0, or -EINVAL, -EFAULT, -ERANGE for a chain without end. */
int query(void *header, uint32_t nr_args);

#endif
