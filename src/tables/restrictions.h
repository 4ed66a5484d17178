/* SPDX-License-Identifier: MIT */
/*
 * Restrictions: what a ring allows once it is enabled.
 *
 * Theory: rows are taken while the ring is disabled, once, and count from the
 * moment that it is enabled. Then only what a row names is allowed; with no
 * row of a kind, nothing of that kind. Flags that are required must be there,
 * and beside them only those that are allowed.
 * Locks: the ring lock. Cost: one load a request on a ring without any.
 */
#ifndef POLYRING_TABLES_RESTRICTIONS_H
#define POLYRING_TABLES_RESTRICTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct restrictions {
	uint64_t register_ops[4]; /* a bit each */
	uint64_t sqe_ops[4];
	uint8_t flags_allowed; /* IOSQE_ */
	uint8_t flags_required;
	bool taken; /* rows were registered */
	bool hold; /* the ring is enabled: they count */
};

/*
 * Take @count rows of the application's: 0, -EINVAL, -EFAULT, -EBUSY when there
 * are some already. The caller knows that the ring is disabled.
 */
int restrictions_take(struct restrictions *r, const void *rows, uint32_t count);

bool restrictions_allow_register(const struct restrictions *r, uint32_t opcode);
bool restrictions_allow_sqe(const struct restrictions *r, uint8_t opcode,
			    uint8_t flags);

#endif
