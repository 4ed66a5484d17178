// SPDX-License-Identifier: MIT
#include "sched/sigpipe.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/thread.h"
#include "core/ctx.h"

static const uint64_t pipe_bit = UINT64_C(1) << (SIGPIPE - 1);

bool sigpipe_is_foreign(const struct req *req)
{
	if (!req->def->raises)
		return false;
	return req->flags & REQ_F_QUIET || req->thread != thread_number();
}

/*
 * One can be pending only if the signal is blocked. A thread of the engine's
 * always blocks it and takes each one that it raises, so none is ever left
 * pending there.
 */
struct sigpipe sigpipe_begin(void)
{
	struct sigpipe before = {.mask = pipe_bit};
	uint64_t pending = 0;

	if (thread_is_ours)
		return before;
	SYS_4(SYS_rt_sigprocmask, SIG_BLOCK, &pipe_bit, &before.mask,
	      sizeof(before.mask));
	if (before.mask & pipe_bit)
		SYS_2(SYS_rt_sigpending, &pending, sizeof(pending));
	before.pending = pending & pipe_bit;
	return before;
}

static bool sigpipe_take(void)
{
	const struct timespec at_once = {0};

	return SYS_4(SYS_rt_sigtimedwait, &pipe_bit, NULL, &at_once,
		     sizeof(pipe_bit)) == SIGPIPE;
}

static void send_to(uint32_t thread)
{
	int id = thread_id(thread);

	if (id)
		SYS_3(SYS_tgkill, SYS_0(SYS_getpid), id, SIGPIPE);
}

void sigpipe_end(const struct sigpipe *before, const struct req *req,
		 int outcome)
{
	bool broken = outcome == -EPIPE ||
		      (outcome == ISSUE_DONE && req->res == -EPIPE);
	bool raised = broken && !before->pending && sigpipe_take();

	if (!(before->mask & pipe_bit))
		SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, &before->mask, NULL,
		      sizeof(before->mask));
	if (raised && !(req->flags & REQ_F_QUIET))
		send_to(req->thread);
}
