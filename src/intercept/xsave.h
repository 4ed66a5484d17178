/* SPDX-License-Identifier: MIT */
/*
 * How much room the state of the vector registers takes: what XSAVE is to
 * write before C code runs in place of a system call. The trampolines of the
 * trap lane, ours and the agent's, read the two variables.
 */
#ifndef POLYRING_INTERCEPT_XSAVE_H
#define POLYRING_INTERCEPT_XSAVE_H

#include <stdbool.h>
#include <stdint.h>

__attribute__((visibility("hidden"))) extern uint64_t trap_xsave_bytes;
__attribute__((visibility("hidden"))) extern uint32_t trap_xsave_mask;

/* Set them. False on a processor without XSAVE. */
bool xsave_measure(void);

#endif
