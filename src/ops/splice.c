// SPDX-License-Identifier: MIT
/*
 * SPLICE and TEE.
 *
 * Theory: between two pipes the call is made immediately, with
 * SPLICE_F_NONBLOCK. If it would wait, the request is PARKED with one of its
 * ends armed: the input while that is empty, else the output. Other files may
 * wait in spite of that flag (a disk, a blocking socket), so a worker makes the
 * call; but only when the input has data, so that waiting for input needs no
 * thread.
 *
 * While it waits it holds duplicates of both ends, which are fds of its own in
 * the reactor: the program may close its own.
 *
 * As in the kernel, a pipe or a socket with O_NONBLOCK isn't waited for. A
 * transfer of less than was asked for breaks a chain.
 *
 * Locks: the ring lock, except for a worker's calls.
 */
#include "ops/splice.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/registry.h"
#include "core/req.h"
#include "sched/issue.h"
#include "tables/files.h"

#define FLAGS                                                                \
	(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT | \
	 IORING_SPLICE_F_FD_IN_FIXED)

enum { IN, OUT, ENDS };

struct splice_cmd {
	int64_t offset[ENDS]; /* -1: none */
	uint32_t len;
	uint32_t flags;
	int32_t fd_in;
	int32_t own[ENDS]; /* duplicates, -1: none yet */
	struct file_node *file_in; /* held */
	bool looked; /* the next two fields are set */
	bool pipes; /* both ends are pipes */
	bool waits; /* neither end has O_NONBLOCK */
};

static int splice_common_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct splice_cmd *c = req_cmd(req, struct splice_cmd);

	*c = (struct splice_cmd){
		.offset = {(int64_t)sqe->splice_off_in, (int64_t)sqe->off},
		.len = sqe->len,
		.flags = sqe->op_flags,
		.fd_in = sqe->splice_fd_in,
		.own = {-1, -1},
	};
	req->flags |= REQ_F_HOLDS | REQ_F_QUIET;
	return sqe->op_flags & ~(uint32_t)FLAGS ? -EINVAL : 0;
}

int splice_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return splice_common_prep(req, sqe);
}

int tee_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	int err = splice_common_prep(req, sqe);

	return sqe->splice_off_in || sqe->off ? -EINVAL : err;
}

static int splice_fd_of(const struct req *req, int end)
{
	const struct splice_cmd *c = req_cmd(req, struct splice_cmd);

	if (c->own[end] >= 0)
		return c->own[end];
	if (end == OUT)
		return req_io_fd(req);
	return c->file_in ? c->file_in->fd : c->fd_in;
}

static int take_input(struct req *req, struct splice_cmd *c)
{
	if (c->file_in || c->own[IN] >= 0)
		return 0;
	if (!(c->flags & IORING_SPLICE_F_FD_IN_FIXED))
		return fd_is_open(c->fd_in) ? 0 : -EBADF;
	c->file_in = file_get(&req->ctx->files, (uint32_t)c->fd_in);
	return c->file_in ? 0 : -EBADF;
}

static int splice_look_at(const struct req *req, struct splice_cmd *c, int end)
{
	int fd = splice_fd_of(req, end);
	long flags = SYS_2(SYS_fcntl, fd, F_GETFL);
	struct stat st;

	if (flags < 0 || SYS_2(SYS_fstat, fd, &st) < 0)
		return -EBADF;
	if (registry_at(fd))
		return -EINVAL; /* rings can't be read or written */
	c->pipes &= S_ISFIFO(st.st_mode);
	c->waits &= !(flags & O_NONBLOCK);
	return 0;
}

static int splice_look(struct req *req, struct splice_cmd *c)
{
	int err = take_input(req, c);

	if (err < 0 || c->looked)
		return err;
	c->pipes = true;
	c->waits = !(c->flags & SPLICE_F_NONBLOCK);
	err = splice_look_at(req, c, IN) ?: splice_look_at(req, c, OUT);
	c->looked = !err;
	return err;
}

/* On a worker, where it may have to be interrupted, or under the lock. */
static long splice_call(const struct req *req, struct splice_cmd *c,
			uint32_t flags)
{
	int64_t *off_in = c->offset[IN] == -1 ? NULL : &c->offset[IN];
	int64_t *off_out = c->offset[OUT] == -1 ? NULL : &c->offset[OUT];

	flags |= c->flags & ~IORING_SPLICE_F_FD_IN_FIXED;
	if (!c->len)
		return 0;
	if (req->opcode == IORING_OP_TEE)
		return worker_call(&req->work, SYS_tee, splice_fd_of(req, IN),
				   splice_fd_of(req, OUT), c->len, flags, 0, 0);
	return worker_call(&req->work, SYS_splice, splice_fd_of(req, IN),
			   (long)off_in, splice_fd_of(req, OUT), (long)off_out,
			   c->len, flags);
}

static int splice_conclude(struct req *req, long n)
{
	const struct splice_cmd *c = req_cmd(req, struct splice_cmd);

	req->res = (int32_t)n;
	if ((uint32_t)n != c->len)
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

static bool ready_now(const struct req *req, int end)
{
	return fd_ready_now(splice_fd_of(req, end),
			    end == IN ? POLLIN : POLLOUT);
}

static void end_ready(struct reactor_wait *wait, uint32_t events)
{
	struct req *req = container_of(wait, struct req, wait);

	(void)events;
	if (issue_is_orphan(req))
		return;
	/* The next wait may be for the other end. */
	reactor_disarm(&req->ctx->reactor, wait);
	issue_retry(req);
}

static int hold(struct req *req, struct splice_cmd *c)
{
	for (int end = IN; end < ENDS; end++) {
		if (c->own[end] < 0)
			c->own[end] = fd_dup_high(splice_fd_of(req, end));
		if (c->own[end] < 0)
			return c->own[end];
	}
	return 0;
}

/*
 * Arming an fd of the engine's does not report what is ready, so that is
 * polled.
 */
static int park(struct req *req, struct splice_cmd *c)
{
	struct reactor *reactor = &req->ctx->reactor;
	int end = ready_now(req, IN) ? OUT : IN;
	uint32_t mask = end == IN ? EPOLLIN : EPOLLOUT;
	int err = hold(req, c);

	if (err < 0)
		return err;
	req->wait.ready = end_ready;
	req->wait.how = 0;
	err = reactor_arm(reactor, &req->wait, c->own[end], true, mask);
	if (!err)
		err = reactor_change(reactor, &req->wait, mask);
	return err < 0 ? err : ISSUE_PARKED;
}

int splice_issue(struct req *req, uint32_t issue_flags)
{
	struct splice_cmd *c = req_cmd(req, struct splice_cmd);
	long n;
	int err;

	if (issue_flags & ISSUE_WORKER) {
		n = splice_call(req, c, 0);
		return n == -EINTR ? -EINTR : splice_conclude(req, n);
	}
	err = splice_look(req, c);
	if (err < 0)
		return err;
	if (!c->pipes) {
		if (c->waits && !ready_now(req, IN))
			return park(req, c);
		err = hold(req, c);
		return err < 0 ? err : ISSUE_PUNT;
	}
	n = splice_call(req, c, SPLICE_F_NONBLOCK);
	if (n == -EAGAIN && c->waits)
		return park(req, c);
	return splice_conclude(req, n);
}

void splice_cleanup(struct req *req)
{
	struct splice_cmd *c = req_cmd(req, struct splice_cmd);
	struct reactor *reactor = &req->ctx->reactor;

	for (int end = IN; end < ENDS; end++) {
		if (c->own[end] < 0)
			continue;
		reactor_forget(reactor, c->own[end]);
		fd_close(c->own[end]);
	}
	if (c->file_in)
		file_put(c->file_in);
}
