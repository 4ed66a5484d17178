/* SPDX-License-Identifier: MIT */
/*
 * PIPE and FIXED_FD_INSTALL: files under new numbers, and in slots.
 */
#include "runner/scenario.h"

static struct io_uring_sqe *pipe_sqe(struct ring *r, int *fds, uint32_t flags)
{
	struct io_uring_sqe *sqe = sqe_new(r, IORING_OP_PIPE, 0, fds, 0, 0);

	sqe->op_flags = flags;
	return sqe;
}

static void note_pipe(const int fds[2])
{
	note("first %d, second %d", fcntl(fds[0], F_GETFL),
	     fcntl(fds[1], F_GETFL));
	note("close on exec %d, %d", fcntl(fds[0], F_GETFD),
	     fcntl(fds[1], F_GETFD));
	put(fds[1], "hello");
	get(fds[0], 10);
}

static void pipes(struct ring *r)
{
	int fds[2] = {-1, -1};

	pipe_sqe(r, fds, 0);
	go(r);
	note_pipe(fds);
	pipe_sqe(r, fds, O_CLOEXEC | O_NONBLOCK);
	go(r);
	note_pipe(fds);
	pipe_sqe(r, fds, O_DIRECT)->flags = IOSQE_ASYNC;
	go(r);
	note_pipe(fds);
	pipe_sqe(r, fds, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
}

static void pipe_errors(struct ring *r)
{
	int fds[2] = {-1, -1};

	pipe_sqe(r, nowhere(), 0);
	go(r);
	pipe_sqe(r, NULL, 0);
	go(r);
	pipe_sqe(r, read_only(), 0);
	go(r);
	pipe_sqe(r, fds, O_APPEND);
	go(r);
	pipe_sqe(r, fds, O_EXCL);
	go(r);
	pipe_sqe(r, fds, 0)->fd = 1;
	go(r);
	pipe_sqe(r, fds, 0)->off = 1;
	go(r);
	pipe_sqe(r, fds, 0)->len = 1;
	go(r);
	pipe_sqe(r, fds, 0)->addr3 = 1;
	go(r);
	pipe_sqe(r, fds, 0)->buf_index = 1;
	go(r);
	pipe_sqe(r, fds, 0)->ioprio = 1;
	go(r);
	pipe_sqe(r, fds, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	pipe_sqe(r, fds, 0)->flags = IOSQE_BUFFER_SELECT;
	go(r);
}

static void pipe_in_slots(struct ring *r)
{
	int none[4] = {-1, -1, -1, -1}, fds[2] = {-1, -1};
	char byte = 0;

	pipe_sqe(r, fds, 0)->file_index = 1;
	go(r);
	reg(r, IORING_REGISTER_FILES, none, 4);
	pipe_sqe(r, fds, 0)->file_index = 2;
	go(r);
	note("%d %d", fds[0], fds[1]);
	sqe_new(r, IORING_OP_WRITE, 2, "x", 1, UINT64_MAX)->flags =
		IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_READ, 1, &byte, 1, UINT64_MAX)->flags =
		IOSQE_FIXED_FILE;
	go(r);
	pipe_sqe(r, fds, 0)->file_index = IORING_FILE_INDEX_ALLOC;
	go(r);
	note("%d %d", fds[0], fds[1]);
	pipe_sqe(r, fds, 0)->file_index = IORING_FILE_INDEX_ALLOC;
	go(r);
	note("%d %d", fds[0], fds[1]);
	pipe_sqe(r, fds, 0)->file_index = 4;
	go(r);
	note("%d %d", fds[0], fds[1]);
	pipe_sqe(r, fds, 0)->file_index = 5;
	go(r);
	pipe_sqe(r, fds, O_CLOEXEC)->file_index = 1;
	go(r);
	note("%d %d", fds[0], fds[1]);
}

static struct io_uring_sqe *install(struct ring *r, int slot, uint32_t flags)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_FIXED_FD_INSTALL, slot, NULL, 0, 0);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->op_flags = flags;
	return sqe;
}

static void installs(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	returns_fd(install(r, 0, 0));
	go(r);
	note("close on exec %d", fcntl(fd_of(0), F_GETFD));
	put(fd[1], "hello");
	get(fd_of(0), 10);
	returns_fd(install(r, 1, 1));
	go(r);
	note("close on exec %d", fcntl(fd_of(1), F_GETFD));
	install(r, 2, 0);
	go(r);
	install(r, 0, 2);
	go(r);
	install(r, 0, 0)->flags = 0;
	go(r);
	install(r, 0, 0)->flags |= IOSQE_BUFFER_SELECT;
	go(r);
	install(r, 0, 0)->off = 1;
	go(r);
	install(r, 0, 0)->addr = 1;
	go(r);
	install(r, 0, 0)->len = 1;
	go(r);
	install(r, 0, 0)->buf_index = 1;
	go(r);
	install(r, 0, 0)->splice_fd_in = 1;
	go(r);
	install(r, 0, 0)->addr3 = 1;
	go(r);
	returns_fd(install(r, 0, 0))->pad2_ = 1;
	go(r);
	install(r, 0, 0)->personality = 1;
	go(r);
	returns_fd(install(r, 0, 0))->flags |= IOSQE_ASYNC;
	go(r);
	install(r, 5, 0)->flags |= IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(pipes, NULL, .modes = MODES_ALL),
	SCENARIO(pipe_errors, "P13"),
	SCENARIO(pipe_in_slots, NULL),
	SCENARIO(installs, "P13", .modes = MODES_ALL),
};

FAMILY(descriptors, rows);
