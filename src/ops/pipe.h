/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_PIPE_H
#define POLYRING_OPS_PIPE_H

#include "core/req.h"

int pipe_prep(struct req *req, const struct io_uring_sqe *sqe);
int pipe_issue(struct req *req, uint32_t issue_flags);
int install_prep(struct req *req, const struct io_uring_sqe *sqe);
int install_issue(struct req *req, uint32_t issue_flags);

#endif
