// SPDX-License-Identifier: MIT
#include "sched/issue.h"

#include "base/fd.h"
#include "base/probe.h"
#include "base/process.h"
#include "base/sys.h"
#include "base/thread.h"
#include "core/chain.h"
#include "core/index.h"
#include "core/registry.h"
#include "core/req.h"
#include "core/req_end.h"
#include "drive/keeper.h"
#include "sched/cold_reads.h"
#include "sched/sigpipe.h"
#include "tables/files.h"
#include "tables/personalities.h"

struct attempt {
	struct req *req;
	uint32_t issue_flags;
};

static int run_attempt(void *argument)
{
	struct attempt *a = argument;

	return a->req->def->issue(a->req, a->issue_flags);
}

static NOINLINE int try_as_another(struct req *req, uint32_t issue_flags)
{
	struct attempt a = {req, issue_flags};

	return personality_run(&req->ctx->personalities, req->personality,
			       run_attempt, &a);
}

static int try_as_itself(struct req *req, uint32_t issue_flags)
{
	if (req->flags & REQ_F_CREDS)
		return try_as_another(req, issue_flags);
	return req->def->issue(req, issue_flags);
}

static NOINLINE int try_rare(struct req *req, uint32_t issue_flags)
{
	struct sigpipe before;
	int outcome;

	if (!(req->flags & (REQ_F_QUIET | REQ_F_LATER)) ||
	    issue_flags & ISSUE_WORKER || !sigpipe_is_foreign(req))
		return try_as_itself(req, issue_flags);
	before = sigpipe_begin();
	outcome = try_as_itself(req, issue_flags);
	sigpipe_end(&before, req, outcome);
	return outcome;
}

static inline int try(struct req *req, uint32_t issue_flags)
{
	if (unlikely(req->flags & (REQ_F_CREDS | REQ_F_QUIET | REQ_F_LATER)))
		return try_rare(req, issue_flags);
	return req->def->issue(req, issue_flags);
}

void issue_retry(struct req *req)
{
	req->state = REQ_ISSUING;
	issue_settle(req, try(req, ISSUE_NONBLOCK));
}

bool issue_is_orphan(struct req *req)
{
	if (likely(!thread_gone(req->thread)))
		return false;
	req_finish_with(req, -ECANCELED);
	return true;
}

/* Append to ctx->again. */
static void issue_later(struct req *req)
{
	if (req->flags & REQ_F_RETRY)
		return;
	req->flags |= REQ_F_RETRY;
	list_push_back(&req->ctx->again, &req->node);
}

static void file_ready(struct reactor_wait *wait, uint32_t events)
{
	struct req *req = container_of(wait, struct req, wait);

	if (req->state != REQ_ARMED || issue_is_orphan(req))
		return;
	req->events = events;
	if (unlikely(req->ctx->queues_ready))
		issue_later(req);
	else
		issue_retry(req);
}

static void wait_for(struct req *req, enum req_state state)
{
	req->state = (uint8_t)state;
	index_add(req);
	chain_count(req);
	/* The kernel's worker starts the timeout only after the operation. */
	if (state != REQ_PUNTED || !req->def->by_rights)
		chain_waits(req);
}

/*
 * The wake-up is sent under the lock, too: the thread that takes the request
 * from the list may be about to close the ring.
 */
static void arrive(struct req *req)
{
	struct ctx *ctx = req->ctx;

	lock_take(&ctx->arrivals_lock);
	if (list_empty(&ctx->arrivals))
		reactor_wake(&ctx->reactor);
	list_push_back(&ctx->arrivals, &req->node);
	lock_drop(&ctx->arrivals_lock);
}

static void worker_runs(struct work *work)
{
	struct req *req = container_of(work, struct req, work);

	req->outcome = try(req, ISSUE_WORKER);
	arrive(req);
}

/* The SQPOLL thread has the rights of the ring's maker, as in the kernel. */
static bool is_submitter(const struct req *req)
{
	return req->ctx->flags & IORING_SETUP_SQPOLL ||
	       req->thread == thread_number();
}

/*
 * What may be done, and where names begin, depends on the calling thread: its
 * credentials, Landlock domain, seccomp filters, root, cwd and umask. Those of
 * the submitter apply, so it makes the call; the result is delivered like a
 * worker's. False: the call would wait, which the submitter must not.
 */
static bool run_here(struct req *req)
{
	req->outcome = try(req, ISSUE_WORKER | ISSUE_HERE);
	if (req->outcome == ISSUE_PUNT)
		return false;
	arrive(req);
	return true;
}

/*
 * A thread of a guest's would end with it, so it waits itself. Without memory
 * for a thread, what ends by itself is done here as well.
 */
static bool must_run_here(const struct req *req, int err)
{
	return process_is_guest() || (err == -ENOMEM && !req->def->unbounded);
}

static void run_without_worker(struct req *req)
{
	req->work.stop = 0;
	req->outcome = try(req, ISSUE_WORKER);
	arrive(req);
}

void issue_keep_file(struct req *req)
{
	if (!req->def->needs_file || req->file || req->held >= 0)
		return;
	req->held = fd_dup_high(req->fd);
	/* Without a duplicate the fd itself is used. */
	if (req->held < 0)
		req->held = -1;
	else
		fd_keep(&req->held);
}

/* What waits for somebody gets a thread of its own, with the same rights. */
static void keeper_runs(struct work *work)
{
	struct req *req = container_of(work, struct req, work);
	int err;

	req->outcome = try(req, ISSUE_WORKER | ISSUE_HERE);
	if (req->outcome == ISSUE_PUNT) {
		work->run = worker_runs;
		err = worker_start(work);
		if (!err)
			return;
		req->outcome = err;
	}
	arrive(req);
}

/*
 * Never with other rights: where no keeper has them, the request fails.
 * Returns 0 or a negative errno.
 */
static int start_by_rights(struct req *req)
{
	if (is_submitter(req))
		return run_here(req) ? 0 : worker_start(&req->work);
	req->work.run = keeper_runs;
	return req->work.keeper && keeper_run(req->work.keeper, &req->work)
		       ? 0
		       : -EACCES;
}

static int find_worker(struct req *req)
{
	if (unlikely(req->ctx->apart))
		return -EAGAIN; /* workers have other files */
	return req->def->by_rights ? start_by_rights(req)
				   : worker_start(&req->work);
}

static void punt(struct req *req)
{
	int err;

	issue_keep_file(req);
	req->flags |= REQ_F_QUIET;
	/* From here on only the worker accesses the request. */
	if (req->wait.watch)
		reactor_disarm(&req->ctx->reactor, &req->wait);
	req->work.run = worker_runs;
	req->work.unbounded = req->def->unbounded;
	req->work.cloned = req->def->by_rights;
	list_init(&req->work.node);
	wait_for(req, REQ_PUNTED);
	req->ctx->punted++;
	cold_goes(req);
	PROBE3(punt, PROBE_ARG(1, req->ctx->ring_fd),
	       PROBE_ARG(2, req->user_data), PROBE_ARG(3, req->fd));
	counter_add(&req->ctx->counters, COUNTER_PUNTED, 1);
	req->work.at_once = req->def->begun != NULL;
	list_init(&req->node);
	err = find_worker(req);
	if (unlikely(err < 0) && must_run_here(req, err)) {
		run_without_worker(req);
	} else if (err < 0) {
		req->ctx->punted--;
		cold_returned(req);
		req_finish_with(req, err);
	} else if (req->def->begun) {
		req->def->begun(req);
	}
}

#define RECALL_YIELDS 1000

static bool has_arrived(struct req *req)
{
	bool arrived;

	lock_take(&req->ctx->arrivals_lock);
	arrived = !list_empty(&req->node);
	lock_drop(&req->ctx->arrivals_lock);
	return arrived;
}

/*
 * The worker's remaining work is short and does not wait. The signal is sent
 * again from time to time, because its handler may have been replaced.
 */
bool issue_recall(struct req *req)
{
	struct ctx *ctx = req->ctx;

	while (!has_arrived(req)) {
		if (!worker_interrupt(&req->work))
			return false;
		for (int i = 0; i < RECALL_YIELDS && !has_arrived(req); i++)
			SYS_0(SYS_sched_yield);
	}
	if (req->outcome != -EINTR)
		return false;
	lock_take(&ctx->arrivals_lock);
	list_remove(&req->node);
	lock_drop(&ctx->arrivals_lock);
	ctx->punted--;
	return true;
}

/* What EAGAIN means for others that wait for the same file. */
static uint32_t how_it_waits(const struct req *req)
{
	uint32_t how = req->flags & REQ_F_MULTISHOT ? WAIT_STAYS : 0;

	if (req->def->takes_turns)
		how |= WAIT_IN_TURN;
	if (req->def->empties && !(req->flags & REQ_F_ALONE))
		how |= WAIT_TRIES;
	return how;
}

/*
 * An fd of the engine's is armed without a call, because the try before it
 * found nothing. Without such a try, epoll has to report what is ready.
 */
static int arm_file(struct req *req)
{
	struct reactor *reactor = &req->ctx->reactor;
	int err;

	req->wait.how = how_it_waits(req);
	err = reactor_arm(reactor, &req->wait, req_io_fd(req),
			  req->file != NULL, req->def->waits_for);
	if (!err && req->file && req->flags & REQ_F_POLL_FIRST)
		err = reactor_change(reactor, &req->wait, req->def->waits_for);
	return err;
}

/* It will be retried with the others of @list. */
static void keep(struct req *req, struct list *list)
{
	wait_for(req, REQ_ARMED);
	/*
	 * It may have been queued for another turn already, before its file
	 * called.
	 */
	if (!(req->flags & REQ_F_RETRY))
		list_push_back(list, &req->node);
	req->flags |= REQ_F_RETRY;
}

/* No cold read has come back: each now waits on a worker of its own. */
static void cold_too_late(struct timer *timer)
{
	struct ctx *ctx = container_of(timer, struct ctx, cold.timer);
	struct req *req;

	while ((req = cold_next(&ctx->cold.reads)))
		issue_settle(req, ISSUE_PUNT);
}

static void cold_retry(struct ctx *ctx)
{
	struct list now;
	struct req *req;

	list_init(&now); /* those that fail again wait for the next time */
	cold_take_all(ctx, &now);
	while ((req = cold_next(&now)))
		issue_retry(req);
}

/* A file that can't be polled may still block. */
static void wait_unpolled(struct req *req)
{
	if (!cold_keeps(req, cold_too_late)) {
		punt(req);
		return;
	}
	issue_keep_file(req);
	keep(req, &req->ctx->cold.reads);
}

/*
 * A socket that was found empty is armed when the submission or the turn ends:
 * what is cancelled before has cost no more than the try. Until then nobody
 * gets the ring's lock, and nothing closes an fd (issue_arm_all).
 */
static bool is_of_sockets(const struct opdef *def)
{
	return def->empties && def->on_ring == -ENOTSOCK;
}

static void arm_later(struct req *req)
{
	wait_for(req, REQ_ARMED);
	req->flags |= REQ_F_RETRY;
	list_push_back(&req->ctx->arming, &req->node);
}

static void arm_late(struct req *req)
{
	int err = arm_file(req);

	if (err == -EPERM) {
		index_remove(req);
		wait_unpolled(req);
	} else if (err < 0) {
		req_finish_with(req, err);
	} else {
		PROBE3(arm, PROBE_ARG(1, req->ctx->ring_fd),
		       PROBE_ARG(2, req->user_data), PROBE_ARG(3, req->fd));
		counter_add(&req->ctx->counters, COUNTER_ARMED, 1);
	}
}

bool issue_arm_rest(struct ctx *ctx)
{
	struct list *node;

	while ((node = list_pop_front(&ctx->arming))) {
		struct req *req = list_entry(node, struct req, node);

		req->flags &= ~REQ_F_RETRY;
		arm_late(req);
	}
	return true;
}

static void issue_arm(struct req *req)
{
	int err;

	if (req->wait.watch) {
		req->state = REQ_ARMED;
		req->ctx->reactor.found_empty = true;
		return;
	}
	req->wait.ready = file_ready;
	if (is_of_sockets(req->def)) {
		arm_later(req);
		return;
	}
	err = req->flags & REQ_F_COLD ? -EPERM : arm_file(req);
	if (err == -EPERM) {
		wait_unpolled(req);
		return;
	}
	if (err < 0) {
		req_finish_with(req, err);
		return;
	}
	PROBE3(arm, PROBE_ARG(1, req->ctx->ring_fd),
	       PROBE_ARG(2, req->user_data), PROBE_ARG(3, req->fd));
	counter_add(&req->ctx->counters, COUNTER_ARMED, 1);
	if (req->def->raises)
		req->flags |= REQ_F_LATER;
	wait_for(req, REQ_ARMED);
}

static NOINLINE void settle_rare(struct req *req, int outcome)
{
	switch (outcome) {
	case ISSUE_PUNT:
		req_note_hold(req);
		punt(req);
		break;
	case ISSUE_PARKED:
		/* No worker completes it, even if one has begun it. */
		if (!req->def->raises)
			req->flags &= ~REQ_F_QUIET;
		wait_for(req, REQ_PARKED);
		break;
	case ISSUE_DISK:
		wait_for(req, REQ_AT_DISK);
		req->ctx->punted++;
		break;
	case ISSUE_MORE:
		keep(req, &req->ctx->again);
		break;
	default:
		req_finish_with(req, outcome);
	}
}

void issue_settle(struct req *req, int outcome)
{
	if (likely(outcome == ISSUE_DONE)) {
		req_finish(req);
	} else if (likely(outcome == ISSUE_AGAIN)) {
		req_note_hold(req);
		issue_arm(req);
	} else {
		settle_rare(req, outcome);
	}
}

/* A registered ring stays open when its fd has become another file. */
static int try_on_ring(const struct req *req)
{
	return registry_verify(req->ctx, req->fd) ? req->def->on_ring : 0;
}

/*
 * The file is looked up when the request runs: a linked request may have opened
 * it.
 */
static ALWAYS_INLINE int issue_take_file(struct req *req)
{
	if (req->file)
		return 0;
	if (!(req->sqe_flags & IOSQE_FIXED_FILE))
		return req->fd == req->ctx->ring_fd ? try_on_ring(req) : 0;
	req->file = file_get(&req->ctx->files, (uint32_t)req->fd);
	req->flags |= REQ_F_OWES;
	return req->file ? 0 : -EBADF;
}

static NOINLINE void issue_async(struct req *req)
{
	req->flags |= REQ_F_QUIET;
	if (req->def->needs_ctx || req->def->waits_for)
		issue_settle(req, try(req, ISSUE_NONBLOCK));
	else
		punt(req);
}

void issue_request(struct req *req)
{
	int err = 0;

	req->state = REQ_ISSUING;
	if (req->def->needs_file)
		err = issue_take_file(req);
	if (unlikely(err < 0))
		req_finish_with(req, err);
	else if (unlikely(req->flags & REQ_F_POLL_FIRST))
		issue_arm(req);
	else if (unlikely(req->sqe_flags & IOSQE_ASYNC))
		issue_async(req);
	else
		issue_settle(req, try(req, ISSUE_NONBLOCK));
}

void issue_carried(struct req *req)
{
	int err = 0;

	if (likely(!req->def->by_rights || is_submitter(req))) {
		issue_request(req);
		return;
	}
	req->state = REQ_ISSUING;
	if (req->def->needs_file)
		err = issue_take_file(req);
	if (err < 0)
		req_finish_with(req, err);
	else
		punt(req);
}

void issue_again(struct ctx *ctx, uint32_t most)
{
	struct list now, *node;

	/* A request that asks for another turn waits for the one after this. */
	list_init(&now);
	while (most-- && (node = list_pop_front(&ctx->again)))
		list_push_back(&now, node);
	while ((node = list_pop_front(&now))) {
		struct req *req = list_entry(node, struct req, node);

		req->flags &= ~REQ_F_RETRY;
		issue_retry(req);
	}
}

static struct req *next_arrival(struct ctx *ctx)
{
	struct list *node;

	lock_take(&ctx->arrivals_lock);
	node = list_pop_front(&ctx->arrivals);
	lock_drop(&ctx->arrivals_lock);
	return node ? list_entry(node, struct req, node) : NULL;
}

void issue_arrivals(struct ctx *ctx)
{
	bool any_cold = false;
	struct req *req;

	if (!ctx->punted)
		return;
	while ((req = next_arrival(ctx))) {
		ctx->punted--;
		any_cold |= cold_returned(req);
		ctx->posted_async = true;
		req->state = REQ_ISSUING;
		if (req->outcome == ISSUE_DISK)
			req->outcome = try(req, ISSUE_NONBLOCK | ISSUE_LANDED);
		else if (req->outcome == ISSUE_DONE && req->def->finish)
			req->outcome = req->def->finish(req);
		/* Cancelled meanwhile: it must not begin to wait again. */
		if (req->canceled &&
		    (req->outcome > ISSUE_DONE || req->outcome == -EINTR))
			req->outcome = -ECANCELED;
		issue_settle(req, req->outcome);
	}
	if (any_cold)
		cold_retry(ctx);
}
