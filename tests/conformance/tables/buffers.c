/* SPDX-License-Identifier: MIT */
/*
 * Registered buffers: registering, READ_FIXED and WRITE_FIXED, their vector
 * forms, and tags.
 */
#include "runner/scenario.h"

#define PAGE 4096

static char *memory; /* four pages */

static int table(struct ring *r, const struct iovec *vectors, uint32_t count)
{
	return reg(r, IORING_REGISTER_BUFFERS, (void *)(uintptr_t)vectors,
		   count);
}

static int drop_table(struct ring *r)
{
	return reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

/* Three buffers and an empty slot. */
static void usual_table(struct ring *r)
{
	struct iovec vectors[4] = {
		{.iov_len = PAGE}, {.iov_len = 100}, {0}, {.iov_len = PAGE}};

	memory = pages(4 * PAGE);
	vectors[0].iov_base = memory;
	vectors[1].iov_base = memory + PAGE;
	vectors[3].iov_base = memory + 3 * PAGE;
	table(r, vectors, 4);
}

static struct io_uring_sqe *fixed(struct ring *r, enum io_uring_op op, int fd,
				  const void *addr, uint32_t len,
				  uint16_t index)
{
	struct io_uring_sqe *sqe = sqe_new(r, op, fd, addr, len, 0);

	sqe->buf_index = index;
	return sqe;
}

static void read_fixed(struct ring *r, int fd, const void *addr, uint32_t len,
		       uint16_t index)
{
	fixed(r, IORING_OP_READ_FIXED, fd, addr, len, index);
	go(r);
}

static void reads_and_writes(struct ring *r)
{
	int file = file_with("0123456789");

	usual_table(r);
	read_fixed(r, file, memory, 10, 0);
	note_bytes("read", memory, 12);
	read_fixed(r, file, memory + PAGE + 90, 10, 1);
	note_bytes("read", memory + PAGE + 88, 14);
	memcpy(memory + 3 * PAGE, "abc", 3);
	fixed(r, IORING_OP_WRITE_FIXED, file, memory + 3 * PAGE, 3, 3);
	go(r);
	read_fixed(r, file, memory, PAGE, 0);
	note_bytes("read", memory, 12);
	drop_table(r);
	read_fixed(r, file, memory, 10, 0);
}

static void out_of_bounds(struct ring *r)
{
	int file = file_with("0123456789");

	usual_table(r);
	read_fixed(r, file, memory + 1, PAGE, 0);
	read_fixed(r, file, memory - 1, 10, 0);
	read_fixed(r, file, memory + PAGE, 101, 1);
	read_fixed(r, file, memory, 10, 1);
	read_fixed(r, file, memory, UINT32_MAX, 0);
	read_fixed(r, file, memory, 10, 4);
	read_fixed(r, file, memory, 10, 2);
	read_fixed(r, file, NULL, 0, 2);
	read_fixed(r, file, memory, 0, 0);
	read_fixed(r, file, memory + PAGE, 0, 0);
	read_fixed(r, file, memory + PAGE + 1, 0, 0);
	note_bytes("untouched", memory, PAGE);
}

static void bad_words(struct ring *r)
{
	int file = file_with("0123456789");

	usual_table(r);
	read_fixed(r, 12345, memory, 10, 9);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 9)->ioprio = 0xffff;
	go(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 9)->op_flags = 1u
									<< 28;
	go(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 0)->op_flags = 1u
									<< 28;
	go(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 0)->flags =
		IOSQE_BUFFER_SELECT;
	go(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 0)->attr_type_mask = 2;
	go(r);
	/* A missing buffer is reported when the request runs, not before. */
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 9);
	sqe_nop(r);
	go(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 9)->flags =
		IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
}

static void waits_for_a_pipe(struct ring *r)
{
	int p[2];

	usual_table(r);
	pair(p, PAIR_PIPE);
	fixed(r, IORING_OP_READ_FIXED, p[0], memory, 10, 0);
	submit(r);
	/* The request keeps the buffer that it got. */
	drop_table(r);
	quiet(r);
	put(p[1], "hello");
	reap(r, 1);
	note_bytes("read", memory, 8);
}

static void on_a_worker(struct ring *r)
{
	int file = file_with("0123456789");

	usual_table(r);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 0)->flags =
		IOSQE_ASYNC;
	go(r);
	note_bytes("read", memory, 12);
	fixed(r, IORING_OP_READ_FIXED, file, memory, 10, 9)->flags =
		IOSQE_ASYNC;
	go(r);
}

static void vectors_of_one(struct ring *r)
{
	int file = file_with("0123456789");
	struct iovec v[2];

	usual_table(r);
	v[0] = (struct iovec){memory, 4};
	v[1] = (struct iovec){memory + 20, 30};
	fixed(r, IORING_OP_READV_FIXED, file, v, 2, 0);
	go(r);
	note_bytes("read", memory, 32);
	fixed(r, IORING_OP_WRITEV_FIXED, file, v, 2, 0);
	go(r);
	v[1].iov_base = memory + PAGE;
	fixed(r, IORING_OP_READV_FIXED, file, v, 2, 0);
	go(r);
	v[1] = (struct iovec){memory, 0};
	fixed(r, IORING_OP_READV_FIXED, file, v, 2, 0);
	go(r);
	fixed(r, IORING_OP_READV_FIXED, file, v, 0, 0);
	go(r);
	fixed(r, IORING_OP_READV_FIXED, file, v, 1025, 0);
	go(r);
	fixed(r, IORING_OP_READV_FIXED, file, nowhere(), 1, 0);
	go(r);
	fixed(r, IORING_OP_READV_FIXED, file, v, 1, 9);
	go(r);
}

static void try_one(struct ring *r, void *base, size_t bytes)
{
	struct iovec vector = {base, bytes};

	if (table(r, &vector, 1) == 0)
		drop_table(r);
}

static void register_errors(struct ring *r)
{
	struct iovec vector = {pages(PAGE), PAGE};
	char *page = vector.iov_base;

	drop_table(r);
	table(r, &vector, 0);
	table(r, NULL, 0);
	table(r, NULL, 1);
	table(r, nowhere(), 1);
	table(r, &vector, 16385);
	reg(r, IORING_UNREGISTER_BUFFERS, &vector, 0);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 1);
	try_one(r, NULL, 10);
	try_one(r, page, 0);
	try_one(r, NULL, 0);
	try_one(r, page, (1u << 30) + 1);
	try_one(r, page, 1u << 30);
	try_one(r, nowhere(), 10);
	try_one(r, (void *)-4096l, 8192);
	try_one(r, (void *)0x7fffffffe000, PAGE);
	try_one(r, (void *)0x7ffffffff000, PAGE);
	try_one(r, read_only(), 10);
	try_one(r, page_before_nothing(), PAGE);
	try_one(r, page_before_nothing(), PAGE + 1);
	table(r, &vector, 1);
	table(r, &vector, 1);
	table(r, NULL, 0);
}

static void a_bad_one_undoes_all(struct ring *r)
{
	struct iovec vectors[2] = {{pages(PAGE), PAGE}, {nowhere(), 10}};
	uint64_t tags[2] = {101, 102};
	struct io_uring_rsrc_register how = {
		.nr = 2,
		.data = (uintptr_t)vectors,
		.tags = (uintptr_t)tags,
	};

	table(r, vectors, 2);
	drop_table(r);
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	drop_table(r);
	quiet(r);
}

static void buffers2_errors(struct ring *r)
{
	struct iovec vectors[2] = {{pages(PAGE), PAGE}, {0}};
	uint64_t tags[2] = {101, 102};
	struct io_uring_rsrc_register good = {.nr = 2,
					      .data = (uintptr_t)vectors};
	struct io_uring_rsrc_register how = good;

	reg(r, IORING_REGISTER_BUFFERS2, &how, 8);
	reg(r, IORING_REGISTER_BUFFERS2, nowhere(), sizeof(how));
	how.nr = 0;
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how = good;
	how.flags = 2;
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how.flags = IORING_RSRC_REGISTER_SPARSE;
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how.data = 0;
	how.tags = (uintptr_t)tags;
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how = good;
	how.resv2 = 1;
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how = good;
	how.tags = (uintptr_t)nowhere();
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how.tags = (uintptr_t)tags; /* an empty slot has no tag */
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how = (struct io_uring_rsrc_register){.nr = 16385, .flags = 1};
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	how = (struct io_uring_rsrc_register){.nr = 2};
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	drop_table(r);
}

static void tags_are_told(struct ring *r)
{
	char *page = pages(PAGE);
	struct iovec vectors[3] = {{page, 10}, {page, 20}, {page, 30}};
	uint64_t tags[3] = {101, 0, 103};
	struct io_uring_rsrc_register how = {
		.nr = 3,
		.data = (uintptr_t)vectors,
		.tags = (uintptr_t)tags,
	};

	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	quiet(r);
	drop_table(r);
	reap(r, 2);
}

static int change(struct ring *r, uint32_t offset, const struct iovec *vectors,
		  const uint64_t *tags, uint32_t count)
{
	struct io_uring_rsrc_update2 how = {
		.offset = offset,
		.data = (uintptr_t)vectors,
		.tags = (uintptr_t)tags,
		.nr = count,
	};

	return reg(r, IORING_REGISTER_BUFFERS_UPDATE, &how, sizeof(how));
}

static void updated(struct ring *r)
{
	struct io_uring_rsrc_register sparse = {
		.nr = 4, .flags = IORING_RSRC_REGISTER_SPARSE};
	char *page = pages(PAGE);
	struct iovec vectors[2] = {{page, 10}, {page + 10, 10}}, none = {0};
	uint64_t tags[2] = {101, 102};
	int file = file_with("0123456789");

	change(r, 0, vectors, NULL, 1);
	reg(r, IORING_REGISTER_BUFFERS2, &sparse, sizeof(sparse));
	read_fixed(r, file, page, 4, 1);
	change(r, 1, vectors, tags, 2);
	read_fixed(r, file, page, 4, 1);
	read_fixed(r, file, page, 4, 2);
	read_fixed(r, file, page + 10, 4, 2);
	note_bytes("read", page, 16);
	/*
	 * The tag of the replaced buffer is posted; the new one has its own
	 * tag.
	 */
	change(r, 1, vectors + 1, tags + 1, 1);
	reap(r, 1);
	read_fixed(r, file, page, 4, 1);
	change(r, 1, &none, tags, 1);
	change(r, 1, &none, NULL, 1);
	reap(r, 1);
	read_fixed(r, file, page + 10, 4, 1);
}

static void update_errors(struct ring *r)
{
	struct io_uring_rsrc_register sparse = {
		.nr = 4, .flags = IORING_RSRC_REGISTER_SPARSE};
	char *page = pages(PAGE);
	struct iovec vectors[2] = {{page, 10}, {nowhere(), 10}};
	struct io_uring_rsrc_update2 how = {.data = (uintptr_t)vectors,
					    .nr = 1};
	int file = file_with("0123456789");

	reg(r, IORING_REGISTER_BUFFERS2, &sparse, sizeof(sparse));
	change(r, 0, vectors, NULL, 0);
	change(r, 0, vectors, NULL, 5);
	change(r, 4, vectors, NULL, 1);
	change(r, 3, vectors, NULL, 2);
	change(r, UINT32_MAX, vectors, NULL, 2);
	change(r, 0, NULL, NULL, 1);
	change(r, 0, nowhere(), NULL, 1);
	change(r, 0, vectors, nowhere(), 1);
	change(r, 0, vectors + 1, NULL, 1);
	/* The entries before the bad one are in place. */
	change(r, 0, vectors, NULL, 2);
	read_fixed(r, file, page, 4, 0);
	reg(r, IORING_REGISTER_BUFFERS_UPDATE, &how, 8);
	reg(r, IORING_REGISTER_BUFFERS_UPDATE, nowhere(), sizeof(how));
	how.resv = 1;
	reg(r, IORING_REGISTER_BUFFERS_UPDATE, &how, sizeof(how));
	how.resv = 0;
	how.resv2 = 1;
	reg(r, IORING_REGISTER_BUFFERS_UPDATE, &how, sizeof(how));
}

/* The tag of a buffer in use is posted when its user is done. */
static void a_tag_waits_for_users(struct ring *r)
{
	struct iovec vector = {pages(PAGE), PAGE};
	uint64_t tag = 101;
	struct io_uring_rsrc_register how = {
		.nr = 1,
		.data = (uintptr_t)&vector,
		.tags = (uintptr_t)&tag,
	};
	int p[2];

	pair(p, PAIR_PIPE);
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	fixed(r, IORING_OP_READ_FIXED, p[0], vector.iov_base, 10, 0);
	submit(r);
	drop_table(r);
	quiet(r);
	put(p[1], "x");
	reap_sorted(r, 2);
}

static const struct scenario rows[] = {
	SCENARIO(reads_and_writes, NULL, .modes = MODES_ALL),
	SCENARIO(out_of_bounds, NULL),
	SCENARIO(bad_words, "P13"),
	SCENARIO(waits_for_a_pipe, NULL),
	SCENARIO(on_a_worker, NULL),
	SCENARIO(vectors_of_one, NULL),
	SCENARIO(register_errors, NULL),
	SCENARIO(a_bad_one_undoes_all, NULL),
	SCENARIO(buffers2_errors, NULL),
	SCENARIO(tags_are_told, NULL),
	SCENARIO(updated, NULL),
	SCENARIO(update_errors, NULL),
	SCENARIO(a_tag_waits_for_users, NULL),
};

FAMILY(buffers, rows);
