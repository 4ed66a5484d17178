/* SPDX-License-Identifier: MIT */
/* The interface between under_way.c and the module that it loads. */
#ifndef POLYRING_TESTS_UNDER_WAY_H
#define POLYRING_TESTS_UNDER_WAY_H

struct under_way {
	/*
	 * dlopen() has returned: check that the threads are served, and end
	 * them. Returns how many answers were wrong.
	 */
	long (*stop)(void);
	long answer; /* one that was wrong */
};

#endif
