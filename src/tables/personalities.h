/* SPDX-License-Identifier: MIT */
/*
 * Personalities: requests that run with credentials of another time.
 *
 * Theory: registering one takes down who the calling thread is: effective and
 * file system user and group, supplementary groups, effective capabilities. A
 * request that names it runs at once where the thread that runs it is the same;
 * else the thread becomes the other for as long as the request's own calls
 * take, with signals blocked, and then itself again. Credentials are a
 * thread's, so no other notices; libc's setuid() waits meanwhile.
 *
 * A thread becomes another only where it can surely come back: where it may
 * set users and groups, and its real or saved user keeps that right for it. So
 * the usual ways work (a server of root's acting for its users, one that has
 * stepped down for a while), and a process that has given up a right for good
 * gets EPERM for the request, where the kernel would still know it.
 *
 * A personality lives until it is given back and no request names it.
 * Locks: the ring lock; personality_run() runs without it as well, on a
 * personality that its request holds.
 * Cost: seven system calls a try where nothing changes, some 40 elsewhere.
 */
#ifndef POLYRING_TABLES_PERSONALITIES_H
#define POLYRING_TABLES_PERSONALITIES_H

#include <stdint.h>

/* By number, in pages that never move: a worker reads while others register. */
struct personality_table {
	struct personality_page **pages;
	uint32_t last; /* the number given out last */
};

/* The calling thread's, under a new number: that, -EBUSY or -ENOMEM. */
int personality_register(struct personality_table *t);
/* 0 or -EINVAL. */
int personality_unregister(struct personality_table *t, uint32_t id);
void personality_close(struct personality_table *t);

/* A request will run as @id, which is not 0: 0 or -EINVAL. */
int personality_take(struct personality_table *t, uint32_t id);
void personality_put(struct personality_table *t, uint32_t id);

/*
 * Call @run as @id, which the caller has taken: what it says, or -EPERM,
 * -ENOMEM.
 */
int personality_run(const struct personality_table *t, uint32_t id,
		    int (*run)(void *argument), void *argument);

#endif
