/* SPDX-License-Identifier: MIT */
/*
 * The memory that a ring shares with its application.
 *
 * Theory: two areas, as in the kernel. The *rings* area holds a header of
 * heads, tails, masks and flags, then the CQEs, then the SQ array; the *sqes*
 * area holds the submission entries. Both are in shared memory that the engine
 * maps for itself and serves to mmap() of the ring fd (D3), so the application
 * may unmap its view at any time without harm to the engine, and memory that it
 * still maps outlives the ring. With NO_MMAP the application supplies the
 * memory (base/borrow.h).
 *
 * Two parties write to the header: the application owns sq tail, cq head and cq
 * flags; the engine owns all other fields. Masks and sizes are copied into the
 * struct and never read back.
 */
#ifndef POLYRING_RING_MEMORY_H
#define POLYRING_RING_MEMORY_H

#include "abi/uring.h"
#include "base/compiler.h"

struct ring_header {
	uint32_t sq_head;
	uint32_t sq_tail;
	uint32_t cq_head;
	uint32_t cq_tail;
	uint32_t sq_mask;
	uint32_t cq_mask;
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t sq_dropped;
	uint32_t sq_flags;
	uint32_t cq_flags;
	uint32_t cq_overflow;
	uint32_t pad[4];
};
ABI_SIZE(struct ring_header, 64);

struct ring_memory {
	struct ring_header *header;
	uint8_t *cqes;
	uint32_t *sq_array; /* NULL with NO_SQARRAY */
	uint8_t *sqes;
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint8_t sqe_shift; /* 6, or 7 with SQE128 */
	uint8_t cqe_shift; /* 4, or 5 with CQE32 */
	bool cqe_mixed; /* has entries of one and of two slots */
	int memfd; /* only under valgrind, else -1 */
	size_t rings_bytes; /* whole pages */
	size_t sqes_bytes;
	void *lent_rings; /* the application's addresses, with NO_MMAP */
	void *lent_sqes;
};

/*
 * Choose p->sq_entries and p->cq_entries for @entries submissions, as p->flags
 * (CQSIZE, CLAMP) ask: 0 or -EINVAL.
 */
int ring_shared_size(uint32_t entries, struct io_uring_params *p);

/*
 * Lay out and map the areas for p->sq_entries, p->cq_entries and p->flags,
 * which the caller has checked, and fill p->sq_off and p->cq_off. Returns 0;
 * -ENOMEM, -ENFILE or -EMFILE; with NO_MMAP -EFAULT or -EINVAL for bad memory.
 */
int ring_shared_open(struct ring_memory *memory, struct io_uring_params *p);
void ring_shared_close(struct ring_memory *memory);

/* The checked build's invariant of areas that are laid out. */
static inline bool ring_memory_valid(const struct ring_memory *memory)
{
	return memory->header && memory->cqes && memory->sqes &&
	       is_power_of_two(memory->sq_entries) &&
	       is_power_of_two(memory->cq_entries);
}

/* mmap(2) of the ring fd: the address, or a negative errno. */
long ring_shared_map(const struct ring_memory *memory, void *hint, size_t bytes,
		     int prot, int flags, uint64_t offset);

#endif
