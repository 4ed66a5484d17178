/* SPDX-License-Identifier: MIT */
/*
 * Runs: several reads served by one system call (D6, D19).
 *
 * Theory: most of the cost of a small read is entering the kernel. So reads of
 * one submission that are adjacent in the queue, and read the same file, are
 * gathered and made by one call. If they are adjacent in the file as well it is
 * one vector call, whose bytes are dealt out in order; if they are scattered it
 * is one io_submit(2) (drive/aio_now.h). The run gathers entries, not requests:
 * an entry that equals the first one in all fields but position, address,
 * length and user_data needs no check that the first one has not passed, and
 * the run keeps only those fields of it. A run is in one of these states:
 *
 *   empty      no entry is held back
 *   candidate  one read is held back, which the next one seems to continue
 *   open       its file is known to be fit: the run grows
 *
 * An entry that does not fit ends the run and is then handled on its own, so
 * that everything happens in the order of submission; the end of a submission
 * ends the last run.
 *
 * Why the results equal those of one call after the other:
 *  1. The file is a regular one, and all reads end within it: then a vector
 *     read of adjacent ones is the same by definition, and io_submit(2) makes
 *     scattered ones in their order. Or it is /dev/zero, which ignores
 *     positions. Pipes, sockets and other devices have messages, or records, or
 *     waiting peers. fstat(2) gives the kind of file, once a run; the kind is
 *     not cached by fd, because fds are reused. The call has RWF_NOWAIT, as
 * each single read would, so that it does not wait, whatever file the fd is by
 * then.
 *  2. The run serves only reads that got all bytes that they asked for. The
 *     first one that did not (the file was cut, its address is bad, the page is
 *     not cached) is submitted alone, as without runs. So are all after it, but
 *     for scattered ones that select no buffer and have their bytes.
 *  3. Buffers are claimed in order, when a read joins, and each read has its
 *     own. Buffers that the call did not fill are recycled, the newest first,
 *     before the rest is submitted (S5, S7).
 *  4. Entries that are part of a chain, wait for a drain or use any special
 *     feature never join. Requests that never wait (NOP, PROVIDE_BUFFERS) may
 *     pass: they are issued immediately, and their results wait for their turn.
 *
 * Scattered reads need an AIO context. It is made when a ring has shown 64 of
 * them. When it serves none of a run it is not used for some time: files in
 * memory refuse RWF_NOWAIT, and pages may not be cached.
 *
 * Cost: a read that no other continues spends some 20 instructions to look
 * ahead, a submission of a single read none. Two adjacent ones cost about as
 * much as alone, including the fstat; of 64 each costs 60 instructions without
 * a buffer and 120 with one, besides the entry and the completion. Bound:
 * RUN_MAX members. Locks: the ring lock, which is held throughout.
 */
#ifndef POLYRING_SCHED_READ_RUNS_H
#define POLYRING_SCHED_READ_RUNS_H

#include "core/ctx.h"
#include "core/req.h"

/* Nothing is held back; POLYRING_BATCH says how scattered reads are served. */
void read_run_open(struct run *run);

void read_run_close(struct run *run);

/* In a forked child: what is held back, and the context, are the parent's. */
void read_run_abandon(struct run *run);

/* The less common part of read_run_takes(): there is a run, or may be one. */
bool read_run_takes_read(struct ctx *ctx, const struct io_uring_sqe *sqe,
			 uint32_t more);

/*
 * Offer the next entry to the run. True: the run has taken it. False: it has
 * not, and the run must end, unless the entry may pass. @more entries follow in
 * this submission.
 */
static inline bool read_run_takes(struct ctx *ctx,
				  const struct io_uring_sqe *sqe, uint32_t more)
{
	return (ctx->run.count || sqe->opcode == IORING_OP_READ) &&
	       read_run_takes_read(ctx, sqe, more);
}

/*
 * A request that never waits, and is not taken yet, has its result: complete it
 * in its turn.
 */
void read_run_pass(struct req *req);

/* Serve the entries that are held back; then the run is empty. */
void read_run_serve(struct ctx *ctx);

static inline void read_run_end(struct ctx *ctx)
{
	if (unlikely(ctx->run.count))
		read_run_serve(ctx);
}

/* The same at the end of a submission, when files may begin to change. */
void read_run_submit_end(struct ctx *ctx);

#endif
