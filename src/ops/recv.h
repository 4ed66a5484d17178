/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_RECV_H
#define POLYRING_OPS_RECV_H

#include "core/req.h"

int recv_prep(struct req *req, const struct io_uring_sqe *sqe);
int recvmsg_prep(struct req *req, const struct io_uring_sqe *sqe);
int recv_issue(struct req *req, uint32_t issue_flags);

#endif
