// SPDX-License-Identifier: MIT
/* io_uring_prep_provide_buffers(3), _remove_buffers, io_uring_register_buf_ring
 * (3), io_uring_buf_ring_add, _advance, _cq_advance */
#include "page.h"

#define EACH 16
#define ENTRIES 4

static char memory[8][EACH];

static struct io_uring_sqe *selecting(const char *name, int fd, int group)
{
	struct io_uring_sqe *sqe = PREP(name, recv, fd, NULL, 0, 0);

	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = group;
	return sqe;
}

static void put(int fd, const char *text)
{
	must((int)write(fd, text, strlen(text)));
}

static void classic(int fd[2])
{
	PREP("provide_buffers", provide_buffers, memory, EACH, 3, 1, 10);
	go();
	put(fd[1], "classic");
	selecting("recv", fd[0], 1);
	printf("%.*s\n", go(), memory[0]);
	PREP("remove_buffers", remove_buffers, 5, 1);
	go();
	PREP("remove_buffers", remove_buffers, 5, 1);
	go();
	put(fd[1], "rest");
	selecting("recv without buffers", fd[0], 1);
	go();
	selecting("recv without a group", fd[0], 7);
	go();
}

/* liburing 2.4 has io_uring_setup_buf_ring(3) for this. */
static struct io_uring_buf_ring *ring_of_buffers(int group)
{
	struct io_uring_buf_ring *buffers =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)buffers,
		.ring_entries = ENTRIES,
		.bgid = group,
	};

	say("register_buf_ring", io_uring_register_buf_ring(&ring, &reg, 0));
	say("register_buf_ring", io_uring_register_buf_ring(&ring, &reg, 0));
	io_uring_buf_ring_init(buffers);
	return buffers;
}

static void add(struct io_uring_buf_ring *buffers, int bid, int offset)
{
	io_uring_buf_ring_add(buffers, memory[bid], EACH, bid,
			      io_uring_buf_ring_mask(ENTRIES), offset);
}

static void rings(int fd[2])
{
	struct io_uring_buf_ring *buffers = ring_of_buffers(2);
	struct io_uring_cqe *cqe;

	selecting("recv without buffers", fd[0], 2);
	go();
	add(buffers, 5, 0);
	add(buffers, 3, 1);
	io_uring_buf_ring_advance(buffers, 2);
	selecting("recv", fd[0], 2);
	printf("%.*s\n", go(), memory[5]);
	put(fd[1], "longer than one buffer");
	selecting("recv", fd[0], 2);
	must(io_uring_submit_and_wait(&ring, 1));
	must(io_uring_peek_cqe(&ring, &cqe));
	said_of(cqe);
	add(buffers, 6, 0);
	io_uring_buf_ring_cq_advance(&ring, buffers, 1);
	selecting("recv", fd[0], 2);
	printf("%.*s\n", go(), memory[6]);
	say("unregister_buf_ring", io_uring_unregister_buf_ring(&ring, 2));
	say("unregister_buf_ring", io_uring_unregister_buf_ring(&ring, 2));
}

int main(void)
{
	int fd[2];

	begin(0);
	pair(fd);
	classic(fd);
	rings(fd);
	io_uring_queue_exit(&ring);
	return 0;
}
