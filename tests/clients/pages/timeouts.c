// SPDX-License-Identifier: MIT
/* io_uring_prep_timeout(3), _timeout_remove, _timeout_update, _link_timeout,
 * io_uring_wait_cqe_timeout(3), io_uring_submit_and_wait_timeout(3) */
#include "page.h"

static struct __kernel_timespec soon = {.tv_nsec = 10000000};
static struct __kernel_timespec late = {.tv_sec = 1000};
static char byte;

static void timeouts(void)
{
	static const char name[] = "timeout";

	PREP(name, timeout, &soon, 0, 0);
	go();
	PREP("timeout, counted as success", timeout, &soon, 0,
	     IORING_TIMEOUT_ETIME_SUCCESS);
	go();
	PREP("timeout of one completion", timeout, &late, 1, 0);
	PREP("nop", nop);
	go();
	PREP(name, timeout, &late, 0, 0);
	must(io_uring_submit(&ring));
	PREP("timeout_update", timeout_update, &soon, (uintptr_t)name, 0);
	must(io_uring_submit(&ring));
	reap();
	reap();
	PREP(name, timeout, &late, 0, 0);
	must(io_uring_submit(&ring));
	PREP("timeout_remove", timeout_remove, (uintptr_t)name, 0);
	must(io_uring_submit(&ring));
	reap();
	reap();
	PREP("timeout_remove of none", timeout_remove, (uintptr_t)name, 0);
	go();
}

static void links(void)
{
	int fd[2];

	must(pipe(fd));
	PREP("read", read, fd[0], &byte, 1, 0)->flags |= IOSQE_IO_LINK;
	PREP("link_timeout", link_timeout, &soon, 0);
	go();
	must((int)write(fd[1], "x", 1));
	PREP("read", read, fd[0], &byte, 1, 0)->flags |= IOSQE_IO_LINK;
	PREP("link_timeout", link_timeout, &late, 0);
	go();
}

static void waits(void)
{
	struct io_uring_cqe *cqe;

	say("wait_cqe_timeout", io_uring_wait_cqe_timeout(&ring, &cqe, &soon));
	say("wait_cqes", io_uring_wait_cqes(&ring, &cqe, 2, &soon, NULL));
	PREP("nop", nop);
	say("submit_and_wait_timeout",
	    io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &late, NULL));
	reap();
	say("submit_and_wait_timeout",
	    io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &soon, NULL));
}

int main(void)
{
	begin(0);
	timeouts();
	links();
	waits();
	io_uring_queue_exit(&ring);
	return 0;
}
