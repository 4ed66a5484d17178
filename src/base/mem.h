/* SPDX-License-Identifier: MIT */
/*
 * Memory for the engine's own objects.
 *
 * Theory: every allocation can fail and every caller handles that, so all use
 * one function and one pointer that a test replaces to refuse memory. Memory is
 * zeroed, so that an object is valid from the start.
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
