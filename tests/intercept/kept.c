// SPDX-License-Identifier: MIT
/*
 * No buffer is lost by reads that have to wait, also when the ring answers as
 * an older kernel: below 6.10 a READ whose choice is final keeps its buffer
 * until it completes (ABI_READ_KEEPS, ABI_READ_SPARES). Each bid is seen
 * exactly once.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS 64
#define ROUNDS 20
#define EACH 64

static int seen[BUFFERS];

static struct io_uring_sqe *read_sqe(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	return sqe;
}

/* Returns the result; notes the buffer. */
static int take(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int res;

	if (io_uring_wait_cqe(ring, &cqe))
		exit(2);
	res = cqe->res;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		seen[cqe->flags >> IORING_CQE_BUFFER_SHIFT]++;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

/* One that waits, with and without IOSQE_ASYNC, and one that is cancelled. */
static int wait_and_read(struct io_uring *ring, const int *ends, int round)
{
	struct io_uring_sqe *sqe = read_sqe(ring, ends[0]);

	sqe->user_data = 1;
	sqe->flags |= round & 1 ? IOSQE_ASYNC : 0;
	io_uring_submit(ring);
	usleep(2000);
	if (round % 4 < 2)
		return write(ends[1], "x", 1) == 1 && take(ring) == 1;
	io_uring_prep_cancel64(io_uring_get_sqe(ring), 1, 0);
	io_uring_submit(ring);
	take(ring);
	take(ring);
	return 1;
}

int main(void)
{
	static char memory[BUFFERS * EACH];
	struct io_uring_buf_ring *buffers;
	int ends[2], zero = open("/dev/zero", O_RDONLY), lost = 0, twice = 0;
	struct io_uring ring;
	struct io_uring_buf_reg group = {.ring_entries = BUFFERS};
	int good = 1;

	if (io_uring_queue_init(8, &ring, 0) || pipe(ends) < 0)
		return 2;
	buffers = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	group.ring_addr = (uintptr_t)buffers;
	if (io_uring_register_buf_ring(&ring, &group, 0))
		return 2;
	for (unsigned short bid = 0; bid < BUFFERS; bid++)
		io_uring_buf_ring_add(buffers, memory + bid * EACH, EACH, bid,
				      BUFFERS - 1, bid);
	io_uring_buf_ring_advance(buffers, BUFFERS);
	for (int round = 0; round < ROUNDS; round++)
		good &= wait_and_read(&ring, ends, round);
	do {
		read_sqe(&ring, zero);
		io_uring_submit(&ring);
	} while (take(&ring) > 0);
	for (int bid = 0; bid < BUFFERS; bid++) {
		lost += !seen[bid];
		twice += seen[bid] > 1;
	}
	printf("%s 1 - no_buffer_is_lost\n# %d lost, %d twice\n1..1\n",
	       good && !lost && !twice ? "ok" : "not ok", lost, twice);
	return !(good && !lost && !twice);
}
