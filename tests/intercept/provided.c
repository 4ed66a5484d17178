// SPDX-License-Identifier: MIT
/*
 * Two buffers are provided and used, by one submission each: command.py checks
 * the counters.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "tap.h"

static char memory[2][64];

static struct io_uring_sqe *sqes;
static struct io_uring_params params;
static char *rings;
static int ring_fd;

static unsigned int *field(unsigned int at)
{
	return (unsigned int *)(rings + at);
}

/* Submit one entry and wait for its completion: its result. */
static int played(struct io_uring_sqe sqe)
{
	struct io_uring_cqe *cqe = (void *)(rings + params.cq_off.cqes);
	unsigned int *head = field(params.cq_off.head);
	int res;

	sqes[0] = sqe;
	field(params.sq_off.array)[*field(params.sq_off.tail) & 3] = 0;
	__atomic_add_fetch(field(params.sq_off.tail), 1, __ATOMIC_RELEASE);
	REQUIRE(inline_enter(ring_fd, 1, 1, IORING_ENTER_GETEVENTS) == 1);
	res = cqe[*head & *field(params.cq_off.ring_mask)].res;
	__atomic_add_fetch(head, 1, __ATOMIC_RELEASE);
	return res;
}

int main(void)
{
	const struct io_uring_sqe provide = {
		.opcode = IORING_OP_PROVIDE_BUFFERS,
		.fd = 2,
		.addr = (uintptr_t)memory,
		.len = sizeof(memory[0]),
		.buf_group = 1,
	};
	struct io_uring_sqe read = {
		.opcode = IORING_OP_READ,
		.flags = IOSQE_BUFFER_SELECT,
		.len = sizeof(memory[0]),
		.buf_group = 1,
	};

	ring_fd = inline_setup(4, &params);
	REQUIRE(ring_fd >= 0);
	rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
		     IORING_OFF_SQ_RING);
	sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
		    IORING_OFF_SQES);
	REQUIRE(rings != MAP_FAILED && sqes != MAP_FAILED);
	read.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	CHECK("buffers_are_provided", played(provide) == 0);
	CHECK("one_is_used", played(read) == (int)sizeof(memory[0]));
	CHECK("another_is_used", played(read) == (int)sizeof(memory[0]));
	return tap_end();
}
