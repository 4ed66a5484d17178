// SPDX-License-Identifier: MIT
#include "sched/ctx_life.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "abi/profile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/rights.h"
#include "base/rcu.h"
#include "base/process.h"
#include "base/sys.h"
#include "core/cq.h"
#include "core/ctx_lock.h"
#include "core/index.h"
#include "core/notify.h"
#include "core/registry.h"
#include "core/req.h"
#include "sched/aio_reads.h"
#include "sched/cancel.h"
#include "sched/read_runs.h"
#include "sched/sqpoll.h"
#include "sched/standby.h"
#include "sched/submit.h"
#include "sched/turn.h"
#include "tables/buffers.h"
#include "tables/files.h"

/* One end for the application, one for the engine (D2). */
static int open_socket(struct ctx *ctx)
{
	/* read(2) of a ring fd fails; it must not wait. */
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int ends[2];
	struct stat st;
	long err;

	err = SYS_4(SYS_socketpair, AF_UNIX, type, 0, ends);
	if (err < 0)
		return (int)err;
	err = SYS_2(SYS_fstat, ends[0], &st);
	if (err < 0)
		goto close_ends;
	ctx->ring_fd = ends[0];
	if (ctx->flags & IORING_SETUP_REGISTERED_FD_ONLY)
		ctx->ring_fd = fd_move_high(ends[0]);
	ctx->peer_fd = fd_move_high(ends[1]);
	fd_keep(&ctx->peer_fd);
	ctx->ring_inode = st.st_ino;
	return 0;
close_ends:
	fd_close(ends[0]);
	fd_close(ends[1]);
	return (int)err;
}

static void close_socket(struct ctx *ctx)
{
	fd_close(ctx->peer_fd);
	ctx->peer_fd = -1;
}

/* ---- calls of the tables ---- */

/* Rings can't be registered as files. */
static int adopt_file(int fd)
{
	const struct ctx *ring = registry_find_ctx(fd);

	if (ring && registry_verify(ring, fd))
		return -EBADF;
	return fd_dup_high(fd);
}

/* A tag is posted when the last user has dropped its node. */
static void post_tag(struct ctx *ctx, uint64_t tag)
{
	lock_assume(&ctx->lock);
	if (tag && ctx->state == CTX_OPEN)
		cq_post(ctx, tag, 0, 0, NULL);
}

static void release_file(struct file_table *table, int fd, uint64_t tag)
{
	struct ctx *ctx = container_of(table, struct ctx, files);

	reactor_forget(&ctx->reactor, fd);
	fd_close(fd);
	post_tag(ctx, tag);
}

static void release_buffer(struct buffer_table *table, uint64_t tag)
{
	post_tag(container_of(table, struct ctx, buffers), tag);
}

static const struct file_table_ops file_ops = {
	.adopt = adopt_file,
	.release = release_file,
};

/* ---- opening ---- */

static void init_lists(struct ctx *ctx)
{
	list_init(&ctx->deferred);
	list_init(&ctx->drain_barrier);
	list_init(&ctx->ready);
	list_init(&ctx->again);
	list_init(&ctx->arming);
	list_init(&ctx->polls);
	list_init(&ctx->cold.reads);
	list_init(&ctx->counting);
	list_init(&ctx->arrivals);
	list_init(&ctx->sleepers);
}

/*
 * Sets everything to zero but the counters; the lock and the state stay as they
 * are. A thread with an old cached fd may be waiting for the lock. The state,
 * which others read without the lock, is CTX_FREE.
 */
static void reset(struct ctx *ctx) HOLDS(&ctx->lock)
{
	const size_t kept_bytes = offsetof(struct ctx, flags);
	struct counters kept = ctx->counters;

	memset((char *)ctx + kept_bytes, 0, sizeof(*ctx) - kept_bytes);
	ctx->counters = kept;
	ctx->ring_fd = -1;
	ctx->peer_fd = -1;
	ctx->event_fd = -1;
	ctx->clock = CLOCK_MONOTONIC;
	ctx->napi.op_param = IO_URING_NAPI_TRACKING_INACTIVE;
	read_run_open(&ctx->run);
	ctx->run.submit_alone = submit_again;
	ctx->files.ops = &file_ops;
	ctx->buffers.release = release_buffer;
	init_lists(ctx);
	queue_init(&ctx->queue);
}

/* Opcodes are numbered in the order in which kernels introduced them. */
static uint32_t opcodes_of(unsigned int version)
{
	uint32_t known = 0;

	while (known < opdefs_count && opdefs[known].since <= version)
		known++;
	return known;
}

static void set_modes(struct ctx *ctx, const struct io_uring_params *p)
{
	const uint32_t asks = IORING_SETUP_TASKRUN_FLAG;
	const uint32_t by_itself =
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SQPOLL;

	ctx->flags = p->flags;
	ctx->disabled = p->flags & IORING_SETUP_R_DISABLED;
	ctx->shows_taskrun = p->flags & asks || !(p->flags & by_itself);
	ctx->watched = true;
	ctx->sqpoll_cpu = p->sq_thread_cpu;
	if (p->flags & IORING_SETUP_SINGLE_ISSUER && !ctx->disabled) {
		ctx->issuer = pthread_self();
		ctx->issuer_known = true;
	}
}

/* Opens the parts in the order of the functions that undo them. */
static int open_parts(struct ctx *ctx, struct io_uring_params *p)
{
	int err;

	err = ring_shared_open(&ctx->queue.memory, p);
	if (err < 0)
		return err;
	reactor_open(&ctx->reactor);
	err = kbuf_table_open(&ctx->kbuf, ctx->abi.version);
	if (err < 0)
		goto close_reactor;
	err = index_open(ctx);
	if (err < 0)
		goto close_kbuf;
	err = open_socket(ctx);
	if (err < 0)
		goto close_index;
	queue_begin(&ctx->queue, trace_channel_take(ctx->ring_fd, p->flags));
	return 0;
close_index:
	index_close(ctx);
close_kbuf:
	kbuf_table_close(ctx->kbuf);
close_reactor:
	reactor_close(&ctx->reactor);
	ring_shared_close(&ctx->queue.memory);
	return err;
}

static void close_parts(struct ctx *ctx)
{
	files_unregister(&ctx->files);
	buffers_unregister(&ctx->buffers);
	personality_close(&ctx->personalities);
	fd_close(ctx->event_fd);
	timer_heap_close(&ctx->timers);
	aio_reads_close(ctx);
	read_run_close(&ctx->run);
	mem_free(ctx->sockets);
	notify_close(ctx);
	req_slabs_free(ctx);
	close_socket(ctx);
	index_close(ctx);
	region_close(&ctx->region);
	kbuf_table_close(ctx->kbuf);
	reactor_close(&ctx->reactor);
	queue_close(&ctx->queue);
}

/* Threads that use the ring without its lock (mmap) must leave first. */
static void end(struct ctx *ctx) UNCHECKED_LOCKS
{
	lock_take(&ctx->lock);
	store_release(&ctx->state, CTX_FREE);
	rcu_wait_for_readers();
	/* Pairs with the release in ctx_lock.c. */
	while (load_acquire(&ctx->wakers))
		SYS_0(SYS_sched_yield);
	close_parts(ctx);
	lock_drop(&ctx->lock);
}

/* From here on other threads may see the ring, even if this fails. */
static int publish(struct ctx *ctx)
{
	int err;

	store_release(&ctx->state, CTX_OPEN);
	err = registry_set(ctx);
	if (err < 0)
		return err;
	err = standby_add(ctx, ctx_close);
	if (err < 0)
		goto clear;
	return 0;
clear:
	registry_clear(ctx);
	return err;
}

int ctx_open(struct io_uring_params *p, const struct abi_view *abi)
{
	struct ctx *ctx;
	int err;

	ctx = registry_new();
	if (!ctx)
		return -ENOMEM;
	lock_take(&ctx->lock);
	reset(ctx);
	ctx->abi = *abi;
	ctx->opcodes = opcodes_of(abi->version);
	ctx->locks_freely = rights_have(CAP_IPC_LOCK);
	ctx->opcodes_plain = p->flags & IORING_SETUP_IOPOLL ? 0 : ctx->opcodes;
	ctx->files.chooses = abi_has(abi->answers, ABI_SLOT_ALLOC);
	set_modes(ctx, p);
	ctx->apart = unlikely(process_is_guest()) && !process_shares_files();
	err = open_parts(ctx, p);
	lock_drop(&ctx->lock);
	if (err < 0)
		goto recycle;
	counter_add(&ctx->counters, COUNTER_RINGS, 1);
	err = publish(ctx);
	if (err < 0)
		goto close;
	if (p->flags & IORING_SETUP_SQPOLL)
		err = sqpoll_start(ctx, p->sq_thread_idle);
	if (err < 0) {
		fd_close(ctx->ring_fd);
		standby_collect();
		return err;
	}
	return ctx->ring_fd;
close:
	fd_close(ctx->ring_fd);
	end(ctx);
recycle:
	registry_recycle(ctx);
	return err;
}

/*
 * Calls under way complete normally: as in the kernel, a call holds the ring
 * open and gets its wake-ups. Results of workers are taken in before the rest
 * is cancelled, so that a later arrival finds the reactor watched.
 */
static bool still_used(struct ctx *ctx) HOLDS(&ctx->lock)
{
	if (ctx->sqpoll_runs)
		reactor_wake(&ctx->reactor);
	if (ctx->sqpoll_runs || ctx->inside || ctx->away)
		return true;
	turn_look(ctx, CTX_WANT_NONE);
	ctx_wake_other(ctx);
	return cancel_all(ctx) != 0;
}

bool ctx_close(struct ctx *ctx) UNCHECKED_LOCKS
{
	ctx_take(ctx);
	if (still_used(ctx)) {
		ctx_drop(ctx);
		return false;
	}
	ctx_drop(ctx);
	/* No thread can enter any more, and none was left inside. */
	end(ctx);
	registry_recycle(ctx);
	return true;
}

/*
 * The request's worker doesn't exist here, so memory that a worker may use is
 * not freed.
 */
static void abandon_request(struct req *req)
{
	if (req->claim.kind != KBUF_NONE)
		req_recycle(req, ISSUE_NONBLOCK);
	if (req->flags & REQ_F_HOLDS)
		req->def->cleanup(req);
	if (req->state != REQ_PUNTED)
		mem_free(req->extra);
	fd_close(req->held);
}

/*
 * Release files and claims of pending requests; the slabs are freed with the
 * ring.
 */
static void abandon_requests(struct ctx *ctx)
{
	struct list *node;

	list_for_each (node, &ctx->pending)
		abandon_request(list_entry(node, struct req, pending));
}

/*
 * The parent uses the same epoll: nothing here may change it, so its fd is
 * closed first. A ring whose lock was held at the fork may be in an
 * inconsistent state: then only closing its fds is safe.
 */
void ctx_abandon(struct ctx *ctx)
{
	bool whole = ctx->locked_for_fork || !ctx->lock.word;

	ctx->locked_for_fork = false;
	ctx->lock.word = 0;
	ctx->state = CTX_FREE;
	registry_clear(ctx);
	reactor_abandon(&ctx->reactor);
	aio_abandon(&ctx->disk.aio);
	ctx->queue.trace = NULL; /* the parent's */
	read_run_abandon(&ctx->run);
	if (whole) {
		abandon_requests(ctx);
		close_parts(ctx);
		return;
	}
	fd_close(ctx->event_fd);
	fd_close(ctx->peer_fd);
	region_close(&ctx->region);
	ring_shared_close(&ctx->queue.memory);
}

/* Requests, threads and sleepers are the parent's. */
static void forget_work(struct ctx *ctx)
{
	abandon_requests(ctx);
	req_slabs_free(ctx);
	ctx->free_reqs = NULL;
	index_close(ctx);
	timer_heap_close(&ctx->timers);
	memset(&ctx->timers, 0, sizeof(ctx->timers));
	memset(&ctx->disk, 0, sizeof(ctx->disk));
	memset(&ctx->cold, 0, sizeof(ctx->cold));
	init_lists(ctx);
	ctx->live_counted = 0;
	ctx->polls_gathered = 0;
	ctx->queues_ready = false;
	ctx->chain_head = NULL;
	ctx->chain_last = NULL;
	read_run_abandon(&ctx->run);
	ctx->arrivals_lock.word = 0;
	ctx->punted = 0;
	ctx->inside = 0;
	ctx->away = 0;
	ctx->wake_out = false;
	ctx->wakers = 0;
	ctx->wakes_other = NULL;
	ctx->sqpoll_runs = false;
	ctx->attended = false;
	ctx->attend_fired = false;
	ctx->ending = false;
	ctx->stray = false;
	ctx->wakes_others = false;
}

/*
 * It stays as it is until this process uses it. The epoll is the parent's and
 * nothing here may change it, so its number goes first.
 */
static void forget_parents(struct ctx *ctx)
{
	ctx->locked_for_fork = false;
	ctx->lock.word = 0;
	if (ctx->state == CTX_INHERITED)
		return;
	reactor_leave(&ctx->reactor);
	aio_abandon(&ctx->disk.aio);
	forget_work(ctx);
	reactor_inherit(&ctx->reactor);
	ctx->foreign = true;
	store_release(&ctx->state, CTX_INHERITED);
}

static bool has_shared_queues(const struct ctx *ctx)
{
	bool whole = ctx->locked_for_fork || !ctx->lock.word;

	return whole && ctx_is_open(ctx) && ctx->queue.view.share;
}

void ctx_inherit(struct ctx *ctx)
{
	if (has_shared_queues(ctx))
		forget_parents(ctx);
	else
		ctx_abandon(ctx);
}

int ctx_adopt(struct ctx *ctx)
{
	int err;

	err = index_open(ctx);
	if (err < 0)
		return err;
	err = reactor_reopen(&ctx->reactor);
	if (err < 0)
		goto close_index;
	err = ctx_share_join(ctx);
	if (err < 0)
		goto close_epoll;
	err = standby_add(ctx, ctx_close);
	if (err < 0)
		goto close_epoll;
	store_release(&ctx->state, CTX_OPEN);
	return 0;
close_epoll:
	reactor_inherit(&ctx->reactor);
close_index:
	index_close(ctx);
	return err;
}
