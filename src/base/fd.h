/* SPDX-License-Identifier: MIT */
/*
 * The engine's own file descriptors.
 *
 * Theory: the engine lives in somebody else's process. Programs count on low
 * numbers being free, on as many files as RLIMIT_NOFILE says, and close ranges
 * of low numbers when they start. So each descriptor of ours moves to or above
 * the process's soft limit, where the program can neither meet nor miss it. For
 * the one call that takes such a number the soft limit is raised, and the hard
 * one where it is no higher and we may; a number above the limit stays valid
 * when the limit is back. A program with room for more than BASE_MAX files
 * shares it with us from there on, as the kernel's table grows with the highest
 * number. Where limits can't be raised, ours are the last ones below.
 *
 * All are close-on-exec. Raising the limit is under one lock, which fork waits
 * for, so that no child inherits it.
 * Cost: four calls of some 70 ns where the limit has to be raised, else one.
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

/*
 * The same, for what can be done without: -EMFILE where it would take one of
 * few numbers that the program can use.
 */
int fd_dup_spare(int fd);

/* Around fork(). */
void fd_before_fork(void);
void fd_after_fork(void);

void fd_close(int fd);

/*
 * Is one of @events (POLLIN, ...) there, as far as poll(2) says? What can't be
 * polled, and a call that fails, count as ready: the next call says why.
 */
bool fd_ready_now(int fd, short events);

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
