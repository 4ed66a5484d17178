// SPDX-License-Identifier: MIT
/*
 * READ, WRITE, their vector forms, those on registered buffers (_FIXED), and
 * READ_MULTISHOT.
 *
 * Theory (D7): a transfer is first tried with RWF_NOWAIT, which moves what can
 * be moved without waiting. What then? A file that can be polled is armed and
 * tried again; any other goes to a worker, which makes the same call without
 * NOWAIT. Files that know no NOWAIT say EOPNOTSUPP: those that can be polled
 * are looked at with poll(2) and then simply read, as are files that live in
 * memory; disks go to a worker. What looks like a transfer of an O_DIRECT file
 * is left to kernel AIO (aio_reads.h), unless a buffer is to be selected for
 * it.
 *
 * A stream has no positions: preadv2 answers ESPIPE to an offset, and the call
 * is made again with -1, "where the file stands" (a socket refuses any but 0).
 * A seekable file that moved less than was asked is asked for the rest, until
 * it has no more (a short read must mean the end of the file).
 *
 * Buffers (S5, S6): the buffer is claimed when the transfer is tried. On a
 * file that can't be polled it counts as consumed from then on, whatever comes
 * of it, and an INC entry advances by what was asked (I4).
 */
#include "ops/rw.h"

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
/* What a disk takes in one piece, and so answers at once if it has to wait. */
#define ONE_PART_BYTES (64u * 1024)

/* Of ioprio_set(2). */
enum {
	IOPRIO_REAL_TIME = 1,
	IOPRIO_IDLE = 3,
	IOPRIO_WHO_NOBODY = -1,
};

struct rw_cmd {
	uint64_t position;
	struct iovec one; /* READ and WRITE; a selected buffer */
	struct iovec *vectors; /* what is left to move */
	size_t count;
	struct buffer_node *buffer; /* a registered one, held */
	uint32_t want_bytes; /* with a selected buffer: 0 means all of it */
	uint32_t rw_flags;
	bool writes;
	bool goes_on; /* multishot: had its share in the turn before */
};

/*
 * A class, and with a class a level; nothing else. The real-time class takes a
 * right, and the kernel looks for it before it looks at whom ioprio_set(2)
 * names: for nobody, here. Returns 0 or a negative errno.
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

/* Vectors that lie in it, and have a length. */
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

/* Which buffer it is comes out when the request runs. */
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
 * Attributes are integrity data, which only a disk made for it takes, and only
 * through the kernel's io_uring: all files refuse it, when it comes to that.
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

/* Where the buffer is, and whether there is one, is asked at the first try. */
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

/* One system call for all that is left. */
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

/* The same, where positions mean nothing; sockets want none but 0. */
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

/* /dev/zero and its kin; the random ones can be waited for. */
static bool is_memory_device(const struct stat *st)
{
	const unsigned int memory = 1, random = 8, urandom = 9;

	return S_ISCHR(st->st_mode) && major(st->st_rdev) == memory &&
	       minor(st->st_rdev) != random && minor(st->st_rdev) != urandom;
}

/* Can anybody wait for this file? Then a short transfer is an answer. */
static bool pollable(const struct req *req)
{
	struct stat st;

	if (SYS_2(SYS_fstat, req_io_fd(req), &st) < 0)
		return false;
	return !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) &&
	       !S_ISDIR(st.st_mode) && !is_memory_device(&st);
}

/*
 * A system call finds that nothing is to be read before it asks the file, and
 * io_uring does not; an eventfd, a timerfd, a signalfd refuse it.
 */
static bool refuses_nothing(const struct req *req)
{
	struct stat st;

	return SYS_2(SYS_fstat, req_io_fd(req), &st) == 0 &&
	       !(st.st_mode & S_IFMT);
}

/* Whoever writes beyond the limit gets a signal, which io_uring sends nobody.
 */
static bool size_is_limited(void)
{
	struct rlimit limit;

	return SYS_4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

/* Moving its bytes in place is as good as having a worker do it. */
static bool waits_for_nothing(const struct req *req, const struct rw_cmd *c)
{
	return aio_reads_is_memory(req_io_fd(req)) &&
	       !(c->writes && size_is_limited());
}

/*
 * No NOWAIT here: look whether it would block, then just do it. Whoever may not
 * look leaves it to a worker.
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

/* A position and a length that O_DIRECT could take, and no buffer to choose. */
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

	/* Of many parts a late one may have to go to a worker. */
	if (iov_bytes(c->vectors, c->count) > ONE_PART_BYTES)
		issue_keep_file(req);
	transfer.fd = req_io_fd(req);
	return aio_reads_start(req, &transfer);
}

/*
 * Back from the disk. Bytes are the answer; an error is, if it comes from an
 * O_DIRECT file and doesn't mean that it would have had to wait.
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

/* Try to move bytes: ISSUE_DONE with the call's answer in *@n, or what else. */
static int attempt(struct req *req, struct rw_cmd *c, uint32_t issue_flags,
		   long *n)
{
	if (unlikely(c->rw_flags & RWF_HIPRI)) { /* for IOPOLL rings alone */
		*n = req_file_is_open(req) ? -EINVAL : -EBADF;
		return ISSUE_DONE;
	}
	if (issue_flags & ISSUE_WORKER) {
		*n = transfer_anywhere(req, c, c->rw_flags);
		return ISSUE_DONE;
	}
	if (unlikely(issue_flags & ISSUE_LANDED)) {
		int said = rw_landed(req, c, n);

		if (said != ISSUE_MORE)
			return said;
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

/* The request ends with what was moved, or with the error if nothing was. */
static void rw_conclude(struct req *req, long n)
{
	uint32_t total = req->moved + (n > 0 ? (uint32_t)n : 0);

	req->res = total || n >= 0 ? (int32_t)total : (int32_t)n;
}

/* A seekable file moved less than asked: step on; false when all is moved. */
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
	int said;

	if (unlikely(!asked) && !c->writes && refuses_nothing(req))
		return -EINVAL;
	do {
		said = attempt(req, c, issue_flags, &n);
		if (said != ISSUE_DONE)
			return said;
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
 * the buffer. An error leaves a ring's entry where it is if the file could be
 * waited for; what can't be retried later (S6) has consumed it, and so has a
 * classic buffer, come what may (the kernel's READ never puts one back; its
 * READ_MULTISHOT, whose end has no buffer, does).
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

/* A buffer for this try, or the one that the request still holds. */
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
	/* On a live 6.18 a try says how much the next asks for. */
	if (!(req->flags & REQ_F_MULTISHOT))
		c->want_bytes = req->claim.len;
	c->one.iov_base = (void *)(uintptr_t)req->claim.addr;
	c->one.iov_len = req->claim.len;
	c->vectors = &c->one;
	c->count = 1;
	return 0;
}

/*
 * It will be tried again, perhaps on a worker. A ring's entry stays in the
 * ring, unless some of it is filled (S8), or the file can't be polled or the
 * choice was final already (S6): then the request keeps it. A classic buffer
 * stays with the request, as the kernel's READ keeps it and READ_MULTISHOT
 * doesn't.
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
	int said;

	/* S6: the choice will be final, so the file comes first. */
	if (req->sqe_flags & IOSQE_ASYNC && !req_file_is_open(req))
		return -EBADF;
	said = claim_for(req, c, issue_flags);
	if (said < 0)
		return req_file_is_open(req) ? said : -EBADF;
	if (req->claim.kind != KBUF_NONE && !req->claim.addr)
		said = -ENOBUFS; /* S10 */
	else
		said = move(req, issue_flags);
	if (said > 0) {
		keep_or_return(req, issue_flags);
		return said;
	}
	if (said < 0)
		req->res = said;
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

/* The first try is always under the lock: it finds the buffer. */
int fixed_issue(struct req *req, uint32_t issue_flags)
{
	int err = rw_take_buffer(req);

	if (err < 0)
		return err;
	return move(req, issue_flags);
}

/* One completion; says whether to go on. */
static bool rw_multishot_one(struct req *req, uint32_t issue_flags, int *said)
{
	req->moved = 0;
	req->cflags = 0;
	*said = read_selected(req, issue_flags);
	if (*said != ISSUE_DONE || req->res <= 0)
		return false;
	return req_post_more(req, req->res, req->cflags);
}

/*
 * No buffer, or one without an address or a length, or one too short for the
 * file: no end while nothing is there for it.
 */
static bool no_room(const struct req *req, int said)
{
	if (said != ISSUE_DONE)
		return said == -ENOBUFS;
	return req->res < 0 || (!req->res && !req->claim.len);
}

int read_multishot_issue(struct req *req, uint32_t issue_flags)
{
	struct rw_cmd *c = req_cmd(req, struct rw_cmd);
	bool posted = c->goes_on;
	int said;

	if (!pollable(req))
		return req_file_is_open(req) ? -EBADFD : -EBADF;
	c->goes_on = false;
	for (int i = 0; i < MULTISHOT_SHARE; i++) {
		if (rw_multishot_one(req, issue_flags, &said)) {
			posted = true;
			continue;
		}
		if (posted && no_room(req, said) &&
		    !fd_ready_now(req_io_fd(req), POLLIN))
			return ISSUE_AGAIN;
		return said;
	}
	c->goes_on = true;
	return ISSUE_MORE;
}
