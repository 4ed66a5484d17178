/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_POLL_H
#define POLYRING_OPS_POLL_H

#include "core/req.h"

int poll_add_prep(struct req *req, const struct io_uring_sqe *sqe);
int poll_add_issue(struct req *req, uint32_t issue_flags);
void poll_add_cleanup(struct req *req);
int poll_remove_prep(struct req *req, const struct io_uring_sqe *sqe);
int poll_remove_issue(struct req *req, uint32_t issue_flags);

#endif
