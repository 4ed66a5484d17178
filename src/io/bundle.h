/* SPDX-License-Identifier: MIT */
/*
 * A bundle as a request holds it: up to 256 buffers of a ring, for one system
 * call and one completion (SPEC 7).
 *
 * Theory: kbuf chooses and commits the buffers; here they meet the request.
 * The vectors that the call gets are a second array, because what is left of a
 * partly sent bundle moves on while kbuf counts by what it gave. Both live in
 * req->extra, allocated when the request is prepared.
 * Locks: the ring lock; bundles never run on workers.
 */
#ifndef POLYRING_IO_BUNDLE_H
#define POLYRING_IO_BUNDLE_H

#include <sys/uio.h>

#include "core/req.h"

struct bundle {
	struct kbuf_claim_vec claim;
	bool emptied; /* the last claim took the last of the group */
	bool follows; /* bytes were received before, for the same completion */
	uint32_t most; /* buffers in a claim of this request so far; at least 1
			*/
	struct iovec *vectors; /* what is left to move */
	size_t count;
	struct iovec given[KBUF_MANY_MAX];
	struct iovec left[KBUF_MANY_MAX];
};

/* Make room in req->extra: 0 or -ENOMEM. */
int bundle_prepare(struct req *req);

static inline struct bundle *bundle_of(const struct req *req)
{
	return req->extra;
}

/*
 * Claim buffers for @want_bytes (0: unknown, then one buffer has to tell, or
 * as many as a claim of this request had before, as on a live 6.18). 0,
 * -ENOENT, -ENOBUFS, or -EFAULT for one whose address can't be (S10).
 */
int bundle_claim(struct req *req, uint32_t want_bytes, bool at_once);

/* @bytes moved: the completion's flags. */
uint32_t bundle_commit(struct req *req, uint32_t bytes);

/*
 * Nothing moved. A list's buffer that follows others is used up all the same
 * (S7), and nobody is told, as on a live 6.18.
 */
void bundle_recycle(struct req *req);

#endif
