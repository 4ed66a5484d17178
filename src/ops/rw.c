// SPDX-License-Identifier: MIT
/*
 * READ, WRITE, their vector forms, those on registered buffers (_FIXED), and
 * READ_MULTISHOT.
 *
 * Theory (D7): a transfer is first tried with RWF_NOWAIT, which moves the bytes
 * that can be moved without waiting. After EAGAIN, a file that can be polled is
 * armed and tried again; any other goes to a worker, which makes the same call
 * without NOWAIT. Files that don't support NOWAIT return EOPNOTSUPP: of those,
 * files that can be polled are polled with poll(2) and then read, files that
 * are in memory are read, and disks go to a worker. A transfer that looks like
 * one of an O_DIRECT file goes to kernel AIO (aio_reads.h), unless it selects a
 * buffer.
 *
 * A stream has no positions: preadv2 returns ESPIPE for an offset, and the call
 * is made again with -1, the current position (a socket refuses any but 0). If
 * a seekable file moved less than was asked, the call is repeated for the rest,
 * until the file has no more (a short read must mean the end of the file).
 *
 * Buffers (S5, S6): the buffer is claimed when the transfer is tried. On a file
 * that can't be polled it counts as consumed from then on, whatever the result,
 * and an INC entry advances by the length asked for (I4).
 *
 * Locks: the ring lock; none on the worker.
 */
#include "ops/rw.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/sys.h"
#include "core/req.h"
#include "core/req_end.h"
#include "io/iov.h"
#include "sched/aio_reads.h"
#include "sched/issue.h"
#include "tables/buffers.h"

#define STREAM_POSITION UINT64_MAX
/* Completions of one multishot request in one turn (S12). */
#define MULTISHOT_SHARE 32
/* A disk takes this in one piece, and so returns at once if it has to wait. */
#define ONE_PART_BYTES (64u * 1024)

/* Values of ioprio_set(2). */
enum {
	IOPRIO_REAL_TIME = 1,
	IOPRIO_IDLE = 3,
	IOPRIO_WHO_NOBODY = -1,
};

struct rw_cmd {
	uint64_t position;
	struct iovec one; /* READ and WRITE; a selected buffer */
	struct iovec *vectors; /* the vectors that remain */
	size_t count;
	struct buffer_node *buffer; /* a registered one, held */
	uint32_t want_bytes; /* with a selected buffer: 0 means all of it */
	uint32_t rw_flags;
	bool writes;
	bool goes_on; /* multishot: used its share in the turn before */
};

/*
 * A class, and with a class a level; nothing else. The real-time class needs a
 * right, and the kernel checks that before it checks whom ioprio_set(2) names:
 * here it names nobody. Returns 0 or a negative errno.
 */
static int ioprio_check(uint16_t ioprio)
{
	uint32_t class = ioprio >> 13;

	if (class ? class > IOPRIO_IDLE : ioprio & 7)
		return -EINVAL;
	if (class == IOPRIO_REAL_TIME &&
	    SYS_3(SYS_ioprio_set, IOPRIO_WHO_NOBODY, 0, ioprio) == -EPERM)
		return -EPERM;
	return 0;
}

/* Are the vectors inside the buffer, and not empty? */
static bool buffer_holds_all(const struct rw_cmd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct iovec *v = &c->vectors[i];

		if (!v->iov_len && c->vectors != &c->one)
			return false;
		if (!buffer_holds(c->buffer, (uintptr_t)v->iov_base,
				  v->iov_len))
			return false;
	}
	return true;
}

/* The buffer is looked up when the request runs. */
static int rw_take_buffer(struct req *req)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);

	if (c->buffer)
		return 0;
	c->buffer = buffer_get(&req->ctx->buffers, req->buf_index);
	if (c->buffer)
		req->flags |= REQ_F_HOLDS;
	if (c->buffer && buffer_holds_all(c))
		return 0;
	return req_file_is_open(req) ? -EFAULT : -EBADF;
}

/*
 * Attributes are integrity data, which only special disks take, and only
 * through the kernel's io_uring: every file refuses them when the request is
 * issued.
 */
static int integrity_issue(struct req *req, uint32_t issue_flags)
{
	(void)issue_flags;
	return req_file_is_open(req) ? -EINVAL : -EBADF;
}

static int integrity_fixed_issue(struct req *req, uint32_t issue_flags)
{
	int err = rw_take_buffer(req);

	return err < 0 ? err : integrity_issue(req, issue_flags);
}

static const struct opdef integrity = {
	.name = "integrity",
	.needs_file = true,
	.needs_ctx = true,
	.issue = integrity_issue,
};

static const struct opdef integrity_fixed = {
	.name = "integrity",
	.needs_file = true,
	.needs_ctx = true,
	.issue = integrity_fixed_issue,
	.cleanup = fixed_cleanup,
};

static int take_attributes(struct req *req, const struct io_uring_sqe *sqe)
{
	uint8_t attributes[32];

	if (likely(!sqe->attr_type_mask) ||
	    !abi_knows(&req->ctx->abi, ABI_FEATURES, IORING_FEAT_RW_ATTR))
		return 0;
	if (sqe->attr_type_mask != 1)
		return -EINVAL;
	req->def =
		req->def->issue == fixed_issue ? &integrity_fixed : &integrity;
	return fault_copy(attributes, (void *)(uintptr_t)sqe->attr_ptr,
			  sizeof(attributes));
}

static int rw_common_prep(struct req *req, const struct io_uring_sqe *sqe,
			  bool writes)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	int err = sqe->ioprio ? ioprio_check(sqe->ioprio) : 0;

	if (unlikely(err < 0))
		return err;
	c->position = sqe->off;
	c->rw_flags = sqe->op_flags;
	c->writes = writes;
	c->goes_on = false;
	c->buffer = NULL;
	c->want_bytes = 0;
	if (writes && req->ctx->flags & IORING_SETUP_SQPOLL)
		req->flags |= REQ_F_QUIET;
	return 0;
}

static int one_prep(struct req *req, const struct io_uring_sqe *sqe,
		    bool writes)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	int err;

	c->one.iov_base = (void *)(uintptr_t)sqe->addr;
	c->one.iov_len =
		sqe->len < IORING_MAX_RW_COUNT ? sqe->len : IORING_MAX_RW_COUNT;
	c->vectors = &c->one;
	c->count = 1;
	err = rw_common_prep(req, sqe, writes);
	c->want_bytes = sqe->len;
	return err;
}

static int single_prep(struct req *req, const struct io_uring_sqe *sqe,
		       bool writes)
{
	const struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	int err = one_prep(req, sqe, writes);

	if (!err && !(sqe->flags & IOSQE_BUFFER_SELECT) &&
	    !fault_range_ok(sqe->addr, c->one.iov_len))
		err = iov_import_error(req, -EFAULT);
	return err < 0 ? err : take_attributes(req, sqe);
}

static int vector_prep(struct req *req, const struct io_uring_sqe *sqe,
		       bool writes)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	int err = rw_common_prep(req, sqe, writes);

	if (err < 0)
		return err;
	c->count = sqe->len;
	if (!(sqe->flags & IOSQE_BUFFER_SELECT)) {
		err = iov_import(req, sqe->addr, sqe->len, &c->vectors);
		if (!err && !iov_in_user_space(c->vectors, c->count))
			err = iov_import_error(req, -EFAULT);
		return err < 0 ? err : take_attributes(req, sqe);
	}
	if (sqe->len != 1)
		return -EINVAL;
	err = iov_import(req, sqe->addr, 1, &c->vectors);
	if (!err)
		c->want_bytes = (uint32_t)c->vectors->iov_len;
	return err;
}

int read_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return single_prep(req, sqe, false);
}

int write_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return single_prep(req, sqe, true);
}

int readv_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return vector_prep(req, sqe, false);
}

int writev_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return vector_prep(req, sqe, true);
}

static bool buffer_is_there(struct ctx *ctx, uint32_t slot)
{
	struct buffer_node *buffer = buffer_get(&ctx->buffers, slot);

	if (buffer)
		buffer_put(buffer);
	return buffer;
}

/* The buffer's address is checked at the first try, and so is its existence. */
static int fixed_prep(struct req *req, const struct io_uring_sqe *sqe,
		      bool writes)
{
	int err;

	if (!abi_has(req->ctx->abi.answers, ABI_FIXED_LATE) &&
	    !buffer_is_there(req->ctx, sqe->buf_index))
		return -EFAULT;
	err = one_prep(req, sqe, writes);
	return err < 0 ? err : take_attributes(req, sqe);
}

int read_fixed_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return fixed_prep(req, sqe, false);
}

int write_fixed_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return fixed_prep(req, sqe, true);
}

int read_multishot_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	if (!(sqe->flags & IOSQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->addr || sqe->len)
		return -EINVAL;
	req->flags |= REQ_F_MULTISHOT;
	return single_prep(req, sqe, false);
}

/* One system call for all that remains. */
static long transfer(const struct req *req, const struct rw_cmd *c,
		     uint64_t position, uint32_t flags)
{
	long nr = c->writes ? SYS_pwritev2 : SYS_preadv2;

	return SYS_6(nr, req_io_fd(req), c->vectors, c->count, position,
		     position >> 32, flags);
}

static bool is_socket(const struct req *req)
{
	struct stat st;

	return SYS_2(SYS_fstat, req_io_fd(req), &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

/* The same for files without positions; sockets accept only 0. */
static long transfer_anywhere(struct req *req, struct rw_cmd *c, uint32_t flags)
{
	long n = transfer(req, c, c->position, flags);

	if (n != -ESPIPE)
		return n;
	if (c->position && is_socket(req))
		return iov_in_user_space(c->vectors, c->count) ? n : -EFAULT;
	c->position = STREAM_POSITION;
	return transfer(req, c, c->position, flags);
}

/* /dev/zero and similar devices; the random ones can be polled. */
static bool is_memory_device(const struct stat *st)
{
	const unsigned int memory = 1, random = 8, urandom = 9;

	return S_ISCHR(st->st_mode) && major(st->st_rdev) == memory &&
	       minor(st->st_rdev) != random && minor(st->st_rdev) != urandom;
}

/* Can the file be polled? Then a short transfer is the result. */
static bool pollable(const struct req *req)
{
	struct stat st;

	if (SYS_2(SYS_fstat, req_io_fd(req), &st) < 0)
		return false;
	return !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) &&
	       !S_ISDIR(st.st_mode) && !is_memory_device(&st);
}

/*
 * A system call returns for an empty transfer before it reaches the file, and
 * io_uring does not; eventfds, timerfds and signalfds refuse it.
 */
static bool refuses_nothing(const struct req *req)
{
	struct stat st;

	return SYS_2(SYS_fstat, req_io_fd(req), &st) == 0 &&
	       !(st.st_mode & S_IFMT);
}

/* A write beyond the limit raises a signal, which io_uring does not send. */
static bool size_is_limited(void)
{
	struct rlimit limit;

	return SYS_4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

/* If the transfer can't wait, it is made here instead of on a worker. */
static bool waits_for_nothing(const struct req *req, const struct rw_cmd *c)
{
	return aio_reads_is_memory(req_io_fd(req)) &&
	       !(c->writes && size_is_limited());
}

/*
 * Without NOWAIT: poll to see whether the call would wait, then make it. If
 * poll(2) is refused a worker does it.
 */
static int without_nowait(struct req *req, struct rw_cmd *c, long *n)
{
	struct pollfd look = {.fd = req_io_fd(req)};
	long ready;

	look.events = c->writes ? POLLOUT : POLLIN;
	if (!pollable(req)) {
		if (!waits_for_nothing(req, c))
			return ISSUE_PUNT;
		req->flags |= REQ_F_QUIET; /* in the kernel a worker does it */
	}
	ready = SYS_3(SYS_poll, &look, 1, 0);
	if (ready < 0)
		return ISSUE_PUNT;
	if (!ready)
		return ISSUE_AGAIN;
	*n = transfer_anywhere(req, c, c->rw_flags);
	return ISSUE_DONE;
}

/* Could O_DIRECT take position and length, and is there no buffer to select? */
static bool rw_may_be_direct(const struct req *req, const struct rw_cmd *c)
{
	const uint64_t sector_mask = 511;

	return c->count && !(req->sqe_flags & IOSQE_BUFFER_SELECT) &&
	       !((c->position | c->vectors->iov_len) & sector_mask);
}

static int start_at_disk(struct req *req, const struct rw_cmd *c)
{
	struct aio_transfer transfer = {
		.writes = c->writes,
		.vectors = c->vectors,
		.count = c->count,
		.position = c->position,
		.rw_flags = c->rw_flags,
	};

	/* Of a long transfer a later part may have to go to a worker. */
	if (iov_bytes(c->vectors, c->count) > ONE_PART_BYTES)
		issue_keep_file(req);
	transfer.fd = req_io_fd(req);
	return aio_reads_start(req, &transfer);
}

/*
 * AIO has completed. Bytes are the result. An error is, if the file is O_DIRECT
 * and the error does not mean that it would have had to wait.
 */
static int rw_landed(struct req *req, const struct rw_cmd *c, long *n)
{
	*n = req->res;
	if (*n >= 0 || c->rw_flags & RWF_NOWAIT)
		return ISSUE_DONE;
	if (!aio_reads_is_direct_now(req->ctx, req_io_fd(req)))
		return ISSUE_MORE;
	return *n == -EAGAIN || *n == -EOPNOTSUPP ? ISSUE_PUNT : ISSUE_DONE;
}

/*
 * Polled transfers are for IOPOLL rings, and for O_DIRECT files. Such a file
 * goes to AIO like one of another ring. Returns 0 or a negative errno.
 */
static int begin_polled(const struct req *req, struct rw_cmd *c)
{
	long flags = SYS_2(SYS_fcntl, req_io_fd(req), F_GETFL);
	int other = c->writes ? O_RDONLY : O_WRONLY;

	if (flags < 0)
		return -EBADF;
	if (!(req->ctx->flags & IORING_SETUP_IOPOLL))
		return -EINVAL;
	if (flags & O_PATH || (flags & O_ACCMODE) == other)
		return -EBADF;
	if (!aio_reads_is_direct_now(req->ctx, req_io_fd(req)))
		return -EOPNOTSUPP;
	c->rw_flags &= ~(uint32_t)RWF_HIPRI;
	return 0;
}

/*
 * Try to move bytes: ISSUE_DONE with the result in *@n, or another
 * issue_result.
 */
static int attempt(struct req *req, struct rw_cmd *c, uint32_t issue_flags,
		   long *n)
{
	if (unlikely(c->rw_flags & RWF_HIPRI)) {
		*n = begin_polled(req, c);
		if (*n < 0)
			return ISSUE_DONE;
	}
	if (issue_flags & ISSUE_WORKER) {
		*n = transfer_anywhere(req, c, c->rw_flags);
		return ISSUE_DONE;
	}
	if (unlikely(issue_flags & ISSUE_LANDED)) {
		int outcome = rw_landed(req, c, n);

		if (outcome != ISSUE_MORE)
			return outcome;
	} else if (rw_may_be_direct(req, c) &&
		   aio_reads_is_direct(req->ctx, req_io_fd(req))) {
		return start_at_disk(req, c);
	}
	*n = transfer_anywhere(req, c, c->rw_flags | RWF_NOWAIT);
	if (likely(*n >= 0))
		return ISSUE_DONE;
	if (c->rw_flags & RWF_NOWAIT)
		return ISSUE_DONE;
	if (*n == -EOPNOTSUPP)
		return without_nowait(req, c, n);
	return *n == -EAGAIN ? ISSUE_AGAIN : ISSUE_DONE;
}

/* The result is the bytes moved, or the error if none were. */
static void rw_conclude(struct req *req, long n)
{
	uint32_t total = req->moved + (n > 0 ? (uint32_t)n : 0);

	req->res = total || n >= 0 ? (int32_t)total : (int32_t)n;
}

/*
 * A seekable file moved less than asked: advance. Returns false if all is
 * moved.
 */
static bool rw_step(struct req *req, struct rw_cmd *c, long n)
{
	iov_advance(&c->vectors, &c->count, (size_t)n);
	req->moved += (uint32_t)n;
	c->position += (uint64_t)n;
	return c->count && req->moved < IORING_MAX_RW_COUNT;
}

static int move(struct req *req, uint32_t issue_flags)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	size_t asked = iov_bytes(c->vectors, c->count);
	long n = 0;
	int outcome;

	if (unlikely(!asked) && !c->writes && refuses_nothing(req))
		return -EINVAL;
	do {
		outcome = attempt(req, c, issue_flags, &n);
		if (outcome != ISSUE_DONE)
			return outcome;
		if (n <= 0 || (size_t)n >= asked ||
		    c->position == STREAM_POSITION ||
		    issue_flags & ISSUE_LANDED)
			break;
		asked -= (size_t)n;
	} while (rw_step(req, c, n));
	rw_conclude(req, n);
	if (n < 0 || (size_t)n < asked)
		req->flags |= REQ_F_FAIL_LINK;
	return ISSUE_DONE;
}

/*
 * The end: bytes, the end of the file, or an error. Bytes and the end consume
 * the buffer. After an error a ring's entry stays in the ring if the file can
 * be polled. A transfer that can't be retried (S6) has consumed the entry, and
 * a classic buffer is always consumed (the kernel's READ never recycles one;
 * its READ_MULTISHOT, whose last completion has no buffer, does).
 */
static void settle_buffer(struct req *req, uint32_t issue_flags)
{
	uint32_t asked = req->claim.len;
	uint32_t moved = req->res > 0 ? (uint32_t)req->res : 0;
	bool waits;

	if (moved == asked && moved) {
		req_commit(req, moved, issue_flags);
		return;
	}
	waits = pollable(req);
	if ((req->res <= 0 && req->flags & REQ_F_MULTISHOT) ||
	    (req->claim.kind == KBUF_RING && waits && req->res < 0 &&
	     abi_has(req->ctx->abi.answers, ABI_READ_SPARES)))
		req_recycle(req, issue_flags);
	else
		req_commit(req, waits ? moved : asked, issue_flags);
}

/* Claim a buffer for this try, unless the request still holds one. */
static int claim_for(struct req *req, struct rw_cmd *c, uint32_t issue_flags)
{
	int err;

	if (req->moved || req->cflags & IORING_CQE_F_BUFFER)
		return 0;
	if (req->claim.kind == KBUF_NONE) {
		err = req_claim(req, c->want_bytes, false, issue_flags);
		if (err < 0)
			return err;
	}
	/* On a live 6.18 the length of a try bounds the next one. */
	if (!(req->flags & REQ_F_MULTISHOT))
		c->want_bytes = req->claim.len;
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	c->vectors = &c->one;
	c->count = 1;
	return 0;
}

/*
 * It will be retried, perhaps on a worker. A ring's entry is recycled, unless
 * part of it is filled (S8), or the file can't be polled or the selection is
 * final already (S6): then the request keeps it. A classic buffer stays with
 * the request, as with the kernel's READ; READ_MULTISHOT recycles it.
 */
static void keep_or_return(struct req *req, uint32_t issue_flags)
{
	if (req->claim.kind == KBUF_TAKEN)
		return;
	if (req->moved || (req->claim.kind == KBUF_RING && !pollable(req)))
		req_keep_claim(req, issue_flags);
	else if (req->claim.kind == KBUF_RING || req->flags & REQ_F_MULTISHOT ||
		 !abi_has(req->ctx->abi.answers, ABI_READ_KEEPS))
		req_recycle(req, issue_flags);
}

static int read_selected(struct req *req, uint32_t issue_flags)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	int outcome;

	/* S6: the selection is final, so the file is checked first. */
	if (req->sqe_flags & IOSQE_ASYNC && !req_file_is_open(req))
		return -EBADF;
	outcome = claim_for(req, c, issue_flags);
	if (outcome < 0)
		return req_file_is_open(req) ? outcome : -EBADF;
	if (req->claim.kind != KBUF_NONE && !req->claim.addr)
		outcome = -ENOBUFS; /* S10 */
	else
		outcome = move(req, issue_flags);
	if (outcome > 0) {
		keep_or_return(req, issue_flags);
		return outcome;
	}
	if (outcome < 0)
		req->res = outcome;
	if (req->res == -EBADF && !req_file_is_open(req))
		req_recycle(req, issue_flags);
	else if (req->claim.kind != KBUF_NONE)
		settle_buffer(req, issue_flags);
	return ISSUE_DONE;
}

int read_issue(struct req *req, uint32_t issue_flags)
{
	if (req->sqe_flags & IOSQE_BUFFER_SELECT)
		return read_selected(req, issue_flags);
	return move(req, issue_flags);
}

int write_issue(struct req *req, uint32_t issue_flags)
{
	return move(req, issue_flags);
}

void fixed_cleanup(struct req *req)
{
	buffer_put(req_cmd(req, struct rw_cmd)->buffer);
}

/* The first try is always under the lock: it looks up the buffer. */
int fixed_issue(struct req *req, uint32_t issue_flags)
{
	int err = rw_take_buffer(req);

	if (err < 0)
		return err;
	return move(req, issue_flags);
}

/* One completion; returns whether to continue. */
static bool rw_multishot_one(struct req *req, uint32_t issue_flags,
			     int *outcome)
{
	req->moved = 0;
	req->cflags = 0;
	*outcome = read_selected(req, issue_flags);
	if (*outcome != ISSUE_DONE || req->res <= 0)
		return false;
	return req_post_more(req, req->res, req->cflags);
}

/*
 * There is no buffer, or it has no address or length, or it is too short for
 * the file: that does not end the request while the file is not ready.
 */
static bool no_room(const struct req *req, int outcome)
{
	if (outcome != ISSUE_DONE)
		return outcome == -ENOBUFS;
	return req->res < 0 || (!req->res && !req->claim.len);
}

int read_multishot_issue(struct req *req, uint32_t issue_flags)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	bool posted = c->goes_on;
	int outcome;

	if (!pollable(req))
		return req_file_is_open(req) ? -EBADFD : -EBADF;
	c->goes_on = false;
	for (int i = 0; i < MULTISHOT_SHARE; i++) {
		if (rw_multishot_one(req, issue_flags, &outcome)) {
			posted = true;
			continue;
		}
		if (posted && no_room(req, outcome) &&
		    !fd_ready_now(req_io_fd(req), POLLIN))
			return ISSUE_AGAIN;
		return outcome;
	}
	c->goes_on = true;
	return ISSUE_MORE;
}
