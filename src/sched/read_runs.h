/* SPDX-License-Identifier: MIT */
/*
 * Runs: reads that one system call serves (D6).
 *
 * Theory: a small read costs little beside the way into the kernel. So the
 * reads of one submission that stand next to each other, in the queue and in
 * their file, are gathered and made by one vector call, whose bytes are dealt
 * out in order. What is gathered are entries, not requests: an entry that says
 * word for word what the first one says, but for its place in the file, its
 * memory and its name, needs no check that the first one did not pass, and of
 * what it says no more than those words is kept. A run is in one of these
 * states:
 *
 *   empty      no entry is held back
 *   candidate  one read is, which the next one seems to continue
 *   open       its file is known to be fit: it grows
 *
 * An entry that does not fit ends the run and is looked at anew, so that all
 * happens in the order of submission; the submission ends the last one.
 *
 * What makes it the same as one call after the other:
 *  1. The file is a regular one, each read begins where the one before ends,
 *     and all end within the file: then a vector read is by its definition the
 *     same. Or it is /dev/zero, where positions mean nothing. Pipes, sockets
 *     and other devices have messages, or records, or somebody who waits.
 *     What kind of file it is, fstat(2) says once a run; a number's answer is
 *     not kept, for numbers are reused. The call has RWF_NOWAIT, as each read
 *     alone would, so that whatever the number is by then, nobody waits.
 *  2. Only a read that got all it asked for is served by the run. The first one
 *     that did not (the file was cut, its address is bad, the page is not
 *     there) and all after it are submitted one by one, as if there were no
 *     runs.
 *  3. Buffers are chosen in order, when a read joins, and each has its own.
 *     What the call did not fill goes back, the newest first, before the rest
 *     is submitted (S5, S7).
 *  4. Entries that are part of a chain, wait for a drain or ask for anything
 *     special never join. Requests that wait for nothing (NOP, PROVIDE_BUFFERS)
 *     pass: they are issued at once, and their answers wait for their turn.
 *
 * Cost: a read that no other continues pays some 20 instructions for the look
 * ahead, a submission of one nothing. Two that are continuous cost about as
 * much as alone, with the fstat; of 64 each 60 instructions without a buffer
 * and 120 with one, beside the entry and the completion.
 * Bound: RUN_MAX members. Locks: the ring lock, which is held throughout.
 */
#ifndef POLYRING_SCHED_READ_RUNS_H
#define POLYRING_SCHED_READ_RUNS_H

#include "core/ctx.h"
#include "core/req.h"

/* Its less usual half: there is a run, or may be one. */
bool read_run_takes_read(struct ctx *ctx, const struct io_uring_sqe *sqe,
			 uint32_t more);

/*
 * Offer the run the next entry; it has it from now on, or returns false. Then
 * it is to end, unless the entry may pass. @more entries follow in this
 * submission.
 */
static inline bool read_run_takes(struct ctx *ctx,
				  const struct io_uring_sqe *sqe, uint32_t more)
{
	return (ctx->run.count || sqe->opcode == IORING_OP_READ) &&
	       read_run_takes_read(ctx, sqe, more);
}

/*
 * A request that waits for nothing, and is not taken yet, has its result:
 * complete it in its turn.
 */
void read_run_pass(struct req *req);

/* Serve what is held back; the run is empty. */
void read_run_serve(struct ctx *ctx);

static inline void read_run_end(struct ctx *ctx)
{
	if (unlikely(ctx->run.count))
		read_run_serve(ctx);
}

/* The same at the end of a submission, when files may begin to change. */
void read_run_submit_end(struct ctx *ctx);

#endif
