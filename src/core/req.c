// SPDX-License-Identifier: MIT
#include "core/req.h"

#include <assert.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/probe.h"
#include "base/sys.h"
#include "core/ctx.h"

/* Requests are allocated in blocks, so that a steady load allocates nothing. */
#define SLAB_REQS 32

struct slab {
	struct slab *next;
	struct req reqs[SLAB_REQS];
};

void req_give_back(struct ctx *ctx, struct req *req)
{
	/* S11: so is one that a request takes with it. */
	if (POLYRING_CHECKED)
		assert(req->claim.kind == KBUF_NONE);
	req->link = ctx->free_reqs;
	ctx->free_reqs = req;
}

static bool slab_add(struct ctx *ctx)
{
	struct slab *slab = mem_new(1, sizeof(*slab));

	if (!slab)
		return false;
	slab->next = ctx->slabs;
	ctx->slabs = slab;
	for (int i = SLAB_REQS; i-- > 0;) {
		slab->reqs[i].ctx = ctx;
		slab->reqs[i].held = -1;
		req_give_back(ctx, &slab->reqs[i]);
	}
	return true;
}

void req_slabs_free(struct ctx *ctx)
{
	struct slab *slab;

	while ((slab = ctx->slabs)) {
		ctx->slabs = slab->next;
		mem_free(slab);
	}
}

bool req_at_hand(struct ctx *ctx)
{
	return likely(ctx->free_reqs) || slab_add(ctx);
}

struct req *req_next(struct ctx *ctx)
{
	struct req *req = ctx->free_reqs;

	req->cflags = 0;
	req->flags = 0;
	return req;
}

void req_take(struct req *req)
{
	struct ctx *ctx = req->ctx;

	assert(req == ctx->free_reqs);
	ctx->free_reqs = req->link;
	req->link = NULL;
	req->thread = ctx->submitter;
}

void *req_extra(struct req *req, size_t bytes)
{
	mem_free(req->extra);
	req->flags |= REQ_F_OWES;
	req->extra = mem_new(1, bytes);
	return req->extra;
}

void req_end_hold(struct req *req)
{
	if (likely(!req->hold))
		return;
	kbuf_hold_end(req->ctx->kbuf, req->hold);
	req->hold = 0;
}

int req_io_fd(const struct req *req)
{
	if (req->file)
		return req->file->fd;
	if (req->held >= 0)
		return req->held;
	if (req->wait.watch)
		return reactor_fd(&req->wait);
	return req->fd;
}

static void claim_lock(struct req *req, uint32_t issue_flags) UNCHECKED_LOCKS
{
	if (issue_flags & ISSUE_WORKER)
		lock_take(&req->ctx->lock);
}

static void claim_unlock(struct req *req, uint32_t issue_flags) UNCHECKED_LOCKS
{
	if (issue_flags & ISSUE_WORKER)
		lock_drop(&req->ctx->lock);
}

bool req_file_is_open(const struct req *req)
{
	return fd_is_open(req_io_fd(req));
}

int req_socket_option(const struct req *req, int level, int name)
{
	int value = 0;
	socklen_t bytes = sizeof(value);
	long err = SYS_5(SYS_getsockopt, req_io_fd(req), level, name, &value,
			 &bytes);

	return err < 0 ? (int)err : value;
}

int req_socket_error(const struct req *req, int err)
{
	int outcome = req_socket_option(req, SOL_SOCKET, SO_TYPE);

	return outcome == -EBADF || outcome == -ENOTSOCK ? outcome : err;
}

/* S6: runs on a worker, or with IOSQE_ASYNC; a multishot counts as neither. */
static bool can_not_come_back(const struct req *req, uint32_t issue_flags)
{
	return issue_flags & ISSUE_WORKER || (req->sqe_flags & IOSQE_ASYNC &&
					      !(req->flags & REQ_F_MULTISHOT));
}

void req_note_hold(struct req *req)
{
	bool holds = req->claim.kind != KBUF_NONE ||
		     req->cflags & IORING_CQE_F_BUFFER;

	if (likely(!holds) || req->hold)
		return;
	req->flags |= REQ_F_OWES;
	req->hold = kbuf_hold(req->ctx->kbuf, req->buf_group,
			      clock_now_ns(CLOCK_MONOTONIC));
}

int req_claim(struct req *req, uint32_t want_bytes, bool at_once,
	      uint32_t issue_flags)
{
	int err;

	/* S11: a claim that is overwritten is a buffer that nobody gets back.
	 */
	if (POLYRING_CHECKED)
		assert(req->claim.kind == KBUF_NONE);
	claim_lock(req, issue_flags);
	err = kbuf_claim(req->ctx->kbuf, req->buf_group, want_bytes,
			 at_once || can_not_come_back(req, issue_flags),
			 &req->claim);
	if (err)
		PROBE2(starve, PROBE_FIELD(1, req->user_data),
		       PROBE_FIELD(2, req->buf_group));
	else
		PROBE3(claim, PROBE_FIELD(1, req->user_data),
		       PROBE_FIELD(2, req->buf_group),
		       PROBE_FIELD(3, req->claim.len));
	if (issue_flags & ISSUE_WORKER && !err)
		req_note_hold(req);
	claim_unlock(req, issue_flags);
	return err;
}

void req_commit(struct req *req, uint32_t bytes, uint32_t issue_flags)
{
	uint32_t cflags;

	PROBE2(commit, PROBE_FIELD(1, req->user_data),
	       PROBE_FIELD(2, req->buf_group));
	/* With MSG_TRUNC the result is more than was placed (I5). */
	if (bytes > req->claim.len)
		bytes = req->claim.len;
	claim_lock(req, issue_flags);
	cflags = kbuf_commit(req->ctx->kbuf, &req->claim, bytes);
	req->cflags |= cflags;
	counter_add(&req->ctx->counters, COUNTER_BUFFERS_CLAIMED,
		    cflags & IORING_CQE_F_BUFFER);
	claim_unlock(req, issue_flags);
}

void req_recycle(struct req *req, uint32_t issue_flags)
{
	claim_lock(req, issue_flags);
	PROBE2(recycle, PROBE_FIELD(1, req->user_data),
	       PROBE_FIELD(2, req->buf_group));
	kbuf_recycle(req->ctx->kbuf, &req->claim);
	req_end_hold(req);
	claim_unlock(req, issue_flags);
}

/* A ring entry can't stay claimed while others claim, so it is consumed now. */
void req_keep_claim(struct req *req, uint32_t issue_flags)
{
	if (req->claim.kind == KBUF_RING)
		req_commit(req, req->claim.len, issue_flags);
}
