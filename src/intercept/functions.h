/* SPDX-License-Identifier: MIT */
/*
 * Where the functions of a loaded object begin and end.
 *
 * Theory: the tables for exceptions have this, even if the object was stripped:
 * .eh_frame_hdr is a sorted list of first addresses and of the entries (FDE)
 * with the length of each function. Only the encodings that linkers write are
 * read; an object with others has no functions.
 *
 * Code that is in no such table (hand-written assembly without .cfi lines) is
 * in no function, and callers don't change it.
 */
#ifndef POLYRING_INTERCEPT_FUNCTIONS_H
#define POLYRING_INTERCEPT_FUNCTIONS_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code {
	const uint8_t *begin;
	const uint8_t *end;
};

struct functions {
	const uint8_t *header; /* .eh_frame_hdr */
	const int32_t *table; /* pairs: function, FDE; from the header */
	size_t count;
};

/* False when the object has no table in a known encoding. */
bool functions_open(struct functions *functions, uintptr_t base,
		    const ElfW(Phdr) * segments, size_t count);

/*
 * The function at @index of the table, in order of addresses. False if its
 * entry cannot be read.
 */
bool functions_at(const struct functions *functions, size_t index,
		  struct code *function);

/* The function that contains @address. False if none does. */
bool functions_find(const struct functions *functions, const uint8_t *address,
		    struct code *function);

#endif
