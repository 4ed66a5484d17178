// SPDX-License-Identifier: MIT
/*
 * Ring groups: memory shared with the application (SPEC 4, 6).
 *
 * Theory: the application writes entries and then tail; the engine reads tail
 * and then the entry at head. Head is private to the engine: the low 16 bits of
 * how many entries the group has used up, so that a commit is one addition. A
 * claim changes nothing, so recycling it costs nothing (S5).
 *
 * The memory belongs to the application even if the engine allocated it: the
 * application may write to it, shorten it or unmap it while the engine reads
 * it. So it is accessed only through base/fault.h, each field once, and its
 * contents are checked like any input. If tail is too far ahead, old entries
 * are served again, as in the kernel; if the memory is gone, the ring is empty.
 *
 * Application memory is not pinned. Registering touches each page, so that it
 * refuses what the kernel refuses (unmapped, read-only memory). A ring that is
 * unmapped later answers ENOBUFS; if other memory is mapped there instead, the
 * engine uses that.
 *
 * Engine-allocated rings are shared memory, mapped once by the engine and any
 * number of times by the application: the memory exists until its last mapping
 * is gone, which is what G10 requires. The application's mapping duplicates the
 * engine's with mremap(2) of 0 bytes, which needs no descriptor; making one
 * would use the lowest free fd for a moment. valgrind does not support that, so
 * under valgrind the first rings of a table have a memfd to map from. The
 * program may close that fd (closefrom()), so its identity is compared before
 * it is used.
 *
 * A process may have some 65,000 mappings. Rings without a file are therefore
 * placed side by side in chunks of one mapping each. The place of a ring is not
 * used again, because the application may still have it mapped; it is unmapped,
 * and the chunk's memory is freed with its last ring.
 *
 * Locks: the caller's for all but kbuf_ring_map(), see group.h. Every call is
 * O(1) but register, which is O(bytes).
 * Keeps S4-S6, G1-G13, I1-I4.
 */
#include "kbuf/ring.h"

#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "base/tool.h"
#include "kbuf/pool.h"

#define RING_FILES_MAX 64u /* fds that a table may use for rings */
#define CHUNK_BYTES (size_t)(16 * PAGE_BYTES)

static size_t ring_bytes(const struct kbuf_group *group)
{
	size_t bytes = (group->mask + 1) * sizeof(struct io_uring_buf);

	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* ---- engine-allocated memory ------------------------------------------- */

/* An integer that identifies the file of @fd; 0 when @fd is not open. */
static uint64_t fd_identity(int fd)
{
	struct stat st;

	if (SYS_2(SYS_fstat, fd, &st) < 0)
		return 0;
	return st.st_ino ^ (uint64_t)st.st_dev << 40;
}

/* Make a file of @bytes for the ring. Returns -1 where it is not needed. */
static int ring_file_open(struct kbuf_table *table, size_t bytes)
{
	int fd;

	if (!under_valgrind() || table->ring_files >= RING_FILES_MAX)
		return -1;
	fd = fd_move_high(
		(int)SYS_2(SYS_memfd_create, "polyring-buffers", MFD_CLOEXEC));
	if (fd < 0)
		return -1;
	if (SYS_2(SYS_ftruncate, fd, bytes) < 0) {
		fd_close(fd);
		return -1;
	}
	table->ring_files++;
	return fd;
}

static void ring_file_close(struct kbuf_table *table, struct kbuf_group *group)
{
	if (group->memory_fd < 0)
		return;
	if (table)
		table->ring_files--;
	if (fd_identity(group->memory_fd) == group->memory_identity)
		fd_close(group->memory_fd);
}

/* Map shared memory of @bytes, from @fd or, if that is -1, without a file. */
static long memory_map(size_t bytes, int fd)
{
	return SYS_6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

void ring_chunk_close(struct kbuf_table *table)
{
	if (table->chunk_left)
		SYS_2(SYS_munmap, table->chunk, table->chunk_left);
	table->chunk_left = 0;
}

/* Take the next @bytes of the chunk, or of a new one. */
static long chunk_carve(struct kbuf_table *table, size_t bytes)
{
	long at;

	if (bytes > table->chunk_left) {
		at = memory_map(CHUNK_BYTES, -1);
		if (at < 0)
			return at;
		ring_chunk_close(table);
		table->chunk = (uintptr_t)at;
		table->chunk_left = CHUNK_BYTES;
	}
	at = (long)table->chunk;
	table->chunk += bytes;
	table->chunk_left -= bytes;
	return at;
}

static int ring_memory_open(struct kbuf_table *table, struct kbuf_group *group)
{
	size_t bytes = ring_bytes(group);
	int fd = ring_file_open(table, bytes);
	long memory;

	group->memory_fd = fd;
	group->memory_identity = fd < 0 ? 0 : fd_identity(fd);
	if (fd < 0 && bytes <= CHUNK_BYTES)
		memory = chunk_carve(table, bytes);
	else
		memory = memory_map(bytes, fd);
	if (memory < 0) {
		ring_file_close(table, group);
		return (int)memory;
	}
	group->ring = (void *)memory;
	group->engine_memory = true;
	return 0;
}

void ring_memory_close(struct kbuf_table *table, struct kbuf_group *group)
{
	SYS_2(SYS_munmap, group->ring, ring_bytes(group));
	ring_file_close(table, group);
}

/* ---- the application's memory ------------------------------------------ */

/* G7: what the kernel would pin must be mapped and writable. */
static int ring_memory_adopt(struct kbuf_group *group, uint64_t addr)
{
	size_t bytes = ring_bytes(group), at;

	if (!fault_range_ok(addr, bytes))
		return -EFAULT;
	for (at = 0; at < bytes; at += PAGE_BYTES)
		if (fault_touch((char *)(uintptr_t)addr + at) < 0)
			return -EFAULT;
	group->ring = (void *)(uintptr_t)addr;
	return 0;
}

static int ring_addr_check(const struct kbuf_table *table,
			   const struct io_uring_buf_reg *reg)
{
	uint64_t end, bytes = reg->ring_entries * UINT64_C(16);

	if (reg->flags & IOU_PBUF_RING_MMAP) {
		if (reg->ring_addr &&
		    abi_has(table->profile, ABI_MMAP_ADDR_ZERO))
			return -EINVAL;
		return 0;
	}
	if (!reg->ring_addr)
		return -EFAULT;
	if (reg->ring_addr % PAGE_BYTES)
		return -EINVAL;
	if (__builtin_add_overflow(reg->ring_addr, bytes + PAGE_BYTES - 1,
				   &end))
		return -EOVERFLOW;
	return 0;
}

/* ---- register ---------------------------------------------------------- */

static bool reg_reserved(const struct io_uring_buf_reg *reg)
{
	return reg->resv[0] | reg->resv[1] | reg->resv[2] | reg->resv[3] |
	       reg->resv[4];
}

static unsigned int ring_flags_known(const struct kbuf_table *table)
{
	unsigned int known = 0;

	if (abi_has(table->profile, ABI_PBUF_MMAP))
		known |= IOU_PBUF_RING_MMAP;
	if (abi_has(table->profile, ABI_PBUF_INC))
		known |= IOU_PBUF_RING_INC;
	return known;
}

/* G2-G5 and, in the profiles that check the address this early, G7 and G8. */
static int ring_register_check(const struct kbuf_table *table,
			       const struct io_uring_buf_reg *reg)
{
	bool addr_first = abi_has(table->profile, ABI_RING_ADDR_FIRST);
	int err;

	if (reg_reserved(reg))
		return -EINVAL;
	if (reg->min_left && !abi_has(table->profile, ABI_PBUF_MIN_LEFT))
		return -EINVAL;
	if (reg->flags & ~ring_flags_known(table))
		return -EINVAL;
	if (addr_first) {
		err = ring_addr_check(table, reg);
		if (err < 0)
			return err;
	}
	if (!is_power_of_two(reg->ring_entries) ||
	    reg->ring_entries > KBUF_RING_ENTRIES_MAX)
		return -EINVAL;
	if (reg->min_left && !(reg->flags & IOU_PBUF_RING_INC))
		return -EINVAL;
	return 0;
}

static int ring_memory_get(struct kbuf_table *table, struct kbuf_group *group,
			   const struct io_uring_buf_reg *reg)
{
	if (reg->flags & IOU_PBUF_RING_MMAP)
		return ring_memory_open(table, group);
	return ring_memory_adopt(group, reg->ring_addr);
}

/* G11: 6.6 keeps the head of a low group for the next group at its bgid. */
static bool keeps_head(const struct kbuf_table *table, uint16_t bgid)
{
	return bgid < LOW_GROUPS && abi_has(table->profile, ABI_LOW_GROUPS);
}

/* Make a complete private group, or return a negative errno. */
static int ring_group_new(struct kbuf_table *table,
			  const struct io_uring_buf_reg *reg,
			  struct kbuf_group **made)
{
	struct kbuf_group *group;
	int err = ring_addr_check(table, reg);

	if (err < 0)
		return err;
	group = group_new(table, reg->bgid, GROUP_RING);
	if (!group)
		return -ENOMEM;
	group->mask = reg->ring_entries - 1;
	group->inc = reg->flags & IOU_PBUF_RING_INC;
	group->special = group->inc;
	group->min_left = reg->min_left ? reg->min_left : 1;
	if (keeps_head(table, reg->bgid))
		group->committed = table->low_heads[reg->bgid];
	err = ring_memory_get(table, group, reg);
	if (err < 0) {
		group_free(table, group);
		return err;
	}
	*made = group;
	return 0;
}

int kbuf_ring_register(struct kbuf_table *table,
		       const struct io_uring_buf_reg *reg)
{
	struct kbuf_group *before = group_find(table, reg->bgid), *group;
	int err = ring_register_check(table, reg);

	if (err < 0)
		return err;
	group_wanted(table, reg->bgid);
	if (!group_is_vacant(before))
		return -EEXIST; /* G6 */
	/* A live 6.18 removes the empty group first, even if the rest fails. */
	if (before && abi_has(table->profile, ABI_UPGRADE_DROPS)) {
		group_retire(table, before);
		before = NULL;
	}
	err = ring_group_new(table, reg, &group);
	if (err < 0)
		return err;
	if (before)
		group_retire(table, before);
	err = group_publish(table, group);
	if (err < 0)
		group_free(table, group);
	return err;
}

int kbuf_ring_unregister(struct kbuf_table *table,
			 const struct io_uring_buf_reg *reg)
{
	struct kbuf_group *group;

	if (reg_reserved(reg) || reg->flags)
		return -EINVAL;
	if (reg->min_left && !abi_has(table->profile, ABI_PBUF_MIN_LEFT))
		return -EINVAL;
	group = group_find(table, reg->bgid);
	if (!group)
		return group_is_phantom(table, reg->bgid) ? -EINVAL : -ENOENT;
	if (group_itself(group)->kind != GROUP_RING)
		return -EINVAL;
	if (keeps_head(table, reg->bgid) && group->kind == GROUP_RING)
		table->low_heads[reg->bgid] = ring_head(group);
	group_retire(table, group);
	return 0;
}

int kbuf_ring_status(struct kbuf_table *table,
		     struct io_uring_buf_status *status)
{
	struct kbuf_group *group;
	unsigned int i;

	if (!abi_has(table->profile, ABI_PBUF_STATUS))
		return -EINVAL;
	for (i = 0; i < array_size(status->resv); i++)
		if (status->resv[i])
			return -EINVAL;
	if (status->buf_group > UINT16_MAX)
		return -ENOENT;
	group = group_find(table, (uint16_t)status->buf_group);
	if (!group)
		return group_is_phantom(table, (uint16_t)status->buf_group)
			       ? -EINVAL
			       : -ENOENT;
	if (group_itself(group)->kind != GROUP_RING)
		return -EINVAL;
	status->head = group->kind == GROUP_SHARED ? shared_head(group)
						   : ring_head(group);
	return 0;
}

/* ---- mmap -------------------------------------------------------------- */

/* A private mapping: a copy of what the ring contains now. */
static long ring_copy(const struct kbuf_group *group, size_t bytes)
{
	size_t count = ring_bytes(group);
	long address = SYS_6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (address > 0)
		fault_copy((void *)address, group->ring,
			   bytes < count ? bytes : count);
	return address;
}

/* Map the same memory a second time; needs no file. */
static long ring_map_again(struct kbuf_group *group, size_t bytes, int prot,
			   int flags)
{
	int type = flags & MAP_TYPE;
	long address, err;

	if (type == MAP_PRIVATE)
		address = ring_copy(group, bytes);
	else if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
		address = SYS_4(SYS_mremap, group->ring, 0, bytes,
				MREMAP_MAYMOVE);
	else
		return -EINVAL;
	if (address < 0 || prot == (PROT_READ | PROT_WRITE))
		return address;
	err = SYS_3(SYS_mprotect, address, bytes, prot);
	if (err < 0) {
		SYS_2(SYS_munmap, address, bytes);
		return err;
	}
	return address;
}

/* In a read section. The checks and their order are those of a live 6.18. */
static long ring_map(struct kbuf_group *group, size_t bytes, int prot,
		     int flags)
{
	if (!group || !group->engine_memory)
		return -ENOMEM;
	if (prot & PROT_EXEC)
		return -EPERM;
	if (bytes + PAGE_BYTES - 1 < ring_bytes(group))
		return -EFAULT;
	if (group->memory_fd < 0 ||
	    fd_identity(group->memory_fd) != group->memory_identity)
		return ring_map_again(group, bytes, prot, flags);
	return SYS_6(SYS_mmap, 0, bytes, prot, flags, group->memory_fd, 0);
}

long kbuf_ring_map(struct kbuf_table *table, uint16_t bgid, void *hint,
		   size_t bytes, int prot, int flags)
{
	long address;

	/*
	 * The kernel chooses the address of these mappings, and refuses a hint.
	 */
	if (hint || !bytes)
		return -EINVAL;
	rcu_enter();
	address = ring_map(group_itself(group_find(table, bgid)), bytes, prot,
			   flags);
	rcu_leave();
	return address;
}

/* ---- incremental consumption (SPEC 6) ---------------------------------- */

/*
 * Shorten the entry at head by @bytes. Returns whether part of it is left; if
 * not, the caller advances head. Of memory that is gone nothing is left.
 */
bool ring_consume_part(struct kbuf_group *group, uint32_t bytes)
{
	struct io_uring_buf *at = &group->ring[ring_head(group) & group->mask];
	struct io_uring_buf entry;
	uint32_t left;

	if (fault_copy(&entry, at, sizeof(entry)) < 0)
		return false;
	/* The tail may be so far ahead that the same entry is used twice. */
	if (bytes > entry.len)
		bytes = entry.len;
	left = entry.len - bytes;
	if (bytes && left < group->min_left) {
		fault_store_u32(&at->len, 0);
		return false;
	}
	if (bytes && (fault_store_u64(&at->addr, entry.addr + bytes) < 0 ||
		      fault_store_u32(&at->len, left) < 0))
		return false;
	bump(&group->parts);
	return true;
}
