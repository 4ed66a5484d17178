// SPDX-License-Identifier: MIT
#include "agent/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FROM_HERE_4 0x1b /* as in intercept/functions.c */
#define ALIGNMENT 8u
#define FUNCTIONS_LEAST 8u
#define FUNCTIONS_MAX 65536u
#define AUGMENTATION_MAX 6u

struct program_code {
	uintptr_t base;
	const ElfW(Phdr) * segments;
	size_t count;
};

/* A record: how many bytes follow its length, and whom it belongs to. */
struct record {
	uint32_t bytes;
	uint32_t back; /* from here to the CIE; 0: it is one */
};

struct pair {
	int32_t function, entry;
};

static bool is_code(const struct program_code *code, const uint8_t *begin,
		    uint32_t bytes)
{
	for (size_t i = 0; i < code->count; i++) {
		const ElfW(Phdr) *segment = &code->segments[i];
		const uint8_t *low =
			(const uint8_t *)(code->base + segment->p_vaddr);

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
		    begin >= low && bytes <= segment->p_memsz &&
		    begin <= low + segment->p_memsz - bytes)
			return true;
	}
	return false;
}

/*
 * Version 1, "zR" and its like, three numbers of one byte, and the
 * augmentation: its last byte says how addresses are encoded.
 */
static bool cie_is_known(const uint8_t *cie, uint32_t bytes)
{
	const char *text = (const char *)cie + sizeof(struct record) + 1;
	size_t length = strnlen(text, AUGMENTATION_MAX);
	const uint8_t *data = (const uint8_t *)text + length + 4;

	if (bytes < 12 + length || bytes > 64 || text[-1] != 1 ||
	    text[0] != 'z' || length < 2 || length == AUGMENTATION_MAX ||
	    strspn(text, "zPLRS") != length || !strchr(text, 'R'))
		return false;
	return data[0] && data[0] < 16 && data[data[0]] == FROM_HERE_4;
}

static bool fde_is_known(const struct program_code *code, const uint8_t *first,
			 const uint8_t *at, const struct record *record)
{
	const uint8_t *cie = at + sizeof(record->bytes) - record->back;
	struct record its;
	int32_t from_here;
	uint32_t bytes;

	if (record->back > (size_t)(at + sizeof(record->bytes) - first) ||
	    record->bytes < 12)
		return false;
	memcpy(&its, cie, sizeof(its));
	memcpy(&from_here, at + 8, sizeof(from_here));
	memcpy(&bytes, at + 12, sizeof(bytes));
	return !its.back && is_code(code, at + 8 + from_here, bytes);
}

/*
 * How many functions the records from @first on describe; 0 if they are none.
 * @pairs, if any, gets them.
 */
static size_t frames_walk(const struct program_code *code, const uint8_t *first,
			  const uint8_t *end, struct pair *pairs)
{
	const uint8_t *at = first;
	struct record record;
	size_t count = 0;
	int32_t from_here;

	while (at + sizeof(record) <= end) {
		memcpy(&record, at, sizeof(record));
		if (!record.bytes)
			return count;
		if (record.bytes > (size_t)(end - at) - sizeof(record.bytes) ||
		    count == FUNCTIONS_MAX)
			return 0;
		if (record.back ? !fde_is_known(code, first, at, &record)
				: !cie_is_known(at, record.bytes))
			return 0;
		if (record.back && pairs) {
			memcpy(&from_here, at + 8, sizeof(from_here));
			pairs[count] = (struct pair){
				(int32_t)(at + 8 + from_here - first),
				(int32_t)(at - first)};
		}
		count += record.back != 0;
		at += sizeof(record.bytes) + record.bytes;
	}
	return 0;
}

static int pair_order(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	return (a->function > b->function) - (a->function < b->function);
}

static bool frames_read(struct functions *functions,
			const struct program_code *code, const uint8_t *first,
			const uint8_t *end)
{
	size_t count = frames_walk(code, first, end, NULL);
	struct pair *pairs;

	if (count < FUNCTIONS_LEAST)
		return false;
	pairs = mem_new(count, sizeof(*pairs));
	if (!pairs)
		return false;
	frames_walk(code, first, end, pairs);
	qsort(pairs, count, sizeof(*pairs), pair_order);
	*functions = (struct functions){
		.header = first,
		.table = &pairs->function,
		.count = count,
	};
	return true;
}

static bool begins_like_frames(const uint8_t *at)
{
	struct record record;

	memcpy(&record, at, sizeof(record));
	return record.bytes && !record.back && at[sizeof(record)] == 1 &&
	       cie_is_known(at, record.bytes);
}

bool frames_open(struct functions *functions, uintptr_t base,
		 const ElfW(Phdr) * segments, size_t count)
{
	const struct program_code code = {base, segments, count};

	for (size_t i = 0; i < count; i++) {
		const uint8_t *at =
			(const uint8_t *)(base + segments[i].p_vaddr);
		const uint8_t *end = at + segments[i].p_filesz;

		if (segments[i].p_type != PT_LOAD ||
		    !(segments[i].p_flags & PF_R) || segments[i].p_flags & PF_W)
			continue;
		at += -(uintptr_t)at % ALIGNMENT;
		for (; at + 64 <= end; at += ALIGNMENT)
			if (begins_like_frames(at) &&
			    frames_read(functions, &code, at, end))
				return true;
	}
	return false;
}

void frames_free(struct functions *functions)
{
	mem_free((void *)functions->table);
}
