// SPDX-License-Identifier: MIT
/* io_uring_sqe_set_flags(3): links, hard links, drains, no completion for a
 * success, a file that an earlier request of the chain opens */
#include "page.h"

static char text[16];

static void flags(struct io_uring_sqe *sqe, unsigned int flags)
{
	io_uring_sqe_set_flags(sqe, flags);
}

static void copy(int from, int to)
{
	flags(PREP("read", read, from, text, 5, 0), IOSQE_IO_LINK);
	flags(PREP("write", write, to, text, 5, 0), IOSQE_IO_LINK);
	PREP("fsync", fsync, to, 0);
	go();
}

static void broken(unsigned int how, int fd)
{
	flags(PREP("read too short", read, fd, text, 16, 0), how);
	flags(PREP("nop", nop), how);
	PREP("nop at the end", nop);
	go();
}

static void silent(void)
{
	flags(PREP("silent nop", nop), IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	flags(PREP("silent close", close, -1), IOSQE_CQE_SKIP_SUCCESS);
	must(io_uring_submit(&ring));
	reap();
	printf("ready %u\n", io_uring_cq_ready(&ring));
}

static void drained(void)
{
	int fd[2];

	must(pipe(fd));
	PREP("read", read, fd[0], text, 1, 0);
	flags(PREP("drained nop", nop), IOSQE_IO_DRAIN);
	must(io_uring_submit(&ring));
	printf("ready %u\n", io_uring_cq_ready(&ring));
	must((int)write(fd[1], "x", 1));
	reap();
	reap();
}

static void opened_by_the_chain(void)
{
	say("register_files_sparse", io_uring_register_files_sparse(&ring, 1));
	flags(PREP("openat_direct", openat_direct, AT_FDCWD, "/dev/zero",
		   O_RDONLY, 0, 0),
	      IOSQE_IO_LINK);
	flags(PREP("read", read, 0, text, 16, 0),
	      IOSQE_IO_LINK | IOSQE_FIXED_FILE);
	PREP("close_direct", close_direct, 0);
	go();
}

int main(void)
{
	int from = scratch_file(), to = scratch_file();

	begin(0);
	must((int)write(from, "chain", 5));
	copy(from, to);
	broken(IOSQE_IO_LINK, to);
	broken(IOSQE_IO_HARDLINK, to);
	drained();
	opened_by_the_chain();
	silent();
	io_uring_queue_exit(&ring);
	return 0;
}
