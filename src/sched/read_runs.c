// SPDX-License-Identifier: MIT
#include "sched/read_runs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fault.h"
#include "base/probe.h"
#include "base/sys.h"
#include "core/cq.h"
#include "core/req.h"
#include "core/req_end.h"
#include "sched/aio_reads.h"
#include "tables/files.h"

/* For longer reads the system call is not the main cost. */
#define MEMBER_BYTES_MAX 65536u
#define POSITION_MAX ((uint64_t)INT64_MAX - MEMBER_BYTES_MAX)
/* How many entries ahead a read looks for its successor. */
#define LOOK_AHEAD 4u
#define RUN_FLAGS (IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE)
/* The device without end and positions. */
#define DEV_ZERO makedev(1, 5)
/* Scattered reads that a ring has to show before it gets a context for them. */
#define REST_FIRST 64u
/* Those to let pass when the file does not suit, or its pages are not there. */
#define REST_AFTER 1024u

_Static_assert(RUN_MAX <= AIO_NOW_MAX && RUN_MAX <= 64,
	       "a run fits into one call and one word");

void read_run_open(struct run *run)
{
	const char *batch = getenv("POLYRING_BATCH");

	run->refused_fd = -1;
	run->rest = REST_FIRST;
	run->rest_after = REST_AFTER;
	if (batch && !strcmp(batch, "always")) {
		run->rest = 0;
		run->rest_after = 0;
	}
	if (batch && !strcmp(batch, "never"))
		run->rest = RUN_NEVER;
}

void read_run_close(struct run *run)
{
	aio_now_close(run->now);
	run->now = NULL;
}

void read_run_abandon(struct run *run)
{
	run->count = 0;
	aio_now_abandon(run->now);
	run->now = NULL;
}

static bool selects(const struct run *run)
{
	return run->entry.flags & IOSQE_BUFFER_SELECT;
}

/* ---- a member's buffer --------------------------------------------------- */

static ALWAYS_INLINE bool choose_buffer(struct ctx *ctx, struct run_member *m)
{
	struct run *run = &ctx->run;

	if (!kbuf_claim_in_row(ctx->kbuf, run->entry.buf_group, m->len,
			       &run->row, &m->claim)) {
		PROBE3(claim, PROBE_ARG(1, m->user_data),
		       PROBE_ARG(2, run->entry.buf_group),
		       PROBE_ARG(3, m->claim.len));
		return true;
	}
	m->claim.kind = KBUF_NONE;
	return false;
}

/*
 * Add its vector. False if it has no buffer or reaches past the end of the
 * file.
 */
static ALWAYS_INLINE bool give_memory(struct ctx *ctx, struct run_member *m)
{
	struct run *run = &ctx->run;
	uint64_t addr = m->addr;
	uint32_t len = m->len;

	if (selects(run)) {
		if (!choose_buffer(ctx, m))
			return false;
		addr = m->claim.addr;
		len = m->claim.len;
	}
	if (unlikely(!addr || !len || len > MEMBER_BYTES_MAX ||
		     m->position + len > run->end)) {
		kbuf_recycle(ctx->kbuf, &m->claim);
		return false;
	}
	run->iov[run->vectors++] = (struct iovec){
		.iov_base = (void *)(uintptr_t)addr,
		.iov_len = len,
	};
	run->next = m->position + len;
	return true;
}

/* ---- joining ------------------------------------------------------------- */

static bool asks_for_more(const struct io_uring_sqe *sqe)
{
	return sqe->op_flags || sqe->attr_type_mask;
}

/* A read without special features. */
static bool is_plain_read(const struct ctx *ctx, const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READ && !(sqe->flags & ~RUN_FLAGS) &&
	       !sqe->ioprio && !sqe->personality && !asks_for_more(sqe) &&
	       (sqe->flags & IOSQE_FIXED_FILE || sqe->fd != ctx->ring_fd);
}

static inline uint64_t word_at(const void *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/*
 * Are the fields the same as the first read's: from opcode to fd, and from
 * group on?
 */
static ALWAYS_INLINE bool is_as_plain(const struct io_uring_sqe *first,
				      const struct io_uring_sqe *sqe)
{
	return word_at(first) == word_at(sqe) &&
	       word_at(&first->buf_group) == word_at(&sqe->buf_group) &&
	       !asks_for_more(sqe);
}

static ALWAYS_INLINE bool can_be_member(const struct io_uring_sqe *sqe)
{
	return sqe->off <= POSITION_MAX && sqe->len <= MEMBER_BYTES_MAX &&
	       (sqe->flags & IOSQE_BUFFER_SELECT ||
		fault_range_ok(sqe->addr, sqe->len));
}

static bool is_immediate(const struct ctx *ctx, uint8_t opcode)
{
	return opcode < ctx->opcodes_plain && opdefs[opcode].immediate;
}

/* May a read join that does not begin where the last one ends? */
static inline bool may_scatter(const struct run *run)
{
	return !run->rest;
}

/* Does a read at @position seem to belong to a run with the one at @last? */
static bool seems_near(struct run *run, uint64_t last, uint64_t position)
{
	if (position - last <= MEMBER_BYTES_MAX || may_scatter(run))
		return true;
	if (run->rest != RUN_NEVER)
		run->rest--;
	return false;
}

/*
 * Might the next read continue this one? Immediate requests may be between
 * them. The entries are shared memory, so the answer is only a hint.
 */
static bool seems_continued(struct ctx *ctx, const struct io_uring_sqe *sqe,
			    uint32_t more)
{
	const struct queue *q = &ctx->queue;

	for (uint32_t i = 0; i < more && i < LOOK_AHEAD; i++) {
		uint32_t slot = queue_slot(q, i);
		const struct io_uring_sqe *next = queue_entry(q, slot);
		uint8_t opcode;

		if (slot >= q->memory.sq_entries)
			return false;
		opcode = load_relaxed(&next->opcode);
		if (opcode == IORING_OP_READ)
			return load_relaxed(&next->fd) == sqe->fd &&
			       seems_near(&ctx->run, sqe->off,
					  load_relaxed(&next->off));
		if (!is_immediate(ctx, opcode))
			return false;
	}
	return false;
}

static bool read_run_begin(struct ctx *ctx, const struct io_uring_sqe *sqe,
			   uint32_t more)
{
	struct run *run = &ctx->run;

	if (!seems_continued(ctx, sqe, more) || !is_plain_read(ctx, sqe) ||
	    !can_be_member(sqe) || ctx->chain_head ||
	    !list_empty(&ctx->deferred) || ctx->restrictions.hold ||
	    !ctx->opcodes_plain)
		return false;
	run->entry = *sqe;
	run->vectors = 0;
	run->open = false;
	run->anywhere = false;
	run->scattered = false;
	run->end = INT64_MAX;
	run->row = (struct kbuf_row){0};
	return true;
}

/*
 * O_DIRECT is left to kernel AIO, which has all reads under way at the same
 * time.
 */
static bool read_run_may_be_direct(const struct run *run)
{
	const uint64_t sector_mask = 511;

	return may_scatter(run) ||
	       !((run->members[0].position | run->iov[0].iov_len) &
		 sector_mask);
}

/* Query the file once: is it of a kind that rule 1 allows? */
static bool is_fit(struct ctx *ctx)
{
	struct run *run = &ctx->run;
	struct stat st;

	if (SYS_2(SYS_fstat, run->fd, &st) < 0)
		return false;
	run->anywhere = S_ISCHR(st.st_mode) && st.st_rdev == DEV_ZERO;
	if (!S_ISREG(st.st_mode) && !run->anywhere)
		return false;
	if (read_run_may_be_direct(run) && aio_reads_is_direct(ctx, run->fd))
		return false;
	if (!run->anywhere)
		run->end = (uint64_t)st.st_size;
	return run->next <= run->end;
}

/* A registered file is held from here on. */
static void open_run(struct ctx *ctx)
{
	struct run *run = &ctx->run;

	run->fd = run->entry.fd;
	if (run->entry.flags & IOSQE_FIXED_FILE) {
		run->file = file_get(&ctx->files, (uint32_t)run->entry.fd);
		run->fd = run->file ? run->file->fd : -1;
	}
	if (run->fd == run->refused_fd)
		return;
	run->open = is_fit(ctx);
	if (!run->open)
		run->refused_fd = run->fd;
}

/*
 * Does it follow the candidate? Reads at the same position again and again
 * suggest a device without positions, so the file is queried then too.
 */
static NOINLINE bool opens(struct ctx *ctx, const struct io_uring_sqe *sqe)
{
	struct run *run = &ctx->run;

	if (sqe->off == run->next || sqe->off == run->entry.off ||
	    may_scatter(run))
		open_run(ctx);
	return run->open;
}

static ALWAYS_INLINE bool continues(struct ctx *ctx,
				    const struct io_uring_sqe *sqe)
{
	struct run *run = &ctx->run;

	return run->count < RUN_MAX && is_as_plain(&run->entry, sqe) &&
	       can_be_member(sqe) && (run->open || opens(ctx, sqe)) &&
	       (sqe->off == run->next || run->anywhere || may_scatter(run));
}

static ALWAYS_INLINE bool join(struct ctx *ctx, const struct io_uring_sqe *sqe)
{
	struct run *run = &ctx->run;
	struct run_member *m = &run->members[run->count];

	bool follows = sqe->off == run->next || run->anywhere || !run->vectors;

	m->user_data = sqe->user_data;
	m->position = sqe->off;
	m->addr = sqe->addr;
	m->len = sqe->len;
	m->reads = true;
	m->claim.kind = KBUF_NONE;
	if (!give_memory(ctx, m))
		return false;
	run->scattered |= !follows;
	run->count++;
	return true;
}

/* Rule 4. */
static bool may_pass(struct ctx *ctx, const struct io_uring_sqe *sqe)
{
	return is_immediate(ctx, sqe->opcode) && !sqe->flags &&
	       ctx->run.count < RUN_MAX;
}

/* The entry ends the run, or may pass, or begins a new one. */
static NOINLINE bool may_begin(struct ctx *ctx, const struct io_uring_sqe *sqe,
			       uint32_t more)
{
	if (ctx->run.count && may_pass(ctx, sqe))
		return false;
	read_run_end(ctx);
	return read_run_begin(ctx, sqe, more);
}

bool read_run_takes_read(struct ctx *ctx, const struct io_uring_sqe *sqe,
			 uint32_t more)
{
	bool fits = ctx->run.count && continues(ctx, sqe);

	return (likely(fits) || may_begin(ctx, sqe, more)) && join(ctx, sqe);
}

void read_run_pass(struct req *req)
{
	struct ctx *ctx = req->ctx;
	struct run *run = &ctx->run;
	bool is_short = !req->cflags && ctx->queue.memory.cqe_shift == 4;

	if (run->count && is_short && !req->flags) {
		run->members[run->count++] = (struct run_member){
			.user_data = req->user_data,
			.res = req->res,
		};
		return;
	}
	req_take(req);
	read_run_end(ctx);
	req_finish(req);
}

/* ---- serving ------------------------------------------------------------- */

/* One vector call. Returns the vectors that it filled, as bits. */
static uint64_t read_run_adjacent(const struct run *run)
{
	uint64_t position = run->members[0].position, filled = 0;
	long n = SYS_6(SYS_preadv2, run->fd, run->iov, run->vectors, position,
		       position >> 32, RWF_NOWAIT);
	size_t bytes = n > 0 ? (size_t)n : 0;

	for (uint32_t v = 0; v < run->vectors; v++) {
		if (bytes < run->iov[v].iov_len)
			break;
		bytes -= run->iov[v].iov_len;
		filled |= 1ull << v;
	}
	return filled;
}

static bool have_context(struct run *run)
{
	if (likely(run->now))
		return true;
	run->now = aio_now_open();
	if (!run->now)
		run->rest = RUN_NEVER;
	return run->now;
}

/* The same with a position for each, by kernel AIO. */
static uint64_t read_run_scattered(struct run *run, uint32_t count)
{
	uint64_t filled = 0;
	uint32_t v = 0;

	if (!have_context(run))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!run->members[i].reads)
			continue;
		aio_now_set(run->now, v, run->fd, run->iov[v].iov_base,
			    run->iov[v].iov_len, run->members[i].position);
		v++;
	}
	aio_now_run(run->now, v);
	while (v--)
		if (run->now->results[v] == (int64_t)run->iov[v].iov_len)
			filled |= 1ull << v;
	if (!filled)
		run->rest = run->rest_after;
	return filled;
}

static void read_run_post(struct ctx *ctx, const struct run_member *m,
			  int32_t res, uint32_t cflags)
{
	lock_assume(&ctx->lock);
	cq_post(ctx, m->user_data, res, cflags, NULL);
}

static void submit_alone(struct ctx *ctx, const struct run_member *m)
{
	struct io_uring_sqe sqe = ctx->run.entry;

	sqe.user_data = m->user_data;
	sqe.off = m->position;
	sqe.addr = m->addr;
	sqe.len = m->len;
	if (!ctx->run.submit_alone(ctx, &sqe))
		read_run_post(ctx, m, -ENOMEM, 0);
}

static ALWAYS_INLINE void post_filled(struct ctx *ctx, struct run_member *m,
				      uint32_t bytes)
{
	uint32_t cflags = kbuf_commit(ctx->kbuf, &m->claim, bytes);

	PROBE2(commit, PROBE_ARG(1, m->user_data),
	       PROBE_ARG(2, ctx->run.entry.buf_group));
	read_run_post(ctx, m, (int32_t)bytes, cflags);
}

/*
 * Rule 2: a read with a buffer of its own choice ends what the run serves.
 * Buffers go back before the first of the rest is submitted.
 */
static NOINLINE void return_buffers(struct ctx *ctx, uint32_t from,
				    uint32_t count)
{
	for (uint32_t i = count; i-- > from;)
		if (ctx->run.members[i].reads)
			kbuf_recycle(ctx->kbuf, &ctx->run.members[i].claim);
}

/* Rule 2. @filled says, as bits, which vectors have all their bytes. */
static void deal(struct ctx *ctx, uint32_t count, uint64_t filled)
{
	struct run *run = &ctx->run;
	uint32_t v = 0, served = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct run_member *m = &run->members[i];

		if (!m->reads) {
			read_run_post(ctx, m, m->res, 0);
		} else if (likely(filled >> v & 1)) {
			post_filled(ctx, m, (uint32_t)run->iov[v++].iov_len);
			served++;
		} else {
			if (selects(run) && m->claim.kind != KBUF_NONE) {
				return_buffers(ctx, i, count);
				filled = 0;
			}
			submit_alone(ctx, m);
			v++;
		}
	}
	if (selects(run))
		counter_add(&ctx->counters, COUNTER_BUFFERS_CLAIMED, served);
	counter_add(&ctx->counters, COUNTER_JOINED, served);
}

void read_run_serve(struct ctx *ctx)
{
	struct run *run = &ctx->run;
	uint32_t count = run->count;
	uint64_t filled = 0;

	run->count = 0;
	if (run->open && run->vectors > 1)
		filled = run->scattered ? read_run_scattered(run, count)
					: read_run_adjacent(run);
	if (run->file)
		file_put(run->file);
	run->file = NULL;
	deal(ctx, count, filled);
}

void read_run_submit_end(struct ctx *ctx)
{
	read_run_end(ctx);
	ctx->run.refused_fd = -1;
}
