/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_XATTR_H
#define POLYRING_OPS_XATTR_H

#include "core/req.h"

int fsetxattr_prep(struct req *req, const struct io_uring_sqe *sqe);
int setxattr_prep(struct req *req, const struct io_uring_sqe *sqe);
int fgetxattr_prep(struct req *req, const struct io_uring_sqe *sqe);
int getxattr_prep(struct req *req, const struct io_uring_sqe *sqe);
int xattr_issue(struct req *req, uint32_t issue_flags);

#endif
