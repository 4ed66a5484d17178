/* SPDX-License-Identifier: MIT */
/*
 * A small ring over inline calls, for programs that look into its memory.
 *
 * Theory: nothing between the program and the queues: bare_put() stores an
 * entry, the program enters, and looks at the CQ's indices itself. No locks.
 */
#ifndef POLYRING_TESTS_BARE_RING_H
#define POLYRING_TESTS_BARE_RING_H

#include <pthread.h>
#include <sys/mman.h>

#include "tap.h"

#define ENTRIES 8

struct ring {
	int fd;
	unsigned char *memory;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
	pthread_mutex_t lock; /* of the queues, where threads share them */
};

static inline int bare_open(struct ring *r, unsigned int flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->fd = inline_setup(ENTRIES, &r->p);
	if (r->fd < 0)
		return 0;
	r->memory = mmap(NULL,
			 r->p.cq_off.cqes +
				 r->p.cq_entries * sizeof(struct io_uring_cqe),
			 PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->memory != MAP_FAILED && (void *)r->sqes != MAP_FAILED;
}

static inline unsigned int *word(struct ring *r, unsigned int offset)
{
	return (unsigned int *)(r->memory + offset);
}

static inline void bare_put(struct ring *r, int opcode, int fd, void *addr,
			    unsigned int len, int flags)
{
	unsigned int tail = *word(r, r->p.sq_off.tail);
	unsigned int slot = tail & (ENTRIES - 1);

	memset(&r->sqes[slot], 0, sizeof(r->sqes[slot]));
	r->sqes[slot].opcode = (unsigned char)opcode;
	r->sqes[slot].flags = (unsigned char)flags;
	r->sqes[slot].fd = fd;
	r->sqes[slot].addr = (uintptr_t)addr;
	r->sqes[slot].len = len;
	word(r, r->p.sq_off.array)[slot] = slot;
	__atomic_store_n(word(r, r->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
}

#endif
