/* SPDX-License-Identifier: MIT */
/*
 * Restrictions: what a ring allows once it is enabled.
 *
 * Theory: rows are registered once, while the ring is disabled, and take effect
 * when it is enabled. Then only what a row names is allowed; if there is no row
 * of a kind, nothing of that kind is. An SQE must have all required flags, and
 * may also have those that are allowed.
 * Locks: the ring lock. Cost: one load a request on a ring without
 * restrictions.
 */
#ifndef POLYRING_TABLES_RESTRICTIONS_H
#define POLYRING_TABLES_RESTRICTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct restrictions {
	uint64_t register_ops[4]; /* one bit for each */
	uint64_t sqe_ops[4];
	uint8_t flags_allowed; /* IOSQE_ */
	uint8_t flags_required;
	bool taken; /* rows were registered */
	bool hold; /* the ring is enabled: they apply */
};

/*
 * Take @count rows of the application's: 0, -EINVAL, -EFAULT, -EBUSY when there
 * are rows already. The caller has checked that the ring is disabled.
 */
int restrictions_take(struct restrictions *r, const void *rows, uint32_t count);

bool restrictions_allow_register(const struct restrictions *r, uint32_t opcode);
bool restrictions_allow_sqe(const struct restrictions *r, uint8_t opcode,
			    uint8_t flags);

#endif
