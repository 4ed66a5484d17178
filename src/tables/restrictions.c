// SPDX-License-Identifier: MIT
#include "tables/restrictions.h"

#include <errno.h>

#include "abi/uring.h"
#include "base/fault.h"

static void set_bit(uint64_t *bits, uint8_t n)
{
	bits[n / 64] |= UINT64_C(1) << n % 64;
}

static bool bit_is_set(const uint64_t *bits, uint8_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static int take_row(struct restrictions *r,
		    const struct io_uring_restriction *row)
{
	switch (row->opcode) {
	case IORING_RESTRICTION_REGISTER_OP:
		if (row->register_op >= IORING_REGISTER_LAST)
			return -EINVAL;
		set_bit(r->register_ops, row->register_op);
		return 0;
	case IORING_RESTRICTION_SQE_OP:
		if (row->sqe_op >= IORING_OP_KNOWN)
			return -EINVAL;
		set_bit(r->sqe_ops, row->sqe_op);
		return 0;
	case IORING_RESTRICTION_SQE_FLAGS_ALLOWED:
		r->flags_allowed = row->sqe_flags;
		return 0;
	case IORING_RESTRICTION_SQE_FLAGS_REQUIRED:
		r->flags_required = row->sqe_flags;
		return 0;
	default:
		return -EINVAL;
	}
}

/* One row for each thing that a row can name. */
static uint32_t rows_max(void)
{
	return (uint32_t)IORING_REGISTER_LAST + IORING_OP_KNOWN +
	       IORING_RESTRICTION_LAST;
}

int restrictions_take(struct restrictions *r, const void *rows, uint32_t count)
{
	struct restrictions taken = {.taken = true};
	int err = 0;

	if (r->taken)
		return -EBUSY;
	if (!rows || count > rows_max())
		return -EINVAL;
	for (uint32_t i = 0; i < count && !err; i++) {
		const struct io_uring_restriction *from = rows;
		struct io_uring_restriction row;

		err = fault_copy(&row, &from[i], sizeof(row));
		if (!err)
			err = take_row(&taken, &row);
	}
	if (!err)
		*r = taken;
	return err;
}

bool restrictions_allow_register(const struct restrictions *r, uint32_t opcode)
{
	return !r->hold || bit_is_set(r->register_ops, (uint8_t)opcode);
}

bool restrictions_allow_sqe(const struct restrictions *r, uint8_t opcode,
			    uint8_t flags)
{
	uint8_t known = r->flags_allowed | r->flags_required;

	return !r->hold || (bit_is_set(r->sqe_ops, opcode) &&
			    (flags & r->flags_required) == r->flags_required &&
			    !(flags & ~known));
}
