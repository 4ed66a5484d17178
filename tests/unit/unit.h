/* SPDX-License-Identifier: MIT */
/*
 * What the engine's own tests share: a ring made by the library's public calls,
 * and checks that nothing is leaked.
 */
#ifndef POLYRING_TESTS_UNIT_H
#define POLYRING_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/uring.h"
#include "base/sys.h"
#include "polyring/polyring.h"

/* The bound of a wait for a condition: far longer than it can take. */
#define PATIENCE_MS 60000

struct ring {
	int fd;
	struct io_uring_params p;
	char *shared; /* heads, tails, completions, SQ array */
	size_t shared_bytes;
	struct io_uring_sqe *sqes;
	size_t sqes_bytes;
};

/* 0 or the error of setup or mmap. */
int ring_try_open(struct ring *ring, uint32_t entries, uint32_t flags);
/* The same, and it must work. @cq_entries 0: as the engine chooses. */
void ring_open(struct ring *ring, uint32_t entries, uint32_t cq_entries,
	       uint32_t flags);
void ring_close(struct ring *ring);

/* A zeroed entry, published at once; the ring must have room. */
struct io_uring_sqe *ring_sqe(struct ring *ring, uint8_t opcode, int fd,
			      uint64_t user_data);
void ring_push(struct ring *ring);
bool ring_has_room(const struct ring *ring);

/* Take the oldest completion. */
bool ring_pop(struct ring *ring, struct io_uring_cqe *cqe);

int ring_submit(struct ring *ring, uint32_t count);
/* Wait until @want completions are there, at most @ms (-1: for ever). */
int ring_wait(struct ring *ring, uint32_t want, int64_t ms);

/* Wait for and take one. */
struct io_uring_cqe ring_next(struct ring *ring);

/*
 * Hooks between the engine and the kernel, and malloc; NULL: none. Set while
 * threads of the engine run, so the pointers that they use never change.
 */
void set_invoke(sys_invoke_fn invoke);
void set_source(void *(*source)(size_t count, size_t size));

/* Can this build follow a child of a process with threads? */
bool children_can_be_followed(void);

/* ---- what is there ---- */

unsigned int count_files(void);

/* Record which files are open and which threads run before any test. */
void remember_the_beginning(void);
/* Wait until no more files are open than then. */
void expect_nothing_left(void);
/* The same for threads; idle ones leave after some seconds. */
void expect_nobody_left(void);

/* Call until it returns true. */
void expect_soon(bool (*is_so)(void *argument), void *argument);

int64_t now_ms(void);

int fail_tests_run(void);
int threads_tests_run(void);
int end_tests_run(void);
int garbage_tests_run(void);
int runs_tests_run(void);
int polled_tests_run(void);

#endif
