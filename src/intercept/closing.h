/* SPDX-License-Identifier: MIT */
/*
 * Calls that close numbers or make them other files.
 *
 * Theory: two things have to be known of them. A ring ends with the last copy
 * of its fd, so the engine is told, and no thread has to wait for it. And the
 * engine has descriptors of its own, which on the kernel would not be there:
 * closing one fails with EBADF, a range is closed around them, and one that
 * dup2(2) names gives up its number before.
 *
 * Cost: one relaxed load in a process without rings; with rings, two loads more
 * for each number.
 */
#ifndef POLYRING_INTERCEPT_CLOSING_H
#define POLYRING_INTERCEPT_CLOSING_H

#include <stdbool.h>

/* May the program not close this number? */
bool closing_refuses(int fd);

/* Is one of the engine's own numbers at or above @first? */
bool closing_meets_ours(unsigned int first);

/* close_range(2) around the engine's own; the result of the system call. */
long closing_range(unsigned int first, unsigned int last, unsigned int flags);

/* Before @from is duplicated to @to: whether the engine gave up @to. */
bool closing_make_way(int from, int to);

/* After it; @result is negative where it failed. */
void closing_made_way(int to, long result);

/* @fd, or an unknown number of them (-1), is closed. */
void closing_tell(int fd);

/* The system calls, with all of that. */
long closing_call(long number, long a, long b, long c);

#endif
