/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_FUTEX_H
#define POLYRING_OPS_FUTEX_H

#include "core/req.h"

int futex_wait_prep(struct req *req, const struct io_uring_sqe *sqe);
int futex_wait_issue(struct req *req, uint32_t issue_flags);
/* Returns when it waits on the futex, where the program's wake-ups find it. */
void futex_wait_begun(struct req *req);

int futex_wake_prep(struct req *req, const struct io_uring_sqe *sqe);
int futex_wake_issue(struct req *req, uint32_t issue_flags);

int futex_waitv_prep(struct req *req, const struct io_uring_sqe *sqe);
int futex_waitv_issue(struct req *req, uint32_t issue_flags);
void futex_waitv_begun(struct req *req);

#endif
