/* SPDX-License-Identifier: MIT */
/*
 * The engine's own file descriptors.
 *
 * Theory: the engine lives in somebody else's process. Programs count on low
 * numbers being free, and close ranges of low numbers when they start, so each
 * descriptor of ours moves to the upper half of what the process may have. All
 * are close-on-exec.
 */
#ifndef POLYRING_BASE_FD_H
#define POLYRING_BASE_FD_H

#include <stdbool.h>

/*
 * Move @fd (or a negative errno, which is passed through) out of the
 * program's way. Returns the new number; @fd itself where there is no room.
 */
int fd_move_high(int fd);

/* A duplicate of @fd among the high numbers, or a negative errno. */
int fd_dup_high(int fd);

/*
 * Let the process's table of files grow to where ours will be. To a process
 * with threads that costs 10 ms, in which the kernel waits; before, 20 us.
 */
void fd_make_room(void);

void fd_close(int fd);

/* Is this number an open file? */
bool fd_is_open(int fd);

/*
 * Do both numbers stand for one open file? Where kcmp(2) is refused, two opens
 * of one file with equal flags look the same.
 */
bool fd_same_file(int a, int b);

/* A duplicate of @fd, which must be an eventfd: -EBADF, -EINVAL. */
int fd_dup_eventfd(int fd);

#endif
