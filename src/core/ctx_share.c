// SPDX-License-Identifier: MIT
#include "core/ctx_share.h"

#include <fcntl.h>

#include "base/sys.h"
#include "core/cq.h"
#include "core/notify.h"
#include "core/req.h"

/* How long a thread waits for others' requests before it asks if they live. */
#define LOOK_AFTER_NS 100000000

static int byte_lock(const struct ctx *ctx, int how, struct flock *lock)
{
	return (int)SYS_3(SYS_fcntl, ctx->peer_fd, how, lock);
}

/* The lock that says that this process lives. */
static int show_life(const struct ctx *ctx)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_start = (off_t)ctx->queue.view.me,
		.l_len = 1,
	};

	return byte_lock(ctx, F_SETLK, &lock);
}

/* Does another process live? Where that can't be asked, it does. */
static bool owner_lives(const struct ctx *ctx, uint64_t owner)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_start = (off_t)owner,
		.l_len = 1,
	};

	return byte_lock(ctx, F_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool ctx_share_maker_lives(const struct ctx *ctx)
{
	return !ctx->foreign || owner_lives(ctx, SHARE_MAKER);
}

struct reaping {
	struct share_reaper reaper;
	struct ctx *ctx;
	uint64_t dead; /* whose end is known; 0: none */
};

/*
 * The kernel hands over the mutex of a process that ends before it drops the
 * process's other locks.
 */
static bool lives(struct share_reaper *reaper, uint64_t owner)
{
	const struct reaping *reaping =
		container_of(reaper, struct reaping, reaper);

	return owner != reaping->dead && owner_lives(reaping->ctx, owner);
}

static void cancel(struct share_reaper *reaper, uint64_t user_data)
{
	struct ctx *ctx = container_of(reaper, struct reaping, reaper)->ctx;

	lock_assume(&ctx->lock);
	cq_post(ctx, user_data, -ECANCELED, 0, NULL);
}

static void reap(struct ctx *ctx, uint64_t dead)
{
	struct reaping reaping = {
		.reaper = {.lives = lives, .cancel = cancel},
		.ctx = ctx,
		.dead = dead,
	};

	queue_share_reap(&ctx->queue, &reaping.reaper);
}

int ctx_share_begin(struct ctx *ctx)
{
	const struct ring_memory *m = &ctx->queue.memory;
	struct share *s;
	struct list *node;
	int err;

	/* Memory that the child would have a copy of. */
	if (m->memfd < 0 && (void *)m->header == m->lent_rings)
		return -EOPNOTSUPP;
	err = reactor_share(&ctx->reactor);
	if (err < 0)
		return err;
	err = queue_share(&ctx->queue);
	if (err < 0)
		return err;
	s = ctx->queue.view.share;
	s->byte_out = ctx->byte_out;
	s->watched = ctx->watched;
	s->disabled = ctx->disabled;
	s->drain_disabled = ctx->drain_disabled;
	s->issuer = ctx->issuer_known ? ctx->queue.view.me : 0;
	s->state[s->current].posted_total = ctx->posted_total;
	list_for_each (node, &ctx->sleepers)
		s->sleepers++;
	list_for_each (node, &ctx->pending)
		share_record(&ctx->queue.view,
			     list_entry(node, struct req, pending)->user_data,
			     ctx->queue.sq_head - 1);
	return show_life(ctx);
}

int ctx_share_join(struct ctx *ctx)
{
	struct share_view *view = &ctx->queue.view;

	view->me =
		__atomic_add_fetch(&view->share->owners, 1, __ATOMIC_RELAXED);
	view->acts_for = view->me;
	view->ended = 0;
	return show_life(ctx);
}

static void load(struct ctx *ctx)
{
	const struct share *s = ctx->queue.view.share;

	queue_share_load(&ctx->queue);
	ctx->posted_total = ctx->queue.view.state.posted_total;
	notify_set_byte_out(ctx, s->byte_out);
	store_relaxed(&ctx->watched, s->watched);
	ctx->disabled = s->disabled;
	ctx->drain_disabled = s->drain_disabled;
}

/* It may have died before it told the application what holds now. */
static void repair(struct ctx *ctx)
{
	struct share *s = ctx->queue.view.share;
	uint64_t dead = s->holder;

	share_repair(s);
	load(ctx);
	ctx->queue.cq_tail--;
	ctx->backlog_fresh = true;
	reap(ctx, dead);
}

int (*ctx_share_adopt)(struct ctx *ctx);

static void begin(struct ctx *ctx, enum share_found found)
{
	if (unlikely(found == SHARE_OWNER_DIED))
		repair(ctx);
	else
		load(ctx);
	share_hold(&ctx->queue.view);
}

static void adopt_inherited(struct ctx *ctx)
{
	if (unlikely(ctx->state == CTX_INHERITED))
		ctx_share_adopt(ctx);
}

void ctx_share_take(struct ctx *ctx)
{
	adopt_inherited(ctx);
	begin(ctx, share_lock(ctx->queue.view.share));
}

bool ctx_share_try(struct ctx *ctx)
{
	enum share_found found;

	adopt_inherited(ctx);
	found = share_try(ctx->queue.view.share);
	if (found == SHARE_BUSY)
		return false;
	begin(ctx, found);
	return true;
}

void ctx_share_commit(struct ctx *ctx)
{
	struct share *s = ctx->queue.view.share;

	ctx->queue.view.state.posted_total = ctx->posted_total;
	queue_share_commit(&ctx->queue);
	if (load_relaxed(&s->sleepers) &&
	    (ctx->queue.cq_posted != ctx->queue.cq_tail || ctx->backlog_fresh))
		ctx->wakes_others = true;
}

void ctx_share_let_go(struct ctx *ctx)
{
	struct share *s = ctx->queue.view.share;

	share_forget_ended(&ctx->queue.view);
	s->byte_out = ctx->byte_out;
	s->watched = ctx->watched;
	s->disabled = ctx->disabled;
	s->drain_disabled = ctx->drain_disabled;
	if (ctx->wakes_others)
		reactor_wake(&ctx->reactor);
	ctx->wakes_others = false;
	share_unlock(s);
}

void ctx_share_drop(struct ctx *ctx)
{
	ctx_share_commit(ctx);
	queue_publish(&ctx->queue);
	ctx_share_let_go(ctx);
}

int64_t ctx_share_sleep(struct ctx *ctx, int64_t due_ns)
{
	int64_t look_ns;

	ctx->queue.view.share->sleepers++;
	if (!share_waits_for_others(&ctx->queue.view))
		return due_ns;
	look_ns = clock_now_ns(CLOCK_MONOTONIC) + LOOK_AFTER_NS;
	return look_ns < due_ns ? look_ns : due_ns;
}

void ctx_share_awake(struct ctx *ctx, int64_t due_ns)
{
	ctx->queue.view.share->sleepers--;
	if (due_ns != CLOCK_NEVER && clock_now_ns(CLOCK_MONOTONIC) >= due_ns)
		reap(ctx, 0);
}
