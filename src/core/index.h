/* SPDX-License-Identifier: MIT */
/*
 * The index of pending requests: those that wait in the reactor, for a timer,
 * or on a worker. Cancellation and updates find them here by user_data in O(1),
 * and by other properties by walking ctx->pending, the oldest first.
 *
 * Theory: a hash table of chains in the order of arrival, so that of several
 * requests with the same user_data the oldest is found first. The table doubles
 * as it fills; if there is no memory for that, the chains get longer.
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_INDEX_H
#define POLYRING_CORE_INDEX_H

#include "core/ctx.h"
#include "core/req.h"

int index_open(struct ctx *ctx);
void index_close(struct ctx *ctx);

/* Idempotent: does nothing for a request that is in the index already. */
void index_add(struct req *req);
void index_remove(struct req *req);

/*
 * Call @match for pending requests with @user_data; returns the first for which
 * it returns true, or NULL.
 */
struct req *index_find(struct ctx *ctx, uint64_t user_data,
		       bool (*match)(struct req *req, const void *argument),
		       const void *argument);

#endif
