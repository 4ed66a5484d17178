/* SPDX-License-Identifier: MIT */
/*
 * The register opcodes, as entry.c calls them; see register.c.
 */
#ifndef POLYRING_ENTRY_H
#define POLYRING_ENTRY_H

#include "engine/ctx.h"

/* Carry out one register call on an open ring: a result or negative errno. */
int register_call(struct ctx *ctx, uint32_t opcode, void *arg, uint32_t nr_args)
	HOLDS(&ctx->lock);

#endif
