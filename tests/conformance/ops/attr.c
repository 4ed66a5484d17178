/* SPDX-License-Identifier: MIT */
/*
 * Attributes of reads and writes (RW_ATTR): integrity data in addition to the
 * bytes, which only some block devices accept.
 */
#include "runner/scenario.h"

struct attr_pi {
	uint16_t flags;
	uint16_t app_tag;
	uint32_t len;
	uint64_t addr;
	uint64_t seed;
	uint64_t rsvd;
};

#define ATTR_PI 1u

static struct attr_pi *good(void)
{
	struct attr_pi *pi = pages(4096);

	pi->len = 8;
	pi->addr = (uintptr_t)pages(4096);
	return pi;
}

static void try_attr(struct ring *r, int op, int fd, const void *pi,
		     uint64_t mask)
{
	static char byte[16];
	struct io_uring_sqe *sqe;
	struct iovec vector = {byte, sizeof(byte)};
	bool vectored = op == IORING_OP_READV || op == IORING_OP_WRITEV;

	sqe = sqe_new(r, (enum io_uring_op)op, fd,
		      vectored ? (void *)&vector : byte, vectored ? 1 : 8, 0);
	sqe->attr_ptr = (uintptr_t)pi;
	sqe->attr_type_mask = mask;
	go(r);
}

static void of_files(struct ring *r)
{
	int file = file_with("some bytes of a file"), fd[2];
	int zero = device("/dev/zero");

	try_attr(r, IORING_OP_READ, file, good(), ATTR_PI);
	try_attr(r, IORING_OP_WRITE, file, good(), ATTR_PI);
	try_attr(r, IORING_OP_READV, file, good(), ATTR_PI);
	try_attr(r, IORING_OP_WRITEV, file, good(), ATTR_PI);
	try_attr(r, IORING_OP_READ, zero, good(), ATTR_PI);
	pair(fd, PAIR_STREAM);
	put(fd[1], "abc");
	try_attr(r, IORING_OP_READ, fd[0], good(), ATTR_PI);
	try_attr(r, IORING_OP_READ, fd[0], good(), 0);
	try_attr(r, IORING_OP_READ, -1, good(), ATTR_PI);
	try_attr(r, IORING_OP_READ_FIXED, file, good(), ATTR_PI);
	file = open("/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);
	if (file < 0)
		give_up("no file");
	try_attr(r, IORING_OP_READ, file, good(), ATTR_PI);
}

static void errors(struct ring *r)
{
	int file = file_with("some bytes of a file");
	struct attr_pi *pi = good();

	try_attr(r, IORING_OP_READ, file, pi, 2);
	try_attr(r, IORING_OP_READ, file, pi, 3);
	try_attr(r, IORING_OP_READ, file, NULL, ATTR_PI);
	try_attr(r, IORING_OP_READ, file, nowhere(), ATTR_PI);
	try_attr(r, IORING_OP_READ, file, NULL, 0);
	try_attr(r, IORING_OP_READ, file, pi, 0);
	try_attr(r, IORING_OP_READ, -1, NULL, ATTR_PI);
	pi->rsvd = 1;
	try_attr(r, IORING_OP_READ, file, pi, ATTR_PI);
	pi->rsvd = 0;
	pi->flags = 0xffff;
	try_attr(r, IORING_OP_READ, file, pi, ATTR_PI);
	pi->flags = 0;
	pi->len = 0;
	try_attr(r, IORING_OP_READ, file, pi, ATTR_PI);
	pi->addr = 0;
	pi->len = 8;
	try_attr(r, IORING_OP_READ, file, pi, ATTR_PI);
	pi->addr = (uintptr_t)nowhere();
	try_attr(r, IORING_OP_READ, file, pi, ATTR_PI);
}

static const struct scenario rows[] = {
	SCENARIO(of_files, NULL),
	SCENARIO(errors, NULL),
};

FAMILY(attr, rows);
