/* SPDX-License-Identifier: MIT */
/*
 * Memory for the engine's own objects.
 *
 * Theory: every allocation can fail and every caller says what then happens,
 * so there is one function to ask and one pointer a test replaces to refuse.
 * Memory comes zeroed: an object is valid from its first moment.
 */
#ifndef POLYRING_BASE_MEM_H
#define POLYRING_BASE_MEM_H

#include <stdlib.h>

#include "base/compiler.h"

/* Replaced by tests that want the nth allocation to fail. */
extern void *(*mem_source)(size_t count, size_t size);

/* Returns zeroed memory for @count objects of @size bytes, or NULL. */
static inline void *mem_new(size_t count, size_t size)
{
	return load_relaxed(&mem_source)(count, size);
}

static inline void mem_free(void *memory)
{
	free(memory);
}

#endif
