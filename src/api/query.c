// SPDX-License-Identifier: MIT
#include "api/query.h"

#include <errno.h>
#include <string.h>

#include "abi/uring.h"
#include "api/offer.h"
#include "base/fault.h"
#include "core/req.h"

#define QUESTIONS_MAX 1000

/* Copies the result, and zeroes the rest of the application's room. */
static int answer(struct io_uring_query_hdr *header, const void *what,
		  uint32_t bytes)
{
	char *to = (char *)(uintptr_t)header->query_data;
	uint32_t known = header->size < bytes ? header->size : bytes;
	static const char zeros[64];

	if (!fault_range_ok(header->query_data, header->size) ||
	    fault_copy(to, what, known) < 0)
		return -EFAULT;
	for (uint32_t at = known; at < header->size; at += sizeof(zeros)) {
		uint32_t left = header->size - at;

		if (left > sizeof(zeros))
			left = sizeof(zeros);
		if (fault_copy(to + at, zeros, left) < 0)
			return -EFAULT;
	}
	header->size = known;
	return 0;
}

static int answer_opcodes(struct io_uring_query_hdr *header)
{
	const struct io_uring_query_opcode known = {
		.nr_request_opcodes = opdefs_count,
		.nr_register_opcodes = IORING_REGISTER_LAST,
		.feature_flags = FEATURES,
		.ring_setup_flags = SETUP_FLAGS,
		.enter_flags = ENTER_FLAGS,
		.sqe_flags = SQE_FLAGS,
		.nr_query_opcodes = IO_URING_QUERY_LAST,
	};

	return answer(header, &known, sizeof(known));
}

static bool query_well_formed(const struct io_uring_query_hdr *header)
{
	return header->size && !header->result && !header->resv[0] &&
	       !header->resv[1] && !header->resv[2];
}

/* The query's own result is in header->result; an error ends the call. */
static int answer_one(struct io_uring_query_hdr *header)
{
	if (header->query_op >= IO_URING_QUERY_LAST)
		header->result = -EOPNOTSUPP;
	else if (!query_well_formed(header))
		header->result = -EINVAL;
	else
		return answer_opcodes(header);
	header->size = 0;
	return 0;
}

int query(void *first, uint32_t nr_args)
{
	void *at = first;
	int err = 0;

	if (nr_args)
		return -EINVAL;
	for (int i = 0; at && !err; i++) {
		struct io_uring_query_hdr header;

		if (i == QUESTIONS_MAX)
			return -ERANGE;
		if (fault_copy(&header, at, sizeof(header)) < 0)
			return -EFAULT;
		err = answer_one(&header);
		if (!err)
			err = fault_copy(at, &header, sizeof(header));
		at = (void *)(uintptr_t)header.next_entry;
	}
	return err;
}
