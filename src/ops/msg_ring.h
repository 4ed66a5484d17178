/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_MSG_RING_H
#define POLYRING_OPS_MSG_RING_H

#include "core/req.h"

int msg_ring_prep(struct req *req, const struct io_uring_sqe *sqe);
int msg_ring_issue(struct req *req, uint32_t issue_flags);
void msg_ring_cleanup(struct req *req);

/*
 * The register opcode: a message without a sending ring. Under no lock; 0 or a
 * negative errno.
 */
int msg_ring_send(const struct io_uring_sqe *sqe);

#endif
