// SPDX-License-Identifier: MIT
/*
 * MSG_RING: posts a completion, or sends a registered file, to another ring.
 *
 * Theory: a thread must not wait for one ring's lock while it holds another's.
 * Under this ring's lock the other's is only tried, which usually succeeds;
 * otherwise a worker, which holds no lock, waits for it. A file is duplicated
 * before that.
 *
 * Differs: a ring of another process, or of the kernel's, is not accepted. The
 * completions of a DEFER_TASKRUN ring become visible immediately.
 *
 * Locks: see above.
 */
#include "ops/msg_ring.h"

#include "base/fd.h"
#include "core/cq.h"
#include "core/ctx.h"
#include "core/ctx_lock.h"
#include "core/registry.h"
#include "core/req.h"
#include "tables/files.h"

struct msg_ring_cmd {
	uint64_t user_data;
	uint64_t command;
	uint64_t from_slot;
	uint32_t result;
	uint32_t cqe_flags; /* SEND_FD: the other ring's slot, plus one */
	uint32_t flags;
	int32_t own_fd; /* the duplicate to be sent; -1: none */
};

static int read_words(struct msg_ring_cmd *c, const struct io_uring_sqe *sqe)
{
	const uint32_t known =
		IORING_MSG_RING_CQE_SKIP | IORING_MSG_RING_FLAGS_PASS;

	if (sqe->buf_index || sqe->op_flags & ~known)
		return -EINVAL;
	*c = (struct msg_ring_cmd){
		.user_data = sqe->off,
		.command = sqe->addr,
		.from_slot = sqe->addr3,
		.result = sqe->len,
		.cqe_flags = sqe->file_index,
		.flags = sqe->op_flags,
		.own_fd = -1,
	};
	return 0;
}

int msg_ring_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	int err = read_words(req_cmd(req, struct msg_ring_cmd), sqe);

	if (!abi_knows(&req->ctx->abi, ABI_MSG_RING, sqe->op_flags))
		return -EINVAL;
	if (!err)
		req->flags |= REQ_F_HOLDS;
	return err;
}

static void msg_ring_post(struct ctx *to, const struct msg_ring_cmd *c,
			  int32_t result, uint32_t flags) HOLDS(&to->lock)
{
	cq_post(to, c->user_data, result, flags, NULL);
}

static int give_data(struct ctx *to, const struct msg_ring_cmd *c)
	HOLDS(&to->lock)
{
	msg_ring_post(to, c, (int32_t)c->result,
		      c->flags & IORING_MSG_RING_FLAGS_PASS ? c->cqe_flags : 0);
	return 0;
}

static int give_file(struct ctx *to, struct msg_ring_cmd *c) HOLDS(&to->lock)
{
	int slot = files_install(&to->files, c->cqe_flags, c->own_fd);

	c->own_fd = -1;
	if (slot >= 0 && !(c->flags & IORING_MSG_RING_CQE_SKIP))
		msg_ring_post(to, c, slot, 0);
	return slot;
}

/* Returns the request's result. */
static int give(struct ctx *to, struct msg_ring_cmd *c) HOLDS(&to->lock)
{
	if (to->state != CTX_OPEN || to->disabled)
		return -EBADFD;
	return c->command == IORING_MSG_SEND_FD ? give_file(to, c)
						: give_data(to, c);
}

static bool msg_ring_well_formed(const struct msg_ring_cmd *c)
{
	if (c->command == IORING_MSG_SEND_FD)
		return c->cqe_flags && !c->result;
	return c->command == IORING_MSG_DATA && !c->from_slot &&
	       !(c->flags & IORING_MSG_RING_CQE_SKIP) &&
	       (!c->cqe_flags || c->flags & IORING_MSG_RING_FLAGS_PASS);
}

static int msg_ring_take_file(struct req *req, struct msg_ring_cmd *c)
{
	const struct file_table *t = &req->ctx->files;

	if (c->command != IORING_MSG_SEND_FD || c->own_fd >= 0)
		return 0;
	if (c->from_slot >= t->count || !t->slots[c->from_slot])
		return -EBADF;
	c->own_fd = fd_dup_high(t->slots[c->from_slot]->fd);
	return c->own_fd < 0 ? c->own_fd : 0;
}

/*
 * Returns false if the lock was taken by another thread; otherwise sets
 * *@outcome.
 */
static bool give_to_another(struct ctx *from, struct ctx *to,
			    struct msg_ring_cmd *c,
			    int *outcome) UNCHECKED_LOCKS
{
	if (!lock_try_briefly(&to->lock) || !ctx_try_share(to))
		return false;
	*outcome = give(to, c);
	ctx_unlock_second(from, to);
	return true;
}

/* Holding no lock. */
static int give_waiting(struct ctx *to, struct msg_ring_cmd *c) UNCHECKED_LOCKS
{
	int outcome;

	ctx_take(to);
	outcome = give(to, c);
	ctx_unlock(to);
	return outcome;
}

static int msg_ring_find(int fd, struct ctx **to)
{
	*to = registry_find_ctx(fd);
	if (*to && registry_verify(*to, fd))
		return 0;
	return fd_is_open(fd) ? -EBADFD : -EBADF;
}

/* Under the ring lock, once for each request. */
static int msg_ring_begin(struct req *req, struct msg_ring_cmd *c,
			  const struct ctx *to)
{
	if (!msg_ring_well_formed(c))
		return -EINVAL;
	if (to == req->ctx && c->command == IORING_MSG_SEND_FD)
		return -EINVAL;
	return msg_ring_take_file(req, c);
}

int msg_ring_issue(struct req *req, uint32_t issue_flags)
{
	struct msg_ring_cmd *c = req_cmd(req, struct msg_ring_cmd);
	bool on_worker = issue_flags & ISSUE_WORKER;
	struct ctx *to;
	int outcome = msg_ring_find(req_io_fd(req), &to);

	if (!outcome && !on_worker)
		outcome = msg_ring_begin(req, c, to);
	if (outcome < 0)
		return outcome;
	if (on_worker) {
		outcome = give_waiting(to, c);
	} else if (to == req->ctx) {
		lock_assume(&to->lock);
		outcome = give(to, c);
	} else if (!give_to_another(req->ctx, to, c, &outcome)) {
		return ISSUE_PUNT;
	}
	req->res = outcome;
	return outcome < 0 ? outcome : ISSUE_DONE;
}

int msg_ring_send(const struct io_uring_sqe *sqe)
{
	struct msg_ring_cmd c;
	struct ctx *to;
	int outcome;

	if (sqe->opcode != IORING_OP_MSG_RING || sqe->flags || sqe->personality)
		return -EINVAL;
	outcome = read_words(&c, sqe);
	if (!outcome &&
	    (c.command != IORING_MSG_DATA || !msg_ring_well_formed(&c)))
		outcome = -EINVAL;
	if (!outcome)
		outcome = msg_ring_find(sqe->fd, &to);
	if (!outcome)
		outcome = give_waiting(to, &c);
	return outcome;
}

void msg_ring_cleanup(struct req *req)
{
	fd_close(req_cmd(req, struct msg_ring_cmd)->own_fd);
}
