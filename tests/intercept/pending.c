// SPDX-License-Identifier: MIT
/*
 * SIGSYS, SIGSEGV and SIGBUS while they are blocked: the kernel keeps them
 * pending, and so must the library, which keeps them unblocked. The same checks
 * pass on the kernel.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tap.h"

static volatile sig_atomic_t hits, code;
static int signo;
static sigset_t only, none;

static void count(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	hits++;
	code = info->si_code;
}

static int is_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, signo);
}

static void block(int how)
{
	pthread_sigmask(how, &only, NULL);
}

static void *mask_of_thread(void *arg)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	*(int *)arg = sigismember(&set, signo);
	return NULL;
}

static void *wait_for_it(void *arg)
{
	sigwait(&only, (int *)arg);
	return NULL;
}

static void test_blocked(void)
{
	hits = 0;
	block(SIG_BLOCK);
	raise(signo);
	CHECK("a_blocked_signal_waits", !hits && is_pending());
	CHECK("rings_work_meanwhile", inline_enter(-1, 0, 0, 0) == -EBADF);
	block(SIG_UNBLOCK);
	CHECK("it_comes_when_unblocked_as_it_was_sent",
	      hits == 1 && code == SI_TKILL && !is_pending());
}

static void test_waiting(void)
{
	const struct timespec soon = {0, 1000000};
	const union sigval value = {.sival_int = 7};
	siginfo_t info;
	int got = 0;

	hits = 0;
	block(SIG_BLOCK);
	kill(getpid(), signo);
	CHECK("sigwait_takes_it",
	      !sigwait(&only, &got) && got == signo && !is_pending());
	errno = 0;
	CHECK("a_second_is_not_there",
	      sigtimedwait(&only, &info, &soon) == -1 && errno == EAGAIN);
	sigqueue(getpid(), signo, value);
	CHECK("sigwaitinfo_tells_who_sent_it",
	      sigwaitinfo(&only, &info) == signo && info.si_code == SI_QUEUE &&
		      info.si_value.sival_int == 7);
	block(SIG_UNBLOCK);
	CHECK("no_handler_ran", !hits);
}

static void test_threads(void)
{
	pthread_t thread;
	int got = 0;

	hits = 0;
	block(SIG_BLOCK);
	pthread_create(&thread, NULL, mask_of_thread, &got);
	pthread_join(thread, NULL);
	CHECK("a_thread_inherits_the_mask", got == 1);
	pthread_create(&thread, NULL, wait_for_it, &got);
	kill(getpid(), signo);
	pthread_join(thread, NULL);
	block(SIG_UNBLOCK);
	CHECK("a_thread_that_waits_gets_it", got == signo && !hits);
}

static void test_masks_of_waits(void)
{
	const struct timespec soon = {0, 1000000}, late = {30, 0};
	struct pollfd nothing = {.fd = -1};
	sigset_t all;

	sigfillset(&all);
	hits = 0;
	block(SIG_BLOCK);
	raise(signo);
	CHECK("a_wait_that_blocks_it_does_not_see_it",
	      ppoll(&nothing, 1, &soon, &all) == 0 && !hits && is_pending());
	CHECK("one_that_admits_it_does",
	      ppoll(&nothing, 1, &late, &none) == -1 && errno == EINTR &&
		      hits == 1);
	raise(signo);
	CHECK("so_does_sigsuspend",
	      sigsuspend(&none) == -1 && errno == EINTR && hits == 2);
	CHECK("it_is_blocked_again", (raise(signo), hits == 2 && is_pending()));
	block(SIG_UNBLOCK);
}

static void test_leaving(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	int status = -1;
	pid_t child;

	hits = 0;
	block(SIG_BLOCK);
	raise(signo);
	child = fork();
	if (!child)
		_exit(is_pending());
	waitpid(child, &status, 0);
	CHECK("a_child_does_not_inherit_it", status == 0);
	sigaction(signo, &ignore, &before);
	CHECK("who_ignores_it_discards_it", !is_pending());
	sigaction(signo, &before, NULL);
	block(SIG_UNBLOCK);
	CHECK("and_never_meets_it", !hits);
}

int main(void)
{
	static const int numbers[] = {SIGSYS, SIGSEGV, SIGBUS};
	struct sigaction counting = {.sa_sigaction = count,
				     .sa_flags = SA_SIGINFO};

	REQUIRE(inline_ring() >= 0);
	sigemptyset(&none);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		signo = numbers[i];
		sigemptyset(&only);
		sigaddset(&only, signo);
		sigaction(signo, &counting, NULL);
		test_blocked();
		test_waiting();
		test_threads();
		test_masks_of_waits();
		test_leaving();
	}
	return tap_end();
}
