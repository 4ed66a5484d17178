/* SPDX-License-Identifier: MIT */
/*
 * What a link chain does when one of its members waits or completes.
 *
 * Theory: a chain is a list through req->link, of which only the head is
 * issued. When a member completes, the next one goes to ctx->ready, and
 * sched/order.h runs it. A result below zero, or one that the operation marks
 * (REQ_F_FAIL_LINK: a short transfer), cancels the rest (P12), unless the link
 * is a hard one.
 *
 * LINK_TIMEOUT is a member that is never issued: its timer starts when its
 * predecessor has to wait; the first of the two to finish ends the other.
 *
 * Locks: the ring lock.
 */
#ifndef POLYRING_CORE_CHAIN_H
#define POLYRING_CORE_CHAIN_H

#include "core/req.h"

/* @req waits or is in a chain: a drain counts it from now on. */
void chain_count(struct req *req);

/* @req has to wait: start the LINK_TIMEOUT behind it. */
void chain_waits(struct req *req);

/* The LINK_TIMEOUT linked behind @req, or NULL. */
struct req *chain_timeout_of(const struct req *req);

/* @req has completed: continue with its successors and end its timeout. */
void chain_after(struct req *req);

#endif
