/* SPDX-License-Identifier: MIT */
/*
 * What one side, the kernel or polyring, offers.
 *
 * Theory: four sections, each a list of names from the ABI, and for each name
 * yes or no. Every answer is found by asking: a ring with that flag, the
 * feature word it reports, REGISTER_PROBE, and for the register opcodes a
 * call that fails for a reason of its own. EINVAL is what both sides answer to
 * what they do not know; the calls are made such that who knows the opcode
 * answers anything but EINVAL.
 */
#ifndef POLYRING_CLI_OFFER_H
#define POLYRING_CLI_OFFER_H

#include <stdbool.h>

#include "cli/cli.h"

enum section_id {
	SECTION_SETUP,
	SECTION_FEATURES,
	SECTION_OPERATIONS,
	SECTION_REGISTER,
	SECTIONS,
};

#define NAMES_MAX 72

struct section {
	const char *title;
	const char *key; /* in JSON */
	int count;
	const char *names[NAMES_MAX];
};

extern const struct section sections[SECTIONS];

struct offer {
	int answer; /* 0, or why there is no ring at all */
	bool has[SECTIONS][NAMES_MAX];
};

void offer_ask(const struct side *side, struct offer *offer);

#endif
