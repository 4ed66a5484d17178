// SPDX-License-Identifier: MIT
/*
 * The program's signals, and ours beside them, at the level of the kernel's
 * calls.
 *
 * Theory: as in intercept/signals.c, which does the same above libc: SIGSYS is
 * the trap's, SIGSEGV and SIGBUS belong to the fault-proof copy of the engine.
 * The program's own actions for these three are kept here and answered from
 * here, and what is not ours meets them. The three are taken out of every mask
 * on its way to the kernel; what a thread believes to be blocked is remembered
 * with its guest, and reported.
 *
 * A child that shares its parent's memory (vfork) changes nothing here: its
 * actions would be its parent's. It executes soon.
 *
 * Rules:
 *  1. The program's memory is read and written by copies that survive faults.
 *  2. Handlers run with the program's FS: nothing has changed it.
 * Not covered: one of the three that is sent while it is believed blocked
 * comes at once; masks that a handler writes into its context.
 */
#include <string.h>
#include <ucontext.h>

#include "agent/agent.h"
#include "agent/guest.h"
#include "base/fault.h"
#include "base/borrow.h"
#include "base/lock.h"
#include "base/sys.h"

#define SIGSET_BYTES 8
#define SIGNALS 65
#define RESTORER 0x04000000ul /* SA_RESTORER */

#define BIT(signo) (UINT64_C(1) << ((unsigned int)(signo)-1))
#define NEVER_BLOCKED (BIT(SIGSYS) | BIT(SIGSEGV) | BIT(SIGBUS))

/* What the kernel knows as a sigaction. */
struct kernel_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/* Of our three what the program asked for; of others the mask alone. */
static struct kernel_action actions[SIGNALS];
static struct lock actions_lock;
static pid_t owner; /* of the actions: whose memory this is */

static bool actions_is_ours(long signo)
{
	return signo == SIGSYS || signo == SIGSEGV || signo == SIGBUS;
}

static long action_raw(int signo, const struct kernel_action *act,
		       struct kernel_action *old)
{
	return SYS_4(SYS_rt_sigaction, signo, act, old, SIGSET_BYTES);
}

static void actions_mask_raw(int how, uint64_t set, uint64_t *old)
{
	SYS_4(SYS_rt_sigprocmask, how, &set, old, SIGSET_BYTES);
}

/* ---- signals that come --------------------------------------------------- */

/* Die of @signo, or fault again where the fault was. */
static void actions_meet_default(int signo, const siginfo_t *info)
{
	const struct kernel_action standard = {0};

	action_raw(signo, &standard, NULL);
	if (info->si_code <= 0 || signo == SIGSYS)
		SYS_3(SYS_tgkill, SYS_0(SYS_getpid), SYS_0(SYS_gettid), signo);
}

/*
 * As the kernel blocks for a handler of the program's; ours may block more.
 * sigreturn puts the interrupted mask back.
 */
static void actions_block_for_handler(int signo,
				      const struct kernel_action *action,
				      const void *ucontext)
{
	uint64_t block;

	memcpy(&block, &((const ucontext_t *)ucontext)->uc_sigmask,
	       sizeof(block));
	block |= action->mask;
	if (!(action->flags & SA_NODEFER))
		block |= BIT(signo);
	actions_mask_raw(SIG_SETMASK, block & ~BIT(SIGSYS), NULL);
}

void actions_pass_on(int signo, siginfo_t *info, void *ucontext)
{
	struct kernel_action action = actions[signo];

	if (action.flags & SA_RESETHAND)
		actions[signo].handler = (uintptr_t)SIG_DFL;
	if (action.handler == (uintptr_t)SIG_IGN && info->si_code <= 0)
		return;
	if (action.handler <= (uintptr_t)SIG_IGN) {
		actions_meet_default(signo, info);
		return;
	}
	actions_block_for_handler(signo, &action, ucontext);
	((void (*)(int, siginfo_t *, void *))action.handler)(signo, info,
							     ucontext);
}

static void actions_on_fault(int signo, siginfo_t *info, void *ucontext)
{
	bool hole = signo == SIGSEGV && info->si_code == SEGV_MAPERR;

	if (!fault_recover(ucontext) &&
	    !(hole && borrow_revive(info->si_addr, ucontext)))
		actions_pass_on(signo, info, ucontext);
}

/* ---- rt_sigaction -------------------------------------------------------- */

static int actions_take(int signo, void (*handler)(int, siginfo_t *, void *),
			uint64_t mask)
{
	const struct kernel_action mine = {
		.handler = (uintptr_t)handler,
		.flags = (unsigned long)(SA_SIGINFO | SA_ONSTACK | SA_NODEFER |
					 SA_RESTART) |
			 RESTORER,
		.restorer = (uintptr_t)agent_restorer,
		.mask = mask,
	};

	return (int)action_raw(signo, &mine, &actions[signo]);
}

/*
 * No handler of the program's may come while that of SIGSYS puts a trapped call
 * on the guest's stack: it could be trapped itself, and begin at the same
 * place. The engine's own installation is undone: its handler would come first.
 */
int actions_open(void (*on_sigsys)(int, siginfo_t *, void *))
{
	uint64_t before = 0;
	int err = fault_handler_install();

	owner = (pid_t)SYS_0(SYS_getpid);
	if (!err)
		err = actions_take(SIGSYS, on_sigsys, ~NEVER_BLOCKED);
	if (!err)
		err = actions_take(SIGSEGV, actions_on_fault, 0);
	if (!err)
		err = actions_take(SIGBUS, actions_on_fault, 0);
	actions[SIGSEGV] = actions[SIGBUS] = (struct kernel_action){0};
	actions_mask_raw(SIG_UNBLOCK, NEVER_BLOCKED, &before);
	guest_here.believed = before & NEVER_BLOCKED;
	return err;
}

static struct kernel_action exchange_ours(int signo,
					  const struct kernel_action *act)
{
	struct kernel_action before;

	lock_take(&actions_lock);
	before = actions[signo];
	if (act && owner == (pid_t)SYS_0(SYS_getpid))
		actions[signo] = *act;
	lock_drop(&actions_lock);
	return before;
}

static long exchange_other(int signo, const struct kernel_action *act,
			   struct kernel_action *before)
{
	struct kernel_action now = {0};
	long err;

	if (act) {
		now = *act;
		now.mask &= ~NEVER_BLOCKED;
	}
	lock_take(&actions_lock);
	err = action_raw(signo, act ? &now : NULL, before);
	if (!err) {
		before->mask |= actions[signo].mask;
		if (act && owner == (pid_t)SYS_0(SYS_getpid))
			actions[signo].mask = act->mask & NEVER_BLOCKED;
	}
	lock_drop(&actions_lock);
	return err;
}

/* With the lock held no handler of the program's may come and call again. */
static long exchange(int signo, const struct kernel_action *act,
		     struct kernel_action *before)
{
	uint64_t mask = 0;
	long err = 0;

	actions_mask_raw(SIG_SETMASK, ~NEVER_BLOCKED, &mask);
	if (actions_is_ours(signo))
		*before = exchange_ours(signo, act);
	else
		err = exchange_other(signo, act, before);
	actions_mask_raw(SIG_SETMASK, mask, NULL);
	return err;
}

long actions_exchange(long signo, const void *act, void *old, long bytes)
{
	struct kernel_action now, before;
	long err;

	signo = (int)signo;
	if (bytes != SIGSET_BYTES || signo < 1 || signo >= SIGNALS ||
	    ((signo == SIGKILL || signo == SIGSTOP) && act))
		return SYS_4(SYS_rt_sigaction, signo, act, old, bytes);
	if (act && fault_copy(&now, act, sizeof(now)) < 0)
		return -EFAULT;
	err = exchange((int)signo, act ? &now : NULL, &before);
	if (!err && old && fault_copy(old, &before, sizeof(before)) < 0)
		return -EFAULT;
	return err;
}

/* ---- masks --------------------------------------------------------------- */

/* What a thread believes blocked, after a call like this. */
static uint64_t believe(long how, uint64_t set, uint64_t before)
{
	set &= NEVER_BLOCKED;
	return how == SIG_BLOCK	    ? before | set
	       : how == SIG_UNBLOCK ? before & ~set
				    : set;
}

long actions_mask(long how, const void *set, void *old, long bytes)
{
	const uint64_t believed = guest_here.believed;
	uint64_t asked = 0, passed, before = 0;
	long err;

	how = (int)how;
	if (bytes != SIGSET_BYTES)
		return SYS_4(SYS_rt_sigprocmask, how, set, old, bytes);
	if (set && fault_copy(&asked, set, sizeof(asked)) < 0)
		return -EFAULT;
	passed = how == SIG_UNBLOCK ? asked : asked & ~NEVER_BLOCKED;
	err = SYS_4(SYS_rt_sigprocmask, how, set ? &passed : NULL, &before,
		    SIGSET_BYTES);
	if (err)
		return err;
	if (set)
		guest_here.believed = believe(how, asked, believed);
	before |= believed;
	return old ? fault_copy(old, &before, sizeof(before)) : 0;
}

void actions_leaving(bool is_leaving)
{
	const uint64_t believed = guest_here.believed;

	if (believed)
		actions_mask_raw(is_leaving ? SIG_BLOCK : SIG_UNBLOCK, believed,
				 NULL);
}

void actions_forked(void)
{
	owner = (pid_t)SYS_0(SYS_getpid);
}

long actions_wait_mask(const void **mask, long bytes, uint64_t *copy)
{
	if (!*mask || bytes != SIGSET_BYTES)
		return 0;
	if (fault_copy(copy, *mask, sizeof(*copy)) < 0)
		return -EFAULT;
	*copy &= ~NEVER_BLOCKED;
	*mask = copy;
	return 0;
}
