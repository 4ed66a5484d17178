// SPDX-License-Identifier: MIT
/*
 * The program's signals, and ours beside them.
 *
 * Theory: SIGSYS belongs to the trap lane, SIGSEGV and SIGBUS belong to the
 * fault-proof copy of the engine (base/fault.h), whose handlers must come
 * first. The program must not notice. So its own actions for these three are
 * kept here, as it gave them; sigaction() and its relatives answer from here;
 * and a signal that is not ours meets here what the program asked for.
 *
 * The engine installs its handlers with an ordinary sigaction(), which arrives
 * here too and is known by its return address. What it gets as the previous
 * action is signals_pass_on(); that is the whole connection between the two.
 *
 * A trap that meets a blocked SIGSYS kills the process, and so does a fault of
 * the fault-proof copy that meets a blocked SIGSEGV or SIGBUS. So these three
 * are taken out of every mask on its way to the kernel: those that are set,
 * those that waits put in place, those that sigaction() names for the time of
 * a handler. What the program believes to be blocked is remembered, reported,
 * and nothing else: jumps out of handlers change masks without our seeing it.
 *
 * Rules:
 *  1. An action the program reads back is the one it set.
 *  2. A handler of the program's runs with its sa_mask, SA_NODEFER and
 *     SA_RESETHAND as it asked. It may find itself on the alternate stack
 *     where it would not have been.
 *  3. Everything here may be called in a signal handler: the lock is held
 *     with all signals blocked.
 *  4. Masks are changed on copies.
 * Not covered: masks set with the bare system call, sigsetmask() and
 * sigblock(); one of the three sent by kill() to a thread that believes it
 * blocked (it is delivered); a new thread's belief (it starts with none), nor
that of a program that this one executes.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "base/sys.h"
#include "intercept/real.h"
#include "polyring/polyring.h"

#define SIGSET_BYTES 8
#define SIGNALS 65

struct owned {
	int signo;
	bool taken; /* a handler of ours is in place */
	struct sigaction program; /* the program's action, once taken */
};

static struct owned owned[] = {
	{.signo = SIGSYS},
	{.signo = SIGSEGV},
	{.signo = SIGBUS},
};

static pthread_mutex_t owned_lock = PTHREAD_MUTEX_INITIALIZER;

#define BIT(signo) (UINT64_C(1) << ((unsigned int)(signo)-1))

/* What no mask that reaches the kernel may name. */
#define NEVER_BLOCKED (BIT(SIGSYS) | BIT(SIGSEGV) | BIT(SIGBUS))

/* Which of these the sa_mask that the program gave for a signal named. */
static uint64_t named_for[SIGNALS];

/* Which of these this thread believes to be blocked. */
static __thread uint64_t believed_blocked
	__attribute__((tls_model("initial-exec")));

static uint64_t word_of(const sigset_t *set)
{
	uint64_t word;

	memcpy(&word, set, sizeof(word));
	return word;
}

static void put_word(sigset_t *set, uint64_t word)
{
	memcpy(set, &word, sizeof(word));
}

static struct owned *owned_of(int signo)
{
	for (size_t i = 0; i < array_size(owned); i++)
		if (owned[i].signo == signo)
			return &owned[i];
	return NULL;
}

static void mask_raw(int how, const uint64_t *set, uint64_t *old)
{
	sys_direct(SYS_rt_sigprocmask, how, (long)set, (long)old, SIGSET_BYTES,
		   0, 0);
}

static void lock_owned(uint64_t *mask_before)
{
	const uint64_t all = UINT64_MAX;

	mask_raw(SIG_SETMASK, &all, mask_before);
	pthread_mutex_lock(&owned_lock);
}

static void unlock_owned(const uint64_t *mask_before)
{
	pthread_mutex_unlock(&owned_lock);
	mask_raw(SIG_SETMASK, mask_before, NULL);
}

static uint64_t mask_before_fork;

void signals_before_fork(void)
{
	uint64_t mask;

	lock_owned(&mask);
	mask_before_fork = mask;
}

void signals_after_fork(void)
{
	const uint64_t mask = mask_before_fork;

	unlock_owned(&mask);
}

void signals_unblock(void)
{
	const uint64_t never = NEVER_BLOCKED;
	uint64_t before = 0;

	mask_raw(SIG_UNBLOCK, &never, &before);
	believed_blocked |= before & NEVER_BLOCKED;
}

/* ---- the program's own handlers ------------------------------------------ */

/* Die of @signo, or fault again where the fault was. */
static void meet_default(int signo, const siginfo_t *info)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	REAL(sigaction)(signo, &standard, NULL);
	if (info->si_code <= 0 || signo == SIGSYS)
		sys_direct(SYS_tgkill, sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0),
			   sys_direct(SYS_gettid, 0, 0, 0, 0, 0, 0), signo, 0,
			   0, 0);
}

/*
 * Rule 2. sigreturn puts the interrupted mask back. The signal itself is really
 * blocked, so that a handler that faults ends as it would have.
 */
static void block_for_handler(int signo, const struct sigaction *action)
{
	uint64_t block = word_of(&action->sa_mask);

	if (!(action->sa_flags & SA_NODEFER))
		block |= BIT(signo);
	if (intercept_engine_serves())
		block &= ~BIT(SIGSYS);
	mask_raw(SIG_BLOCK, &block, NULL);
}

void signals_pass_on(int signo, siginfo_t *info, void *ucontext)
{
	struct owned *o = owned_of(signo);
	struct sigaction action;
	uint64_t mask;

	lock_owned(&mask);
	action = o->program;
	if (action.sa_flags & SA_RESETHAND)
		o->program.sa_handler = SIG_DFL;
	unlock_owned(&mask);

	if (action.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
		meet_default(signo, info);
		return;
	}
	block_for_handler(signo, &action);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(signo, info, ucontext);
	else
		action.sa_handler(signo);
}

/* ---- sigaction and relatives --------------------------------------------- */

int signals_take(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct owned *o = owned_of(signo);
	struct sigaction mine = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART,
	};
	uint64_t mask;
	int err = 0;

	lock_owned(&mask);
	if (!o->taken) {
		if (REAL(sigaction)(signo, &mine, &o->program) < 0)
			err = -errno;
		o->taken = !err;
	}
	unlock_owned(&mask);
	return err;
}

struct range {
	uintptr_t begin;
	uintptr_t end;
};

static int find_engine(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	uintptr_t inside = (uintptr_t)dlsym(RTLD_NEXT, "polyring_setup");
	struct range *range = arg;

	(void)bytes;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && inside >= begin &&
		    inside - begin < segment->p_memsz) {
			range->end = begin + segment->p_memsz;
			store_release(&range->begin, begin);
			return 1;
		}
	}
	return 0;
}

static bool is_engine(uintptr_t caller)
{
	static struct range engine;
	struct range found = {0};

	/* Pairs with the release store at the end; racers store the same. */
	if (!load_acquire(&engine.begin)) {
		dl_iterate_phdr(find_engine, &found);
		store_relaxed(&engine.end, found.end);
		store_release(&engine.begin, found.begin);
	}
	return caller - engine.begin < engine.end - engine.begin;
}

void signals_open(void)
{
	is_engine(0);
}

/* The engine's handler goes in; "before it" stands signals_pass_on(). */
static int engine_sigaction(struct owned *o, const struct sigaction *act,
			    struct sigaction *old)
{
	uint64_t mask;
	int result;

	lock_owned(&mask);
	result = REAL(sigaction)(o->signo, act, o->taken ? NULL : &o->program);
	if (!result)
		o->taken = true;
	unlock_owned(&mask);
	if (!result && old)
		*old = (struct sigaction){.sa_sigaction = signals_pass_on,
					  .sa_flags = SA_SIGINFO};
	return result;
}

static bool owned_exchange(struct owned *o, const struct sigaction *act,
			   struct sigaction *old)
{
	struct sigaction before;
	uint64_t mask;
	bool taken;

	lock_owned(&mask);
	taken = o->taken;
	before = o->program;
	if (taken && act)
		o->program = *act;
	unlock_owned(&mask);
	if (taken && old)
		*old = before;
	return taken;
}

/* The signals that no handler of ours is for; their masks lose ours. */
static int foreign_sigaction(int signo, struct sigaction *act,
			     struct sigaction *old)
{
	uint64_t *named = &named_for[signo > 0 && signo < SIGNALS ? signo : 0];
	uint64_t before = load_relaxed(named), now = 0;
	int result;

	if (act && intercept_engine_serves()) {
		now = word_of(&act->sa_mask) & NEVER_BLOCKED;
		put_word(&act->sa_mask, word_of(&act->sa_mask) & ~now);
	}
	result = REAL(sigaction)(signo, act, old);
	if (result < 0)
		return result;
	if (act && now != before)
		store_relaxed(named, now);
	if (old)
		put_word(&old->sa_mask, word_of(&old->sa_mask) | before);
	return 0;
}

static int any_sigaction(int signo, const struct sigaction *act,
			 struct sigaction *old, uintptr_t caller)
{
	struct owned *o = owned_of(signo);
	struct sigaction copy;

	if (act) {
		copy = *act;
		act = &copy;
	}
	if (o && is_engine(caller))
		return engine_sigaction(o, act, old);
	if (o && owned_exchange(o, act, old))
		return 0;
	return foreign_sigaction(signo, act ? &copy : NULL, old);
}

POLYRING_API int sigaction(int signo, const struct sigaction *act,
			   struct sigaction *old)
{
	return any_sigaction(signo, act, old,
			     (uintptr_t)__builtin_return_address(0));
}

/* Those that take a handler only: libc's would go round our sigaction(). */
static sighandler_t handler_only(int signo, sighandler_t handler, int flags,
				 uintptr_t caller)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags};
	struct sigaction old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (!(flags & SA_NODEFER))
		sigaddset(&act.sa_mask, signo);
	if (any_sigaction(signo, &act, &old, caller) < 0)
		return SIG_ERR;
	return old.sa_handler;
}

POLYRING_API sighandler_t signal(int signo, sighandler_t handler)
{
	if (!owned_of(signo))
		return REAL(signal)(signo, handler);
	return handler_only(signo, handler, SA_RESTART,
			    (uintptr_t)__builtin_return_address(0));
}

POLYRING_API sighandler_t sysv_signal(int signo, sighandler_t handler)
{
	if (!owned_of(signo))
		return REAL(sysv_signal)(signo, handler);
	return handler_only(signo, handler, (int)SA_RESETHAND | SA_NODEFER,
			    (uintptr_t)__builtin_return_address(0));
}

POLYRING_API sighandler_t sigset(int signo, sighandler_t handler)
{
	if (!owned_of(signo) || handler == SIG_HOLD)
		return REAL(sigset)(signo, handler);
	return handler_only(signo, handler, 0,
			    (uintptr_t)__builtin_return_address(0));
}

POLYRING_API int sigignore(int signo)
{
	if (!owned_of(signo))
		return REAL(sigignore)(signo);
	return handler_only(signo, SIG_IGN, 0,
			    (uintptr_t)__builtin_return_address(0)) == SIG_ERR
		       ? -1
		       : 0;
}

/* libc has them under more than one name. */
#define ALSO_NAMED(name, function) \
	__asm__(".globl " #name "\n.set " #name ", " #function "\n")
ALSO_NAMED(__sigaction, sigaction);
ALSO_NAMED(bsd_signal, signal);
ALSO_NAMED(ssignal, signal);
ALSO_NAMED(__sysv_signal, sysv_signal);

/* ---- masks --------------------------------------------------------------- */

/* @mask without ours, in @copy if need be (rule 4). */
const sigset_t *signals_without_ours(const sigset_t *mask, sigset_t *copy)
{
	if (!mask || !(word_of(mask) & NEVER_BLOCKED) ||
	    !intercept_engine_serves())
		return mask;
	*copy = *mask;
	put_word(copy, word_of(mask) & ~NEVER_BLOCKED);
	return copy;
}

static uint64_t belief_after(int how, uint64_t names, uint64_t before)
{
	switch (how) {
	case SIG_BLOCK:
		return before | names;
	case SIG_UNBLOCK:
		return before & ~names;
	default:
		return names;
	}
}

typedef int (*mask_fn)(int how, const sigset_t *set, sigset_t *old);

static int mask_change(mask_fn change, int how, const sigset_t *set,
		       sigset_t *old)
{
	uint64_t believed = believed_blocked;
	uint64_t names = set ? word_of(set) & NEVER_BLOCKED : 0;
	sigset_t copy;
	int result;

	if (how != SIG_UNBLOCK)
		set = signals_without_ours(set, &copy);
	result = change(how, set, old);
	if (result || !intercept_engine_serves())
		return result;
	if (set)
		believed_blocked = belief_after(how, names, believed);
	if (old)
		put_word(old, word_of(old) | believed);
	return 0;
}

POLYRING_API int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return mask_change(REAL(sigprocmask), how, set, old);
}

POLYRING_API int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return mask_change(REAL(pthread_sigmask), how, set, old);
}

POLYRING_API int pthread_attr_setsigmask_np(pthread_attr_t *attr,
					    const sigset_t *mask)
{
	sigset_t copy;

	return REAL(pthread_attr_setsigmask_np)(
		attr, signals_without_ours(mask, &copy));
}

POLYRING_API int sigsuspend(const sigset_t *mask)
{
	sigset_t copy;

	return REAL(sigsuspend)(signals_without_ours(mask, &copy));
}

POLYRING_API int epoll_pwait(int epfd, struct epoll_event *events, int count,
			     int timeout, const sigset_t *mask)
{
	sigset_t copy;

	return REAL(epoll_pwait)(epfd, events, count, timeout,
				 signals_without_ours(mask, &copy));
}

POLYRING_API int epoll_pwait2(int epfd, struct epoll_event *events, int count,
			      const struct timespec *timeout,
			      const sigset_t *mask)
{
	sigset_t copy;

	return REAL(epoll_pwait2)(epfd, events, count, timeout,
				  signals_without_ours(mask, &copy));
}
