// SPDX-License-Identifier: MIT
/*
 * SPLICE and TEE.
 *
 * Theory: between pipes and sockets the call is made immediately, so that it
 * can't wait: SPLICE_F_NONBLOCK says so to a pipe, O_NONBLOCK to a socket
 * (io/nonblock.h). If it would wait, the request is PARKED with one of its
 * ends armed: the input while that is empty, else the output. What a socket
 * has no room for stays in the pipe, and the rest follows when there is room.
 * Other files may wait in spite of the flags (a disk), so a worker makes the
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
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/registry.h"
#include "core/req.h"
#include "io/nonblock.h"
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
	bool looked; /* the next three fields are set */
	bool at_once; /* both ends are pipes or sockets */
	bool socket[ENDS];
	bool unix_in; /* a unix stream, which heeds SPLICE_F_NONBLOCK */
	bool waits_known; /* the next one is set */
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
		return 0;
	c->file_in = file_get(&req->ctx->files, (uint32_t)c->fd_in);
	return c->file_in ? 0 : -EBADF;
}

static bool socket_has(int fd, int option, int value)
{
	int is = -1;
	socklen_t bytes = sizeof(is);

	return SYS_5(SYS_getsockopt, fd, SOL_SOCKET, option, &is, &bytes) ==
		       0 &&
	       is == value;
}

static int splice_look_at(const struct req *req, struct splice_cmd *c, int end)
{
	int fd = splice_fd_of(req, end);
	struct stat st;

	if (SYS_2(SYS_fstat, fd, &st) < 0)
		return -EBADF;
	if (registry_at(fd))
		return -EINVAL; /* rings can't be read or written */
	c->socket[end] = S_ISSOCK(st.st_mode);
	c->at_once &= c->socket[end] || S_ISFIFO(st.st_mode);
	return 0;
}

static int splice_look(struct req *req, struct splice_cmd *c)
{
	int err = take_input(req, c);

	if (err < 0 || c->looked)
		return err;
	c->at_once = true;
	err = splice_look_at(req, c, IN) ?: splice_look_at(req, c, OUT);
	if (!err && c->socket[IN])
		c->unix_in =
			socket_has(splice_fd_of(req, IN), SO_DOMAIN, AF_UNIX) &&
			socket_has(splice_fd_of(req, IN), SO_TYPE, SOCK_STREAM);
	c->looked = !err;
	return err;
}

static bool splice_end_waits(const struct req *req, int end)
{
	long flags = SYS_2(SYS_fcntl, splice_fd_of(req, end), F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

/* Asked only when something would have to wait. */
static bool splice_waits(const struct req *req, struct splice_cmd *c)
{
	if (!c->waits_known)
		c->waits = !(c->flags & SPLICE_F_NONBLOCK) &&
			   splice_end_waits(req, IN) &&
			   splice_end_waits(req, OUT);
	c->waits_known = true;
	return c->waits;
}

/* On a worker, where it may have to be interrupted, or under the lock. */
static long splice_call(const struct req *req, struct splice_cmd *c,
			uint32_t flags)
{
	int64_t *off_in = c->offset[IN] == -1 ? NULL : &c->offset[IN];
	int64_t *off_out = c->offset[OUT] == -1 ? NULL : &c->offset[OUT];
	uint32_t left = c->len - req->moved;

	flags |= c->flags & ~IORING_SPLICE_F_FD_IN_FIXED;
	if (!left)
		return 0;
	if (req->opcode == IORING_OP_TEE)
		return worker_call(&req->work, SYS_tee, splice_fd_of(req, IN),
				   splice_fd_of(req, OUT), left, flags, 0, 0);
	return worker_call(&req->work, SYS_splice, splice_fd_of(req, IN),
			   (long)off_in, splice_fd_of(req, OUT), (long)off_out,
			   left, flags);
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

/* Of two ends one is a pipe, so no more than one is a socket. */
static long splice_now(const struct req *req, struct splice_cmd *c)
{
	int end = c->socket[IN] ? IN : OUT;
	long was, n;

	if (!c->socket[end] || (end == IN && c->unix_in))
		return splice_call(req, c, SPLICE_F_NONBLOCK);
	was = nonblock_begin(splice_fd_of(req, end));
	n = splice_call(req, c, SPLICE_F_NONBLOCK);
	nonblock_end(splice_fd_of(req, end), was);
	return n;
}

/*
 * A blocking socket is given all that the pipe has, however little room it has.
 * What has moved so far is in req->moved; -EAGAIN: and there is more to come.
 */
static long splice_at_once(struct req *req, struct splice_cmd *c)
{
	long n;

	do {
		n = splice_now(req, c);
		if (n <= 0)
			return n;
		req->moved += (uint32_t)n;
	} while (req->moved < c->len && c->socket[OUT] &&
		 splice_waits(req, c) && ready_now(req, IN));
	return n;
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
	if (!c->at_once) {
		if (splice_waits(req, c) && !ready_now(req, IN))
			return park(req, c);
		err = hold(req, c);
		return err < 0 ? err : ISSUE_PUNT;
	}
	n = splice_at_once(req, c);
	if (n == -EAGAIN && splice_waits(req, c))
		return park(req, c);
	return splice_conclude(req, req->moved ? (long)req->moved : n);
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
