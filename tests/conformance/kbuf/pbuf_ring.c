/* SPDX-License-Identifier: MIT */
/*
 * REGISTER_PBUF_RING, UNREGISTER_PBUF_RING, PBUF_STATUS, and mmap of rings that
 * the engine allocated.
 *
 * Theory: to see the order of two checks, a scenario fails both at once; to see
 * the state that a failed call left, it uses the group afterwards.
 */
#include "runner/scenario.h"

#define GROUP 9

static struct io_uring_buf_reg good(void)
{
	return (struct io_uring_buf_reg){
		.ring_addr = (uintptr_t)pages(4096),
		.ring_entries = 8,
		.bgid = GROUP,
	};
}

static int add(struct ring *r, struct io_uring_buf_reg *how)
{
	return reg(r, IORING_REGISTER_PBUF_RING, how, 1);
}

static int drop(struct ring *r, struct io_uring_buf_reg *how)
{
	return reg(r, IORING_UNREGISTER_PBUF_RING, how, 1);
}

/* Is the group missing, classic or a ring? */
static void note_kind(struct ring *r, uint16_t bgid)
{
	sqe_remove(r, 1, bgid);
	go(r);
	note_head(r, bgid);
}

/* Receive one byte into the group. */
static void receive(struct ring *r, uint16_t bgid)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	put(fd[1], "x");
	sqe_select(r, IORING_OP_RECV, fd[0], 1, bgid);
	go(r);
	close(fd[0]);
	close(fd[1]);
}

static long try_map(struct ring *r, size_t bytes, uint64_t offset)
{
	long at = side->map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    r->fd, IORING_OFF_PBUF_RING | offset);

	if (at < 0)
		note_result("map", at);
	else
		note("map succeeded");
	return at;
}

/* ---- REGISTER ------------------------------------------------------------ */

static void G1_argument(struct ring *r)
{
	struct io_uring_buf_reg how = good();
	uint32_t ops[] = {IORING_REGISTER_PBUF_RING,
			  IORING_UNREGISTER_PBUF_RING,
			  IORING_REGISTER_PBUF_STATUS};
	size_t i;

	for (i = 0; i < array_size(ops); i++) {
		reg(r, ops[i], NULL, 1);
		reg(r, ops[i], &how, 0);
		reg(r, ops[i], &how, 2);
		reg(r, ops[i], NULL, 0);
		reg(r, ops[i], nowhere(), 1);
		reg(r, ops[i], nowhere(), 2);
	}
	note_kind(r, GROUP);
}

static void G1_half_readable(struct ring *r)
{
	char *two = page_before_nothing();
	struct io_uring_buf_reg how = good();

	memcpy(two + 4096 - 20, &how, 20);
	reg(r, IORING_REGISTER_PBUF_RING, two + 4096 - 20, 1);
	reg(r, IORING_UNREGISTER_PBUF_RING, two + 4096 - 20, 1);
	reg(r, IORING_REGISTER_PBUF_STATUS, two + 4096 - 20, 1);
	/* The struct ends at the last readable byte. */
	memcpy(two + 4096 - sizeof(how), &how, sizeof(how));
	reg(r, IORING_REGISTER_PBUF_RING, two + 4096 - sizeof(how), 1);
}

static void G2_reserved(struct ring *r)
{
	struct io_uring_buf_reg how;
	size_t i;

	for (i = 0; i < array_size(how.resv); i++) {
		how = good();
		how.resv[i] = 1;
		add(r, &how);
	}
	how.flags = 0x80;
	how.ring_entries = 3;
	add(r, &how);
	note_kind(r, GROUP);
}

static void G3_flags(struct ring *r)
{
	struct io_uring_buf_reg how = good();
	unsigned int bit;

	for (bit = 2; bit < 16; bit++) {
		how.flags = (uint16_t)(1u << bit);
		add(r, &how);
	}
	how.flags = 0xffff;
	add(r, &how);
	note_kind(r, GROUP);
}

static void G3_before_G4_and_G6(struct ring *r)
{
	struct io_uring_buf_reg how = good();

	add(r, &how);
	how.flags = 8;
	add(r, &how);
	how.ring_entries = 3;
	add(r, &how);
	how.ring_addr = 1;
	add(r, &how);
}

static void G4_entries(struct ring *r)
{
	static const uint32_t entries[] = {0,	  3,	  6,	      65535,
					   65536, 131072, UINT32_MAX, 1u << 31,
					   100,	  32767,  32769};
	size_t i;

	for (i = 0; i < array_size(entries); i++) {
		note("entries %u", entries[i]);
		bufs_register(r, (uintptr_t)pages(4096), entries[i], GROUP, 0);
		bufs_register(r, 0, entries[i], GROUP, IOU_PBUF_RING_MMAP);
	}
	note_kind(r, GROUP);
}

static void G4_every_power_of_two(struct ring *r)
{
	uint32_t entries;

	for (entries = 1; entries <= 32768; entries *= 2) {
		bufs_register(r, (uintptr_t)pages(entries * 16), entries, GROUP,
			      0);
		bufs_unregister(r, GROUP);
		bufs_register(r, 0, entries, GROUP, IOU_PBUF_RING_MMAP);
		bufs_unregister(r, GROUP);
	}
}

static void G4_before_G6_and_G7(struct ring *r)
{
	bufs_register(r, 1, 3, GROUP, 0);
	bufs_register(r, 0, 3, GROUP, 0);
	bufs_register(r, (uintptr_t)pages(4096), 8, GROUP, 0);
	bufs_register(r, (uintptr_t)pages(4096), 3, GROUP, 0);
}

static void G5_min_left(struct ring *r)
{
	struct io_uring_buf_reg how = good();

	how.min_left = 1;
	add(r, &how);
	how.min_left = UINT32_MAX;
	add(r, &how);
	note_kind(r, GROUP);
}

static void G6_exists(struct ring *r)
{
	struct io_uring_buf_reg how = good();

	add(r, &how);
	add(r, &how);
	how.flags = IOU_PBUF_RING_MMAP;
	add(r, &how);
	how.bgid = GROUP + 1;
	add(r, &how);
	add(r, &how);
	how.flags = 0;
	add(r, &how);
}

static void G6_classic(struct ring *r)
{
	struct io_uring_buf_reg how = good();
	char *memory = pages(4096);

	sqe_provide(r, memory, 16, 2, GROUP, 0);
	go(r);
	add(r, &how);
	sqe_remove(r, 1, GROUP);
	go(r);
	add(r, &how);
	sqe_remove(r, 1, GROUP);
	go(r);
	add(r, &how);
	note_kind(r, GROUP);
	sqe_provide(r, memory, 16, 2, GROUP, 0);
	go(r);
}

static void G6_before_G7(struct ring *r)
{
	struct io_uring_buf_reg how = good();

	add(r, &how);
	how.ring_addr = 0;
	add(r, &how);
	how.ring_addr = 12345;
	add(r, &how);
	how.ring_addr = (uintptr_t)nowhere();
	add(r, &how);
}

static void G7_address(struct ring *r)
{
	uintptr_t there = (uintptr_t)pages(4096);

	bufs_register(r, 0, 8, GROUP, 0);
	bufs_register(r, there + 1, 8, GROUP, 0);
	bufs_register(r, there + 16, 8, GROUP, 0);
	bufs_register(r, there + 2048, 8, GROUP, 0);
	bufs_register(r, 8, 8, GROUP, 0);
	bufs_register(r, (uintptr_t)nowhere(), 8, GROUP, 0);
	bufs_register(r, UINT64_C(0xffff800000000000), 8, GROUP, 0);
	bufs_register(r, UINT64_C(0xfffffffffffff000), 8, GROUP, 0);
	bufs_register(r, UINT64_C(0x00007ffffffff000), 8, GROUP, 0);
	bufs_register(r, UINT64_C(0x00007fffffffe000), 8, GROUP, 0);
	note_kind(r, GROUP);
}

static void G7_partly_mapped(struct ring *r)
{
	char *two = page_before_nothing();

	bufs_register(r, (uintptr_t)two, 512, GROUP, 0);
	bufs_register(r, (uintptr_t)two, 256, GROUP, 0);
	bufs_register(r, (uintptr_t)two + 4096, 256, GROUP, 0);
	bufs_register(r, (uintptr_t)two, 512, GROUP + 1, 0);
	bufs_register(r, (uintptr_t)two + 4096, 512, GROUP + 2, 0);
}

static void G7_read_only(struct ring *r)
{
	bufs_register(r, (uintptr_t)read_only(), 8, GROUP, 0);
	note_kind(r, GROUP);
}

static void G7_shared_memory(struct ring *r)
{
	void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	bufs_register(r, (uintptr_t)shared, 8, GROUP, 0);
	note_kind(r, GROUP);
}

static void G7_the_same_memory_twice(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 16, 0, 2);
	bufs_register(r, (uintptr_t)b.memory, 4, GROUP + 1, 0);
	receive(r, GROUP);
	receive(r, GROUP + 1);
	note_head(r, GROUP);
	note_head(r, GROUP + 1);
}

static void G8_mmap_ignores_the_address(struct ring *r)
{
	struct bufs b;

	bufs_register(r, 1, 8, GROUP, IOU_PBUF_RING_MMAP);
	bufs_register(r, UINT64_MAX, 8, GROUP + 1, IOU_PBUF_RING_MMAP);
	bufs_register(r, (uintptr_t)nowhere(), 8, GROUP + 2,
		      IOU_PBUF_RING_MMAP);
	bufs_open(&b, r, 1, 4, 16, IOU_PBUF_RING_MMAP, 2);
	note_bytes("beyond", b.memory + 2, 32);
	receive(r, 1);
	receive(r, 1);
	receive(r, 1);
	note_head(r, 1);
	note_entries(&b, 2);
}

/* ---- UNREGISTER ---------------------------------------------------------- */

static void G9_unregister(struct ring *r)
{
	struct io_uring_buf_reg how = {.bgid = GROUP};
	struct bufs b;

	drop(r, &how);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	drop(r, &how);
	drop(r, &how);
	note_kind(r, GROUP);
	receive(r, GROUP);
}

static void G9_fields(struct ring *r)
{
	struct io_uring_buf_reg how;
	struct bufs b;
	size_t i;

	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	for (i = 0; i < array_size(how.resv); i++) {
		how = (struct io_uring_buf_reg){.bgid = GROUP};
		how.resv[i] = 1;
		drop(r, &how);
	}
	how = (struct io_uring_buf_reg){.bgid = GROUP, .min_left = 1};
	drop(r, &how);
	how = (struct io_uring_buf_reg){.bgid = GROUP, .flags = 1};
	drop(r, &how);
	how.flags = 0x8000;
	drop(r, &how);
	how = (struct io_uring_buf_reg){.bgid = 99, .flags = 1};
	drop(r, &how);
	/* Address and entries are not checked. */
	how = good();
	how.ring_addr = 3;
	how.ring_entries = 77;
	drop(r, &how);
}

static void G9_classic(struct ring *r)
{
	char *memory = pages(4096);

	sqe_provide(r, memory, 16, 1, GROUP, 0);
	go(r);
	bufs_unregister(r, GROUP);
	sqe_remove(r, 2, GROUP);
	go(r);
	bufs_unregister(r, GROUP);
	note_kind(r, GROUP);
}

static void G9_upgraded_is_gone(struct ring *r)
{
	char *memory = pages(4096);
	struct io_uring_buf_reg how = good();

	sqe_provide(r, memory, 16, 1, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
	add(r, &how);
	bufs_unregister(r, GROUP);
	note_kind(r, GROUP);
	sqe_provide(r, memory, 16, 1, GROUP, 0);
	go(r);
	receive(r, GROUP);
}

static void G9_a_receive_waits_on(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	sqe_select(r, IORING_OP_RECV, fd[0], 0, GROUP);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	quiet(r);
	bufs_unregister(r, GROUP);
	quiet(r);
	put(fd[1], "x");
	reap_sorted(r, 2);
}

static void G10_mapped_memory_stays(struct ring *r)
{
	struct bufs b;
	size_t i;

	bufs_open(&b, r, GROUP, 256, 16, IOU_PBUF_RING_MMAP, 4);
	receive(r, GROUP);
	bufs_unregister(r, GROUP);
	note_entries(&b, 4);
	for (i = 0; i < 4096; i++)
		((volatile char *)b.memory)[i] = 'a';
	note_bytes("unregistered", b.memory, 4096);
	ring_close(r);
	for (i = 0; i < 4096; i++)
		((volatile char *)b.memory)[i] = 'b';
	note_bytes("closed", b.memory, 4096);
	note_result("unmap", munmap(b.memory, 4096));
}

static void G10_without_unregistering(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 512, 16, IOU_PBUF_RING_MMAP, 4);
	ring_close(r);
	memset(b.memory, 'c', 8192);
	note_bytes("closed", b.memory, 8192);
}

/* A new ring must not use the old memory while that is still mapped. */
static void G10_registered_anew(struct ring *r)
{
	struct bufs old;
	struct bufs new;

	bufs_open(&old, r, GROUP, 256, 16, IOU_PBUF_RING_MMAP, 4);
	bufs_unregister(r, GROUP);
	bufs_open(&new, r, GROUP, 256, 16, IOU_PBUF_RING_MMAP, 2);
	memset(old.memory, 'x', 4096);
	note_entries(&new, 3);
	receive(r, GROUP);
	note_head(r, GROUP);
}

static void G10_application_memory(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 256, 16, 0, 4);
	bufs_unregister(r, GROUP);
	memset(b.memory, 'x', 4096);
	note_bytes("unregistered", b.memory, 4096);
	ring_close(r);
	note_result("unmap", munmap(b.memory, 4096));
}

static void G11_head_starts_at_zero(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	receive(r, GROUP);
	receive(r, GROUP);
	note_head(r, GROUP);
	bufs_unregister(r, GROUP);
	/* The old tail is still in the memory, so its entries are queued. */
	bufs_register(r, (uintptr_t)b.memory, 4, GROUP, 0);
	note_head(r, GROUP);
	receive(r, GROUP);
	bufs_unregister(r, GROUP);
	bufs_open(&b, r, GROUP, 8, 16, IOU_PBUF_RING_MMAP, 0);
	note_head(r, GROUP);
	note_entries(&b, 1);
	receive(r, GROUP);
}

/* ---- STATUS -------------------------------------------------------------- */

static void G12_status(struct ring *r)
{
	struct io_uring_buf_status status = {.buf_group = GROUP};
	struct bufs b;
	size_t i;

	reg(r, IORING_REGISTER_PBUF_STATUS, &status, 1);
	bufs_open(&b, r, GROUP, 4, 16, 0, 2);
	for (i = 0; i < array_size(status.resv); i++) {
		status.resv[i] = 1;
		reg(r, IORING_REGISTER_PBUF_STATUS, &status, 1);
		status.resv[i] = 0;
	}
	status.head = 77;
	reg(r, IORING_REGISTER_PBUF_STATUS, &status, 1);
	note("group %u head %u", status.buf_group, status.head);
	status.buf_group = 65536 + GROUP;
	reg(r, IORING_REGISTER_PBUF_STATUS, &status, 1);
	status.buf_group = UINT32_MAX;
	reg(r, IORING_REGISTER_PBUF_STATUS, &status, 1);
}

static void G12_classic(struct ring *r)
{
	sqe_provide(r, pages(64), 16, 1, GROUP, 0);
	go(r);
	note_head(r, GROUP);
	sqe_remove(r, 1, GROUP);
	go(r);
	note_head(r, GROUP);
}

static void G12_not_writable(struct ring *r)
{
	struct io_uring_buf_status *status = pages(4096);
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 16, 0, 2);
	status->buf_group = GROUP;
	status->head = 5;
	mprotect(status, 4096, PROT_READ);
	reg(r, IORING_REGISTER_PBUF_STATUS, status, 1);
	note("head %u", status->head);
}

/* The head is free-running; it is not a slot. */
static void G12_head_is_raw(struct ring *r)
{
	struct bufs b;
	unsigned int i;

	bufs_open(&b, r, GROUP, 2, 16, 0, 2);
	for (i = 0; i < 7; i++) {
		receive(r, GROUP);
		bufs_return(&b, (uint16_t)(i & 1));
	}
	note_head(r, GROUP);
}

/* ---- failures ------------------------------------------------------------ */

static void G13_a_ring_stays(struct ring *r)
{
	struct io_uring_buf_reg how = good();
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 16, 0, 4);
	receive(r, GROUP);
	add(r, &how);
	how.ring_entries = 3;
	add(r, &how);
	note_head(r, GROUP);
	receive(r, GROUP);
}

static void G13_an_empty_classic_group(struct ring *r)
{
	sqe_provide(r, pages(64), 16, 1, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_register(r, 0, 3, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_register(r, 0, 8, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_register(r, 12345, 8, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
	bufs_register(r, (uintptr_t)nowhere(), 8, GROUP, 0);
	sqe_remove(r, 1, GROUP);
	go(r);
}

static void G13_a_classic_group(struct ring *r)
{
	sqe_provide(r, pages(64), 16, 2, GROUP, 0);
	go(r);
	bufs_register(r, 0, 8, GROUP, 0);
	bufs_register(r, (uintptr_t)pages(4096), 8, GROUP, 0);
	receive(r, GROUP);
	receive(r, GROUP);
	receive(r, GROUP);
}

/* ---- mmap ---------------------------------------------------------------- */

static void G8_map_what_is_not_there(struct ring *r)
{
	struct bufs b;

	try_map(r, 4096, GROUP << 16);
	bufs_open(&b, r, GROUP, 4, 16, 0, 1);
	try_map(r, 4096, GROUP << 16);
	sqe_provide(r, pages(64), 16, 2, 3, 0);
	go(r);
	try_map(r, 4096, 3 << 16);
}

static void G8_map_sizes(struct ring *r)
{
	bufs_register(r, 0, 512, GROUP, IOU_PBUF_RING_MMAP);
	try_map(r, 0, GROUP << 16);
	try_map(r, 1, GROUP << 16);
	try_map(r, 4096, GROUP << 16);
	try_map(r, 8192, GROUP << 16);
	try_map(r, 8193, GROUP << 16);
	try_map(r, 16384, GROUP << 16);
	try_map(r, 4096, (GROUP << 16) + 4096);
	try_map(r, 4096, (GROUP << 16) + 1);
}

static void G8_map_after_unregister(struct ring *r)
{
	bufs_register(r, 0, 8, GROUP, IOU_PBUF_RING_MMAP);
	try_map(r, 4096, GROUP << 16);
	bufs_unregister(r, GROUP);
	try_map(r, 4096, GROUP << 16);
}

/* Two mappings show the same memory, which is the engine's. */
static void G8_map_twice(struct ring *r)
{
	struct io_uring_buf *one;
	struct io_uring_buf *two;
	char bytes[16] = "";

	bufs_register(r, 0, 8, GROUP, IOU_PBUF_RING_MMAP);
	one = (void *)try_map(r, 4096, GROUP << 16);
	two = (void *)try_map(r, 4096, GROUP << 16);
	one->addr = (uintptr_t)bytes;
	two->len = 5;
	one->bid = 11;
	store_release(&two->resv, 1);
	receive(r, GROUP);
	note_bytes("bytes", bytes, 5);
}

static void G8_many_groups(struct ring *r)
{
	uint16_t bgid;
	int failed = 0;

	for (bgid = 0; bgid < 1000; bgid++) {
		struct io_uring_buf_reg how = {
			.ring_entries = 1,
			.bgid = bgid,
			.flags = IOU_PBUF_RING_MMAP,
		};
		failed += side->reg(r->fd, IORING_REGISTER_PBUF_RING, &how,
				    1) != 0;
	}
	note("%d of %u failed", failed, bgid);
	note_head(r, 999);
	try_map(r, 4096, 999 << 16);
	bufs_unregister(r, 500);
	note_head(r, 500);
	note_head(r, 501);
}

static void G9_the_last_groups(struct ring *r)
{
	uintptr_t there = (uintptr_t)pages(4096);

	bufs_register(r, there, 8, 0, 0);
	bufs_register(r, there, 8, 65535, 0);
	note_head(r, 65535);
	bufs_unregister(r, 65535);
	note_head(r, 65535);
	note_head(r, 0);
}

static const struct scenario rows[] = {
	SCENARIO(G1_argument, "G1 G9 G12"),
	SCENARIO(G1_half_readable, "G1"),
	SCENARIO(G2_reserved, "G2 G3 G4"),
	SCENARIO(G3_flags, "G3"),
	SCENARIO(G3_before_G4_and_G6, "G3 G4 G6 G7"),
	SCENARIO(G4_entries, "G4"),
	SCENARIO(G4_every_power_of_two, "G4 G9"),
	SCENARIO(G4_before_G6_and_G7, "G4 G6 G7"),
	SCENARIO(G5_min_left, "G5"),
	SCENARIO(G6_exists, "G6"),
	SCENARIO(G6_classic, "G6", .modes = MODES_ALL),
	SCENARIO(G6_before_G7, "G6 G7"),
	SCENARIO(G7_address, "G7"),
	SCENARIO(G7_partly_mapped, "G7"),
	SCENARIO(G7_read_only, "G7"),
	SCENARIO(G7_shared_memory, "G7"),
	SCENARIO(G7_the_same_memory_twice, "G7 S4"),
	SCENARIO(G8_mmap_ignores_the_address, "G8", .modes = MODES_ALL),
	SCENARIO(G8_map_what_is_not_there, "G8"),
	SCENARIO(G8_map_sizes, "G8"),
	SCENARIO(G8_map_after_unregister, "G8 G9"),
	SCENARIO(G8_map_twice, "G8 S4"),
	SCENARIO(G8_many_groups, "G8"),
	SCENARIO(G9_unregister, "G9 S2"),
	SCENARIO(G9_fields, "G9"),
	SCENARIO(G9_classic, "G9"),
	SCENARIO(G9_upgraded_is_gone, "G9 G6"),
	SCENARIO(G9_a_receive_waits_on, "G9 S1 S2", .modes = MODES_ALL),
	SCENARIO(G9_the_last_groups, "G9 G12"),
	SCENARIO(G10_mapped_memory_stays, "G10"),
	SCENARIO(G10_without_unregistering, "G10"),
	SCENARIO(G10_registered_anew, "G10 G11"),
	SCENARIO(G10_application_memory, "G10"),
	SCENARIO(G11_head_starts_at_zero, "G11"),
	SCENARIO(G12_status, "G12"),
	SCENARIO(G12_classic, "G12"),
	SCENARIO(G12_not_writable, "G12"),
	SCENARIO(G12_head_is_raw, "G12"),
	SCENARIO(G13_a_ring_stays, "G13 G6"),
	SCENARIO(G13_an_empty_classic_group, "G13"),
	SCENARIO(G13_a_classic_group, "G13 G6"),
};

FAMILY(pbuf_ring, rows);
