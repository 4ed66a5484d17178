// SPDX-License-Identifier: MIT
/*
 * OPENAT, OPENAT2 and CLOSE.
 *
 * Theory: opening is tried immediately if it needs only the kernel's caches
 * (openat2(2) with RESOLVE_CACHED, Linux 5.12) and can neither create nor
 * truncate. The try has O_NONBLOCK, which is removed afterwards, as in the
 * kernel's io_uring: so a FIFO opens for reading without a writer, and for
 * writing without a reader the result is ENXIO.
 *
 * Otherwise it is handled like a worker's call. The kernel's workers wait: for
 * the partner of a FIFO, or for the holder of a lease. If statx(2) says that it
 * is no FIFO, the submitter makes the call, with its own rights (D7), again
 * with O_NONBLOCK, because a device could make it wait. For a FIFO, and when
 * the call says that there is a lease, the submitter clones a worker that
 * waits. A FIFO can't be recognized by opening it: that would wake its partner.
 *
 * A file for a slot of registered files is installed under the ring lock, in
 * open_finish(), wherever it was opened; until then it is close-on-exec.
 *
 * CLOSE is made immediately: close(2) waits only for file systems that flush. A
 * duplicate that the reactor still holds is closed first, so that the peer gets
 * the end of the stream.
 *
 * Locks: the ring lock, except for a worker's calls.
 */
#include "ops/open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "base/own_fds.h"
#include "base/fault.h"
#include "base/sys.h"
#include "core/ctx.h"
#include "core/registry.h"
#include "core/req.h"
#include "io/path.h"
#include "sched/aio_reads.h"
#include "sched/issue.h"
#include "sched/polls.h"
#include "tables/files.h"

/*
 * How much of a longer open_how is checked; bytes after the known ones must be
 * 0.
 */
#define HOW_BYTES_MAX 65536u
#define LARGEFILE 0100000
/* What the kernel's worker says of an open that cancelling has interrupted. */
#define ERESTARTSYS 512

struct open_cmd {
	struct open_how how;
	uint32_t slot_plus_1;
	bool strict; /* OPENAT2: unknown flags are refused */
};

static int take_path(struct req *req, uint64_t address)
{
	int bytes = path_bytes(address);

	if (bytes < 0)
		return bytes;
	if (!req_extra(req, (size_t)bytes))
		return -ENOMEM;
	return path_copy(req->extra, address, (size_t)bytes);
}

static int open_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct open_cmd *c = req_cmd(req, struct open_cmd);
	int err;

	if (sqe->buf_index)
		return -EINVAL;
	if (sqe->flags & IOSQE_FIXED_FILE)
		return -EBADF;
	err = take_path(req, sqe->addr);
	if (err < 0)
		return err;
	c->slot_plus_1 = sqe->file_index;
	if (c->slot_plus_1 && c->how.flags & O_CLOEXEC)
		return -EINVAL;
	if (c->slot_plus_1)
		c->how.flags |= O_CLOEXEC;
	return 0;
}

/* openat(2) ignores unknown flags; openat2(2) would refuse them. */
static void set_how(struct open_how *how, uint64_t flags, uint64_t mode)
{
	const uint64_t known = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY |
			       O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |
			       O_ASYNC | O_DIRECT | LARGEFILE | O_DIRECTORY |
			       O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
			       O_TMPFILE;
	const uint64_t with_path =
		O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

	how->flags = flags & known;
	if (flags & O_PATH)
		how->flags &= with_path;
	how->mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
			    ? mode & 07777
			    : 0;
	how->resolve = 0;
}

int openat_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct open_cmd *c = req_cmd(req, struct open_cmd);

	set_how(&c->how, sqe->op_flags, sqe->len);
	c->strict = false;
	return open_prep(req, sqe);
}

/* Bytes other than zero in [from, from + bytes) belong to a newer version. */
static int check_zero(const uint8_t *from, size_t bytes)
{
	uint8_t look[64];

	while (bytes) {
		size_t n = bytes < sizeof(look) ? bytes : sizeof(look);

		if (fault_copy(look, from, n) < 0)
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (look[i])
				return -E2BIG;
		from += n;
		bytes -= n;
	}
	return 0;
}

int openat2_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct open_cmd *c = req_cmd(req, struct open_cmd);
	const uint8_t *from = (const uint8_t *)(uintptr_t)sqe->addr2;
	size_t bytes = sqe->len;
	int err;

	if (bytes < sizeof(c->how))
		return -EINVAL;
	if (fault_copy(&c->how, from, sizeof(c->how)) < 0)
		return -EFAULT;
	if (bytes > HOW_BYTES_MAX)
		return -E2BIG;
	err = check_zero(from + sizeof(c->how), bytes - sizeof(c->how));
	if (err < 0)
		return err;
	c->strict = true;
	return open_prep(req, sqe);
}

static long open_as(const struct req *req, const struct open_how *how)
{
	return SYS_4(SYS_openat2, req->fd, req->extra, how, sizeof(*how));
}

static bool may_try(const struct open_cmd *c)
{
	return !(c->how.flags & (O_CREAT | O_TRUNC | O_TMPFILE)) ||
	       (c->how.flags & O_TMPFILE) == O_DIRECTORY;
}

/* Open without waiting for the other end. */
static long open_at_once(const struct req *req, struct open_how how)
{
	const uint64_t kept = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME;
	/* A directory does not make open wait. */
	bool unblock = !(how.flags & (O_NONBLOCK | O_PATH | O_DIRECTORY));
	long fd;

	if (unblock)
		how.flags |= O_NONBLOCK;
	fd = open_as(req, &how);
	if (fd >= 0 && unblock)
		SYS_3(SYS_fcntl, fd, F_SETFL, how.flags & kept);
	return fd;
}

/* Returns an fd, an error, or -EAGAIN: then it takes the worker's way. */
static long try_cached(const struct req *req, const struct open_cmd *c)
{
	struct open_how how = c->how;
	long fd;

	how.resolve |= RESOLVE_CACHED;
	fd = open_at_once(req, how);
	/* The kernel doesn't support RESOLVE_CACHED, or the call. */
	if (fd == -EINVAL || fd == -ENOSYS)
		return -EAGAIN;
	return fd;
}

/* Cancelling ends it. */
static long open_and_wait(const struct req *req, const struct open_cmd *c)
{
	long path = (long)(uintptr_t)req->extra;

	if (c->strict)
		return worker_call(&req->work, SYS_openat2, req->fd, path,
				   (long)(uintptr_t)&c->how, sizeof(c->how), 0,
				   0);
	return worker_call(&req->work, SYS_openat, req->fd, path,
			   (long)c->how.flags, (long)c->how.mode, 0, 0);
}

/*
 * Does it wait for a partner? A name that begins at another root can't be
 * looked at by statx(2), and may be a FIFO's.
 */
static bool waits_for_partner(const struct req *req, const struct open_how *how)
{
	struct statx st;

	if (how->flags & (O_NONBLOCK | O_PATH | O_DIRECTORY) ||
	    (how->flags & O_ACCMODE) == O_RDWR)
		return false;
	if (how->resolve & RESOLVE_IN_ROOT)
		return true;
	return !SYS_5(SYS_statx, req->fd, req->extra,
		      how->flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0,
		      STATX_TYPE, &st) &&
	       S_ISFIFO(st.stx_mode);
}

/* EAGAIN: somebody holds a lease, and has to be waited for. */
static int open_here(struct req *req, const struct open_cmd *c)
{
	long fd;

	if (waits_for_partner(req, &c->how))
		return ISSUE_PUNT;
	fd = open_at_once(req, c->how);
	if (fd == -EAGAIN)
		return ISSUE_PUNT;
	req->res = (int32_t)(fd == -ENOSYS ? open_and_wait(req, c) : fd);
	return ISSUE_DONE;
}

static int open_on_worker(struct req *req, const struct open_cmd *c)
{
	long fd = open_and_wait(req, c);

	req->res = fd == -EINTR ? -ERESTARTSYS : (int32_t)fd;
	return ISSUE_DONE;
}

int open_issue(struct req *req, uint32_t issue_flags)
{
	const struct open_cmd *c = req_cmd(req, struct open_cmd);
	long fd = -EAGAIN;

	if (issue_flags & ISSUE_HERE)
		return open_here(req, c);
	if (issue_flags & ISSUE_WORKER)
		return open_on_worker(req, c);
	if (may_try(c))
		fd = try_cached(req, c);
	if (fd == -EAGAIN && !(c->how.resolve & RESOLVE_CACHED))
		return ISSUE_PUNT;
	req->res = (int32_t)fd;
	return open_finish(req);
}

int open_finish(struct req *req)
{
	const struct open_cmd *c = req_cmd(req, struct open_cmd);

	if (req->res >= 0 && c->slot_plus_1)
		req->res = files_install(&req->ctx->files, c->slot_plus_1,
					 req->res);
	return ISSUE_DONE;
}

struct close_cmd {
	uint32_t slot_plus_1;
};

int close_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->len || sqe->op_flags ||
	    sqe->buf_index)
		return -EINVAL;
	if (sqe->flags & IOSQE_FIXED_FILE)
		return -EBADF;
	if (sqe->file_index && sqe->fd)
		return -EINVAL;
	req_cmd(req, struct close_cmd)->slot_plus_1 = sqe->file_index;
	return 0;
}

int close_issue(struct req *req, uint32_t issue_flags)
{
	const struct close_cmd *c = req_cmd(req, struct close_cmd);

	(void)issue_flags;
	if (c->slot_plus_1)
		return files_remove(&req->ctx->files, c->slot_plus_1 - 1);
	if (registry_at(req->fd))
		return -EBADF; /* a ring can't close rings */
	if (own_fds_has(req->fd))
		return -EBADF; /* the program has no such file */
	/* What is queued uses the fd. */
	aio_reads_flush(req->ctx);
	polls_settle(req->ctx);
	issue_arm_all(req->ctx);
	reactor_release(&req->ctx->reactor, req->fd);
	req->res = (int32_t)SYS_1(SYS_close, req->fd);
	return ISSUE_DONE;
}
