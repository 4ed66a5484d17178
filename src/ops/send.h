/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_SEND_H
#define POLYRING_OPS_SEND_H

#include "core/req.h"

int send_prep(struct req *req, const struct io_uring_sqe *sqe);
int sendmsg_prep(struct req *req, const struct io_uring_sqe *sqe);
int send_zc_prep(struct req *req, const struct io_uring_sqe *sqe);
int sendmsg_zc_prep(struct req *req, const struct io_uring_sqe *sqe);
int send_issue(struct req *req, uint32_t issue_flags);
/* The notification of a zero-copy send. */
void send_zc_cleanup(struct req *req);

#endif
