/* SPDX-License-Identifier: MIT */
/*
 * A ring's memory region: memory that the engine and the application share, so
 * that a call need not copy its arguments from elsewhere.
 *
 * Theory: one for each ring, for as long as the ring lives. The application
 * supplies the memory, or the engine does and serves it to mmap(); then it is a
 * memfd, as the queues are (D3). Arguments of waits are read from it by offset.
 *
 * Differs: user space can't pin the application's memory. If that is unmapped,
 * reading it returns EFAULT.
 *
 * Locks: the ring lock. Mapping runs without it, under RCU, and sees either no
 * region or a complete one, because the size is stored last.
 */
#ifndef POLYRING_TABLES_REGIONS_H
#define POLYRING_TABLES_REGIONS_H

#include <stdbool.h>

#include "abi/uring.h"

struct region {
	size_t bytes; /* 0: there is none */
	uint8_t *memory;
	int memfd; /* -1: the memory is the application's */
	bool waits; /* it may hold arguments of waits */
};

/*
 * Fill @region as @desc asks, and complete @desc. 0, -EINVAL, -EFAULT, -E2BIG,
 * -EOVERFLOW, -ENOMEM. Others don't see it until region_show().
 */
int region_open(struct region *region, struct io_uring_region_desc *desc);
void region_close(struct region *region);

/* Publish @region in @shown, which was empty. */
void region_show(struct region *shown, const struct region *region);

/* Copy the argument at @offset: 0 or -EFAULT. */
int region_read_wait(const struct region *region, uint64_t offset,
		     struct io_uring_reg_wait *wait);

/* mmap(2) of the ring fd: the address, or a negative errno. */
long region_map(const struct region *region, void *hint, size_t bytes, int prot,
		int flags);

#endif
