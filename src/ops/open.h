/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_OPEN_H
#define POLYRING_OPS_OPEN_H

#include "core/req.h"

int openat_prep(struct req *req, const struct io_uring_sqe *sqe);
int openat2_prep(struct req *req, const struct io_uring_sqe *sqe);
int open_issue(struct req *req, uint32_t issue_flags);
int open_finish(struct req *req);
int close_prep(struct req *req, const struct io_uring_sqe *sqe);
int close_issue(struct req *req, uint32_t issue_flags);

#endif
