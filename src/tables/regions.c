// SPDX-License-Identifier: MIT
#include "tables/regions.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/sys.h"

static int check_desc(const struct io_uring_region_desc *desc)
{
	bool brought = desc->flags & IORING_MEM_REGION_TYPE_USER;

	if (desc->resv[0] || desc->resv[1] || desc->resv[2] || desc->resv[3])
		return -EINVAL;
	if (desc->flags & ~IORING_MEM_REGION_TYPE_USER)
		return -EINVAL;
	if (brought != (desc->user_addr != 0))
		return -EFAULT;
	if (!desc->size || desc->mmap_offset || desc->id)
		return -EINVAL;
	if (desc->size / PAGE_BYTES > INT32_MAX)
		return -E2BIG;
	if (desc->size % PAGE_BYTES || desc->user_addr % PAGE_BYTES)
		return -EINVAL;
	if (desc->user_addr + desc->size < desc->size)
		return -EOVERFLOW;
	return 0;
}

static int regions_use_given(struct region *region,
			     const struct io_uring_region_desc *desc)
{
	if (!fault_range_ok(desc->user_addr, desc->size))
		return -EFAULT;
	region->memory = (uint8_t *)(uintptr_t)desc->user_addr;
	for (uint64_t at = 0; at < desc->size; at += PAGE_BYTES)
		if (fault_touch(region->memory + at) < 0)
			return -EFAULT;
	return 0;
}

static int make_own(struct region *region, struct io_uring_region_desc *desc)
{
	long err, at;

	region->memfd = fd_move_high(
		(int)SYS_2(SYS_memfd_create, "polyring-region", MFD_CLOEXEC));
	if (region->memfd < 0)
		return region->memfd;
	err = SYS_2(SYS_ftruncate, region->memfd, desc->size);
	if (err < 0)
		goto close_memfd;
	at = SYS_6(SYS_mmap, NULL, desc->size, PROT_READ | PROT_WRITE,
		   MAP_SHARED, region->memfd, 0);
	if (at < 0) {
		err = at;
		goto close_memfd;
	}
	region->memory = (uint8_t *)at;
	desc->mmap_offset = IORING_OFF_PARAM_REGION;
	return 0;
close_memfd:
	fd_close(region->memfd);
	return (int)err;
}

int region_open(struct region *region, struct io_uring_region_desc *desc)
{
	int err = check_desc(desc);

	*region = (struct region){.memfd = -1};
	if (!err && desc->flags & IORING_MEM_REGION_TYPE_USER)
		err = regions_use_given(region, desc);
	else if (!err)
		err = make_own(region, desc);
	if (!err)
		region->bytes = desc->size;
	return err;
}

void region_close(struct region *region)
{
	if (!region->bytes || region->memfd < 0)
		return;
	SYS_2(SYS_munmap, region->memory, region->bytes);
	fd_close(region->memfd);
	region->bytes = 0;
}

void region_show(struct region *shown, const struct region *region)
{
	shown->memory = region->memory;
	shown->memfd = region->memfd;
	shown->waits = region->waits;
	store_release(&shown->bytes, region->bytes);
}

int region_read_wait(const struct region *region, uint64_t offset,
		     struct io_uring_reg_wait *wait)
{
	size_t last = region->bytes - sizeof(*wait);

	if (!region->bytes || !region->waits)
		return -EFAULT;
	if (offset % sizeof(uint64_t) || offset > last)
		return -EFAULT;
	/*
	 * 6.18 uses the first one here instead of the last: its protection
	 * against speculative reads is off by one.
	 */
	if (offset == last)
		offset = 0;
	return fault_copy(wait, region->memory + offset, sizeof(*wait));
}

long region_map(const struct region *region, void *hint, size_t bytes, int prot,
		int flags)
{
	/* Pairs with the release in region_show(). */
	size_t have = load_acquire(&region->bytes);

	if (!have || region->memfd < 0)
		return -ENOMEM;
	if (bytes + PAGE_BYTES - 1 < have)
		return -EFAULT;
	return SYS_6(SYS_mmap, hint, bytes, prot, flags, region->memfd, 0);
}
