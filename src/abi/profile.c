// SPDX-License-Identifier: MIT
/*
 * The table of answers. Where no kernel that we can boot has the answer, the
 * version is the best one published; between 6.6 and 6.18, which are tested, it
 * only decides at which version the answer changes.
 */
#include "abi/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ABI_ANSWERS <= 64, "a profile is one word of bits");

const struct abi_row abi_rows[ABI_ANSWERS] = {
	[ABI_PBUF_RING] = {"buffer rings", KVER(5, 19), ABI_NEVER},
	[ABI_PBUF_MMAP] = {"engine-allocated rings", KVER(6, 4), ABI_NEVER},
	[ABI_PBUF_STATUS] = {"buffer ring status", KVER(6, 8), ABI_NEVER},
	[ABI_PBUF_INC] = {"incremental consumption", KVER(6, 12), ABI_NEVER},
	/* New in 7.x, but 6.12.117 and 6.18.44 have it. */
	[ABI_PBUF_MIN_LEFT] = {"min_left", KVER(6, 12), ABI_NEVER},
	/* Late fixes made 5.10 and 6.1 refuse these. */
	[ABI_PROVIDE_EMPTY] = {"empty buffers", KVER(6, 2), KVER(6, 9)},
	[ABI_CLASSIC_CAP] = {"classic cap", KVER(6, 15), ABI_NEVER},
	[ABI_LOW_GROUPS] = {"low groups together", KVER(5, 19), KVER(6, 8)},
	[ABI_RING_ADDR_FIRST] = {"address first", KVER(5, 19), KVER(6, 15)},
	[ABI_MMAP_ADDR_ZERO] = {"no mmap address", KVER(6, 4), KVER(6, 15)},
	[ABI_UPGRADE_DROPS] = {"upgrade drops", KVER(6, 8), ABI_NEVER},
	[ABI_NO_RING] = {"calls without a ring", KVER(6, 13), ABI_NEVER},
	[ABI_INQ] = {"receives tell", KVER(5, 19), ABI_NEVER},
	[ABI_UNIX_INQ] = {"unix streams tell", KVER(6, 17), ABI_NEVER},
	[ABI_SHOT_LENGTH] = {"multishot length", KVER(6, 17), ABI_NEVER},
	[ABI_BARE_BUNDLE] = {"bare bundles", KVER(6, 13), ABI_NEVER},
	[ABI_VECTORS_INVALID] = {"many vectors invalid", KVER(5, 19),
				 KVER(6, 13)},
	[ABI_SEND_SELECTS] = {"sends choose", KVER(6, 10), ABI_NEVER},
	[ABI_SEND_TO] = {"sends to addresses", KVER(6, 0), ABI_NEVER},
	[ABI_SPARSE_TABLES] = {"sparse tables", KVER(5, 19), ABI_NEVER},
	[ABI_SLOT_ALLOC] = {"slots chosen", KVER(5, 19), ABI_NEVER},
	[ABI_ACCEPT_TELLS] = {"accept tells", KVER(6, 10), ABI_NEVER},
	[ABI_LENGTH_BOUND] = {"bound of length", KVER(6, 8), ABI_NEVER},
	[ABI_READ_KEEPS] = {"waiting reads keep", KVER(6, 10), ABI_NEVER},
	[ABI_READ_SPARES] = {"failed reads spare", KVER(6, 10), ABI_NEVER},
	[ABI_ZC_ALWAYS_TELLS] = {"refused zc tells", KVER(6, 10), ABI_NEVER},
	[ABI_RECV_SPARES] = {"failed receives spare", KVER(6, 10), ABI_NEVER},
	[ABI_IMPORT_FIRST] = {"addresses first", KVER(6, 10), ABI_NEVER},
	[ABI_FIXED_LATE] = {"buffer after file", KVER(6, 13), ABI_NEVER},
	[ABI_SOCKET_COMMANDS] = {"socket commands", KVER(6, 7), ABI_NEVER},
	[ABI_ADVICE_64] = {"long advice", KVER(6, 10), ABI_NEVER},
};

/* Stable series that have backported all of a later kernel's io_uring. */
static const struct {
	unsigned int version;
	unsigned int has;
} taken_over[] = {
	{KVER(5, 10), KVER(5, 15)}, /* since 5.10.162 */
};

unsigned int abi_series(unsigned int version)
{
	unsigned int i;

	for (i = 0; i < sizeof(taken_over) / sizeof(taken_over[0]); i++)
		if (taken_over[i].version == version)
			return taken_over[i].has;
	return version ? version : ABI_LATEST;
}

uint64_t abi_profile(unsigned int version)
{
	uint64_t profile = 0;
	unsigned int i;

	version = abi_series(version);
	for (i = 0; i < ABI_ANSWERS; i++)
		if (version >= abi_rows[i].since && version < abi_rows[i].until)
			profile |= UINT64_C(1) << i;
	return profile;
}

/*
 * Parse a decimal number up to @most; moves *@text past it. -1 if there is
 * none.
 */
static int parse_number(const char **text, int most)
{
	int number = -1;

	for (; **text >= '0' && **text <= '9'; ++*text) {
		number = (number < 0 ? 0 : number * 10) + (**text - '0');
		if (number > most)
			return -1;
	}
	return number;
}

int abi_version_parse(const char *text, unsigned int *version)
{
	int major, minor;

	if (!strcmp(text, "latest")) {
		*version = ABI_LATEST;
		return 0;
	}
	major = parse_number(&text, 255);
	if (major < 0 || *text++ != '.')
		return -EINVAL;
	minor = parse_number(&text, 255);
	if (minor < 0)
		return -EINVAL;
	if (*text == '.') {
		text++;
		if (parse_number(&text, 65535) < 0)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*version = KVER(major, minor);
	return 0;
}

unsigned int abi_version_chosen(void)
{
	const char *text = getenv("POLYRING_KERNEL");
	unsigned int version = ABI_LATEST;

	if (text)
		abi_version_parse(text, &version);
	return version;
}
