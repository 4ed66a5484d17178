// SPDX-License-Identifier: MIT
/*
 * Extended attributes: FSETXATTR, SETXATTR, FGETXATTR, GETXATTR.
 *
 * Theory: name, path and the value to be set are copied when the request is
 * prepared, in this order, one after the other in req->extra; a worker makes
 * the call. A value that is read goes directly to the application's memory.
 *
 * Locks: none on the worker.
 */
#include "ops/xattr.h"

#include <sys/xattr.h>

#include "base/fault.h"
#include "base/sys.h"
#include "core/req.h"
#include "io/path.h"

/* Linux's limits on a name and on a value. */
#define NAME_BYTES_MAX 256
#define VALUE_BYTES_MAX 65536u

struct xattr_cmd {
	const char *name; /* all three in req->extra */
	const char *path; /* NULL: use the open file */
	uint64_t value; /* a GET's: the application's address */
	uint32_t len;
	uint32_t flags;
};

static int name_bytes(uint64_t address)
{
	int bytes = path_bytes(address);

	if (bytes == -ENAMETOOLONG || bytes == 1 || bytes > NAME_BYTES_MAX)
		return -ERANGE;
	return bytes;
}

static int value_bytes(const struct io_uring_sqe *sqe, bool sets)
{
	if (!sets)
		return 0;
	return sqe->len > VALUE_BYTES_MAX ? -E2BIG : (int)sqe->len;
}

static int copy_all(struct req *req, const struct io_uring_sqe *sqe,
		    const int bytes[3])
{
	struct xattr_cmd *c = req_cmd(req, struct xattr_cmd);
	char *at = req_extra(req, (size_t)(bytes[0] + bytes[1] + bytes[2] + 1));
	int err;

	if (!at)
		return -ENOMEM;
	c->name = at;
	err = path_copy(at, sqe->addr, (size_t)bytes[0]);
	at += bytes[0];
	c->value = bytes[2] ? (uintptr_t)at : sqe->addr2;
	if (!err && bytes[2])
		err = fault_copy(at, (void *)(uintptr_t)sqe->addr2,
				 (size_t)bytes[2]);
	at += bytes[2];
	c->path = bytes[1] ? at : NULL;
	if (!err && bytes[1])
		err = path_copy(at, sqe->addr3, (size_t)bytes[1]);
	return err;
}

static int xattr_common_prep(struct req *req, const struct io_uring_sqe *sqe,
			     bool sets, bool has_path)
{
	struct xattr_cmd *c = req_cmd(req, struct xattr_cmd);
	const uint32_t known = sets ? XATTR_CREATE | XATTR_REPLACE : 0;
	int bytes[3] = {0};

	if (has_path && sqe->flags & IOSQE_FIXED_FILE)
		return -EBADF;
	c->len = sqe->len;
	c->flags = sqe->op_flags;
	if (c->flags & ~known)
		return -EINVAL;
	bytes[0] = name_bytes(sqe->addr);
	if (bytes[0] < 0)
		return bytes[0];
	bytes[2] = value_bytes(sqe, sets);
	if (bytes[2] < 0)
		return bytes[2];
	if (has_path)
		bytes[1] = path_bytes(sqe->addr3);
	return bytes[1] < 0 ? bytes[1] : copy_all(req, sqe, bytes);
}

int fsetxattr_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return xattr_common_prep(req, sqe, true, false);
}

int setxattr_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return xattr_common_prep(req, sqe, true, true);
}

int fgetxattr_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return xattr_common_prep(req, sqe, false, false);
}

int getxattr_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return xattr_common_prep(req, sqe, false, true);
}

static long xattr_call(const struct req *req, const struct xattr_cmd *c)
{
	switch (req->opcode) {
	case IORING_OP_FSETXATTR:
		return SYS_5(SYS_fsetxattr, req_io_fd(req), c->name, c->value,
			     c->len, c->flags);
	case IORING_OP_SETXATTR:
		return SYS_5(SYS_setxattr, c->path, c->name, c->value, c->len,
			     c->flags);
	case IORING_OP_FGETXATTR:
		return SYS_4(SYS_fgetxattr, req_io_fd(req), c->name, c->value,
			     c->len);
	default:
		return SYS_4(SYS_getxattr, c->path, c->name, c->value, c->len);
	}
}

int xattr_issue(struct req *req, uint32_t issue_flags)
{
	if (!(issue_flags & ISSUE_WORKER))
		return ISSUE_PUNT;
	req->res = (int32_t)xattr_call(req, req_cmd(req, struct xattr_cmd));
	return ISSUE_DONE;
}
