// SPDX-License-Identifier: MIT
#include "intercept/functions.h"

#include <string.h>

/*
 * Pointer encodings of the DWARF tables: 4 bytes, relative to here or the
 * header.
 */
#define FROM_HERE_4 0x1b
#define UNSIGNED_4 0x03
#define FROM_HEADER_4 0x3b

bool functions_open(struct functions *functions, uintptr_t base,
		    const ElfW(Phdr) * segments, size_t count)
{
	const uint8_t version_and_encodings[] = {1, FROM_HERE_4, UNSIGNED_4,
						 FROM_HEADER_4};
	const uint8_t *header = NULL;
	uint32_t entries;
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (segments[i].p_type != PT_GNU_EH_FRAME)
			continue;
		header = (const uint8_t *)(base + segments[i].p_vaddr);
		bytes = segments[i].p_memsz;
	}
	if (!header || bytes < 12 || memcmp(header, version_and_encodings, 4))
		return false;
	memcpy(&entries, header + 8, sizeof(entries));
	if (entries > (bytes - 12) / 8)
		return false;
	*functions = (struct functions){
		.header = header,
		.table = (const int32_t *)(header + 12),
		.count = entries,
	};
	return entries > 0;
}

/*
 * An FDE: its length, the distance to the part that several share (CIE), the
 * function's address, its length. The address is known already; if the entry
 * has the same, it is encoded as assumed.
 */
bool functions_at(const struct functions *functions, size_t index,
		  struct code *function)
{
	const uint8_t *begin = functions->header + functions->table[2 * index];
	const uint8_t *entry =
		functions->header + functions->table[2 * index + 1];
	uint32_t bytes;
	int32_t from_here;

	memcpy(&from_here, entry + 8, sizeof(from_here));
	memcpy(&bytes, entry + 12, sizeof(bytes));
	if (entry + 8 + from_here != begin)
		return false;
	*function = (struct code){begin, begin + bytes};
	return true;
}

/*
 * What returns from signal handlers is listed a byte before its begin, for the
 * sake of unwinders: decoded from there it would be other code. An S in the
 * CIE's text tells it.
 */
static bool is_signal_frame(const struct functions *functions, size_t index)
{
	const uint8_t *entry =
		functions->header + functions->table[2 * index + 1];
	uint32_t back;

	memcpy(&back, entry + 4, sizeof(back));
	return strchr((const char *)entry + 4 - back + 9, 'S');
}

bool functions_find(const struct functions *functions, const uint8_t *address,
		    struct code *function)
{
	ptrdiff_t wanted = address - functions->header;
	size_t low = 0, high = functions->count;

	/* The last function that begins at or below the address. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (functions->table[2 * middle] <= wanted)
			low = middle;
		else
			high = middle;
	}
	return functions_at(functions, low, function) &&
	       !is_signal_frame(functions, low) && function->begin <= address &&
	       address < function->end;
}
