/* SPDX-License-Identifier: MIT */
/*
 * Kernel profiles: which answers belong to which kernel version (X5).
 *
 * Theory: code never compares versions. Every answer that changed has one row
 * in the table of profile.c with the version that brought it and the one that
 * took it away; opening a ring (or a table of groups) turns its version into a
 * set of bits once, and code asks for a bit. A new answer is one name here, one
 * row there, and one abi_has() where it matters.
 */
#ifndef POLYRING_ABI_PROFILE_H
#define POLYRING_ABI_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#define KVER(major, minor) ((unsigned int)(major) << 8 | (unsigned int)(minor))

/* The version whose answers are given when none is asked for. */
#define ABI_LATEST KVER(6, 18)
#define ABI_NEVER UINT32_MAX

enum abi_answer {
	/* Things a program can use. */
	ABI_PBUF_RING, /* buffer rings in the application's memory */
	ABI_PBUF_MMAP, /* buffer rings the engine allocates (G8) */
	ABI_PBUF_STATUS, /* G12 */
	ABI_PBUF_INC, /* SPEC 6 */
	ABI_PBUF_MIN_LEFT, /* I3, G5 */
	/* Answers that differ. */
	ABI_PROVIDE_EMPTY, /* P7: buffers of length 0 may be provided */
	ABI_CLASSIC_CAP, /* P10: at most 65,535 queued in a classic group */
	ABI_LOW_GROUPS, /* R4, G9: the groups below 64 exist together */
	ABI_RING_ADDR_FIRST, /* G7 is checked before G4 */
	ABI_MMAP_ADDR_ZERO, /* G8: ring_addr must be 0 */
	ABI_UPGRADE_DROPS, /* G13: a failed upgrade loses the empty group */
	ABI_ANSWERS,
};

struct abi_row {
	const char *name;
	unsigned int since;
	unsigned int until; /* the first version without it */
};

/* One row for each enum abi_answer. */
extern const struct abi_row abi_rows[ABI_ANSWERS];

/* @version is KVER(major, minor), 0 for ABI_LATEST. Bit n is answer n. */
uint64_t abi_profile(unsigned int version);

/*
 * "6.6", "6.18.44" or "latest", as a command line or an environment variable
 * has it: 0 and the version, or -EINVAL. The third number is not looked at.
 */
int abi_version_parse(const char *text, unsigned int *version);

static inline bool abi_has(uint64_t profile, enum abi_answer answer)
{
	return profile >> answer & 1;
}

#endif
