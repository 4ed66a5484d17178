/* SPDX-License-Identifier: MIT */
/*
 * The end of a request: its last completion, and what it releases.
 *
 * Theory: a request ends once (D14), in req_finish(). A request that never
 * waited and holds nothing is posted and freed in a few instructions. Any other
 * one is detached from everything that might call it, commits the buffer that
 * it keeps, posts its completion, hands over to its chain, and is cleaned, in
 * this order.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_REQ_END_H
#define POLYRING_CORE_REQ_END_H

#include "core/req.h"

/*
 * Post the last completion with req->res and req->cflags, handle links and
 * drains, free the request. In any state but DONE; disarms the request if it is
 * armed.
 */
void req_finish(struct req *req);

/* The same with the result @res. */
void req_finish_with(struct req *req, int32_t res);

/*
 * Post one of several completions, with F_MORE (S12). Returns false if the
 * completion went to the backlog: then the operation should stop, and report
 * the rest with its last completion.
 */
bool req_post_more(struct req *req, int32_t res, uint32_t cflags);

/*
 * Make sure that nothing calls this request again: disarm it, and remove it
 * from the index and from every list but its operation's own. Its completion is
 * still to come.
 */
void req_detach(struct req *req);

#endif
