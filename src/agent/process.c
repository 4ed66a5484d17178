// SPDX-License-Identifier: MIT
/*
 * Processes that the program makes, and programs that it executes.
 *
 * Theory: a child made by fork has the agent's memory and none of its threads.
 * The agent's own fork() puts its library and the engine in order for that, so
 * it is what is called; what else the program has asked for (where thread ids
 * are stored) is done afterwards. Forms of clone() that fork() does not know,
 * new namespaces say, are made as they are: the child then has what memory it
 * happens to have, and should execute something.
 *
 * A child of vfork() is in its parent's memory, and has its parent's guest: it
 * must not leave it in the state of being inside.
 *
 * Whatever is executed gets the agent (inject.h), or is not executed: without
 * it the inherited filter would kill the program.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/guest.h"
#include "base/fault.h"
#include "base/sys.h"
#include "intercept/intercept.h"

#define TID_FLAGS \
	(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static void process_forked(void)
{
	actions_forked();
	counters_forked();
}

/* The kernel would have stored the ids, and the child's library forgotten. */
static void fork_child(long flags, long child_tid)
{
	const uint32_t tid = (uint32_t)SYS_0(SYS_gettid);

	SYS_2(SYS_set_robust_list, NULL, 24);
	SYS_1(SYS_set_tid_address,
	      flags & CLONE_CHILD_CLEARTID ? child_tid : 0);
	if (flags & CLONE_CHILD_SETTID)
		fault_store_u32((uint32_t *)child_tid, tid);
	guest_forked();
	process_forked();
}

static long fork_plain(long flags, long parent_tid, long child_tid)
{
	const long pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		fork_child(flags, child_tid);
	else if (flags & CLONE_PARENT_SETTID)
		fault_store_u32((uint32_t *)parent_tid, (uint32_t)pid);
	return pid;
}

/* The child comes back on a copy of the guest's stack, and leaves for its own.
 */
static long fork_other(long flags, long stack, long parent_tid, long child_tid,
		       long tls)
{
	const long pid = SYS_5(SYS_clone, flags, 0, parent_tid, child_tid, tls);

	if (pid)
		return pid;
	guest_here.tid = (pid_t)SYS_0(SYS_gettid);
	if (stack)
		guest_here.trapped->rsp = (uint64_t)stack;
	process_forked();
	return 0;
}

long process_fork(long number, long flags, long stack, long parent_tid,
		  long child_tid, long tls)
{
	if (number == SYS_fork)
		return fork_plain(SIGCHLD, 0, 0);
	if ((flags & ~(long)TID_FLAGS) == SIGCHLD && !stack)
		return fork_plain(flags, parent_tid, child_tid);
	return fork_other(flags, stack, parent_tid, child_tid, tls);
}

static void exec_leaving(bool is_leaving)
{
	actions_leaving(is_leaving);
	guest_here.inside = !is_leaving;
}

long process_exec(const struct inject_program *program)
{
	int err = inject_exec(program, &agent_image, &agent_tree, exec_leaving);

	if (err != -ENOTSUP)
		return err;
	intercept_say("a program is not executed: it can't be traced here, so "
		      "it can't be served");
	return -EPERM;
}

void process_leave(void)
{
	counters_write();
	guest_here.inside = 0;
}
