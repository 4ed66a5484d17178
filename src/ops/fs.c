// SPDX-License-Identifier: MIT
/*
 * Operations that may wait for a disk: one system call each, made by a worker
 * of the bounded pool, or for a path by the submitter (D7).
 *
 * Theory: prep checks the entry in the kernel's order and copies the paths; the
 * worker makes the call that `calls` has for the opcode. Directory fds are
 * looked up when the call is made, as in the kernel; the engine holds the file
 * itself while the worker uses it.
 *
 * Differs: FSYNC of a range writes back the complete file, which is more than
 * was asked for.
 *
 * Locks: none on the worker. Cost: two thread switches.
 */
#include "ops/fs.h"

#include <fcntl.h>

#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"
#include "io/path.h"

struct fs_cmd {
	uint64_t off;
	uint64_t addr;
	const char *path; /* both in req->extra */
	const char *path2;
	uint32_t len;
	uint32_t flags;
};

static struct fs_cmd *fs_take_words(struct req *req,
				    const struct io_uring_sqe *sqe)
{
	struct fs_cmd *c = req_cmd(req, struct fs_cmd);

	c->off = sqe->off;
	c->addr = sqe->addr;
	c->len = sqe->len;
	c->flags = sqe->op_flags;
	return c;
}

/* ---- calls on an open file, or on memory ---- */

int fsync_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct fs_cmd *c = fs_take_words(req, sqe);

	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (c->flags & ~1u) /* FSYNC_DATASYNC */
		return -EINVAL;
	return (int64_t)c->off < 0 ? -EINVAL : 0;
}

int sync_file_range_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	fs_take_words(req, sqe);
	return sqe->addr || sqe->buf_index || sqe->splice_fd_in ? -EINVAL : 0;
}

int fallocate_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	fs_take_words(req, sqe);
	return sqe->buf_index || sqe->op_flags || sqe->splice_fd_in ? -EINVAL
								    : 0;
}

int fadvise_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	fs_take_words(req, sqe);
	if (sqe->addr && !abi_has(req->ctx->abi.answers, ABI_ADVICE_64))
		return -EINVAL;
	return sqe->buf_index || sqe->splice_fd_in ? -EINVAL : 0;
}

int madvise_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	fs_take_words(req, sqe);
	if (sqe->off && !abi_has(req->ctx->abi.answers, ABI_ADVICE_64))
		return -EINVAL;
	return sqe->buf_index || sqe->splice_fd_in ? -EINVAL : 0;
}

int ftruncate_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	fs_take_words(req, sqe);
	return sqe->op_flags || sqe->addr || sqe->len || sqe->buf_index ||
			       sqe->splice_fd_in || sqe->addr3
		       ? -EINVAL
		       : 0;
}

/* ---- calls on paths ---- */

/* Copy the path at @first and, unless @second is NULL, the path at *@second. */
static int take_paths(struct req *req, uint64_t first, const uint64_t *second)
{
	struct fs_cmd *c = req_cmd(req, struct fs_cmd);
	int bytes = path_bytes(first);
	int bytes2 = 0;
	char *copy;
	int err;

	if (bytes < 0)
		return bytes;
	if (second)
		bytes2 = path_bytes(*second);
	if (bytes2 < 0)
		return bytes2;
	copy = req_extra(req, (size_t)bytes + (size_t)bytes2);
	if (!copy)
		return -ENOMEM;
	c->path = copy;
	c->path2 = copy + bytes;
	err = path_copy(copy, first, (size_t)bytes);
	if (!err && second)
		err = path_copy(copy + bytes, *second, (size_t)bytes2);
	return err;
}

static int path_prep(struct req *req, const struct io_uring_sqe *sqe,
		     bool spare, bool two)
{
	struct fs_cmd *c = fs_take_words(req, sqe);

	if (sqe->buf_index || sqe->splice_fd_in || spare)
		return -EINVAL;
	if (sqe->flags & IOSQE_FIXED_FILE)
		return -EBADF;
	return take_paths(req, c->addr, two ? &c->off : NULL);
}

int statx_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return path_prep(req, sqe, false, false);
}

int renameat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return path_prep(req, sqe, false, true);
}

int unlinkat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	const uint32_t removedir = 0x200; /* AT_REMOVEDIR */

	return path_prep(req, sqe,
			 sqe->off || sqe->len || sqe->op_flags & ~removedir,
			 false);
}

int mkdirat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return path_prep(req, sqe, sqe->off || sqe->op_flags, false);
}

int symlinkat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return path_prep(req, sqe, sqe->len || sqe->op_flags, true);
}

int linkat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return path_prep(req, sqe, false, true);
}

/* ---- on the worker ---- */

static long do_fsync(const struct req *req, const struct fs_cmd *c)
{
	return SYS_1(c->flags ? SYS_fdatasync : SYS_fsync, req_io_fd(req));
}

static long do_sync_file_range(const struct req *req, const struct fs_cmd *c)
{
	return SYS_4(SYS_sync_file_range, req_io_fd(req), c->off, c->len,
		     c->flags);
}

/* The entry's addr is the length, its len is the mode. */
static long do_fallocate(const struct req *req, const struct fs_cmd *c)
{
	return SYS_4(SYS_fallocate, req_io_fd(req), c->len, c->off, c->addr);
}

/* A length of more than 32 bits is in addr. */
static long do_fadvise(const struct req *req, const struct fs_cmd *c)
{
	return SYS_4(SYS_fadvise64, req_io_fd(req), c->off, c->addr ?: c->len,
		     c->flags);
}

/* For MADVISE it is in off, because addr is the address. */
static long do_madvise(const struct req *req, const struct fs_cmd *c)
{
	(void)req;
	return SYS_3(SYS_madvise, c->addr, c->off ?: c->len, c->flags);
}

/* The file is checked before the length. */
static long do_ftruncate(const struct req *req, const struct fs_cmd *c)
{
	long err = SYS_2(SYS_ftruncate, req_io_fd(req), c->off);

	return err == -EINVAL && !req_file_is_open(req) ? -EBADF : err;
}

static long do_statx(const struct req *req, const struct fs_cmd *c)
{
	return SYS_5(SYS_statx, req->fd, c->path, c->flags, c->len, c->off);
}

static long do_renameat(const struct req *req, const struct fs_cmd *c)
{
	return SYS_5(SYS_renameat2, req->fd, c->path, (int32_t)c->len, c->path2,
		     c->flags);
}

static long do_unlinkat(const struct req *req, const struct fs_cmd *c)
{
	return SYS_3(SYS_unlinkat, req->fd, c->path, c->flags);
}

static long do_mkdirat(const struct req *req, const struct fs_cmd *c)
{
	return SYS_3(SYS_mkdirat, req->fd, c->path, c->len);
}

static long do_symlinkat(const struct req *req, const struct fs_cmd *c)
{
	return SYS_3(SYS_symlinkat, c->path, req->fd, c->path2);
}

static long do_linkat(const struct req *req, const struct fs_cmd *c)
{
	return SYS_5(SYS_linkat, req->fd, c->path, (int32_t)c->len, c->path2,
		     c->flags);
}

static long (*const calls[])(const struct req *, const struct fs_cmd *) = {
	[IORING_OP_FSYNC] = do_fsync,
	[IORING_OP_SYNC_FILE_RANGE] = do_sync_file_range,
	[IORING_OP_FALLOCATE] = do_fallocate,
	[IORING_OP_FADVISE] = do_fadvise,
	[IORING_OP_MADVISE] = do_madvise,
	[IORING_OP_FTRUNCATE] = do_ftruncate,
	[IORING_OP_STATX] = do_statx,
	[IORING_OP_RENAMEAT] = do_renameat,
	[IORING_OP_UNLINKAT] = do_unlinkat,
	[IORING_OP_MKDIRAT] = do_mkdirat,
	[IORING_OP_SYMLINKAT] = do_symlinkat,
	[IORING_OP_LINKAT] = do_linkat,
};

int fs_issue(struct req *req, uint32_t issue_flags)
{
	if (!(issue_flags & ISSUE_WORKER))
		return ISSUE_PUNT;
	req->res =
		(int32_t)calls[req->opcode](req, req_cmd(req, struct fs_cmd));
	return ISSUE_DONE;
}

/* Advice that the kernel takes without a worker (sched/sigpipe.h). */
static bool is_noted_at_once(const struct req *req)
{
	uint32_t advice = req_cmd(req, struct fs_cmd)->flags;

	return req->opcode == IORING_OP_FADVISE &&
	       (advice == POSIX_FADV_NORMAL || advice == POSIX_FADV_RANDOM ||
		advice == POSIX_FADV_SEQUENTIAL);
}

/*
 * The kernel treats an error of these calls as a normal result: it breaks no
 * chain, and CQE_SKIP_SUCCESS hides it. The exceptions are FADVISE and a
 * missing file.
 */
int fs_finish(struct req *req)
{
	bool no_file = req->def->needs_file && req->res == -EBADF;

	if (is_noted_at_once(req) && !(req->sqe_flags & IOSQE_ASYNC))
		req->flags &= ~REQ_F_QUIET;
	if (req->opcode != IORING_OP_FADVISE && !no_file)
		req->flags |= REQ_F_SUCCESS;
	return ISSUE_DONE;
}
