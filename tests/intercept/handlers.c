// SPDX-License-Identifier: MIT
/*
 * The program's own signals work as if the library had none: SIGSYS blocked in
 * every way there is, handlers for SIGSEGV, SIGBUS and SIGSYS set before and
 * after the first ring, and what is read back is what was set.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>

#include "tap.h"

static sigset_t all;

static int trap_works(void)
{
	return inline_enter(-1, 1, 0, 0) == -EBADF;
}

/* ---- SIGSYS blocked ------------------------------------------------------ */

static void test_blocked(void)
{
	sigset_t before, now;

	sigprocmask(SIG_SETMASK, NULL, &before);
	sigprocmask(SIG_BLOCK, &all, NULL);
	CHECK("a_call_with_all_signals_blocked", trap_works());
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK("the_mask_reads_back_with_SIGSYS",
	      sigismember(&now, SIGSYS) == 1);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	CHECK("the_mask_reads_back_from_the_other_call",
	      sigismember(&now, SIGSYS) == 1);
	sigemptyset(&now);
	sigaddset(&now, SIGSYS);
	sigprocmask(SIG_UNBLOCK, &now, NULL);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK("an_unblocked_SIGSYS_reads_back",
	      sigismember(&now, SIGSYS) == 0 && sigismember(&now, SIGHUP) == 1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK("the_first_mask_is_back", !memcmp(&now, &before, 8));
}

static volatile sig_atomic_t worked_inside;

static void on_signal_call(int signo)
{
	(void)signo;
	worked_inside = trap_works() ? 1 : 2;
}

static void handle(int signo, void (*handler)(int), const sigset_t *mask,
		   int flags)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

	if (mask)
		act.sa_mask = *mask;
	sigaction(signo, &act, NULL);
}

static void test_blocked_in_handler(void)
{
	struct sigaction old;

	handle(SIGUSR1, on_signal_call, &all, 0);
	raise(SIGUSR1);
	CHECK("a_call_in_a_handler_that_blocks_all", worked_inside == 1);
	sigaction(SIGUSR1, NULL, &old);
	CHECK("its_mask_reads_back_with_SIGSYS",
	      sigismember(&old.sa_mask, SIGSYS) == 1 &&
		      old.sa_handler == on_signal_call);
	handle(SIGUSR1, on_signal_call, NULL, 0);
	sigaction(SIGUSR1, NULL, &old);
	CHECK("a_later_empty_mask_reads_back",
	      sigismember(&old.sa_mask, SIGSYS) == 0);
}

/* Waits with a mask of all signals but one, whose handler makes a call. */
static int wait_works(int (*wait_with)(const sigset_t *))
{
	sigset_t mask = all, block, before;
	int result;

	sigdelset(&mask, SIGUSR1);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &before);
	worked_inside = 0;
	raise(SIGUSR1);
	result = wait_with(&mask);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result == -1 && errno == EINTR && worked_inside == 1;
}

static const struct timespec long_time = {30, 0};

static int by_ppoll(const sigset_t *mask)
{
	return ppoll(NULL, 0, &long_time, mask);
}

static int by_pselect(const sigset_t *mask)
{
	return pselect(0, NULL, NULL, NULL, &long_time, mask);
}

static int by_epoll_pwait(const sigset_t *mask)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);
	int result = epoll_pwait(fd, &event, 1, 30000, mask);

	close(fd);
	return result;
}

static int by_epoll_pwait2(const sigset_t *mask)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);
	int result = epoll_pwait2(fd, &event, 1, &long_time, mask);

	close(fd);
	return result;
}

static void test_blocked_while_waiting(void)
{
	handle(SIGUSR1, on_signal_call, NULL, 0);
	CHECK("a_call_in_a_handler_inside_ppoll", wait_works(by_ppoll));
	CHECK("a_call_in_a_handler_inside_pselect", wait_works(by_pselect));
	CHECK("a_call_in_a_handler_inside_epoll_pwait",
	      wait_works(by_epoll_pwait));
	CHECK("a_call_in_a_handler_inside_epoll_pwait2",
	      wait_works(by_epoll_pwait2));
	CHECK("a_call_in_a_handler_inside_sigsuspend", wait_works(sigsuspend));
}

/* ---- the program's handlers for faults ----------------------------------- */

static sigjmp_buf out;
static volatile uintptr_t fault_at;
static volatile int fault_signo, fault_code, fault_masked;

static void on_fault(int signo, siginfo_t *info, void *ucontext)
{
	sigset_t now;

	(void)ucontext;
	sigprocmask(SIG_BLOCK, NULL, &now);
	fault_signo = signo;
	fault_code = info->si_code;
	fault_at = (uintptr_t)info->si_addr;
	fault_masked = sigismember(&now, SIGUSR2) == 1 &&
		       sigismember(&now, signo) == 1;
	siglongjmp(out, 1);
}

static void handle_faults(int signo)
{
	struct sigaction act = {.sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO};

	sigaddset(&act.sa_mask, SIGUSR2);
	sigaction(signo, &act, NULL);
}

static int fault_is_handled(void)
{
	char *hole =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fault_signo = 0;
	if (!sigsetjmp(out, 1))
		*(volatile char *)(hole + 5) = 1;
	munmap(hole, 4096);
	return fault_signo == SIGSEGV && fault_at == (uintptr_t)hole + 5 &&
	       fault_code == SEGV_ACCERR && fault_masked;
}

static int bus_error_is_handled(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	char *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	fault_signo = 0;
	if (!sigsetjmp(out, 1))
		(void)*(volatile char *)at;
	munmap(at, 4096);
	close(fd);
	return fault_signo == SIGBUS && fault_at == (uintptr_t)at;
}

static int reads_back(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction old;

	return sigaction(signo, NULL, &old) == 0 &&
	       old.sa_sigaction == handler &&
	       (old.sa_flags & ~0x04000000) == SA_SIGINFO &&
	       sigismember(&old.sa_mask, SIGUSR2) == 1;
}

static void test_faults_before_and_after(void)
{
	int fd;

	handle_faults(SIGSEGV);
	CHECK("a_fault_is_handled_before_the_first_ring", fault_is_handled());
	fd = inline_ring();
	CHECK("the_handler_reads_back_after_the_first_ring",
	      fd >= 0 && reads_back(SIGSEGV, on_fault));
	CHECK("a_fault_is_handled_after_the_first_ring", fault_is_handled());
	handle_faults(SIGBUS);
	CHECK("a_handler_set_after_the_first_ring_reads_back",
	      reads_back(SIGBUS, on_fault));
	CHECK("a_bus_error_is_handled", bus_error_is_handled());
	CHECK("signal_returns_the_handler_before",
	      (void *)signal(SIGBUS, SIG_DFL) == (void *)on_fault &&
		      signal(SIGBUS, SIG_DFL) == SIG_DFL);
	close(fd);
}

/*
 * A bad pointer that the engine itself reads still causes EFAULT, not a signal.
 */
static int bad_pointers_fail(void)
{
	struct io_uring_params params = {0};
	int fd = inline_setup(4, &params);
	int good;

	fault_signo = 0;
	good = inline_register(fd, IORING_REGISTER_PROBE, (void *)8, 1) ==
		       -EFAULT &&
	       inline_register(fd, IORING_REGISTER_PBUF_RING, (void *)8, 1) ==
		       -EFAULT &&
	       inline_setup(4, (void *)8) == -EFAULT && fault_signo == 0;
	close(fd);
	return good;
}

static volatile sig_atomic_t failed_inside;

static void on_signal_fail(int signo)
{
	(void)signo;
	failed_inside = bad_pointers_fail() ? 1 : 2;
}

static void test_bad_pointer(void)
{
	sigset_t before;

	CHECK("a_bad_pointer_is_EFAULT_and_no_signal", bad_pointers_fail());
	sigprocmask(SIG_BLOCK, &all, &before);
	CHECK("also_with_all_signals_blocked", bad_pointers_fail());
	sigprocmask(SIG_SETMASK, &before, NULL);
	handle(SIGUSR1, on_signal_fail, &all, 0);
	raise(SIGUSR1);
	CHECK("also_in_a_handler_that_blocks_all", failed_inside == 1);
}

/* ---- deaths and other ends ----------------------------------------------- */

static volatile sig_atomic_t seen;

static void on_seen(int signo)
{
	seen = signo;
}

/* The signal that ends a child which runs @body; 0 when it exits with 0. */
static int death_of(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static volatile char *volatile nowhere = (volatile char *)16;

static void fault_by_default(void)
{
	close(inline_ring());
	signal(SIGSEGV, SIG_DFL);
	*nowhere = 1;
}

static void fault_ignored(void)
{
	close(inline_ring());
	signal(SIGSEGV, SIG_IGN);
	*nowhere = 1;
}

static void sent_ignored(void)
{
	close(inline_ring());
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
}

static void sent_by_default(void)
{
	close(inline_ring());
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void sigsys_by_default(void)
{
	signal(SIGSYS, SIG_DFL);
	raise(SIGSYS);
}

static void sigsys_to_handler(void)
{
	seen = 0;
	signal(SIGSYS, on_seen);
	raise(SIGSYS);
	_exit(seen == SIGSYS && trap_works() ? 0 : 3);
}

static void handler_for_once(void)
{
	close(inline_ring());
	handle(SIGSEGV, on_seen, NULL, (int)SA_RESETHAND);
	raise(SIGSEGV);
	if (seen != SIGSEGV)
		_exit(3);
	raise(SIGSEGV);
}

static volatile int own_trap_data;

static void on_own_trap(int signo, siginfo_t *info, void *ucontext)
{
	(void)signo;
	(void)ucontext;
	own_trap_data = info->si_errno;
}

/* A program with a filter of its own, as sandboxes have. */
static void own_filter(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	struct sigaction act = {.sa_sigaction = on_own_trap,
				.sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &act, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(4);
	getppid();
	_exit(own_trap_data == 77 && trap_works() ? 0 : 3);
}

static void test_ends(void)
{
	CHECK("a_fault_without_a_handler_kills",
	      death_of(fault_by_default) == SIGSEGV);
	CHECK("a_fault_that_is_ignored_kills",
	      death_of(fault_ignored) == SIGSEGV);
	CHECK("a_sent_SIGSEGV_without_a_handler_kills",
	      death_of(sent_by_default) == SIGSEGV);
	CHECK("a_sent_SIGSEGV_that_is_ignored_is", death_of(sent_ignored) == 0);
	CHECK("SIGSYS_without_a_handler_kills",
	      death_of(sigsys_by_default) == SIGSYS);
	CHECK("SIGSYS_reaches_the_handler", death_of(sigsys_to_handler) == 0);
	CHECK("a_handler_for_once_is_there_once",
	      death_of(handler_for_once) == SIGSEGV);
	CHECK("traps_of_the_programs_own_filter_are_its_own",
	      death_of(own_filter) == 0);
}

/*
 * Memory that the engine finds unmapped causes an error, also where no handler
 * can be installed.
 */
static void test_small_stack(void)
{
	const size_t page = 4096, small = 2048;
	char *memory = mmap(NULL, 3 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = {.ss_sp = memory + page, .ss_size = small}, before;
	int fd = inline_ring();

	REQUIRE(fd >= 0 && memory != MAP_FAILED &&
		!mprotect(memory + page, page, PROT_READ | PROT_WRITE) &&
		!sigaltstack(&stack, &before));
	CHECK("a_small_signal_stack_is_left_alone",
	      INLINE_SYSCALL(426, fd, 0, 1,
			     IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
			     memory, 24) == -EFAULT);
	sigaltstack(&before, NULL);
	close(fd);
}

int main(void)
{
	sigfillset(&all);
	test_blocked();
	test_blocked_in_handler();
	test_blocked_while_waiting();
	test_faults_before_and_after();
	test_bad_pointer();
	test_ends();
	test_small_stack();
	return tap_end();
}
