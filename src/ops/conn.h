/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_CONN_H
#define POLYRING_OPS_CONN_H

#include "core/req.h"

int accept_prep(struct req *req, const struct io_uring_sqe *sqe);
int accept_issue(struct req *req, uint32_t issue_flags);
int connect_prep(struct req *req, const struct io_uring_sqe *sqe);
int connect_issue(struct req *req, uint32_t issue_flags);
int socket_prep(struct req *req, const struct io_uring_sqe *sqe);
int socket_issue(struct req *req, uint32_t issue_flags);
int conn_finish_socket(struct req *req);
int shutdown_prep(struct req *req, const struct io_uring_sqe *sqe);
int shutdown_issue(struct req *req, uint32_t issue_flags);
int bind_prep(struct req *req, const struct io_uring_sqe *sqe);
int bind_issue(struct req *req, uint32_t issue_flags);
int listen_prep(struct req *req, const struct io_uring_sqe *sqe);
int listen_issue(struct req *req, uint32_t issue_flags);

#endif
