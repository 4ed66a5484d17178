/* SPDX-License-Identifier: MIT */
/* For the table of operations, which holds the ring lock. */
#ifndef POLYRING_OPS_FS_H
#define POLYRING_OPS_FS_H

#include "core/req.h"

int fsync_prep(struct req *req, const struct io_uring_sqe *sqe);
int sync_file_range_prep(struct req *req, const struct io_uring_sqe *sqe);
int fallocate_prep(struct req *req, const struct io_uring_sqe *sqe);
int fadvise_prep(struct req *req, const struct io_uring_sqe *sqe);
int madvise_prep(struct req *req, const struct io_uring_sqe *sqe);
int ftruncate_prep(struct req *req, const struct io_uring_sqe *sqe);
int statx_prep(struct req *req, const struct io_uring_sqe *sqe);
int renameat_prep(struct req *req, const struct io_uring_sqe *sqe);
int unlinkat_prep(struct req *req, const struct io_uring_sqe *sqe);
int mkdirat_prep(struct req *req, const struct io_uring_sqe *sqe);
int symlinkat_prep(struct req *req, const struct io_uring_sqe *sqe);
int linkat_prep(struct req *req, const struct io_uring_sqe *sqe);

/* For all of them: the opcode selects the call. */
int fs_issue(struct req *req, uint32_t issue_flags);
int fs_finish(struct req *req);

#endif
