/* SPDX-License-Identifier: MIT */
/*
 * Copying iovecs and msghdrs from the application.
 *
 * Theory: both are copied when a request is prepared, so that the application
 * may reuse its own immediately (FEAT_SUBMIT_STABLE). The data they point to
 * goes to the real system call, which returns EFAULT by itself (D8). The copies
 * are in req->extra.
 *
 * Locks: the ring lock, in all of it.
 */
#ifndef POLYRING_IO_IOV_H
#define POLYRING_IO_IOV_H

#include <sys/socket.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "core/req.h"

/* The kernel's limit on the number of vectors. */
#define IOV_COUNT_MAX 1024u

struct msg {
	struct msghdr header; /* points here and to the application's data */
	struct sockaddr_storage name;
	uint64_t user_name; /* the application's address for the name */
	struct iovec vectors[];
};

/*
 * Copy @count vectors; *@vectors is in req->extra. Returns 0; -EINVAL for too
 * many or a negative length, -EFAULT, -ENOMEM.
 */
int iov_import(struct req *req, uint64_t address, uint32_t count,
	       struct iovec **vectors);

/*
 * Copy a msghdr and its vectors, and with @with_name the address it names.
 * -EMSGSIZE for too many vectors (-EINVAL before 6.13), -EINVAL, -EFAULT,
 * -ENOMEM.
 */
int iov_import_msg(struct req *req, uint64_t address, bool with_name,
		   struct msg **msg);

/*
 * The error for an invalid address or message: @err, but EBADF if the file is
 * invalid as well and the chosen kernel checks that first.
 */
int iov_import_error(const struct req *req, int err);

/* How many bytes the vectors hold, capped as the kernel caps a transfer. */
size_t iov_bytes(const struct iovec *vectors, size_t count);

/* Skip @bytes that were transferred. */
void iov_advance(struct iovec **vectors, size_t *count, size_t bytes);

/* Are all vectors below the user address limit? Checks addresses only. */
bool iov_in_user_space(const struct iovec *vectors, size_t count);

#endif
