/* SPDX-License-Identifier: MIT */
/*
 * What one side, the kernel or polyring, offers.
 *
 * Theory: four sections, each a list of names from the ABI, and for each name
 * yes or no. Every answer comes from a call: a ring with that flag, the
 * features that it reports, REGISTER_PROBE, and for the register opcodes a call
 * that must fail. Both sides answer EINVAL to anything unknown; the calls are
 * chosen so that a side that knows the opcode answers with another error.
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
	int answer; /* 0, or the errno of a side without rings */
	bool has[SECTIONS][NAMES_MAX];
};

void offer_ask(const struct side *side, struct offer *offer);

#endif
