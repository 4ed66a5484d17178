/* SPDX-License-Identifier: MIT */
/* What under_way.c and the module that it loads say to one another. */
#ifndef POLYRING_TESTS_UNDER_WAY_H
#define POLYRING_TESTS_UNDER_WAY_H

struct under_way {
	/* dlopen() is done: see the threads served, and end them. Returns how
	 * many answers were wrong. */
	long (*stop)(void);
	long answer; /* one that was wrong */
};

#endif
