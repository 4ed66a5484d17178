/* SPDX-License-Identifier: MIT */
/*
 * What the tests of this directory share. Each file adds one array of tests;
 * kbuf_test.c runs them. The code under test is built with POLYRING_CHECKED,
 * so that every step asserts the conservation law (S11) by itself.
 */
#ifndef POLYRING_KBUF_TEST_H
#define POLYRING_KBUF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "abi/profile.h"
#include "abi/uring.h"
#include "base/compiler.h"
#include "base/sys.h"
#include "polyring/kbuf.h"

struct CMUnitTest;

int group_tests_run(void);
int classic_tests_run(void);
int ring_tests_run(void);
int claim_tests_run(void);
int level_tests_run(void);
int many_tests_run(void);
int model_tests_run(void);
int race_tests_run(void);
int shared_tests_run(void);
int scale_tests_run(void);

#define MB (1u << 20)
#define TEST_BGID 7

struct kbuf_table *table_of(unsigned int kernel_version);

/* Zeroed pages, unmapped with pages_free(). */
void *pages_new(size_t bytes);
void pages_free(void *pages, size_t bytes);

/* An application ring of TEST_BGID in fresh pages. */
struct io_uring_buf_ring *ring_of(struct kbuf_table *table,
				  unsigned int entries, unsigned int flags);

/* Write an entry at tail and publish it. */
void ring_add(struct io_uring_buf_ring *ring, unsigned int entries,
	      uint64_t addr, uint32_t len, uint16_t bid);

int ring_status(struct kbuf_table *table, unsigned int bgid);
int ring_drop(struct kbuf_table *table, uint16_t bgid);

/* The fd of an engine-allocated ring's file, -1 when there is none. */
int ring_memory_fd(void);
unsigned int ring_memory_mappings(void);

/* Claim and commit all of it: the bid, or a negative errno. */
int take_one(struct kbuf_table *table, uint16_t bgid);

static inline int bid_of(uint32_t flags)
{
	return (int)(flags >> IORING_CQE_BUFFER_SHIFT);
}

#endif
