/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_TIMEOUT_H
#define POLYRING_OPS_TIMEOUT_H

#include "core/req.h"

int timeout_prep(struct req *req, const struct io_uring_sqe *sqe);
int timeout_issue(struct req *req, uint32_t issue_flags);
void timeout_cancel(struct req *req);
int timeout_remove_prep(struct req *req, const struct io_uring_sqe *sqe);
int timeout_remove_issue(struct req *req, uint32_t issue_flags);
int link_timeout_prep(struct req *req, const struct io_uring_sqe *sqe);
int link_timeout_issue(struct req *req, uint32_t issue_flags);

#endif
