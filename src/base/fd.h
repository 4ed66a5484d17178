/* SPDX-License-Identifier: MIT */
/*
 * The engine's own file descriptors.
 *
 * Theory: the engine shares the table of files with the program. Programs
 * expect low fds to be free, expect as many files as RLIMIT_NOFILE says, and
 * close ranges of low fds when they start. So the engine moves each of its fds
 * to or above the process's soft limit, where the program neither uses nor
 * misses it. The soft limit is raised for the one call that makes such an fd,
 * and so is the hard limit if it is no higher and raising it is allowed; an fd
 * above the limit stays valid after the limit is restored. A program whose
 * limit is above BASE_MAX shares the fds from there on with the engine, because
 * the kernel's table grows with the highest fd. If limits can't be raised, the
 * engine uses the highest fds below the limit.
 *
 * All are close-on-exec. The limit is raised under one lock, which fork waits
 * for, so that no child inherits a raised limit.
 * Cost: four calls of some 70 ns if the limit has to be raised, otherwise one.
 */
#ifndef POLYRING_BASE_FD_H
#define POLYRING_BASE_FD_H

#include <stdbool.h>

/*
 * Move @fd (or a negative errno, which is passed through) to a high fd. Returns
 * the new fd; @fd itself if there is no room.
 */
int fd_move_high(int fd);

/* Duplicate @fd to a high fd: the duplicate, or a negative errno. */
int fd_dup_high(int fd);

/*
 * Let the process's table of files grow to where the engine's fds will be. In a
 * process with threads that takes 10 ms, in which the kernel waits; in one
 * without, 20 us.
 */
void fd_make_room(void);

/*
 * Like fd_dup_high(), for duplicates that the engine can do without: -EMFILE
 * where the duplicate would use one of the few fds that the program can use.
 */
int fd_dup_spare(int fd);

/*
 * fd_close() closes nothing from now on: in a child, while it lets go of what
 * is its parent's, and the files are the parent's, too.
 */
void fd_close_nothing(bool nothing);

/*
 * @at holds one of ours until fd_close(): where it has to give up its number,
 * *@at becomes another.
 */
void fd_keep(int *at);

/*
 * The program is about to make @fd, one of ours, another file. Its holder gets
 * another number. -EMFILE: there is none; -EBUSY: the holder is not known. @fd
 * stays open.
 */
int fd_vacate(int fd);

/* @fd, one of ours, is another file now: its holder gets -1. */
void fd_lose(int fd);

/* Around fork(). */
void fd_before_fork(void);
void fd_after_fork(void);

void fd_close(int fd);

/*
 * Is one of @events (POLLIN, ...) ready, as poll(2) reports it? A file that
 * can't be polled counts as ready, and so does a failed call: the next call on
 * the file reports the error.
 */
bool fd_ready_now(int fd, short events);

/* Is this fd open? */
bool fd_is_open(int fd);

/*
 * Do both fds refer to one open file? Where kcmp(2) is refused, two opens of
 * one file with equal flags look the same.
 */
bool fd_same_file(int a, int b);

/* Duplicate @fd, which must be an eventfd: -EBADF, -EINVAL. */
int fd_dup_eventfd(int fd);

#endif
