/* SPDX-License-Identifier: MIT */
/*
 * Several datagrams with one call, each into a buffer of its own (D6).
 *
 * Theory: a request that has received some datagrams without waiting will
 * probably find more, and recvmmsg(2) saves a third of a recvmsg(2). kbuf
 * claims as many buffers as there may be datagrams; unused buffers stay in
 * their ring. The call asks for no more datagrams than the completion queue has
 * room for, because received datagrams can't be put back.
 * Locks: the ring lock. Stack: some 3 KB.
 */
#ifndef POLYRING_IO_RECV_BATCH_H
#define POLYRING_IO_RECV_BATCH_H

#include <sys/socket.h>

#include "core/req.h"

#define PACKETS_MAX 33u /* the share of one turn (S12) */

struct packets {
	struct kbuf_claim_vec claim;
	struct iovec buffers[PACKETS_MAX];
	struct iovec payloads[PACKETS_MAX]; /* of the buffers */
	struct mmsghdr headers[PACKETS_MAX];
	uint16_t bids[PACKETS_MAX];
};

/*
 * Claim up to @max buffers of at least @least_bytes for @req. Returns how many;
 * 0 if its group has no buffer or is of the wrong kind.
 */
uint32_t recv_batch_claim(const struct req *req, uint32_t want_bytes,
			  uint32_t least_bytes, uint32_t max,
			  struct packets *p);

/* Returns how many of the first @count were filled, or a negative errno. */
long recv_batch_receive(const struct req *req, struct packets *p,
			uint32_t count);

/* The completion flags of one of them. */
uint32_t recv_batch_flags(const struct packets *p, uint32_t n);

/* Commit the first @count, recycle the rest. */
void recv_batch_commit(const struct req *req, struct packets *p,
		       uint32_t count);

#endif
