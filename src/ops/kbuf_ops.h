/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_KBUF_OPS_H
#define POLYRING_OPS_KBUF_OPS_H

#include "core/req.h"

int provide_prep(struct req *req, const struct io_uring_sqe *sqe);
int provide_issue(struct req *req, uint32_t issue_flags);
int remove_prep(struct req *req, const struct io_uring_sqe *sqe);
int remove_issue(struct req *req, uint32_t issue_flags);

#endif
