/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_FILES_OPS_H
#define POLYRING_OPS_FILES_OPS_H

#include "core/req.h"

int files_update_prep(struct req *req, const struct io_uring_sqe *sqe);
int files_update_issue(struct req *req, uint32_t issue_flags);

#endif
