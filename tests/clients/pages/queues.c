// SPDX-License-Identifier: MIT
/* io_uring_queue_init_params(3), _get_probe, _register_eventfd, _ring_fd,
 * _iowq_max_workers, _sq_ready, _sq_space_left, _cq_ready, _peek_cqe,
 * _sqring_wait
 */
#include <sys/eventfd.h>

#include "page.h"

static void nops(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		io_uring_prep_nop(io_uring_get_sqe(&ring));
}

static void counts(void)
{
	struct io_uring_cqe *cqe;

	printf("space %u\n", io_uring_sq_space_left(&ring));
	nops(5);
	printf("ready %u, space %u\n", io_uring_sq_ready(&ring),
	       io_uring_sq_space_left(&ring));
	say("peek_cqe", io_uring_peek_cqe(&ring, &cqe));
	say("submit_and_wait", io_uring_submit_and_wait(&ring, 5));
	printf("ready %u\n", io_uring_cq_ready(&ring));
	say("wait_cqe_nr", io_uring_wait_cqe_nr(&ring, &cqe, 5));
	io_uring_cq_advance(&ring, 5);
	nops(3);
	say("submit_and_get_events", io_uring_submit_and_get_events(&ring));
	io_uring_cq_advance(&ring, 3);
	printf("overflow %d\n", io_uring_cq_has_overflow(&ring));
}

static void event(void)
{
	int fd = must(eventfd(0, 0));
	uint64_t count = 0;

	say("register_eventfd", io_uring_register_eventfd(&ring, fd));
	say("register_eventfd", io_uring_register_eventfd(&ring, fd));
	nops(2);
	must(io_uring_submit_and_wait(&ring, 2));
	must((int)read(fd, &count, sizeof(count)));
	printf("told %d\n", count > 0);
	io_uring_cq_advance(&ring, 2);
	say("unregister_eventfd", io_uring_unregister_eventfd(&ring));
	say("register_eventfd_async",
	    io_uring_register_eventfd_async(&ring, fd));
}

static void registers(void)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
	unsigned int workers[2] = {4, 8};

	for (int op = 0; op <= IORING_OP_SEND_ZC; op++)
		printf("%d", io_uring_opcode_supported(probe, op));
	printf("\n");
	io_uring_free_probe(probe);
	say("register_iowq_max_workers",
	    io_uring_register_iowq_max_workers(&ring, workers));
	workers[0] = workers[1] = 0;
	say("register_iowq_max_workers",
	    io_uring_register_iowq_max_workers(&ring, workers));
	printf("%u %u\n", workers[0], workers[1]);
	say("register_ring_fd", io_uring_register_ring_fd(&ring));
	nops(1);
	say("submit", io_uring_submit_and_wait(&ring, 1));
	io_uring_cq_advance(&ring, 1);
	say("unregister_ring_fd", io_uring_unregister_ring_fd(&ring));
}

static void polled(void)
{
	begin(IORING_SETUP_SQPOLL);
	for (int i = 0; i < 100; i++) {
		while (!io_uring_sq_space_left(&ring))
			must(io_uring_sqring_wait(&ring));
		PREP("nop", nop);
		must(io_uring_submit(&ring));
	}
	for (int i = 0; i < 100; i++) {
		struct io_uring_cqe *cqe;

		must(io_uring_wait_cqe(&ring, &cqe));
		io_uring_cqe_seen(&ring, cqe);
	}
	printf("100 by a thread that polls\n");
	io_uring_queue_exit(&ring);
}

int main(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = 100,
	};

	say("queue_init of nothing", io_uring_queue_init(0, &ring, 0));
	say("queue_init of too much", io_uring_queue_init(1 << 20, &ring, 0));
	say("queue_init_params",
	    io_uring_queue_init_params(10, &ring, &params));
	printf("%u entries, %u completions\n", params.sq_entries,
	       params.cq_entries);
	counts();
	event();
	registers();
	io_uring_queue_exit(&ring);
	polled();
	return 0;
}
