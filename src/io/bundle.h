/* SPDX-License-Identifier: MIT */
/*
 * A bundle of a request: up to 256 buffers of a ring, for one system call and
 * one completion (SPEC 7).
 *
 * Theory: kbuf selects and commits the buffers; this is the request's side. The
 * system call gets a second array of vectors, because a partly sent bundle
 * advances its vectors while kbuf counts by the ones it gave. Both arrays are
 * in req->extra, allocated when the request is prepared.
 * Locks: the ring lock; bundles never run on workers.
 */
#ifndef POLYRING_IO_BUNDLE_H
#define POLYRING_IO_BUNDLE_H

#include <sys/uio.h>

#include "core/req.h"

struct bundle {
	struct kbuf_claim_vec claim;
	bool emptied; /* the last claim took the group's last buffer */
	bool follows; /* has received bytes already, for the same completion */
	/* most buffers in a claim of this request so far; at least 1 */
	uint32_t most;
	struct iovec *vectors; /* the vectors that remain */
	size_t count;
	struct iovec given[KBUF_MANY_MAX];
	struct iovec left[KBUF_MANY_MAX];
};

/* Allocate req->extra: 0 or -ENOMEM. */
int bundle_prepare(struct req *req);

static inline struct bundle *bundle_of(const struct req *req)
{
	return req->extra;
}

/*
 * Claim buffers for @want_bytes. 0 means unknown: then it claims one buffer, or
 * as many as an earlier claim of this request had, as a live 6.18 does. 0,
 * -ENOENT, -ENOBUFS, or -EFAULT if a buffer has an invalid address (S10).
 */
int bundle_claim(struct req *req, uint32_t want_bytes, bool at_once);

/* @bytes moved: returns the completion's flags. */
uint32_t bundle_commit(struct req *req, uint32_t bytes);

/*
 * Nothing moved. A classic buffer that follows others in the bundle is used up
 * nevertheless (S7) and no completion reports it, as on a live 6.18.
 */
void bundle_recycle(struct req *req);

#endif
