// SPDX-License-Identifier: MIT
#include "io/iov.h"

#include <limits.h>

#include "base/fault.h"
#include "base/fd.h"
#include "core/ctx.h"
#include "core/req.h"

static const void *iov_pointer(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

static int vectors_copy(struct iovec *to, uint64_t address, size_t count)
{
	if (fault_copy(to, iov_pointer(address), count * sizeof(*to)) < 0)
		return -EFAULT;
	for (size_t i = 0; i < count; i++)
		if (to[i].iov_len > SSIZE_MAX)
			return -EINVAL;
	return 0;
}

int iov_import_error(const struct req *req, int err)
{
	bool file_first = !abi_has(req->ctx->abi.answers, ABI_IMPORT_FIRST);

	if (unlikely(file_first) && !(req->sqe_flags & IOSQE_FIXED_FILE) &&
	    !fd_is_open(req->fd))
		return -EBADF;
	return err;
}

int iov_import(struct req *req, uint64_t address, uint32_t count,
	       struct iovec **vectors)
{
	int err;

	if (count > IOV_COUNT_MAX)
		return iov_import_error(req, -EINVAL);
	*vectors = req_extra(req, (count ? count : 1) * sizeof(**vectors));
	if (!*vectors)
		return -ENOMEM;
	err = vectors_copy(*vectors, address, count);
	return err < 0 ? iov_import_error(req, err) : 0;
}

static int name_copy(struct msg *m)
{
	socklen_t bytes = m->header.msg_namelen;

	if (!m->user_name || !bytes) {
		m->header.msg_name = NULL;
		m->header.msg_namelen = 0;
		return 0;
	}
	if (bytes > sizeof(m->name))
		bytes = sizeof(m->name);
	if (fault_copy(&m->name, iov_pointer(m->user_name), bytes) < 0)
		return -EFAULT;
	m->header.msg_name = &m->name;
	m->header.msg_namelen = bytes;
	return 0;
}

static int too_many(const struct req *req)
{
	return abi_has(req->ctx->abi.answers, ABI_VECTORS_INVALID) ? -EINVAL
								   : -EMSGSIZE;
}

int iov_import_msg(struct req *req, uint64_t address, bool with_name,
		   struct msg **msg)
{
	struct msghdr header;
	struct msg *m;
	int err;

	if (fault_copy(&header, iov_pointer(address), sizeof(header)) < 0)
		return iov_import_error(req, -EFAULT);
	if (with_name && (int)header.msg_namelen < 0)
		return iov_import_error(req, -EINVAL); /* else the call says */
	if (header.msg_iovlen > IOV_COUNT_MAX)
		return iov_import_error(req, too_many(req));
	m = req_extra(req, sizeof(*m) + (header.msg_iovlen + 1) *
						sizeof(struct iovec));
	if (!m)
		return -ENOMEM;
	m->header = header;
	m->user_name = (uintptr_t)header.msg_name;
	err = vectors_copy(m->vectors, (uintptr_t)header.msg_iov,
			   header.msg_iovlen);
	m->header.msg_iov = m->vectors;
	if (!err && with_name)
		err = name_copy(m);
	*msg = m;
	return err < 0 ? iov_import_error(req, err) : 0;
}

size_t iov_bytes(const struct iovec *vectors, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (vectors[i].iov_len > IORING_MAX_RW_COUNT - bytes)
			return IORING_MAX_RW_COUNT;
		bytes += vectors[i].iov_len;
	}
	return bytes;
}

void iov_advance(struct iovec **vectors, size_t *count, size_t bytes)
{
	while (*count && bytes >= (*vectors)->iov_len) {
		bytes -= (*vectors)->iov_len;
		++*vectors;
		--*count;
	}
	if (*count) {
		(*vectors)->iov_base = (char *)(*vectors)->iov_base + bytes;
		(*vectors)->iov_len -= bytes;
	}
}

bool iov_in_user_space(const struct iovec *vectors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!fault_range_ok((uintptr_t)vectors[i].iov_base,
				    vectors[i].iov_len))
			return false;
	return true;
}
