/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_SPLICE_H
#define POLYRING_OPS_SPLICE_H

#include "core/req.h"

int splice_prep(struct req *req, const struct io_uring_sqe *sqe);
int tee_prep(struct req *req, const struct io_uring_sqe *sqe);
int splice_issue(struct req *req, uint32_t issue_flags);
void splice_cleanup(struct req *req);

#endif
