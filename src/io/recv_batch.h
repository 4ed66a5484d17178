/* SPDX-License-Identifier: MIT */
/*
 * Several datagrams with one call, a buffer each (D6).
 *
 * Theory: a request that has received some datagrams without waiting is likely
 * to find more, and recvmmsg(2) saves a third of a recvmsg(2). kbuf gives the
 * buffers, as many as may be; those that nothing came into stay in their ring.
 * No more are asked for than the completion queue has room for: what has been
 * received can't be put back.
 * Locks: the ring lock. On the stack: some 3 KB.
 */
#ifndef POLYRING_IO_RECV_BATCH_H
#define POLYRING_IO_RECV_BATCH_H

#include <sys/socket.h>

#include "core/req.h"

#define PACKETS_MAX 33u /* what one may have in a turn (S12) */

struct packets {
	struct kbuf_claim_vec claim;
	struct iovec buffers[PACKETS_MAX];
	struct iovec payloads[PACKETS_MAX]; /* what of them is for the bytes */
	struct mmsghdr headers[PACKETS_MAX];
	uint16_t bids[PACKETS_MAX];
};

/*
 * Claim up to @max buffers of at least @least_bytes for @req. Returns how many;
 * 0 when its group is none that could, or has none.
 */
uint32_t recv_batch_claim(const struct req *req, uint32_t want_bytes,
			  uint32_t least_bytes, uint32_t max,
			  struct packets *p);

/* How many came into the first @count, or a negative errno. */
long recv_batch_receive(const struct req *req, struct packets *p,
			uint32_t count);

/* The completion flags for one of them. */
uint32_t recv_batch_flags(const struct packets *p, uint32_t n);

/* The first @count are used; gives the rest back. */
void recv_batch_commit(const struct req *req, struct packets *p,
		       uint32_t count);

#endif
