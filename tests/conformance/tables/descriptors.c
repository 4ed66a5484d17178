/* SPDX-License-Identifier: MIT */
/*
 * PIPE and FIXED_FD_INSTALL: files get new fds, and slots. And for how long a
 * request holds its file: at most until its completion can be seen.
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

/* A personality may not bring a file to a program with other rights. */
static void installs_as_another(struct ring *r)
{
	int fd[2], id;
	struct io_uring_sqe *sqe;

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	id = reg(r, IORING_REGISTER_PERSONALITY, NULL, 0);
	install(r, 0, 0)->personality = (uint16_t)id;
	go(r);
	install(r, 0, 2)->personality = (uint16_t)id;
	go(r);
	install(r, 7, 0)->personality = (uint16_t)id;
	go(r);
	sqe = install(r, 0, 0);
	sqe->personality = (uint16_t)id;
	sqe->flags = 0;
	go(r);
	sqe = install(r, 0, 0);
	sqe->personality = (uint16_t)id;
	sqe->len = 1;
	go(r);
}

/* A file that is only a name is none to register. */
static void names_in_slots(struct ring *r)
{
	int fds[2] = {open("/dev/null", O_RDONLY), open("/", O_PATH)};
	struct io_uring_files_update update = {.offset = 0,
					       .fds = (uintptr_t)&fds[1]};
	struct io_uring_sqe *sqe;

	reg(r, IORING_REGISTER_FILES, fds, 2);
	reg(r, IORING_REGISTER_FILES, fds, 1);
	reg(r, IORING_REGISTER_FILES_UPDATE, &update, 1);
	sqe_new(r, IORING_OP_FILES_UPDATE, -1, &fds[1], 1, 0);
	go(r);
	/* One that was opened for a slot may be there. */
	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0);
	sqe->op_flags = O_PATH;
	sqe->file_index = 1;
	go(r);
	sqe_new(r, IORING_OP_READ, 0, pages(4096), 4, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
}

/*
 * The program closes its fd and does nothing else. Does the peer notice? The
 * writing end of a pipe gets POLLERR.
 */
static void note_end(int fd, int peer)
{
	struct pollfd p = {.fd = peer, .events = POLLIN | POLLRDHUP};

	close(fd);
	while (poll(&p, 1, 2000) > 0 &&
	       !(p.revents & (POLLHUP | POLLERR | POLLRDHUP)))
		if (recv(peer, (char[64]){0}, 64, MSG_DONTWAIT) <= 0)
			break;
	note("the peer sees %s", p.revents ? "the end" : "nothing");
}

/* Each request waits for its file first, so that it is armed. */
static void closed_after_stream(struct ring *r, enum io_uring_op op)
{
	char buffer[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	if (op == IORING_OP_POLL_ADD)
		sqe_poll(r, fd[0], POLLIN);
	else
		sqe_new(r, op, fd[0], buffer, sizeof(buffer), 0);
	submit(r);
	put(fd[1], "hello");
	reap(r, 1);
	note_end(fd[0], fd[1]);
}

static void closed_after_full(struct ring *r, enum io_uring_op op)
{
	char much[4096] = {0};
	int fd[2];

	pair(fd, PAIR_STREAM);
	while (send(fd[0], much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	sqe_new(r, op, fd[0], much, 1, 0);
	submit(r);
	while (recv(fd[1], much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	reap(r, 1);
	note_end(fd[0], fd[1]);
}

static void closed_after_splice(struct ring *r)
{
	struct io_uring_sqe *sqe;
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	sqe = sqe_new(r, IORING_OP_SPLICE, b[1], NULL, 5, UINT64_MAX);
	sqe->splice_off_in = UINT64_MAX;
	sqe->splice_fd_in = a[0];
	submit(r);
	put(a[1], "hello");
	reap(r, 1);
	get(b[0], 5);
	note_end(a[0], a[1]);
	note_end(b[1], b[0]);
}

static void closed_after_cancel(struct ring *r, bool by_time)
{
	struct io_timespec soon = {.tv_nsec = 1000000};
	char buffer[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], buffer, sizeof(buffer), 0)->flags =
		by_time ? IOSQE_IO_LINK : 0;
	if (by_time)
		sqe_new(r, IORING_OP_LINK_TIMEOUT, -1, &soon, 1, 0);
	submit(r);
	if (!by_time) {
		sqe_new(r, IORING_OP_ASYNC_CANCEL, fd[0], NULL, 0, 0)
			->op_flags = IORING_ASYNC_CANCEL_FD;
		submit(r);
	}
	reap_sorted(r, 2);
	note_end(fd[0], fd[1]);
}

static void closed_after_pipe(struct ring *r, bool async)
{
	char buffer[8];
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], buffer, sizeof(buffer), 0)->flags =
		async ? IOSQE_ASYNC : 0;
	submit(r);
	put(fd[1], "hello");
	reap(r, 1);
	note_end(fd[0], fd[1]);
}

static void closed_after_accept(struct ring *r)
{
	struct sockaddr_storage at;
	socklen_t length = sizeof(at);
	int fd = listener(&at, &length), first, second;

	returns_fd(sqe_new(r, IORING_OP_ACCEPT, fd, NULL, 0, 0));
	submit(r);
	first = connect_to(&at, length);
	reap(r, 1);
	close(fd);
	second = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	note_result("connect", connect(second, (struct sockaddr *)&at, length)
				       ? -errno
				       : 0);
	note_end(fd_of(0), first);
}

static void closed_after_completion(struct ring *r)
{
	closed_after_stream(r, IORING_OP_RECV);
	closed_after_stream(r, IORING_OP_READ);
	closed_after_stream(r, IORING_OP_POLL_ADD);
	closed_after_full(r, IORING_OP_SEND);
	closed_after_full(r, IORING_OP_WRITE);
	closed_after_splice(r);
	closed_after_cancel(r, false);
	closed_after_cancel(r, true);
	closed_after_pipe(r, false);
	closed_after_pipe(r, true);
	closed_after_accept(r);
}

static const struct scenario rows[] = {
	SCENARIO(pipes, NULL, .modes = MODES_ALL),
	SCENARIO(pipe_errors, "P13"),
	SCENARIO(pipe_in_slots, NULL),
	SCENARIO(installs, "P13", .modes = MODES_ALL),
	SCENARIO(installs_as_another, NULL),
	SCENARIO(names_in_slots, NULL),
	SCENARIO(closed_after_completion, NULL, .modes = MODES_ALL | MODE_COOP),
};

FAMILY(descriptors, rows);
