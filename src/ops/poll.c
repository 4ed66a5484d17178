// SPDX-License-Identifier: MIT
/*
 * POLL_ADD and POLL_REMOVE.
 *
 * Theory: a poll that waits is PARKED with its wait armed in the reactor.
 *
 *   single     looks first, and waits when nothing is there: for a socket, a
 *              pipe, an eventfd or a timerfd by kernel AIO, whose event stands
 *              though the data be gone when it is seen; for others by epoll,
 *              and then it looks again when the reactor calls, as the event may
 *              be older than the arming (sched/polls.h).
 *   multishot  posts one completion for each edge. It has a duplicate of the
 *              file of its own, and so an fd of its own in the reactor: arming
 *              reports what is ready at that moment, and others that arm the
 *              same fd must not cause completions here. For the same reason it
 *              does not call poll(2) first: it fetches the first report
 *              immediately (begin), and that is its first completion.
 *
 * The kernel reports hang-up, error and the peer's shutdown (RDHUP) whether
 * asked for or not. ONESHOT in the mask makes a multishot single. Level
 * triggered polls are refused, as by Linux 6.18.
 *
 * POLL_REMOVE detaches a poll, which then completes with -ECANCELED after it,
 * or changes it: the poll starts anew from ctx->ready with a duplicate of the
 * file it has, which the application may have closed meanwhile.
 *
 * Differs: for a mask with several bits a multishot reports all that are ready,
 * the kernel those of the wake-up.
 *
 * Locks: the ring lock. Cost: one poll(2) and one arming, which polls that
 * follow one another share; a multishot has a duplicate in addition.
 */
#include "ops/poll.h"

#include <poll.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/ctx_lock.h"
#include "core/index.h"
#include "core/notify.h"
#include "core/registry.h"
#include "core/req.h"
#include "core/req_end.h"
#include "sched/cancel.h"
#include "sched/issue.h"
#include "sched/polls.h"

/*
 * Always reported by the kernel; poll(2) and epoll don't report RDHUP unasked.
 */
#define UNASKED (EPOLLERR | EPOLLHUP | EPOLLRDHUP)

struct poll_cmd {
	uint32_t mask;
	uint32_t seen; /* events so far, while it begins */
	int own_fd; /* -1: none */
	bool multishot;
	bool beginning;
};

struct poll_remove_cmd {
	uint64_t old_user_data;
	uint64_t new_user_data;
	uint32_t flags;
	uint32_t mask;
};

static void set_mask(struct poll_cmd *c, uint32_t events)
{
	c->mask = (events & 0xffff) | UNASKED;
}

int poll_add_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct poll_cmd *c = req_cmd(req, struct poll_cmd);
	uint32_t flags = sqe->len;

	if (sqe->buf_index || sqe->off || sqe->addr)
		return -EINVAL;
	if (flags & ~(uint32_t)IORING_POLL_ADD_MULTI ||
	    !abi_knows(&req->ctx->abi, ABI_POLL, flags))
		return -EINVAL;
	if (flags && sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	set_mask(c, sqe->op_flags);
	c->multishot = flags && !(sqe->op_flags & EPOLLONESHOT);
	c->beginning = false;
	c->own_fd = -1;
	req->flags |= REQ_F_HOLDS;
	return 0;
}

static void drop_own(struct req *req)
{
	struct poll_cmd *c = req_cmd(req, struct poll_cmd);

	if (c->own_fd < 0)
		return;
	reactor_disarm(&req->ctx->reactor, &req->wait);
	reactor_forget(&req->ctx->reactor, c->own_fd);
	fd_close(c->own_fd);
	c->own_fd = -1;
}

void poll_add_cleanup(struct req *req)
{
	drop_own(req);
}

static int file_of(const struct req *req)
{
	const struct poll_cmd *c = req_cmd(req, struct poll_cmd);

	return c->own_fd >= 0 ? c->own_fd : req_io_fd(req);
}

/* The events that are ready now: a mask, or a negative errno. */
static int poll_look(const struct req *req)
{
	const struct poll_cmd *c = req_cmd(req, struct poll_cmd);
	struct pollfd p = {.fd = file_of(req), .events = (short)c->mask};
	long err = SYS_3(SYS_poll, &p, 1, 0);

	if (err < 0)
		return (int)err;
	if (p.fd < 0 || p.revents & POLLNVAL)
		return -EBADF;
	return (uint16_t)p.revents;
}

/*
 * The file is a ring's: set the ring watched, so that its readability is exact.
 */
static void poll_watch_ring(const struct req *req, struct ctx *other)
{
	if (other->watched)
		return;
	if (other == req->ctx) {
		lock_assume(&other->lock);
		other->watched = true;
		notify_taken(other);
	} else if (ctx_try(other)) {
		other->watched = true;
		notify_taken(other);
		ctx_drop(other);
	}
}

/*
 * Returns false if this was the last completion, which is still to be posted.
 */
static bool deliver(struct req *req, uint32_t events)
{
	const struct poll_cmd *c = req_cmd(req, struct poll_cmd);

	if (c->multishot && req_post_more(req, (int32_t)events, 0))
		return true;
	req->res = (int32_t)events;
	return false;
}

static void multishot_ready(struct reactor_wait *wait, uint32_t events)
{
	struct req *req = container_of(wait, struct req, wait);
	struct poll_cmd *c = req_cmd(req, struct poll_cmd);

	events &= c->mask;
	if (c->beginning)
		c->seen |= events;
	else if (events && !issue_is_orphan(req) && !deliver(req, events))
		req_finish(req);
}

static void single_ready(struct reactor_wait *wait, uint32_t events)
{
	struct req *req = container_of(wait, struct req, wait);
	int seen = (int)(events & req_cmd(req, struct poll_cmd)->mask);

	if (!(wait->how & WAIT_KEPT))
		seen = poll_look(req);
	if (seen && !issue_is_orphan(req))
		req_finish_with(req, seen);
}

/* Fetch the report of the arming. Other waits that are ready are called too. */
static uint32_t fetch_first(struct req *req)
{
	struct poll_cmd *c = req_cmd(req, struct poll_cmd);
	struct reactor *reactor = &req->ctx->reactor;
	struct reactor_events events = {.room = 0};

	c->seen = 0;
	c->beginning = true;
	reactor_sleep(reactor, &events, 0, NULL);
	if (reactor_is_slow(reactor))
		reactor_look_slowly(reactor, &events);
	/* Pass a wake-up on: it was for a thread that takes a turn. */
	if (reactor_dispatch(reactor, &events))
		reactor_wake(reactor);
	c->beginning = false;
	return c->seen;
}

static int poll_begin(struct req *req)
{
	struct poll_cmd *c = req_cmd(req, struct poll_cmd);
	int err;

	/* Without room for a duplicate it uses the fd that others also arm. */
	if (c->own_fd < 0)
		c->own_fd = fd_dup_high(req_io_fd(req));
	if (c->own_fd == -EBADF)
		return -EBADF;
	req->wait.ready = multishot_ready;
	req->wait.how = 0;
	err = reactor_arm(&req->ctx->reactor, &req->wait, file_of(req),
			  c->own_fd >= 0 || req->file, c->mask);
	if (err < 0)
		return err;
	if (fetch_first(req) && !deliver(req, c->seen))
		return ISSUE_DONE;
	return ISSUE_PARKED;
}

static int look_or_arm(struct req *req)
{
	req->wait.ready = single_ready;
	req->wait.how = 0;
	req->wait.mask = req_cmd(req, struct poll_cmd)->mask;
	return polls_issue(req);
}

int poll_add_issue(struct req *req, uint32_t issue_flags)
{
	const struct poll_cmd *c = req_cmd(req, struct poll_cmd);
	struct ctx *ring = req->file ? NULL : registry_at(req->fd);
	int outcome;

	(void)issue_flags;
	if (unlikely(ring))
		poll_watch_ring(req, ring);
	if (!c->multishot)
		return look_or_arm(req);
	polls_settle(req->ctx);
	outcome = poll_begin(req);
	if (outcome != -EPERM)
		return outcome;
	/*
	 * The file can't be armed: it is ready now, or the request is invalid.
	 */
	outcome = poll_look(req);
	req->res = outcome ?: -EINVAL;
	return ISSUE_DONE;
}

int poll_remove_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct poll_remove_cmd *c = req_cmd(req, struct poll_remove_cmd);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	c->flags = sqe->len;
	if (!abi_knows(&req->ctx->abi, ABI_POLL, c->flags) ||
	    c->flags == IORING_POLL_ADD_MULTI)
		return -EINVAL;
	c->old_user_data = sqe->addr;
	c->new_user_data = sqe->off;
	c->mask = sqe->op_flags;
	if (!(c->flags & IORING_POLL_UPDATE_USER_DATA) && sqe->off)
		return -EINVAL;
	if (!(c->flags & IORING_POLL_UPDATE_EVENTS) && sqe->op_flags)
		return -EINVAL;
	return 0;
}

static bool is_poll(struct req *req, const void *argument)
{
	(void)argument;
	return req->opcode == IORING_OP_POLL_ADD;
}

/* Start the poll anew, after the update has completed. */
static void restart(struct req *poll)
{
	struct poll_cmd *c = req_cmd(poll, struct poll_cmd);
	int again = fd_dup_high(file_of(poll));

	drop_own(poll);
	reactor_disarm(&poll->ctx->reactor, &poll->wait);
	fd_close(poll->held);
	poll->held = -1;
	again = again < 0 ? -1 : again;
	if (c->multishot)
		c->own_fd = again;
	else
		poll->held = again;
	if (poll->flags & REQ_F_RETRY)
		return;
	poll->flags |= REQ_F_RETRY;
	list_push_back(&poll->ctx->ready, &poll->node);
}

static void poll_update_apply(struct req *poll, const struct poll_remove_cmd *c)
{
	if (c->flags & IORING_POLL_UPDATE_EVENTS)
		set_mask(req_cmd(poll, struct poll_cmd), c->mask);
	if (c->flags & IORING_POLL_UPDATE_USER_DATA) {
		index_remove(poll);
		poll->user_data = c->new_user_data;
		index_add(poll);
	}
	restart(poll);
}

int poll_remove_issue(struct req *req, uint32_t issue_flags)
{
	const struct poll_remove_cmd *c = req_cmd(req, struct poll_remove_cmd);
	struct req *poll =
		index_find(req->ctx, c->old_user_data, is_poll, NULL);

	(void)issue_flags;
	if (!poll)
		return -ENOENT;
	if (!c->flags)
		return cancel_request(poll);
	poll_update_apply(poll, c);
	return ISSUE_DONE;
}
