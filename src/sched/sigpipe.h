/* SPDX-License-Identifier: MIT */
/*
 * Whose SIGPIPE it is.
 *
 * Theory: a write that finds nobody to read raises SIGPIPE in the thread that
 * makes the call. The kernel's io_uring makes it in the thread that submitted
 * the request, or in a worker of its own, which takes no signals. So:
 *
 *   - a request that the kernel gives to a worker raises none (REQ_F_QUIET):
 *     one with IOSQE_ASYNC, a SPLICE or TEE, one that waited for a drain, any
 *     of an SQPOLL ring, and what follows a request of a worker's in a chain,
 *     unless the ring has DEFER_TASKRUN, which goes on in the submitter;
 *   - every other raises it in the submitter, whoever makes the call here. One
 *     that is tried again after its submission (REQ_F_LATER) may be tried by
 *     another thread, which then sends the signal on.
 *
 * SEND and its kin don't come here: they have MSG_NOSIGNAL.
 *
 * The thread that makes the call blocks SIGPIPE for it, and takes the one that
 * it raised. One that was pending before belongs to the program and stays. (Of
 * a signal that was pending to the process, not to the thread, a second one
 * stays: which of the two it was can't be asked.)
 * Cost: two system calls a try of such a request, none in the engine's own
 * threads; none for others.
 *
 * Locks: none; under the ring lock.
 */
#ifndef POLYRING_SCHED_SIGPIPE_H
#define POLYRING_SCHED_SIGPIPE_H

#include "core/req.h"

/*
 * Does the try of this request by this thread need the two below? Asked only
 * of requests with REQ_F_QUIET or REQ_F_LATER.
 */
bool sigpipe_is_foreign(const struct req *req);

/* Before the try: what sigpipe_end() wants to have back. */
struct sigpipe {
	uint64_t mask; /* of before */
	bool pending; /* one was, before */
};

struct sigpipe sigpipe_begin(void);

/* After it: @said is what it said. */
void sigpipe_end(const struct sigpipe *before, const struct req *req, int said);

#endif
