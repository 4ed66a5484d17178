// SPDX-License-Identifier: MIT
#include "ring/memory.h"

#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/borrow.h"
#include "base/sys.h"
#include "base/tool.h"

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/*
 * Compute sizes and the offsets that the application gets; allocates nothing.
 */
static void lay_out(struct ring_memory *m, struct io_uring_params *p)
{
	uint32_t array_at;

	m->sq_entries = p->sq_entries;
	m->cq_entries = p->cq_entries;
	m->sqe_shift = p->flags & IORING_SETUP_SQE128 ? 7 : 6;
	m->cqe_shift = p->flags & IORING_SETUP_CQE32 ? 5 : 4;
	m->cqe_mixed = p->flags & IORING_SETUP_CQE_MIXED;
	/* For CQE32 the kernel doubles the header together with the entries. */
	array_at =
		(uint32_t)(sizeof(struct ring_header) +
			   (size_t)m->cq_entries * sizeof(struct io_uring_cqe))
		<< (m->cqe_shift - 4);
	m->rings_bytes = array_at;
	m->sqes_bytes = whole_pages((size_t)m->sq_entries << m->sqe_shift);

	p->sq_off = (struct io_sqring_offsets){
		.head = offsetof(struct ring_header, sq_head),
		.tail = offsetof(struct ring_header, sq_tail),
		.ring_mask = offsetof(struct ring_header, sq_mask),
		.ring_entries = offsetof(struct ring_header, sq_entries),
		.flags = offsetof(struct ring_header, sq_flags),
		.dropped = offsetof(struct ring_header, sq_dropped),
		.user_addr = p->sq_off.user_addr,
	};
	p->cq_off = (struct io_cqring_offsets){
		.head = offsetof(struct ring_header, cq_head),
		.tail = offsetof(struct ring_header, cq_tail),
		.ring_mask = offsetof(struct ring_header, cq_mask),
		.ring_entries = offsetof(struct ring_header, cq_entries),
		.overflow = offsetof(struct ring_header, cq_overflow),
		.cqes = sizeof(struct ring_header),
		.flags = offsetof(struct ring_header, cq_flags),
		.user_addr = p->cq_off.user_addr,
	};
	if (!(p->flags & IORING_SETUP_NO_SQARRAY)) {
		p->sq_off.array = array_at;
		m->rings_bytes += (size_t)m->sq_entries * sizeof(uint32_t);
	}
	m->rings_bytes = whole_pages(m->rings_bytes);
}

static void set_pointers(struct ring_memory *m, const struct io_uring_params *p,
			 uint8_t *rings, uint8_t *sqes)
{
	m->header = (struct ring_header *)rings;
	m->cqes = rings + sizeof(struct ring_header);
	m->sq_array = NULL;
	if (!(p->flags & IORING_SETUP_NO_SQARRAY))
		m->sq_array = (uint32_t *)(rings + p->sq_off.array);
	m->sqes = sqes;
}

static uint32_t next_power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* Bring @n into 1..@max, or refuse it: only with CLAMP may it be lowered. */
static int clamp_entries(uint32_t *n, uint32_t max, uint32_t flags)
{
	if (!*n)
		return -EINVAL;
	if (*n > max) {
		if (!(flags & IORING_SETUP_CLAMP))
			return -EINVAL;
		*n = max;
	}
	*n = next_power_of_two(*n);
	return 0;
}

int ring_shared_size(uint32_t entries, struct io_uring_params *p)
{
	int err;

	p->sq_entries = entries;
	err = clamp_entries(&p->sq_entries, IORING_MAX_ENTRIES, p->flags);
	if (err < 0)
		return err;
	if (!(p->flags & IORING_SETUP_CQSIZE)) {
		p->cq_entries = 2 * p->sq_entries;
		return 0;
	}
	err = clamp_entries(&p->cq_entries, IORING_MAX_CQ_ENTRIES, p->flags);
	if (!err && p->cq_entries < p->sq_entries)
		err = -EINVAL;
	/* A big entry must fit. */
	if (!err && p->flags & IORING_SETUP_CQE_MIXED && p->cq_entries < 2)
		err = -EOVERFLOW;
	return err;
}

/*
 * The file that queues are mapped from: -1 where none is needed, as but for
 * valgrind they can be mapped again without one.
 */
static int queue_file_open(size_t bytes)
{
	int fd;
	long err;

	if (!under_valgrind())
		return -1;
	fd = fd_move_high(
		(int)SYS_2(SYS_memfd_create, "polyring", MFD_CLOEXEC));
	if (fd < 0)
		return fd;
	err = SYS_2(SYS_ftruncate, fd, bytes);
	if (err < 0) {
		fd_close(fd);
		return (int)err;
	}
	return fd;
}

static int map_own(struct ring_memory *m, const struct io_uring_params *p)
{
	size_t bytes = m->rings_bytes + m->sqes_bytes;
	long at;

	m->lent_rings = NULL;
	m->memfd = queue_file_open(bytes);
	if (m->memfd < -1)
		return m->memfd;
	at = SYS_6(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
		   MAP_SHARED | (m->memfd < 0 ? MAP_ANONYMOUS : 0), m->memfd,
		   0);
	if (at < 0) {
		fd_close(m->memfd);
		return (int)at;
	}
	set_pointers(m, p, (uint8_t *)at, (uint8_t *)at + m->rings_bytes);
	return 0;
}

/* Every page must be mapped and writable; the kernel pins the pages here. */
static int check_pages(uint64_t address, size_t bytes)
{
	if (!address)
		return -EFAULT;
	if (address % PAGE_BYTES)
		return -EINVAL;
	if (!fault_range_ok(address, bytes))
		return -EFAULT;
	for (uint64_t at = address; at < address + bytes; at += PAGE_BYTES)
		if (fault_touch((void *)(uintptr_t)at) < 0)
			return -EFAULT;
	return 0;
}

static int memory_use_given(struct ring_memory *m,
			    const struct io_uring_params *p)
{
	uint64_t rings = p->cq_off.user_addr, sqes = p->sq_off.user_addr;
	uint8_t *rings_at, *sqes_at;
	int err;

	err = check_pages(rings, m->rings_bytes);
	if (!err)
		err = check_pages(sqes, m->sqes_bytes);
	if (err)
		return err;
	m->memfd = -1;
	m->lent_rings = (void *)(uintptr_t)rings;
	m->lent_sqes = (void *)(uintptr_t)sqes;
	rings_at = borrow_take(m->lent_rings, m->rings_bytes);
	sqes_at = borrow_take(m->lent_sqes, m->sqes_bytes);
	set_pointers(m, p, rings_at, sqes_at);
	memset(m->header, 0, sizeof(*m->header));
	return 0;
}

static void memory_give_back(struct ring_memory *m)
{
	borrow_return(m->lent_rings, m->header, m->rings_bytes);
	borrow_return(m->lent_sqes, m->sqes, m->sqes_bytes);
}

int ring_shared_open(struct ring_memory *m, struct io_uring_params *p)
{
	int err;

	lay_out(m, p);
	if (p->flags & IORING_SETUP_NO_MMAP)
		err = memory_use_given(m, p);
	else
		err = map_own(m, p);
	if (err < 0)
		return err;
	m->header->sq_mask = m->sq_entries - 1;
	m->header->cq_mask = m->cq_entries - 1;
	m->header->sq_entries = m->sq_entries;
	m->header->cq_entries = m->cq_entries;
	return 0;
}

void ring_shared_close(struct ring_memory *m)
{
	if (m->lent_rings) {
		if (m->header)
			memory_give_back(m);
		m->header = NULL;
		return;
	}
	SYS_2(SYS_munmap, m->header, m->rings_bytes + m->sqes_bytes);
	fd_close(m->memfd);
	m->memfd = -1;
}

#define PLACE_FLAGS (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT)

/* Where the application wants it: of memory that is replaced next, no data. */
static long reserve(void *hint, size_t bytes, int prot, int flags)
{
	return SYS_6(SYS_mmap, hint, bytes, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			     (flags & PLACE_FLAGS),
		     -1, 0);
}

/* A private mapping is a copy of what is there. */
static long map_copy(const uint8_t *from, size_t have, long at, size_t bytes)
{
	fault_copy((void *)at, from, bytes < have ? bytes : have);
	return at;
}

/* Map the same memory a second time: needs no file. */
static long map_again(uint8_t *from, size_t have, void *hint, size_t bytes,
		      int prot, int flags)
{
	bool copies = (flags & MAP_TYPE) == MAP_PRIVATE;
	long reserved =
		reserve(hint, bytes,
			copies ? PROT_READ | PROT_WRITE : PROT_NONE, flags);
	long at, err;

	if (reserved < 0)
		return reserved;
	if (copies)
		at = map_copy(from, have, reserved, bytes);
	else
		at = SYS_5(SYS_mremap, from, 0, bytes,
			   MREMAP_MAYMOVE | MREMAP_FIXED, reserved);
	err = at;
	if (at >= 0 && prot != (PROT_READ | PROT_WRITE))
		err = SYS_3(SYS_mprotect, at, bytes, prot);
	if (err < 0) {
		SYS_2(SYS_munmap, reserved, bytes);
		return err;
	}
	return at;
}

long ring_shared_map(const struct ring_memory *m, void *hint, size_t bytes,
		     int prot, int flags, uint64_t offset)
{
	size_t at, have = m->rings_bytes + m->sqes_bytes;
	int type = flags & MAP_TYPE;

	if (m->lent_rings)
		return -ENOMEM;
	switch (offset & IORING_OFF_MMAP_MASK) {
	case IORING_OFF_SQ_RING:
	case IORING_OFF_CQ_RING:
		at = 0;
		break;
	case IORING_OFF_SQES:
		at = m->rings_bytes;
		break;
	default:
		return -ENOMEM; /* what the kernel's address search says */
	}
	if (m->memfd >= 0)
		return SYS_6(SYS_mmap, hint, bytes, prot, flags, m->memfd, at);
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE &&
	    type != MAP_PRIVATE)
		return -EINVAL;
	return map_again((uint8_t *)m->header + at, have - at, hint, bytes,
			 prot, flags);
}
