/* SPDX-License-Identifier: MIT */
/*
 * CLONE_BUFFERS: the registered buffers of one ring in another.
 */
#include "runner/scenario.h"

static char *memory;

static void buffers_of(struct ring *r, uint32_t count, const uint64_t *tags)
{
	struct iovec vectors[8];
	struct io_uring_rsrc_register how = {
		.nr = count,
		.data = (uintptr_t)vectors,
		.tags = (uintptr_t)tags,
	};

	if (!memory)
		memory = pages(8 * 4096);
	for (uint32_t i = 0; i < count; i++) {
		vectors[i].iov_base = memory + 4096 * i;
		vectors[i].iov_len = 4096;
	}
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
}

static int clone(struct ring *to, struct ring *from, uint32_t flags,
		 uint32_t src, uint32_t dst, uint32_t count)
{
	struct io_uring_clone_buffers how = {
		.src_fd = (uint32_t)from->fd,
		.flags = flags,
		.src_off = src,
		.dst_off = dst,
		.nr = count,
	};

	return reg(to, IORING_REGISTER_CLONE_BUFFERS, &how, 1);
}

/* Which slots hold page @which? Reading into each of them shows it. */
static void look(struct ring *r, uint32_t slots)
{
	int fd = file_with("abc");

	for (uint32_t slot = 0; slot < slots; slot++) {
		memset(memory, '.', 8 * 4096);
		for (uint32_t page = 0; page < 8; page++) {
			struct io_uring_sqe *sqe;
			int res;

			sqe = sqe_new(r, IORING_OP_READ_FIXED, fd,
				      memory + 4096 * page, 3, 0);
			sqe->buf_index = (uint16_t)slot;
			store_release(r->sq_tail, r->next);
			side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL,
				    0);
			res = ring_cqe(r)->res;
			ring_seen(r);
			if (res == 3)
				note("slot %u: page %u", slot, page);
			else if (!page && res != -EFAULT)
				note_result("slot", res);
		}
	}
}

static void whole(struct ring *r)
{
	struct ring from;

	ring_open(&from, 8, 0);
	buffers_of(&from, 3, NULL);
	clone(r, &from, 0, 0, 0, 0);
	look(r, 4);
	clone(r, &from, 0, 0, 0, 0);
	clone(r, &from, IORING_REGISTER_DST_REPLACE, 0, 0, 0);
	reg(&from, IORING_UNREGISTER_BUFFERS, NULL, 0);
	ring_close(&from);
	look(r, 3);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

static void part(struct ring *r)
{
	struct ring from;

	ring_open(&from, 8, 0);
	buffers_of(&from, 4, NULL);
	clone(r, &from, 0, 1, 2, 2);
	look(r, 5);
	/* Without REPLACE existing buffers make the call fail. */
	clone(r, &from, 0, 0, 0, 1);
	clone(r, &from, IORING_REGISTER_DST_REPLACE, 0, 0, 1);
	look(r, 5);
	clone(r, &from, IORING_REGISTER_DST_REPLACE, 3, 3, 1);
	look(r, 5);
	/* The table grows beyond its end. */
	clone(r, &from, IORING_REGISTER_DST_REPLACE, 0, 6, 2);
	look(r, 9);
	ring_close(&from);
}

static void from_itself(struct ring *r)
{
	buffers_of(r, 3, NULL);
	clone(r, r, 0, 0, 0, 0);
	clone(r, r, IORING_REGISTER_DST_REPLACE, 0, 0, 0);
	clone(r, r, IORING_REGISTER_DST_REPLACE, 0, 1, 1);
	clone(r, r, IORING_REGISTER_DST_REPLACE, 0, 3, 2);
	look(r, 5);
}

static void tags(struct ring *r)
{
	const uint64_t words[3] = {71, 72, 73};
	struct ring from;

	ring_open(&from, 8, 0);
	buffers_of(&from, 3, words);
	clone(r, &from, 0, 0, 0, 0);
	reg(&from, IORING_UNREGISTER_BUFFERS, NULL, 0);
	quiet(&from);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
	quiet(r);
	quiet(&from);
	ring_close(&from);
}

/* The tags of replaced buffers are posted. */
static void tags_replaced(struct ring *r)
{
	const uint64_t words[3] = {71, 72, 73};
	struct ring from;

	ring_open(&from, 8, 0);
	buffers_of(&from, 1, NULL);
	buffers_of(r, 3, words);
	clone(r, &from, IORING_REGISTER_DST_REPLACE, 0, 1, 1);
	quiet(r);
	look(r, 4);
	ring_close(&from);
}

static void sparse(struct ring *r)
{
	struct io_uring_rsrc_register how = {
		.nr = 3,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};
	struct ring from;

	if (!memory)
		memory = pages(8 * 4096);
	ring_open(&from, 8, 0);
	reg(&from, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	clone(r, &from, 0, 0, 0, 0);
	look(r, 4);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
	reg(r, IORING_REGISTER_BUFFERS2, &how, sizeof(how));
	clone(r, &from, 0, 0, 0, 0);
	ring_close(&from);
}

static void by_slot(struct ring *r)
{
	struct io_uring_rsrc_update slot = {.offset = 5};
	struct ring from, name;

	ring_open(&from, 8, 0);
	buffers_of(&from, 2, NULL);
	slot.data = (uint64_t)from.fd;
	reg(r, IORING_REGISTER_RING_FDS, &slot, 1);
	name = from;
	name.fd = 5;
	clone(r, &name, IORING_REGISTER_SRC_REGISTERED, 0, 0, 0);
	look(r, 3);
	name.fd = 6;
	clone(r, &name, IORING_REGISTER_SRC_REGISTERED, 0, 0, 0);
	name.fd = 99;
	clone(r, &name, IORING_REGISTER_SRC_REGISTERED, 0, 0, 0);
	ring_close(&from);
}

static void errors(struct ring *r)
{
	struct io_uring_clone_buffers how = {.nr = 0};
	struct ring from, none = *r;

	ring_open(&from, 8, 0);
	reg(r, IORING_REGISTER_CLONE_BUFFERS, NULL, 1);
	reg(r, IORING_REGISTER_CLONE_BUFFERS, &how, 0);
	reg(r, IORING_REGISTER_CLONE_BUFFERS, &how, 2);
	reg(r, IORING_REGISTER_CLONE_BUFFERS, nowhere(), 1);
	clone(r, &from, 0, 0, 0, 0);
	buffers_of(&from, 3, NULL);
	clone(r, &from, 4, 0, 0, 0);
	how.src_fd = (uint32_t)from.fd;
	how.pad[2] = 1;
	reg(r, IORING_REGISTER_CLONE_BUFFERS, &how, 1);
	none.fd = -1;
	clone(r, &none, 0, 0, 0, 0);
	none.fd = file_with("");
	clone(r, &none, 0, 0, 0, 0);
	clone(r, &from, 0, 3, 0, 0);
	clone(r, &from, 0, 3, 0, 1);
	clone(r, &from, 0, 2, 0, 2);
	clone(r, &from, 0, 0, 0, 4);
	clone(r, &from, 0, 1, 0, 0);
	clone(r, &from, 0, 0, 1, 0);
	clone(r, &from, 0, 0, 16384, 1);
	clone(r, &from, 0, 0, 16383, 2);
	clone(r, &from, 0, 0, UINT32_MAX, 1);
	clone(r, &from, 0, UINT32_MAX, 0, 1);
	clone(r, &from, 0, UINT32_MAX, 0, 2);
	clone(r, &from, 0, 0, UINT32_MAX, 2);
	clone(r, &from, 0, 0, 0, UINT32_MAX);
	look(r, 4);
	ring_close(&from);
}

static const struct scenario rows[] = {
	SCENARIO(whole, NULL),	       SCENARIO(part, NULL),
	SCENARIO(from_itself, NULL),   SCENARIO(tags, NULL),
	SCENARIO(tags_replaced, NULL), SCENARIO(sparse, NULL),
	SCENARIO(by_slot, NULL),       SCENARIO(errors, NULL),
};

FAMILY(clone, rows);
