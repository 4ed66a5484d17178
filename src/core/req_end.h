/* SPDX-License-Identifier: MIT */
/*
 * The end of a request: its last completion, and what it gives back.
 *
 * Theory: a request ends once (D14), in req_finish(). One that never waited and
 * holds nothing is posted and free in a few instructions. Every other one is
 * detached from whoever might call it, commits the buffer that it keeps, posts,
 * hands over to its chain, and is cleaned, in this order.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_REQ_END_H
#define POLYRING_CORE_REQ_END_H

#include "core/req.h"

/*
 * Post the last completion with req->res and req->cflags, deal with links and
 * drains, free the request. Any state but DONE; disarms whatever is armed.
 */
void req_finish(struct req *req);

/* The same with a result. */
void req_finish_with(struct req *req, int32_t res);

/*
 * Post one of several completions, with F_MORE (S12). Returns false when the
 * completion went to the backlog: the operation should stop and let its last
 * completion say the rest.
 */
bool req_post_more(struct req *req, int32_t res, uint32_t cflags);

/*
 * Nobody will call this request again: disarmed, out of the index and of every
 * list but its operation's own. Its completion is still to come.
 */
void req_detach(struct req *req);

#endif
