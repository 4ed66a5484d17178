// SPDX-License-Identifier: MIT
/*
 * EPOLL_CTL and EPOLL_WAIT.
 *
 * Theory: each is one system call that never waits, made immediately with the
 * fds as they were submitted. If EPOLL_WAIT finds no event, it is armed on the
 * epoll's own readability; the events go directly to the application's memory.
 *
 * The exception is an EPOLL_CTL that adds a ring's fd: a ring's readability is
 * exact only while the ring is watched (D2), so the ring must be set watched
 * first. It may be another ring, whose lock may not be waited for with this
 * ring's held: a worker does it.
 *
 * Locks: the ring lock; on a worker the other ring's.
 */
#include "ops/epoll.h"

#include <sys/epoll.h>

#include "base/fault.h"
#include "base/sys.h"
#include "core/ctx.h"
#include "core/ctx_lock.h"
#include "core/notify.h"
#include "core/registry.h"
#include "core/req.h"
#include "sched/standby.h"

struct epoll_cmd {
	struct epoll_event event;
	int32_t op;
	int32_t fd; /* the fd to watch; req->fd is the epoll's */
};

int epoll_ctl_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct epoll_cmd *c = req_cmd(req, struct epoll_cmd);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	c->op = (int32_t)sqe->len;
	c->fd = (int32_t)sqe->off;
	if (c->op == EPOLL_CTL_DEL)
		return 0;
	return fault_copy(&c->event, (void *)(uintptr_t)sqe->addr,
			  sizeof(c->event));
}

/* Make its readability exact from now on; on a worker, without any lock. */
static void epoll_watch_ring(int fd) UNCHECKED_LOCKS
{
	struct ctx *ring = ctx_lock_fd(fd);

	if (!ring)
		return;
	ring->watched = true;
	notify_taken(ring);
	standby_leave(ring);
}

int epoll_ctl_issue(struct req *req, uint32_t issue_flags)
{
	struct epoll_cmd *c = req_cmd(req, struct epoll_cmd);

	if (c->op != EPOLL_CTL_DEL && registry_find_ctx(c->fd)) {
		if (!(issue_flags & ISSUE_WORKER))
			return ISSUE_PUNT;
		epoll_watch_ring(c->fd);
	}
	req->res =
		(int32_t)SYS_4(SYS_epoll_ctl, req->fd, c->op, c->fd, &c->event);
	return ISSUE_DONE;
}

struct wait_cmd {
	uint64_t address;
	uint32_t room;
};

int epoll_wait_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct wait_cmd *c = req_cmd(req, struct wait_cmd);

	if (sqe->off || sqe->op_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	c->address = sqe->addr;
	c->room = sqe->len;
	return 0;
}

int epoll_wait_issue(struct req *req, uint32_t issue_flags)
{
	const struct wait_cmd *c = req_cmd(req, struct wait_cmd);
	long n = SYS_4(SYS_epoll_wait, req_io_fd(req), c->address,
		       (int32_t)c->room, 0);

	(void)issue_flags;
	if (!n)
		return ISSUE_AGAIN;
	/* The file is checked before the room for events. */
	if (n == -EINVAL && !req_file_is_open(req))
		n = -EBADF;
	req->res = (int32_t)n;
	return n < 0 ? (int)n : ISSUE_DONE;
}
