/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_EPOLL_H
#define POLYRING_OPS_EPOLL_H

#include "core/req.h"

int epoll_ctl_prep(struct req *req, const struct io_uring_sqe *sqe);
int epoll_ctl_issue(struct req *req, uint32_t issue_flags);
int epoll_wait_prep(struct req *req, const struct io_uring_sqe *sqe);
int epoll_wait_issue(struct req *req, uint32_t issue_flags);

#endif
