/* SPDX-License-Identifier: MIT */
/*
 * Which thread gets SIGPIPE.
 *
 * Theory: a write without a reader raises SIGPIPE in the thread that makes the
 * call. The kernel's io_uring makes it in the thread that submitted the
 * request, or in a worker of its own, which takes no signals. So:
 *
 *   - a request that the kernel gives to a worker raises none (REQ_F_QUIET):
 *     one with IOSQE_ASYNC, a SPLICE or TEE, one that waited for a drain, any
 *     of an SQPOLL ring, and one that follows a worker's request in a chain,
 *     unless the ring has DEFER_TASKRUN, which continues in the submitter;
 *   - every other request raises it in the submitter, whichever thread makes
 * the call here. A request that is retried after its submission (REQ_F_LATER)
 *     may be tried by another thread, which then sends the signal on.
 *
 * SEND and its variants don't use this: they have MSG_NOSIGNAL.
 *
 * The thread that makes the call blocks SIGPIPE meanwhile, and takes the one
 * that it has raised. A SIGPIPE that was pending before belongs to the program
 * and stays pending. (If one was pending for the process and not for the
 * thread, a second one stays, because the two can't be told apart.)
 * Cost: two system calls a try of such a request, none in the engine's own
 * threads; none for other requests.
 *
 * Locks: none; under the ring lock.
 */
#ifndef POLYRING_SCHED_SIGPIPE_H
#define POLYRING_SCHED_SIGPIPE_H

#include "core/req.h"

/*
 * Does a try of this request by this thread need the two functions below?
 * Called only for requests with REQ_F_QUIET or REQ_F_LATER.
 */
bool sigpipe_is_foreign(const struct req *req);

/* Before the try: the state that sigpipe_end() restores. */
struct sigpipe {
	uint64_t mask; /* the former signal mask */
	bool pending; /* one was pending before */
};

struct sigpipe sigpipe_begin(void);

/* After the try: @outcome is its result. */
void sigpipe_end(const struct sigpipe *before, const struct req *req,
		 int outcome);

#endif
