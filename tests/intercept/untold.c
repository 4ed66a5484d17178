// SPDX-License-Identifier: MIT
/*
 * Children for which no pthread_atfork() handler runs: those of bare fork and
 * clone calls, with and without the parent's files, and of vfork(). Each may
 * use rings of its own, and changes nothing of its parent's. The same checks
 * pass on the kernel.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bare_ring.h"

#define BOUND_MS 20000

/* By polling the CQ only: no thread enters. */
static int comes(struct ring *r)
{
	unsigned int head = *word(r, r->p.cq_off.head);

	for (int i = 0; i < BOUND_MS; i++) {
		if (__atomic_load_n(word(r, r->p.cq_off.tail),
				    __ATOMIC_ACQUIRE) != head) {
			*word(r, r->p.cq_off.head) = head + 1;
			return 1;
		}
		usleep(1000);
	}
	return 0;
}

/* What a thread in the ring does, what nobody does, and what a worker does. */
static int ring_serves(struct ring *r)
{
	int ends[2], file = memfd_create("file", 0), good = 0;
	char byte;

	if (pipe(ends) < 0)
		return 0;
	bare_put(r, IORING_OP_NOP, -1, NULL, 0, 0);
	good += inline_enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS) == 1 &&
		comes(r);
	bare_put(r, IORING_OP_READ, ends[0], &byte, 1, 0);
	good += inline_enter(r->fd, 1, 0, 0) == 1 &&
		write(ends[1], "a", 1) == 1 && comes(r);
	bare_put(r, IORING_OP_FSYNC, file, NULL, 0, IOSQE_ASYNC);
	good += inline_enter(r->fd, 1, 0, 0) == 1 && comes(r);
	close(ends[0]);
	close(ends[1]);
	close(file);
	return good == 3;
}

static int use_a_ring(void)
{
	struct ring r;
	int good = bare_open(&r, 0) && ring_serves(&r);

	close(r.fd);
	return good;
}

static int ends_well(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return child > 0 && status == 0;
}

static void test_child(long flags, const char *name)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD | flags, 0, 0, 0, 0);

	if (!child)
		_exit(!use_a_ring());
	CHECK(name, ends_well(child));
}

static sigjmp_buf back;
static volatile int *volatile nothing;

static void on_fault(int signo)
{
	(void)signo;
	siglongjmp(back, 1);
}

/* As code that starts programs does. */
static void test_vfork(void)
{
	struct sigaction mine = {.sa_handler = on_fault}, now;
	sigset_t segv, set;
	pid_t child;
	int wrong;

	sigaction(SIGSEGV, &mine, NULL);
	sigemptyset(&segv);
	sigaddset(&segv, SIGBUS);
	sigprocmask(SIG_BLOCK, &segv, NULL);
	child = vfork();
	if (!child) {
		struct sigaction standard = {.sa_handler = SIG_DFL};

		for (int signo = 1; signo < 32; signo++)
			sigaction(signo, &standard, NULL);
		sigemptyset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		wrong = sigaction(SIGSEGV, NULL, &now) ||
			now.sa_handler != SIG_DFL;
		close(open("/dev/null", O_RDONLY));
		_exit(wrong);
	}
	CHECK("a_vfork_child_has_its_own_actions", ends_well(child));
	sigaction(SIGSEGV, NULL, &now);
	CHECK("the_parent_s_action_stays", now.sa_handler == on_fault);
	sigprocmask(SIG_BLOCK, NULL, &set);
	CHECK("the_parent_s_mask_stays", sigismember(&set, SIGBUS) == 1);
	if (sigsetjmp(back, 1)) {
		CHECK("the_parent_s_handler_runs", 1);
		return;
	}
	*nothing = 1;
	CHECK("the_parent_s_handler_runs", 0);
}

int main(void)
{
	struct ring r;

	REQUIRE(bare_open(&r, 0));
	CHECK("the_parent_s_ring_serves", ring_serves(&r));
	test_child(0, "child_of_clone");
	test_child(CLONE_FILES, "child_with_its_parent_s_files");
	test_child(CLONE_FILES | CLONE_FS, "child_with_its_parent_s_place");
	CHECK("the_parent_s_ring_serves_on", ring_serves(&r));
	CHECK("the_parent_makes_another", use_a_ring());
	test_vfork();
	CHECK("the_ring_serves_to_the_end", ring_serves(&r));
	return tap_end();
}
