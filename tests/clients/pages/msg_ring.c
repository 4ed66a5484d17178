// SPDX-License-Identifier: MIT
/* io_uring_prep_msg_ring(3) */
#include "page.h"

int main(void)
{
	struct io_uring_cqe *cqe;
	struct io_uring other;

	begin(0);
	must(io_uring_queue_init(4, &other, 0));
	PREP("msg_ring", msg_ring, other.ring_fd, 42, 7, 0);
	if (go() < 0)
		return 1;
	must(io_uring_wait_cqe(&other, &cqe));
	printf("there: %d, data %llu\n", cqe->res, cqe->user_data);
	io_uring_cqe_seen(&other, cqe);
	PREP("msg_ring to no ring", msg_ring, scratch_file(), 42, 7, 0);
	go();
	io_uring_queue_exit(&other);
	io_uring_queue_exit(&ring);
	return 0;
}
