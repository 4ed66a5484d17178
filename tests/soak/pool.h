/* SPDX-License-Identifier: MIT */
/*
 * A group of buffers and the application's own account of it.
 *
 * Theory: the account says of each bid whether the application has it, and of
 * an INC buffer how many bytes are left of it. Completions are entered by what
 * they report and nothing else, so that a buffer which the engine reports
 * twice, loses, or shortens wrongly shows as soon as it is touched. Whenever
 * the ring is at rest
 *
 *	with the application + queued + held by requests == all
 *
 * must hold, where queued is what the engine reports (the head of a ring, the
 * counter of a classic group) and no more are held than requests are armed.
 */
#ifndef SOAK_POOL_H
#define SOAK_POOL_H

#include "../unit/unit.h"
#include "polyring/kbuf.h"

#define POOL_BUFFERS 512u
#define POOL_EACH_MAX 64u

enum pool_kind { POOL_RING, POOL_INC, POOL_CLASSIC };

struct pool {
	const char *name;
	enum pool_kind kind;
	bool sends; /* what a bundle waits with is counted as used (B4) */
	uint16_t bgid;
	uint32_t each; /* bytes in a buffer */
	/* The fields below are the account. */
	uint32_t with_app;
	uint32_t owned[POOL_BUFFERS]; /* a stack of bids the application has */
	bool is_owned[POOL_BUFFERS];
	uint32_t left[POOL_BUFFERS]; /* bytes */
	uint16_t order[POOL_BUFFERS]; /* bids as they were handed over */
	uint16_t place[POOL_BUFFERS]; /* of a bid in that order */
	uint16_t tail;
	uint16_t head; /* sends: up to where buffers were taken back */
	uint64_t circulated; /* buffers that came back, over all rings */
	uint64_t provided; /* classic: in this ring */
	uint32_t armed; /* requests that may hold one */
	struct io_uring_buf_ring *ring;
	char *memory;
};

/* Register it with a new ring; the application has every buffer. */
void pool_open(struct pool *pool, int ring_fd);
/*
 * No request is armed any more: what is queued comes back. Of a classic group
 * @removed were removed. Then every buffer must be there.
 */
void pool_close(struct pool *pool, int ring_fd, uint32_t removed);

/* Give up to @count buffers back: a ring publishes, and returns how many. */
uint32_t pool_publish(struct pool *pool, uint32_t count);
/* Remove a bid from the account, for a PROVIDE_BUFFERS. */
uint16_t pool_take(struct pool *pool);
/* The application has the bid again. */
void pool_give(struct pool *pool, uint16_t bid);

/*
 * A completion of @res bytes and @flags, which covers one buffer or, @bundled,
 * as many as the bytes reach. Calls @see for the bytes in each.
 */
void pool_completed(struct pool *pool, int32_t res, uint32_t flags,
		    bool bundled,
		    void (*see)(void *argument, const char *bytes,
				uint32_t count),
		    void *argument);

/* Sends commit at selection (B4): take back all up to the ring's head. */
void pool_take_sent(struct pool *pool, int ring_fd);

/* Check the equation above, while the ring is at rest. */
void pool_check(const struct pool *pool, int ring_fd);

char *pool_buffer(const struct pool *pool, uint16_t bid);

/* Print what is wrong, and end. */
void soak_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
