/* SPDX-License-Identifier: MIT */
/*
 * The file behind a ring's fd (D2).
 *
 * Theory: a pipe, of which the application has both ends in one descriptor
 * (opened for reading and writing by way of /proc): a byte in it says that
 * completions wait, and the engine puts and takes it through the application's
 * own number, verified each time. The engine has another reading end, which
 * hangs up when the last copy of the ring's fd is closed, in whichever process.
 * Who reports closes lets it be held without a number (drive/hold.h), so that a
 * ring has one.
 *
 * Where that can't be had it is one end of a socket pair; the engine puts bytes
 * in at the other, which has a number of its own.
 *
 * Locks: the ring's. Cost of a byte: two calls, put or taken.
 */
#ifndef POLYRING_CORE_RING_FILE_H
#define POLYRING_CORE_RING_FILE_H

#include "core/ctx.h"

/*
 * Open both; the application's has the lowest number that is free. Returns 0;
 * -EMFILE, -ENFILE, -ENOMEM.
 */
int ring_file_open(struct ctx *ctx);

/* The engine's end; the application's is its own to close. */
void ring_file_close(struct ctx *ctx);

/* The engine's end has a number again: 0 or a negative errno. */
int ring_file_reopen(struct ctx *ctx);

/* Is the last copy of the application's end gone? Only without a hold. */
bool ring_file_hung_up(const struct ctx *ctx);

/* Put a byte in, and take all out: true, if that was done. */
void ring_file_put(struct ctx *ctx);
bool ring_file_take(struct ctx *ctx);

#endif
