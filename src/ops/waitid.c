// SPDX-License-Identifier: MIT
/*
 * WAITID.
 *
 * Theory: waitid(2) with WNOHANG is tried immediately. If it finds no child, a
 * thread of the unbounded pool waits, whose wait a cancel interrupts. Exactly
 * one wait takes a child, whichever thread makes it; a cancelled wait has taken
 * none.
 *
 * Differs: __WNOTHREAD waits for children of a thread of the engine's, which
 * has none.
 *
 * Locks: none on the worker.
 */
#include "ops/waitid.h"

#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/sys.h"
#include "core/req.h"

struct waitid_cmd {
	uint64_t info; /* the application's siginfo, 0: none */
	uint32_t type;
	uint32_t options;
};

/* waitid(2) fills a siginfo up to here. */
#define INFO_BYTES (offsetof(siginfo_t, si_status) + sizeof(int))

int waitid_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct waitid_cmd *c = req_cmd(req, struct waitid_cmd);

	if (sqe->addr || sqe->buf_index || sqe->addr3 || sqe->op_flags)
		return -EINVAL;
	c->info = sqe->addr2;
	c->type = sqe->len;
	c->options = sqe->file_index;
	return 0;
}

static int tell(struct req *req, const struct waitid_cmd *c,
		const siginfo_t *info)
{
	req->res = 0;
	if (!c->info)
		return ISSUE_DONE;
	if (fault_copy((void *)(uintptr_t)c->info, info, INFO_BYTES) < 0)
		return -EFAULT;
	return ISSUE_DONE;
}

int waitid_issue(struct req *req, uint32_t issue_flags)
{
	const struct waitid_cmd *c = req_cmd(req, struct waitid_cmd);
	bool waits = issue_flags & ISSUE_WORKER;
	long options = c->options | (waits ? 0 : WNOHANG);
	siginfo_t info;
	long err;

	memset(&info, 0, sizeof(info));
	err = worker_call(&req->work, SYS_waitid, c->type, req->fd,
			  (long)(uintptr_t)&info, options, 0, 0);
	if (err < 0)
		return (int)err;
	if (!info.si_pid && !waits && !(c->options & WNOHANG))
		return ISSUE_PUNT;
	return tell(req, c, &info);
}
