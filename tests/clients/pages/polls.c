// SPDX-License-Identifier: MIT
/* io_uring_prep_poll_add(3), _poll_remove, _poll_update, _cancel, _cancel64,
 * io_uring_register_sync_cancel(3) */
#include "page.h"

static char byte;

static void waits(const char *name, int fd)
{
	PREP(name, poll_add, fd, POLLIN);
	must(io_uring_submit(&ring));
}

static void polls(int fd[2])
{
	static const char first[] = "poll_add", second[] = "updated";

	waits(first, fd[0]);
	must((int)write(fd[1], "x", 1));
	reap();
	must((int)read(fd[0], &byte, 1));
	waits(first, fd[0]);
	PREP("poll_remove", poll_remove, (uintptr_t)first);
	must(io_uring_submit(&ring));
	reap();
	reap();
	PREP("poll_remove of none", poll_remove, (uintptr_t)first);
	go();
	waits(first, fd[0]);
	PREP("poll_update", poll_update, (uintptr_t)first, (uintptr_t)second,
	     POLLOUT, IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA);
	must(io_uring_submit(&ring));
	reap();
	reap();
}

static void cancels(int fd[2])
{
	struct io_uring_sync_cancel_reg all = {
		.fd = fd[0],
		.flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL,
		.timeout = {-1, -1},
	};
	static const char name[] = "read";

	PREP(name, read, fd[0], &byte, 1, 0);
	must(io_uring_submit(&ring));
	PREP("cancel64", cancel64, (uintptr_t)name, 0);
	must(io_uring_submit(&ring));
	reap();
	reap();
	PREP("cancel of none", cancel64, (uintptr_t)name, 0);
	go();
	for (int i = 0; i < 3; i++)
		PREP(name, read, fd[0], &byte, 1, 0);
	must(io_uring_submit(&ring));
	PREP("cancel_fd", cancel_fd, fd[0], IORING_ASYNC_CANCEL_ALL);
	must(io_uring_submit(&ring));
	for (int i = 0; i < 4; i++)
		reap();
	PREP(name, read, fd[0], &byte, 1, 0);
	must(io_uring_submit(&ring));
	say("register_sync_cancel", io_uring_register_sync_cancel(&ring, &all));
	reap();
	say("register_sync_cancel", io_uring_register_sync_cancel(&ring, &all));
}

int main(void)
{
	int fd[2];

	begin(0);
	pair(fd);
	polls(fd);
	cancels(fd);
	io_uring_queue_exit(&ring);
	return 0;
}
