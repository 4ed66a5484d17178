/* SPDX-License-Identifier: MIT */
/*
 * Which numbers are the engine's own descriptors.
 *
 * Theory: the program must neither close nor replace what it doesn't know of.
 * The preload library sees the calls that do, and asks here. A number that the
 * program wants is given up: its file moves to another number, and the variable
 * that holds the number (noted with it) follows.
 *
 * Locks: changes are made under the lock of base/fd.c; questions take none.
 * Cost: two stores a descriptor. Where memory is short a number stays unknown.
 */
#ifndef POLYRING_BASE_OWN_FDS_H
#define POLYRING_BASE_OWN_FDS_H

#include <stdbool.h>

/* Is @fd one of the engine's own descriptors? */
bool own_fds_has(int fd);

/* The lowest of them that is not below @from, or -1. */
int own_fds_next(int from);

/* @fd is the engine's. */
void own_fds_add(int fd);

/* @at holds @fd, until own_fds_remove(). */
void own_fds_place(int fd, int *at);

/* Where it is held; NULL: not known. */
int *own_fds_at(int fd);

void own_fds_remove(int fd);

#endif
