/* SPDX-License-Identifier: MIT */
/*
 * Taking in iovecs and msghdrs from the application.
 *
 * Theory: both are copied when a request is prepared, so that the application
 * may reuse its own at once (FEAT_SUBMIT_STABLE); the data they point at goes
 * to the real system call untouched, which answers EFAULT by itself (D8).
 * The copies live in req->extra.
 *
 * Locks: the ring lock, in all of it.
 */
#ifndef POLYRING_IO_IOV_H
#define POLYRING_IO_IOV_H

#include <sys/socket.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "core/req.h"

/* The kernel's bound on vectors. */
#define IOV_COUNT_MAX 1024u

struct msg {
	struct msghdr header; /* points into this struct and at user data */
	struct sockaddr_storage name;
	uint64_t user_name; /* where the application wants it */
	struct iovec vectors[];
};

/*
 * Copy @count vectors; *@vectors lives in req->extra. Returns 0; -EINVAL for
 * too many or a negative length, -EFAULT, -ENOMEM.
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
 * The answer to an address, or a message, that is wrong: @err, but EBADF if the
 * file is wrong as well and this kernel looks at that first.
 */
int iov_import_error(const struct req *req, int err);

/* Bytes that the vectors hold, capped as the kernel caps a transfer. */
size_t iov_bytes(const struct iovec *vectors, size_t count);

/* Step over @bytes that were transferred. */
void iov_advance(struct iovec **vectors, size_t *count, size_t bytes);

/* Could all of it be the application's memory? Looks at addresses alone. */
bool iov_in_user_space(const struct iovec *vectors, size_t count);

#endif
