// SPDX-License-Identifier: MIT
#include "engine/run.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/sys.h"
#include "engine/disk.h"
#include "engine/files.h"

/* More than that of one read, and the call is not what it costs. */
#define MEMBER_BYTES_MAX 65536u
#define POSITION_MAX ((uint64_t)INT64_MAX - MEMBER_BYTES_MAX)
#define RUN_FLAGS (IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE)
/* The device that has no end, and no positions. */
#define DEV_ZERO makedev(1, 5)

static bool reads(const struct req *req)
{
	return !req->def->immediate;
}

static void hold(struct run *run, struct req *req)
{
	req->state = REQ_GATHERED;
	run->members[run->count++] = req;
}

/* ---- joining ---- */

/* Its own buffer; the span becomes what goes into it. */
static bool choose_buffer(struct run *run, struct req *req, struct span *span)
{
	if (run->vectors && run->bgid != req->buf_group)
		return false;
	if (kbuf_claim_in_row(req->ctx->kbuf, req->buf_group, span->len,
			      &run->row, &req->claim) < 0) {
		req->claim.kind = KBUF_NONE;
		return false;
	}
	run->bgid = req->buf_group;
	span->addr = req->claim.addr;
	span->len = req->claim.len;
	return true;
}

/* Add its vector, unless it has none or leads out of the file. */
static bool add(struct run *run, struct req *req, struct span *span)
{
	bool selects = req->sqe_flags & IOSQE_BUFFER_SELECT;

	if (selects && !choose_buffer(run, req, span))
		return false;
	if (!span->len || span->len > MEMBER_BYTES_MAX ||
	    span->position + span->len > run->end || (selects && !span->addr)) {
		if (selects)
			req_recycle(req, ISSUE_NONBLOCK);
		return false;
	}
	run->iov[run->vectors++] = (struct iovec){
		.iov_base = (void *)(uintptr_t)span->addr,
		.iov_len = span->len,
	};
	run->next = span->position + span->len;
	hold(run, req);
	return true;
}

/* The candidate. A registered file is taken here, by the first for all. */
static bool begin(struct run *run, struct req *req, struct span *span)
{
	bool fixed = req->sqe_flags & IOSQE_FIXED_FILE;

	if (!fixed && req->fd == req->ctx->ring_fd)
		return false;
	if (fixed && !req->file) {
		req->file = file_get(req->ctx, (uint32_t)req->fd);
		req->flags |= REQ_F_OWES;
	}
	run->vectors = 0;
	run->open = false;
	run->anywhere = false;
	run->first = span->position;
	run->end = INT64_MAX;
	run->row = (struct kbuf_row){0};
	return (!fixed || req->file) && add(run, req, span);
}

static bool same_file(const struct req *a, const struct req *b)
{
	return a->fd == b->fd &&
	       !((a->sqe_flags ^ b->sqe_flags) & IOSQE_FIXED_FILE);
}

/* O_DIRECT is for kernel AIO, where all of them are under way at once. */
static bool may_be_direct(const struct run *run)
{
	const uint64_t sector_mask = 511;

	return !((run->first | run->iov[0].iov_len) & sector_mask);
}

/* Ask the file once: is it one of those that rule 1 names? */
static bool open_file(struct run *run)
{
	const struct req *first = run->members[0];
	struct stat st;
	int fd = req_io_fd(first);

	if (fd == run->refused_fd)
		return false;
	run->refused_fd = fd;
	if (SYS_2(SYS_fstat, fd, &st) < 0)
		return false;
	run->anywhere = S_ISCHR(st.st_mode) && st.st_rdev == DEV_ZERO;
	if (!S_ISREG(st.st_mode) && !run->anywhere)
		return false;
	if (may_be_direct(run) && disk_is_direct(first->ctx, fd))
		return false;
	run->refused_fd = -1;
	if (!run->anywhere)
		run->end = (uint64_t)st.st_size;
	run->open = run->next <= run->end;
	return run->open;
}

/*
 * Does it follow? Whoever reads one position again and again knows that there
 * are none; that is asked of the file, too.
 */
static bool continues(struct run *run, const struct req *req,
		      const struct span *span)
{
	bool next = span->position == run->next;

	if (run->count == RUN_MAX || !same_file(run->members[0], req))
		return false;
	if (!run->open && (next || span->position == run->first))
		open_file(run);
	return run->open && (next || run->anywhere);
}

static bool takes_read(struct run *run, struct req *req, bool more)
{
	struct span span;

	if ((!run->count && !more) || !req->def->span(req, &span) ||
	    span.position > POSITION_MAX)
		return false;
	if (!run->count)
		return begin(run, req, &span);
	return continues(run, req, &span) && add(run, req, &span);
}

/* Rule 4: what it does is done, and its completion has to wait. */
static bool lets_pass(struct run *run, struct req *req)
{
	if (!run->count || run->count == RUN_MAX || req->sqe_flags)
		return false;
	run_at_once(req);
	hold(run, req);
	return true;
}

bool run_takes(struct ctx *ctx, struct req *req, bool more)
{
	if (req->sqe_flags & ~RUN_FLAGS || req->flags & REQ_F_CREDS)
		return false;
	if (req->def->immediate)
		return lets_pass(&ctx->run, req);
	return req->def->span && takes_read(&ctx->run, req, more);
}

/* ---- serving ---- */

static size_t call(const struct run *run)
{
	uint64_t position = run->first;
	long n = SYS_6(SYS_preadv2, req_io_fd(run->members[0]), run->iov,
		       run->vectors, position, position >> 32, RWF_NOWAIT);

	return n > 0 ? (size_t)n : 0;
}

/* Rule 2. Returns how many members were served, the first ones. */
static uint32_t deal(struct run *run, size_t bytes)
{
	const struct iovec *v = run->iov;
	uint32_t i;

	for (i = 0; i < run->count; i++) {
		struct req *req = run->members[i];

		if (reads(req)) {
			if (bytes < v->iov_len)
				break;
			bytes -= v->iov_len;
			req->res = (int32_t)v->iov_len;
			v++;
			if (req->claim.kind != KBUF_NONE)
				req_commit(req, (uint32_t)req->res,
					   ISSUE_NONBLOCK);
		}
		run_finish(req);
	}
	return i;
}

/*
 * Those behind @served. The first keeps its buffer, which is the next of its
 * group; the others' go back before it is issued.
 */
static void issue_rest(struct run *run, uint32_t served)
{
	for (uint32_t i = run->count; i-- > served + 1;)
		if (run->members[i]->claim.kind != KBUF_NONE)
			req_recycle(run->members[i], ISSUE_NONBLOCK);
	for (uint32_t i = served; i < run->count; i++) {
		if (reads(run->members[i]))
			req_issue(run->members[i]);
		else
			run_finish(run->members[i]);
	}
}

void run_end(struct ctx *ctx)
{
	struct run *run = &ctx->run;
	uint32_t served;

	if (!run->count)
		return;
	served = deal(run, run->vectors > 1 ? call(run) : 0);
	counter_add(&ctx->counters, COUNTER_JOINED, served);
	if (served < run->count)
		issue_rest(run, served);
	run->count = 0;
}

void run_submit_end(struct ctx *ctx)
{
	run_end(ctx);
	ctx->run.refused_fd = -1;
}
