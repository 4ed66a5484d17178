/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_WAITID_H
#define POLYRING_OPS_WAITID_H

#include "core/req.h"

int waitid_prep(struct req *req, const struct io_uring_sqe *sqe);
int waitid_issue(struct req *req, uint32_t issue_flags);

#endif
