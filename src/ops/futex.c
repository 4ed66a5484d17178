// SPDX-License-Identifier: MIT
/*
 * FUTEX_WAIT, FUTEX_WAKE and FUTEX_WAITV.
 *
 * Theory: each wait has a thread of the unbounded pool to itself, asleep in
 * futex(2) on that futex, so that the program's own futex calls, and those of
 * other processes, find it there. Several waits could share a thread
 * (futex_waitv takes 128), but whenever one of them was added or removed the
 * thread would have to leave the others' futexes for a moment, and a wake-up in
 * that moment would be lost. A wait for which no thread can be had is refused
 * with EAGAIN; that happens at 4,096 waits in a process.
 *
 * Once a wait is submitted, a FUTEX_WAKE right after it must wake it, whether
 * the value has changed or not. So submission continues only when the thread
 * sleeps. A FUTEX_CMP_REQUEUE from the futex to itself shows that: it moves no
 * waiter, compares the value and returns how many wait there; the count must
 * have grown. If other waiters leave meanwhile the check gives up after a
 * while. Then only the usual guarantee remains: a changed value is noticed.
 *
 * After a wait was accepted, a changed value means that it was woken.
 *
 * Differs: flags NUMA and MPOL (6.16) are refused.
 *
 * Locks: the ring lock while it is issued; none on the worker.
 */
#include "ops/futex.h"

#include <limits.h>
#include <linux/futex.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/sys.h"
#include "core/req.h"

/* FUTEX2_ in <linux/futex.h>, which Debian 12's headers do not have. */
#define SIZE_U32 2u
#define PRIVATE FUTEX_PRIVATE_FLAG
#define FLAGS (SIZE_U32 | PRIVATE)
#define WAITERS_MAX 128u
#define LOOK_NS (NS_PER_SEC / 2) /* long, for a machine under load */

/* ---- one futex ---- */

struct futex_cmd {
	uint64_t address;
	uint64_t value; /* the expected value; how many to wake */
	uint64_t mask;
	uint32_t flags;
	int32_t before; /* how many waited on it before */
};

static bool valid_flags(uint32_t flags)
{
	return flags & SIZE_U32 && !(flags & ~FLAGS);
}

static int futex_common_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct futex_cmd *c = req_cmd(req, struct futex_cmd);

	if (sqe->len || sqe->op_flags || sqe->buf_index || sqe->file_index)
		return -EINVAL;
	c->address = sqe->addr;
	c->value = sqe->addr2;
	c->mask = sqe->addr3;
	c->flags = (uint32_t)sqe->fd;
	if (!valid_flags(c->flags) || c->value > UINT32_MAX ||
	    c->mask > UINT32_MAX)
		return -EINVAL;
	return 0;
}

int futex_wait_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return futex_common_prep(req, sqe);
}

int futex_wake_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	return futex_common_prep(req, sqe);
}

static long operation(uint32_t flags, long number)
{
	return number | (flags & PRIVATE);
}

/* How many wait on it: -EAGAIN if the value differs, -EFAULT, -EINVAL. */
static int waiters(uint64_t address, uint64_t value, uint32_t flags)
{
	return (int)SYS_6(SYS_futex, address,
			  operation(flags, FUTEX_CMP_REQUEUE), 0, INT_MAX,
			  address, value);
}

/* In the kernel a wait that is cancelled after this is no failure. */
static int futex_begin(struct req *req)
{
	req->flags |= REQ_F_SUCCESS;
	return ISSUE_PUNT;
}

static void see_it_sleep(uint64_t address, uint64_t value, uint32_t flags,
			 int before)
{
	int64_t until = clock_now_ns(CLOCK_MONOTONIC) + LOOK_NS;

	do {
		int now = waiters(address, value, flags);

		if (now < 0 || now > before)
			return;
		SYS_0(SYS_sched_yield);
	} while (clock_now_ns(CLOCK_MONOTONIC) < until);
}

static long wait_here(struct req *req, const struct futex_cmd *c)
{
	return worker_call(&req->work, SYS_futex, (long)c->address,
			   operation(c->flags, FUTEX_WAIT_BITSET),
			   (long)c->value, 0, 0, (long)c->mask);
}

int futex_wait_issue(struct req *req, uint32_t issue_flags)
{
	struct futex_cmd *c = req_cmd(req, struct futex_cmd);
	long outcome;

	if (issue_flags & ISSUE_WORKER) {
		outcome = wait_here(req, c);
		req->res = 0;
		return outcome == -EAGAIN ? ISSUE_DONE : (int)outcome;
	}
	if (!c->mask)
		return -EINVAL;
	c->before = waiters(c->address, c->value, c->flags);
	return c->before < 0 ? c->before : futex_begin(req);
}

void futex_wait_begun(struct req *req)
{
	const struct futex_cmd *c = req_cmd(req, struct futex_cmd);

	see_it_sleep(c->address, c->value, c->flags, c->before);
}

int futex_wake_issue(struct req *req, uint32_t issue_flags)
{
	const struct futex_cmd *c = req_cmd(req, struct futex_cmd);
	int32_t count = (int32_t)c->value;

	(void)issue_flags;
	req->res = 0;
	if (!c->mask || c->address % sizeof(uint32_t))
		return -EINVAL;
	/* futex(2) wakes one waiter when asked for none. */
	if (count)
		req->res =
			(int32_t)SYS_6(SYS_futex, c->address,
				       operation(c->flags, FUTEX_WAKE_BITSET),
				       count, NULL, NULL, c->mask);
	return req->res < 0 ? req->res : ISSUE_DONE;
}

/* ---- up to 128 at once ---- */

struct waitv_cmd {
	struct futex_waitv *waiters; /* req->extra */
	uint32_t count;
	int32_t before; /* how many waited on the last of them before */
};

static int check_waiters(const struct futex_waitv *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (w[i].__reserved || !valid_flags(w[i].flags) ||
		    w[i].val > UINT32_MAX)
			return -EINVAL;
	return 0;
}

int futex_waitv_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct waitv_cmd *c = req_cmd(req, struct waitv_cmd);
	size_t bytes = sqe->len * sizeof(*c->waiters);

	if (sqe->fd || sqe->buf_index || sqe->file_index || sqe->addr2 ||
	    sqe->op_flags || sqe->addr3)
		return -EINVAL;
	if (!sqe->len || sqe->len > WAITERS_MAX)
		return -EINVAL;
	c->count = sqe->len;
	c->waiters = req_extra(req, bytes);
	if (!c->waiters)
		return -ENOMEM;
	if (fault_copy(c->waiters, (void *)(uintptr_t)sqe->addr, bytes) < 0)
		return -EFAULT;
	return check_waiters(c->waiters, c->count);
}

/* The first one whose value has changed is the one that was woken. */
static int first_changed(const struct waitv_cmd *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (waiters(c->waiters[i].uaddr, c->waiters[i].val,
			    c->waiters[i].flags) == -EAGAIN)
			return (int)i;
	return -EAGAIN;
}

static int waitv_here(struct req *req, const struct waitv_cmd *c)
{
	long outcome;

	do {
		outcome = worker_call(&req->work, SYS_futex_waitv,
				      (long)(uintptr_t)c->waiters, c->count, 0,
				      0, 0, 0);
		if (outcome == -EAGAIN)
			outcome = first_changed(c);
	} while (outcome == -EAGAIN);
	if (outcome < 0)
		return (int)outcome;
	req->res = (int32_t)outcome;
	return ISSUE_DONE;
}

int futex_waitv_issue(struct req *req, uint32_t issue_flags)
{
	struct waitv_cmd *c = req_cmd(req, struct waitv_cmd);

	if (issue_flags & ISSUE_WORKER)
		return waitv_here(req, c);
	for (uint32_t i = 0; i < c->count; i++) {
		c->before = waiters(c->waiters[i].uaddr, c->waiters[i].val,
				    c->waiters[i].flags);
		if (c->before < 0)
			return c->before;
	}
	return futex_begin(req);
}

/* The kernel queues the wait on one futex after the other. */
void futex_waitv_begun(struct req *req)
{
	const struct waitv_cmd *c = req_cmd(req, struct waitv_cmd);
	const struct futex_waitv *last = &c->waiters[c->count - 1];

	see_it_sleep(last->uaddr, last->val, last->flags, c->before);
}
