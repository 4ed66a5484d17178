// SPDX-License-Identifier: MIT
/*
 * The program's signals, and the library's.
 *
 * Theory: the trap lane needs SIGSYS, the engine's fault-proof copy
 * (base/fault.h) needs SIGSEGV and SIGBUS, and their handlers must run first.
 * The program must not notice. So its own actions for these three are recorded
 * here; sigaction() and its variants answer from the record; and a signal that
 * is not the library's is handled with the recorded action.
 *
 * The engine installs its handlers with an ordinary sigaction(), which also
 * comes here and is recognised by its return address. As the previous action it
 * gets signals_pass_on(); that is the only connection between the two.
 *
 * A trap while SIGSYS is blocked kills the process, and so does a fault of the
 * fault-proof copy while SIGSEGV or SIGBUS is blocked. So these three are
 * removed from every mask on its way to the kernel: masks that are set, masks
 * of calls that wait, and the masks that sigaction() gives a handler. The
 * signals that a thread has set blocked are recorded and reported. If one of
 * the three is sent to a thread that has set it blocked, it is held (struct
 * held) until a mask admits it, or a thread waits for it. Then the kernel
 * really blocks it and the signal is sent again unchanged, so that the call
 * that changes the mask delivers it at the right moment.
 *
 * Rules:
 *  1. An action that the program reads back is the one it set.
 *  2. A handler of the program's runs with its sa_mask, SA_NODEFER and
 *     SA_RESETHAND as it asked. It may run on the alternate stack where it
 *     otherwise would not.
 *  3. Everything here may be called in a signal handler: the lock is held
 *     with all signals blocked.
 *  4. Masks are changed on copies.
 *  5. New threads and programs inherit the mask that their creator has set.
 * Not covered: masks set with the bare system call, sigsetmask() and
 * sigblock(); jumps out of handlers, which change masks unnoticed; a signalfd()
 * for one of the three; a second signal of a kind while one is held; calls that
 * a held one has interrupted.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "base/mem.h"
#include "base/process.h"
#include "base/sys.h"
#include "intercept/real.h"
#include "polyring/polyring.h"

#define SIGSET_BYTES 8
#define SIGNALS 65

/* A signal that came while the program had it blocked. */
struct held {
	bool is_there;
	long thread; /* the thread that it was sent to; 0: the process */
	siginfo_t info;
};

struct owned {
	int signo;
	bool taken; /* a handler of the library's is installed */
	void (*ours)(int, siginfo_t *, void *); /* that handler */
	struct sigaction program; /* the program's action, once taken */
	struct held held;
	long waiter; /* a thread in sigwait() for it; 0: none */
	bool woken; /* that thread has one signal more pending than were sent */
};

static struct owned owned[] = {
	{.signo = SIGSYS},
	{.signo = SIGSEGV},
	{.signo = SIGBUS},
};

static pthread_mutex_t owned_lock = PTHREAD_MUTEX_INITIALIZER;

#define BIT(signo) (UINT64_C(1) << ((unsigned int)(signo)-1))

/* Signals that no mask that reaches the kernel may contain. */
#define NEVER_BLOCKED (BIT(SIGSYS) | BIT(SIGSEGV) | BIT(SIGBUS))

/* Which of these the program's sa_mask for a signal contains. */
static uint64_t named_for[SIGNALS];

/* A filter is in force: a blocked SIGSYS would kill the process. */
static bool sigsys_traps;

/* Which of these the program has set blocked in this thread. */
static __thread uint64_t virtually_blocked
	__attribute__((tls_model("initial-exec")));

/*
 * A child of vfork() has the memory of its parent, this thread's own as well,
 * but actions and a mask of its own: nothing that it changes is the parent's.
 */
static bool is_guest(void)
{
	if (unlikely(!process_is_known()))
		process_begin(); /* a child with its own memory */
	return process_is_guest();
}

/* The same for a guest in this thread's memory. */
static __thread struct {
	long process; /* 0: nobody */
	uint64_t blocked;
} guest __attribute__((tls_model("initial-exec")));

/* Of the calling thread, or of the guest that runs in its memory. */
static uint64_t *virtual_mask(void)
{
	long self;

	if (likely(!is_guest()))
		return &virtually_blocked;
	self = sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0);
	if (guest.process != self) {
		guest.process = self;
		guest.blocked = virtually_blocked;
	}
	return &guest.blocked;
}

static uint64_t word_of(const sigset_t *set)
{
	uint64_t word;

	memcpy(&word, set, sizeof(word));
	return word;
}

static void signals_put_word(sigset_t *set, uint64_t word)
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

/*
 * This thread forks and holds the lock: other libraries' fork handlers may call
 * this.
 */
static __thread bool in_fork __attribute__((tls_model("initial-exec")));

void signals_before_fork(void)
{
	uint64_t mask;

	lock_owned(&mask);
	mask_before_fork = mask;
	in_fork = true;
}

void signals_after_fork(bool child)
{
	const uint64_t mask = mask_before_fork;

	/* Pending signals are not inherited. */
	for (size_t i = 0; i < array_size(owned) && child; i++) {
		owned[i].held.is_there = false;
		owned[i].waiter = 0;
	}
	if (child)
		process_begin();
	in_fork = false;
	unlock_owned(&mask);
}

void signals_before_exec(void)
{
	const uint64_t blocked = *virtual_mask();

	if (blocked)
		mask_raw(SIG_BLOCK, &blocked, NULL);
}

void signals_after_exec(void)
{
	const uint64_t blocked = *virtual_mask();

	if (blocked)
		mask_raw(SIG_UNBLOCK, &blocked, NULL);
}

void signals_unblock(void)
{
	const uint64_t never = NEVER_BLOCKED;
	uint64_t before = 0;

	mask_raw(SIG_UNBLOCK, &never, &before);
	virtually_blocked |= before & NEVER_BLOCKED;
}

/* ---- held signals -------------------------------------------------------- */

static long thread_now(void)
{
	return sys_direct(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static long process_now(void)
{
	return sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/*
 * Send it to this thread, as if from its first sender, which other threads may
 * not do.
 */
static void send_again(int signo, siginfo_t *info)
{
	sys_direct(SYS_rt_tgsigqueueinfo, process_now(), thread_now(), signo,
		   (long)info, 0, 0);
}

/* In the handler. A thread that waits for the signal is woken and takes it. */
static void held_put(struct owned *o, siginfo_t *info)
{
	long thread = info->si_code == SI_TKILL ? thread_now() : 0;
	uint64_t mask;
	long waiter;

	lock_owned(&mask);
	waiter = thread || o->held.is_there ? 0 : o->waiter;
	if (!o->held.is_there)
		o->held = (struct held){true, thread, *info};
	if (waiter) {
		o->waiter = 0;
		o->woken = true;
		sys_direct(SYS_tgkill, process_now(), waiter, o->signo, 0, 0,
			   0);
	}
	unlock_owned(&mask);
}

/* Is one held for this thread? Call with the lock. */
static bool held_is_mine(const struct owned *o)
{
	return o->held.is_there &&
	       (!o->held.thread || o->held.thread == thread_now());
}

static bool held_take(struct owned *o, siginfo_t *info)
{
	uint64_t mask;
	bool mine;

	lock_owned(&mask);
	mine = held_is_mine(o);
	if (mine) {
		*info = o->held.info;
		o->held.is_there = false;
	}
	unlock_owned(&mask);
	return mine;
}

static uint64_t held_pending(void)
{
	uint64_t mask, names = 0;

	lock_owned(&mask);
	for (size_t i = 0; i < array_size(owned); i++)
		if (held_is_mine(&owned[i]))
			names |= BIT(owned[i].signo);
	unlock_owned(&mask);
	return names;
}

static bool held_any(void)
{
	bool any = false;

	for (size_t i = 0; i < array_size(owned); i++)
		any = any || load_relaxed(&owned[i].held.is_there);
	return any;
}

/*
 * Before a call that sets a mask which blocks @names: send again the held
 * signals that the mask admits, with the signals really blocked until then.
 */
static void held_release(uint64_t names)
{
	siginfo_t info;

	if (likely(!held_any()))
		return;
	for (size_t i = 0; i < array_size(owned); i++) {
		const uint64_t block = BIT(owned[i].signo);

		if (names & block || !held_take(&owned[i], &info))
			continue;
		mask_raw(SIG_BLOCK, &block, NULL);
		send_again(owned[i].signo, &info);
	}
}

/* Ignoring a signal discards a held one. Call with the lock. */
static void held_drop_ignored(struct owned *o)
{
	if (o->program.sa_handler == SIG_IGN)
		o->held.is_there = false;
}

/* ---- the program's own handlers ------------------------------------------ */

/* Die of @signo, or fault again at the same place. */
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
 * Rule 2. sigreturn restores the interrupted mask. The signal itself is really
 * blocked, so that a handler that faults ends the process, as without the
 * library.
 */
static void block_for_handler(int signo, const struct sigaction *action)
{
	uint64_t block = word_of(&action->sa_mask);

	if (!(action->sa_flags & SA_NODEFER))
		block |= BIT(signo);
	if (load_relaxed(&sigsys_traps))
		block &= ~BIT(SIGSYS);
	mask_raw(SIG_BLOCK, &block, NULL);
}

void signals_pass_on(int signo, siginfo_t *info, void *ucontext)
{
	struct owned *o = owned_of(signo);
	uint64_t mask, blocked = virtually_blocked;
	struct sigaction action;

	if (blocked & BIT(signo) && info->si_code <= 0) {
		held_put(o, info);
		return;
	}
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
	/* As the kernel restores the mask, whatever the handler did to it. */
	virtually_blocked = blocked;
}

/* ---- the alternate stack --------------------------------------------------
 */

/* What the kernel and a handler of the library's need, and some to spare. */
#define STACK_ENOUGH 8192u

/* A thread has an alternate stack of less. */
static bool stacks_are_small;

/*
 * The library's handlers run on the alternate stack, because the program's may
 * need it. On a small one there is no room for them: then they run there only
 * if the program's own action asks for it.
 */
static int owned_stack_flag(const struct owned *o)
{
	if (!load_relaxed(&stacks_are_small))
		return SA_ONSTACK;
	return o->program.sa_flags & SA_ONSTACK;
}

/* After something of that has changed. Call with the lock. */
static void owned_move(const struct owned *o)
{
	struct sigaction now;

	if (!o->taken || REAL(sigaction)(o->signo, NULL, &now) < 0)
		return;
	now.sa_flags &= ~SA_ONSTACK;
	now.sa_flags |= owned_stack_flag(o);
	REAL(sigaction)(o->signo, &now, NULL);
}

POLYRING_API int sigaltstack(const stack_t *stack, stack_t *old)
{
	bool small = stack && !(stack->ss_flags & SS_DISABLE) &&
		     stack->ss_size < STACK_ENOUGH;
	int result = REAL(sigaltstack)(stack, old);
	uint64_t mask;

	if (result < 0 || !small || load_relaxed(&stacks_are_small) ||
	    !intercept_engine_serves())
		return result;
	lock_owned(&mask);
	store_relaxed(&stacks_are_small, true);
	for (size_t i = 0; i < array_size(owned); i++)
		owned_move(&owned[i]);
	unlock_owned(&mask);
	return result;
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
	if (REAL(sigaction)(signo, &mine, o->taken ? NULL : &o->program) < 0)
		err = -errno;
	else
		o->taken = true;
	o->ours = handler;
	if (load_relaxed(&stacks_are_small))
		owned_move(o);
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

	/*
	 * Pairs with the release store at the end; racing threads store the
	 * same.
	 */
	if (!load_acquire(&engine.begin)) {
		dl_iterate_phdr(find_engine, &found);
		store_relaxed(&engine.end, found.end);
		store_release(&engine.begin, found.begin);
	}
	return caller - engine.begin < engine.end - engine.begin;
}

void signals_sigsys_traps(void)
{
	store_relaxed(&sigsys_traps, true);
}

void signals_open(void)
{
	process_begin();
	is_engine(0);
}

/*
 * Install the engine's handler; the previous action that it gets is
 * signals_pass_on().
 */
static int engine_sigaction(struct owned *o, const struct sigaction *act,
			    struct sigaction *old)
{
	uint64_t mask;
	int result;

	lock_owned(&mask);
	result = REAL(sigaction)(o->signo, act, o->taken ? NULL : &o->program);
	if (!result && act) {
		o->taken = true;
		o->ours = act->sa_sigaction;
		if (load_relaxed(&stacks_are_small))
			owned_move(o);
	}
	unlock_owned(&mask);
	if (!result && old)
		*old = (struct sigaction){.sa_sigaction = signals_pass_on,
					  .sa_flags = SA_SIGINFO};
	return result;
}

/*
 * The guest's own action: the kernel has it. Where that is still the handler
 * that it began with, it reads what its parent's action is.
 */
static int guest_sigaction(struct owned *o, const struct sigaction *act,
			   struct sigaction *old)
{
	/* Without the handler a trap would kill. Exec takes it away anyhow. */
	bool must_stay = o->signo == SIGSYS && load_relaxed(&sigsys_traps);
	struct sigaction before;
	int result = REAL(sigaction)(o->signo, must_stay ? NULL : act, &before);

	if (!result && old)
		*old = before.sa_sigaction == o->ours ? o->program : before;
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
	if (taken && act) {
		o->program = *act;
		held_drop_ignored(o);
		if (load_relaxed(&stacks_are_small))
			owned_move(o);
	}
	unlock_owned(&mask);
	if (taken && old)
		*old = before;
	return taken;
}

/* ---- handlers that must wait --------------------------------------------- */

/*
 * A handler that interrupts a call of the engine might jump out of it and leave
 * its locks taken. The kernel runs handlers at the end of a call. So the
 * program's handlers are called by handler_arrive(), which puts a signal off
 * until the call ends or sleeps: with all signals blocked from then on, it is
 * sent again, as it was, when the mask is restored.
 */
static struct program_handler {
	sighandler_t function;
	int flags; /* SA_RESETHAND and SA_SIGINFO, as the program gave them */
} handlers[SIGNALS];

#define HANDLER_FLAGS ((int)SA_RESETHAND | SA_SIGINFO)

static __thread struct {
	siginfo_t info;
	uint64_t mask;
} put_off __attribute__((tls_model("initial-exec")));

/* What says that a signal is one that was put off. */
#define SI_PUT_OFF (-0x7072)

/*
 * Real-time signals come in order, and one that is sent again comes last. So
 * until it comes, each that comes brings what the one before it was.
 */
static __thread struct {
	int signo; /* 0: none is on its way */
	siginfo_t info; /* the next */
} in_order __attribute__((tls_model("initial-exec")));

static void handler_exchange(siginfo_t *info)
{
	siginfo_t came = *info;

	if (came.si_signo == in_order.signo) {
		*info = in_order.info;
		in_order.info = came;
		if (came.si_code == SI_PUT_OFF)
			in_order.signo = 0;
	} else if (came.si_code == SI_PUT_OFF) {
		*info = put_off.info;
	}
}

static void handler_resume(void)
{
	const uint64_t mask = put_off.mask;
	siginfo_t again = {
		.si_signo = put_off.info.si_signo,
		.si_code = SI_PUT_OFF,
	};

	if (again.si_signo >= SIGRTMIN && !in_order.signo) {
		in_order.signo = again.si_signo;
		in_order.info = put_off.info;
	}
	if (sys_direct(SYS_rt_tgsigqueueinfo, process_now(), thread_now(),
		       again.si_signo, (long)&again, 0, 0) < 0)
		sys_direct(SYS_tgkill, process_now(), thread_now(),
			   again.si_signo, 0, 0, 0);
	mask_raw(SIG_SETMASK, &mask, NULL);
}

/* libc keeps these for itself. */
#define LIBC_SIGNALS (BIT(32) | BIT(33))

static void handler_arrive(int signo, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	void (*handler)(int, siginfo_t *, void *) =
		(void (*)(int, siginfo_t *, void *))(void *)load_relaxed(
			&handlers[signo].function);
	struct sigaction standard = {.sa_handler = SIG_DFL};

	handler_exchange(info);
	if (polyring_put_off(handler_resume)) {
		put_off.info = *info;
		put_off.mask = word_of(&interrupted->uc_sigmask);
		signals_put_word(&interrupted->uc_sigmask,
				 ~(NEVER_BLOCKED | LIBC_SIGNALS) |
					 put_off.mask);
		return;
	}
	if (load_relaxed(&handlers[signo].flags) & (int)SA_RESETHAND)
		REAL(sigaction)(signo, &standard, NULL);
	handler(signo, info, context);
}

static bool is_handler(const struct sigaction *act)
{
	return act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN;
}

/* The real sigaction(), with ours in the place of a handler. */
static int handler_sigaction(int signo, struct sigaction *act,
			     struct sigaction *old)
{
	struct program_handler before, now;
	uint64_t mask;
	int result;

	if (signo <= 0 || signo >= SIGNALS || !intercept_engine_serves())
		return REAL(sigaction)(signo, act, old);
	lock_owned(&mask);
	before = handlers[signo];
	now = before;
	if (act && is_handler(act) && !is_guest()) {
		now.function = act->sa_handler;
		now.flags = act->sa_flags & HANDLER_FLAGS;
		act->sa_sigaction = handler_arrive;
		act->sa_flags &= ~(int)SA_RESETHAND;
		act->sa_flags |= SA_SIGINFO;
	}
	store_relaxed(&handlers[signo].function, now.function);
	store_relaxed(&handlers[signo].flags, now.flags);
	result = REAL(sigaction)(signo, act, old);
	if (result < 0)
		handlers[signo] = before;
	unlock_owned(&mask);
	if (result >= 0 && old && old->sa_sigaction == handler_arrive) {
		old->sa_handler = before.function;
		old->sa_flags &= ~HANDLER_FLAGS;
		old->sa_flags |= before.flags;
	}
	return result;
}

/*
 * Signals for which the library has no handler; ours are removed from their
 * masks.
 */
static int foreign_sigaction(int signo, struct sigaction *act,
			     struct sigaction *old)
{
	uint64_t *named = &named_for[signo > 0 && signo < SIGNALS ? signo : 0];
	uint64_t before = load_relaxed(named), now = 0;
	int result;

	if (act && intercept_engine_serves()) {
		now = word_of(&act->sa_mask) & NEVER_BLOCKED;
		signals_put_word(&act->sa_mask, word_of(&act->sa_mask) & ~now);
	}
	result = handler_sigaction(signo, act, old);
	if (result < 0)
		return result;
	if (act && now != before && !is_guest())
		store_relaxed(named, now);
	if (old)
		signals_put_word(&old->sa_mask,
				 word_of(&old->sa_mask) | before);
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
	if (o && o->taken && is_guest())
		return guest_sigaction(o, act, old);
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

/*
 * For functions that take only a handler: libc's would bypass our sigaction().
 */
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
	if (!owned_of(signo) && !intercept_engine_serves())
		return REAL(signal)(signo, handler);
	return handler_only(signo, handler, SA_RESTART,
			    (uintptr_t)__builtin_return_address(0));
}

POLYRING_API sighandler_t sysv_signal(int signo, sighandler_t handler)
{
	if (!owned_of(signo) && !intercept_engine_serves())
		return REAL(sysv_signal)(signo, handler);
	return handler_only(signo, handler, (int)SA_RESETHAND | SA_NODEFER,
			    (uintptr_t)__builtin_return_address(0));
}

/* libc's sigset() knows the library's handler only. */
static sighandler_t handler_of(int signo, sighandler_t seen)
{
	bool ours = seen == (sighandler_t)(void *)handler_arrive;

	return ours ? handlers[signo].function : seen;
}

POLYRING_API sighandler_t sigset(int signo, sighandler_t handler)
{
	if (!owned_of(signo) || handler == SIG_HOLD)
		return handler_of(signo, REAL(sigset)(signo, handler));
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

/* libc has them under several names. */
#define ALSO_NAMED(name, function) \
	__asm__(".globl " #name "\n.set " #name ", " #function "\n")
ALSO_NAMED(__sigaction, sigaction);
ALSO_NAMED(bsd_signal, signal);
ALSO_NAMED(ssignal, signal);
ALSO_NAMED(__sysv_signal, sysv_signal);

/* ---- masks --------------------------------------------------------------- */

/* @mask without ours, in @copy if it differs (rule 4). */
const sigset_t *signals_without_ours(const sigset_t *mask, sigset_t *copy)
{
	if (!mask || !(word_of(mask) & NEVER_BLOCKED) ||
	    !intercept_engine_serves())
		return mask;
	*copy = *mask;
	signals_put_word(copy, word_of(mask) & ~NEVER_BLOCKED);
	return copy;
}

static uint64_t virtual_mask_after(int how, uint64_t names, uint64_t before)
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

/*
 * Before a signal is recorded as blocked: from then on it may have to be held,
 * so our handler must be installed, even if the engine or a filter does not
 * need it yet.
 */
static void take_named(uint64_t names)
{
	for (size_t i = 0; i < array_size(owned); i++)
		if (names & BIT(owned[i].signo) &&
		    !load_relaxed(&owned[i].taken))
			signals_take(owned[i].signo, signals_pass_on);
}

static int mask_change(mask_fn change, int how, const sigset_t *set,
		       sigset_t *old)
{
	uint64_t names = set ? word_of(set) & NEVER_BLOCKED : 0;
	uint64_t *blocked, before;
	sigset_t copy;
	int result;

	if (!intercept_engine_serves() || in_fork)
		return change(how, set, old);
	blocked = virtual_mask();
	before = *blocked;
	if (set) {
		*blocked = virtual_mask_after(how, names, before);
		if (blocked == &virtually_blocked) {
			take_named(virtually_blocked);
			held_release(virtually_blocked);
		}
	}
	if (how != SIG_UNBLOCK)
		set = signals_without_ours(set, &copy);
	result = change(how, set, old);
	if (result)
		virtually_blocked = before;
	else if (old)
		signals_put_word(old, word_of(old) | before);
	return result;
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

/* A wait with @mask begins; see the header. */
struct signals_wait signals_wait_begin(const sigset_t *mask)
{
	struct signals_wait wait = {.mask = mask, .blocked = virtually_blocked};

	if (!mask || !intercept_engine_serves())
		return wait;
	wait.changed = true;
	signals_put_word(&wait.copy, word_of(mask) & ~NEVER_BLOCKED);
	virtually_blocked = word_of(mask) & NEVER_BLOCKED;
	take_named(virtually_blocked);
	held_release(virtually_blocked);
	return wait;
}

/* Signals that were not admitted are delivered now, and held again. */
void signals_wait_end(const struct signals_wait *wait)
{
	const uint64_t never = NEVER_BLOCKED;

	if (!wait->changed)
		return;
	virtually_blocked = wait->blocked;
	mask_raw(SIG_UNBLOCK, &never, NULL);
}

POLYRING_API int sigsuspend(const sigset_t *mask)
{
	return SIGNALS_WAIT(mask, REAL(sigsuspend)(mask_));
}

POLYRING_API int epoll_pwait(int epfd, struct epoll_event *events, int count,
			     int timeout, const sigset_t *mask)
{
	watch_settle();
	return SIGNALS_WAIT(
		mask, REAL(epoll_pwait)(epfd, events, count, timeout, mask_));
}

POLYRING_API int epoll_pwait2(int epfd, struct epoll_event *events, int count,
			      const struct timespec *timeout,
			      const sigset_t *mask)
{
	watch_settle();
	return SIGNALS_WAIT(
		mask, REAL(epoll_pwait2)(epfd, events, count, timeout, mask_));
}

/* ---- waiting for signals ------------------------------------------------- */

POLYRING_API int sigpending(sigset_t *set)
{
	int result = REAL(sigpending)(set);

	if (!result && held_any())
		signals_put_word(set, word_of(set) | held_pending());
	return result;
}

/* In libc's result tgkill() looks like kill(). */
static int wait_result(const siginfo_t *from, siginfo_t *info)
{
	if (info) {
		*info = *from;
		if (info->si_code == SI_TKILL)
			info->si_code = SI_USER;
	}
	return from->si_signo;
}

static void waiter_set(uint64_t names, long before, long after)
{
	for (size_t i = 0; i < array_size(owned); i++)
		if (names & BIT(owned[i].signo) &&
		    load_relaxed(&owned[i].waiter) == before)
			store_relaxed(&owned[i].waiter, after);
}

/* Take a held signal; 0 if there is none. */
static int wait_for_held(uint64_t names, siginfo_t *info)
{
	siginfo_t found;

	for (size_t i = 0; i < array_size(owned); i++)
		if (names & BIT(owned[i].signo) && held_take(&owned[i], &found))
			return wait_result(&found, info);
	return 0;
}

/* Take the signal that only woke this thread, unless it is @got already. */
static void waiter_drain(uint64_t names, int got)
{
	const struct timespec now = {0, 0};
	sigset_t one;

	for (size_t i = 0; i < array_size(owned); i++) {
		struct owned *o = &owned[i];

		if (!(names & BIT(o->signo)) ||
		    !__atomic_exchange_n(&o->woken, false, __ATOMIC_RELAXED) ||
		    got == o->signo)
			continue;
		sigemptyset(&one);
		sigaddset(&one, o->signo);
		REAL(sigtimedwait)(&one, NULL, &now);
	}
}

/* While it waits the kernel really blocks them, so no wake-up is missed. */
POLYRING_API int sigtimedwait(const sigset_t *set, siginfo_t *info,
			      const struct timespec *timeout)
{
	uint64_t names = word_of(set) & NEVER_BLOCKED;
	int signo, held, error;
	long self;

	if (!names || !intercept_engine_serves())
		return REAL(sigtimedwait)(set, info, timeout);
	self = thread_now();
	mask_raw(SIG_BLOCK, &names, NULL);
	waiter_set(names, 0, self);
	held = wait_for_held(names, info);
	signo = held ? held : REAL(sigtimedwait)(set, info, timeout);
	error = errno;
	waiter_set(names, self, 0);
	waiter_drain(names, held ? 0 : signo);
	if (!held && signo > 0 && names & BIT(signo))
		wait_for_held(BIT(signo), info);
	mask_raw(SIG_UNBLOCK, &names, NULL);
	errno = error;
	return signo;
}

POLYRING_API int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

POLYRING_API int sigwait(const sigset_t *set, int *signo)
{
	int errno_before = errno, got;

	do
		got = sigtimedwait(set, NULL, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno;
	errno = errno_before;
	*signo = got;
	return 0;
}

/* ---- threads ------------------------------------------------------------- */

struct beginning {
	void *(*start)(void *);
	void *arg;
	uint64_t blocked;
};

static void *begin_with_mask(void *arg)
{
	struct beginning beginning = *(struct beginning *)arg;

	mem_free(arg);
	virtually_blocked = beginning.blocked;
	return beginning.start(beginning.arg);
}

/* Rule 5. Most threads have none of the three blocked and start directly. */
POLYRING_API int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				void *(*start)(void *), void *arg)
{
	struct beginning *beginning;
	int err;

	if (likely(!virtually_blocked))
		return REAL(pthread_create)(thread, attr, start, arg);
	beginning = mem_new(1, sizeof(*beginning));
	if (!beginning)
		return EAGAIN;
	*beginning = (struct beginning){start, arg, virtually_blocked};
	err = REAL(pthread_create)(thread, attr, begin_with_mask, beginning);
	if (err)
		mem_free(beginning);
	return err;
}

/*
 * The engine must not be left in the middle of a call, so it is informed.
 * Asynchronous cancellation is set last, and deferred cancellation first.
 */
POLYRING_API int pthread_setcanceltype(int type, int *before)
{
	bool asynchronous = type == PTHREAD_CANCEL_ASYNCHRONOUS;
	int unused, err;

	if (!intercept_engine_serves() ||
	    is_engine((uintptr_t)__builtin_return_address(0)))
		return REAL(pthread_setcanceltype)(type, before);
	if (asynchronous)
		polyring_cancels(true);
	err = REAL(pthread_setcanceltype)(type, before ? before : &unused);
	if (!err && !asynchronous)
		polyring_cancels(false);
	return err;
}
