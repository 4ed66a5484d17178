// SPDX-License-Identifier: MIT
/*
 * Making connections: ACCEPT, CONNECT, SOCKET, SHUTDOWN, BIND, LISTEN.
 *
 * Blocking sockets. Neither accept4(2) nor connect(2) has a DONTWAIT flag, and
 * the ring must not wait. O_NONBLOCK belongs to the open file, so a blocking
 * socket gets it for the duration of a turn's calls, some microseconds, under a
 * lock of the process: rings in other threads that serve the same listener, and
 * are woken by the same connection, either find the socket as it was made or
 * wait for the lock. Two cases remain: a program that itself calls accept(2) on
 * a listener that it also gave to a ring may get EAGAIN in that moment; and if
 * two processes use engines on one listener, one may clear the flag between the
 * other's setting it and its accept4, which then waits if the connection is
 * gone as well.
 *
 * ACCEPT. poll(2) is called before the first try, because usually no connection
 * waits; its result after a connection gives SOCK_NONEMPTY. A listener without
 * a connection is armed; for a file that is no listener accept4 returns the
 * errno. A multishot accepts a bounded number in a turn.
 *
 * CONNECT. It must be cancellable, and a worker that waits in connect(2) is
 * not. On EINPROGRESS the request is armed; when the socket is ready connect(2)
 * is called again, which reports the error or completes the connection. A
 * blocking UNIX socket whose listener's backlog is full can't be armed: the
 * request is PARKED with a timer and tried again.
 *
 * The others never wait. Sockets for a slot of registered files never get an fd
 * that the application can see.
 *
 * Locks: the ring lock, then flags_lock. Cost: for a blocking socket three
 * further calls, 0.2 us, for all that are accepted in a turn.
 */
#include "ops/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"
#include "core/req_end.h"
#include "io/nonblock.h"
#include "sched/issue.h"
#include "tables/files.h"

#define ACCEPTS_A_TURN 32
#define RETRY_FIRST_NS INT64_C(1000000)
#define RETRY_LAST_NS INT64_C(16000000)

/* The kernel's struct sockaddr_storage. */
#define ADDRESS_BYTES_MAX 128

/*
 * connect(2) on a socket of either kind, without waiting. Sets *@blocking,
 * unless it is NULL, to whether the socket is a blocking one.
 */
static long connect_at_once(int fd, const void *address, long length,
			    bool *blocking)
{
	long was = nonblock_begin(fd);
	long result = SYS_3(SYS_connect, fd, address, length);

	nonblock_end(fd, was);
	if (blocking)
		*blocking = !(was & O_NONBLOCK);
	return result;
}

/* ---- ACCEPT ---- */

struct accept_cmd {
	void *address;
	uint32_t *address_bytes;
	uint32_t flags; /* SOCK_ */
	uint32_t slot_plus_1;
	uint32_t how; /* IORING_ACCEPT_ */
	bool known; /* it is a listener */
	bool waiting; /* the last poll found a connection */
};

int accept_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct accept_cmd *c = req_cmd(req, struct accept_cmd);

	if (sqe->len || sqe->buf_index ||
	    !abi_knows(&req->ctx->abi, ABI_ACCEPT, sqe->ioprio))
		return -EINVAL;
	c->address = (void *)(uintptr_t)sqe->addr;
	c->address_bytes = (uint32_t *)(uintptr_t)sqe->addr2;
	c->flags = sqe->op_flags;
	c->slot_plus_1 = sqe->file_index;
	c->how = sqe->ioprio;
	c->known = false;
	c->waiting = false;
	if (c->slot_plus_1 && c->flags & SOCK_CLOEXEC)
		return -EINVAL;
	if (c->flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (!(c->how & IORING_ACCEPT_MULTISHOT))
		goto one;
	if (c->slot_plus_1 && c->slot_plus_1 != IORING_FILE_INDEX_ALLOC)
		return -EINVAL;
	req->flags |= REQ_F_MULTISHOT;
one:
	if (c->how == IORING_ACCEPT_POLL_FIRST ||
	    c->how == (IORING_ACCEPT_POLL_FIRST | IORING_ACCEPT_MULTISHOT))
		req->flags |= REQ_F_POLL_FIRST;
	return 0;
}

/* A socket that doesn't listen is never ready; accept4 returns its error. */
static bool listens(struct accept_cmd *c, int fd)
{
	int yes = 0;
	socklen_t bytes = sizeof(yes);

	if (!c->known)
		c->known = SYS_5(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN,
				 &yes, &bytes) == 0 &&
			   yes;
	return c->known;
}

/* Does no connection wait? If armed, one does: the reactor has reported it. */
static bool nobody_waits(const struct req *req, struct accept_cmd *c, int fd)
{
	return !c->waiting && !req->wait.watch && !fd_ready_now(fd, POLLIN) &&
	       listens(c, fd);
}

static int accept_one(struct req *req, struct accept_cmd *c, int fd)
{
	uint32_t flags = c->flags;
	long sock;

	/*
	 * For a slot: the fd exists only for a moment, and no child must
	 * inherit it.
	 */
	if (c->slot_plus_1)
		flags |= SOCK_CLOEXEC;
	sock = SYS_4(SYS_accept4, fd, c->address, c->address_bytes, flags);
	c->waiting = false;
	if (sock == -EAGAIN)
		return ISSUE_AGAIN;
	if (sock < 0)
		return (int)sock;
	reactor_renew(&req->ctx->reactor, (int)sock);
	if (c->slot_plus_1)
		sock = files_install(&req->ctx->files, c->slot_plus_1,
				     (int)sock);
	if (sock < 0)
		return (int)sock;
	c->waiting = fd_ready_now(fd, POLLIN);
	req->ctx->reactor.found_empty = !c->waiting;
	req->cflags = 0;
	if (c->waiting && abi_has(req->ctx->abi.answers, ABI_ACCEPT_TELLS))
		req->cflags = IORING_CQE_F_SOCK_NONEMPTY;
	req->res = (int32_t)sock;
	return ISSUE_DONE;
}

static int accept_many(struct req *req, struct accept_cmd *c, int fd)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int outcome = accept_one(req, c, fd);

		if (outcome != ISSUE_DONE)
			return outcome;
		if (!req_post_more(req, req->res, req->cflags))
			return ISSUE_DONE;
		req->cflags = 0;
		if (!c->waiting)
			return ISSUE_AGAIN;
	}
	return ISSUE_MORE;
}

static int accept_at_once(struct req *req, struct accept_cmd *c)
{
	int fd = req_io_fd(req), outcome;
	long was;

	if (nobody_waits(req, c, fd))
		return ISSUE_AGAIN;
	was = nonblock_begin(fd);
	if (req->flags & REQ_F_MULTISHOT)
		outcome = accept_many(req, c, fd);
	else
		outcome = accept_one(req, c, fd);
	nonblock_end(fd, was);
	return outcome;
}

int accept_issue(struct req *req, uint32_t issue_flags)
{
	struct accept_cmd *c = req_cmd(req, struct accept_cmd);
	int outcome;

	/*
	 * Only a file that can't be polled gets to a worker: it is no socket.
	 */
	if (issue_flags & ISSUE_WORKER)
		return -ENOTSOCK;
	if (c->how & IORING_ACCEPT_DONTWAIT &&
	    c->how & IORING_ACCEPT_POLL_FIRST)
		return -EAGAIN;
	outcome = accept_at_once(req, c);
	if (outcome == ISSUE_AGAIN && c->how & IORING_ACCEPT_DONTWAIT)
		return -EAGAIN;
	return outcome;
}

/* ---- addresses ---- */

/* Of CONNECT and BIND: a copy in req->extra, because it may be long. */
struct address_cmd {
	int32_t bytes;
	bool started; /* connect(2) returned EINPROGRESS */
	int64_t retry_ns;
};

static int take_address(struct req *req, const struct io_uring_sqe *sqe)
{
	struct address_cmd *c = req_cmd(req, struct address_cmd);
	const void *from = (const void *)(uintptr_t)sqe->addr;

	if (sqe->len || sqe->buf_index || sqe->op_flags || sqe->splice_fd_in)
		return -EINVAL;
	c->bytes = (int32_t)sqe->addr2;
	c->started = false;
	c->retry_ns = RETRY_FIRST_NS;
	if (c->bytes < 0 || c->bytes > ADDRESS_BYTES_MAX)
		return -EINVAL;
	if (!req_extra(req, ADDRESS_BYTES_MAX))
		return -ENOMEM;
	return fault_copy(req->extra, from, (size_t)c->bytes);
}

/* ---- CONNECT ---- */

int connect_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return take_address(req, sqe);
}

static void retry(struct timer *timer)
{
	struct req *req = container_of(timer, struct req, timer);

	req->state = REQ_ISSUING;
	issue_settle(req, connect_issue(req, ISSUE_NONBLOCK));
}

static int retry_later(struct req *req)
{
	struct address_cmd *c = req_cmd(req, struct address_cmd);
	int64_t due = clock_now_ns(CLOCK_MONOTONIC) + c->retry_ns;
	int err;

	if (c->retry_ns < RETRY_LAST_NS)
		c->retry_ns *= 2;
	req->timer.fire = retry;
	err = timer_arm(&req->ctx->timers, &req->timer, due);
	return err < 0 ? err : ISSUE_PARKED;
}

static bool is_unix(const struct req *req)
{
	return ((const struct sockaddr *)req->extra)->sa_family == AF_UNIX;
}

/* A connection was begun. Returns 0, an error, or ISSUE_AGAIN. */
static int connect_end(struct req *req, int fd)
{
	const struct address_cmd *c = req_cmd(req, struct address_cmd);
	long err;

	if (!fd_ready_now(fd, POLLOUT))
		return ISSUE_AGAIN;
	err = connect_at_once(fd, req->extra, c->bytes, NULL);
	if (err == -EISCONN)
		return ISSUE_DONE;
	if (err == -EALREADY || err == -EINPROGRESS)
		return ISSUE_AGAIN;
	return (int)err;
}

int connect_issue(struct req *req, uint32_t issue_flags)
{
	struct address_cmd *c = req_cmd(req, struct address_cmd);
	int fd = req_io_fd(req);
	bool blocking = false;
	long err;

	if (c->started)
		return connect_end(req, fd);
	err = connect_at_once(fd, req->extra, c->bytes, &blocking);
	if (err == -EINPROGRESS) {
		c->started = true;
		/*
		 * On the same machine the connection is usually complete by
		 * now.
		 */
		return connect_end(req, fd);
	}
	if (err == -EAGAIN && blocking && is_unix(req) &&
	    !(issue_flags & ISSUE_WORKER))
		return retry_later(req);
	return (int)err;
}

/* ---- SOCKET ---- */

struct socket_cmd {
	int32_t type;
	int32_t protocol;
	uint32_t slot_plus_1;
};

int socket_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct socket_cmd *c = req_cmd(req, struct socket_cmd);

	if (sqe->addr || sqe->op_flags || sqe->buf_index)
		return -EINVAL;
	c->type = (int32_t)sqe->off;
	c->protocol = (int32_t)sqe->len;
	c->slot_plus_1 = sqe->file_index;
	if (c->slot_plus_1 && c->type & SOCK_CLOEXEC)
		return -EINVAL;
	return 0;
}

int socket_issue(struct req *req, uint32_t issue_flags)
{
	const struct socket_cmd *c = req_cmd(req, struct socket_cmd);
	int hidden = c->slot_plus_1 ? SOCK_CLOEXEC : 0;
	long sock = SYS_3(SYS_socket, req->fd, c->type | hidden, c->protocol);

	req->res = (int32_t)sock;
	return issue_flags & ISSUE_WORKER ? ISSUE_DONE
					  : conn_finish_socket(req);
}

int conn_finish_socket(struct req *req)
{
	const struct socket_cmd *c = req_cmd(req, struct socket_cmd);

	if (req->res >= 0 && c->slot_plus_1)
		req->res = files_install(&req->ctx->files, c->slot_plus_1,
					 req->res);
	return ISSUE_DONE;
}

/* ---- SHUTDOWN, BIND, LISTEN ---- */

struct number_cmd {
	int32_t number; /* SHUT_ for shutdown(2); the backlog for listen(2) */
};

int shutdown_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->op_flags || sqe->buf_index ||
	    sqe->splice_fd_in)
		return -EINVAL;
	req_cmd(req, struct number_cmd)->number = (int32_t)sqe->len;
	return 0;
}

int shutdown_issue(struct req *req, uint32_t issue_flags)
{
	const struct number_cmd *c = req_cmd(req, struct number_cmd);

	req->flags |= REQ_F_QUIET; /* in the kernel a worker does it */
	(void)issue_flags;
	req->res = (int32_t)SYS_2(SYS_shutdown, req_io_fd(req), c->number);
	return ISSUE_DONE;
}

int listen_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return shutdown_prep(req, sqe);
}

int listen_issue(struct req *req, uint32_t issue_flags)
{
	const struct number_cmd *c = req_cmd(req, struct number_cmd);

	(void)issue_flags;
	req->res = (int32_t)SYS_2(SYS_listen, req_io_fd(req), c->number);
	return ISSUE_DONE;
}

int bind_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return take_address(req, sqe);
}

int bind_issue(struct req *req, uint32_t issue_flags)
{
	const struct address_cmd *c = req_cmd(req, struct address_cmd);

	(void)issue_flags;
	req->res =
		(int32_t)SYS_3(SYS_bind, req_io_fd(req), req->extra, c->bytes);
	return ISSUE_DONE;
}
