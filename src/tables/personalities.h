/* SPDX-License-Identifier: MIT */
/*
 * Personalities: requests that run with credentials saved earlier.
 *
 * Theory: registering a personality saves the credentials of the calling
 * thread: effective and file system user and group, supplementary groups,
 * effective capabilities. A request that names it runs immediately if the
 * thread that runs it has the same credentials. Otherwise the thread takes the
 * saved credentials while the request's own calls last, with signals blocked,
 * and then takes back its own. Credentials belong to a thread, so no other
 * thread is affected; libc's setuid() waits meanwhile.
 *
 * A thread changes its credentials only if it can surely restore them: if it
 * may set users and groups, and its real or saved user preserves that right.
 * The usual cases work (a server of root's acting for its users, one that has
 * dropped its rights for a while). If a process has given up a right for good,
 * the request gets EPERM, where the kernel would still run it.
 *
 * A personality lives until it is unregistered and no request names it.
 * Locks: the ring lock; personality_run() also runs without it, on a
 * personality that its request holds.
 * Cost: seven system calls a try if nothing changes, otherwise some 40.
 */
#ifndef POLYRING_TABLES_PERSONALITIES_H
#define POLYRING_TABLES_PERSONALITIES_H

#include <stdint.h>

/* By id, in pages that never move: a worker reads while others register. */
struct personality_table {
	struct personality_page **pages;
	uint32_t last; /* the last id assigned */
};

/*
 * Save the calling thread's credentials under a new id: the id, -EBUSY or
 * -ENOMEM.
 */
int personality_register(struct personality_table *t);
/* 0 or -EINVAL. */
int personality_unregister(struct personality_table *t, uint32_t id);
void personality_close(struct personality_table *t);

/* A request will run as @id, which is not 0: hold it. 0 or -EINVAL. */
int personality_take(struct personality_table *t, uint32_t id);
void personality_put(struct personality_table *t, uint32_t id);

/* Call @run as @id, which the caller holds: its result, or -EPERM, -ENOMEM. */
int personality_run(const struct personality_table *t, uint32_t id,
		    int (*run)(void *argument), void *argument);

#endif
