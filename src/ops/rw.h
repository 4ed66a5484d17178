/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_RW_H
#define POLYRING_OPS_RW_H

#include "core/req.h"

int read_prep(struct req *req, const struct io_uring_sqe *sqe);
int write_prep(struct req *req, const struct io_uring_sqe *sqe);
int readv_prep(struct req *req, const struct io_uring_sqe *sqe);
int writev_prep(struct req *req, const struct io_uring_sqe *sqe);
int read_issue(struct req *req, uint32_t issue_flags);
int write_issue(struct req *req, uint32_t issue_flags);
int read_fixed_prep(struct req *req, const struct io_uring_sqe *sqe);
int write_fixed_prep(struct req *req, const struct io_uring_sqe *sqe);
int fixed_issue(struct req *req, uint32_t issue_flags);
void fixed_cleanup(struct req *req);
int read_multishot_prep(struct req *req, const struct io_uring_sqe *sqe);
int read_multishot_issue(struct req *req, uint32_t issue_flags);

#endif
