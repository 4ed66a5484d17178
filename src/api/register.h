/* SPDX-License-Identifier: MIT */
/*
 * One register opcode: a row of the table in register.c, from which the
 * documentation is generated; the command's names are in cli/offer.c.
 */
#ifndef POLYRING_API_REGISTER_H
#define POLYRING_API_REGISTER_H

#include "core/ctx.h"

struct regdef {
	const char *name;
	uint32_t since;
	/* NULL: refused; `missing` has the reason. */
	int (*call)(struct ctx *ctx, void *arg, uint32_t nr_args);
	const char *missing;
};

extern const struct regdef regdefs[IORING_REGISTER_LAST];

#endif
