// SPDX-License-Identifier: MIT
#include "agent/guest.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "base/compiler.h"
#include "base/lock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "core/ring_fds.h"

#define SPARE_STACK_BYTES (256u * 1024)
/* Above what the spare's own frames took. */
#define SPARE_FRAME_BYTES 1024u

__thread struct guest guest_here;

static struct guest *all, *spares;
static struct lock lists_lock; /* of both, and of who has which */
static uint32_t spares_made;
static bool reads_bases;

static uint64_t base_ask(long which)
{
	uint64_t base = 0;

	SYS_2(SYS_arch_prctl, which, &base);
	return base;
}

static uint64_t fs_read(void)
{
	uint64_t base;

	if (!reads_bases)
		return base_ask(ARCH_GET_FS);
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t gs_read(void)
{
	uint64_t base;

	if (!reads_bases)
		return base_ask(ARCH_GET_GS);
	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void on_illegal(int signo, siginfo_t *info, void *ucontext)
{
	(void)signo;
	(void)info;
	/* Over the five bytes of the instruction; it has read nothing. */
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] += 5;
}

/*
 * Kernels without FSGSBASE leave it to the processor's setting whether the
 * instruction may be used; what it reads is right where it may.
 */
static bool bases_can_be_read(void)
{
	struct sigaction mine = {.sa_sigaction = on_illegal,
				 .sa_flags = SA_SIGINFO};
	struct sigaction before;
	unsigned int a, b, c, d;
	uint64_t base = 0;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_FSGSBASE))
		return false;
	sigaction(SIGILL, &mine, &before);
	__asm__ volatile("rdgsbase %0" : "+r"(base));
	sigaction(SIGILL, &before, NULL);
	return base == base_ask(ARCH_GET_GS);
}

bool guest_reads_bases(void)
{
	return reads_bases;
}

static void guest_begin(struct guest *guest, uint64_t high)
{
	guest->gs = gs_read();
	guest->stack_high = high & ~UINT64_C(63);
	lock_take(&lists_lock);
	guest->next = all;
	all = guest;
	lock_drop(&lists_lock);
}

/* ---- spares -------------------------------------------------------------- */

/*
 * The thread ends without its library's knowledge. Nothing is told of its end:
 * its memory is to be used by another.
 */
static void *spare_run(void *argument)
{
	struct guest *guest = &guest_here;
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	(void)argument;
	guest_begin(guest, here - SPARE_FRAME_BYTES);
	SYS_2(SYS_set_robust_list, NULL, 24);
	SYS_1(SYS_set_tid_address, NULL);
	lock_take(&lists_lock);
	guest->next_spare = spares;
	spares = guest;
	lock_drop(&lists_lock);
	__atomic_fetch_add(&spares_made, 1, __ATOMIC_RELEASE);
	SYS_3(SYS_futex, &spares_made, FUTEX_WAKE_PRIVATE, INT32_MAX);
	SYS_1(SYS_exit, 0);
	return NULL;
}

static int spare_make(void)
{
	const uint64_t all_signals = UINT64_MAX;
	uint64_t before = 0;
	pthread_attr_t attributes;
	pthread_t thread;
	int err;

	SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, &all_signals, &before, 8);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, SPARE_STACK_BYTES);
	err = pthread_create(&thread, &attributes, spare_run, NULL);
	pthread_attr_destroy(&attributes);
	SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
	return -err;
}

/* ---- threads that come --------------------------------------------------- */

static bool thread_ended(pid_t tid)
{
	return SYS_3(SYS_tgkill, SYS_0(SYS_getpid), tid, 0) == -ESRCH;
}

/* With the lists' lock. */
static struct guest *take_any(pid_t tid, uint64_t fs)
{
	struct guest *guest = spares;

	if (guest)
		spares = guest->next_spare;
	else
		for (guest = all; guest; guest = guest->next)
			if (guest->tid && thread_ended(guest->tid))
				break;
	if (!guest)
		return NULL;
	guest->tid = tid;
	guest->fs = fs;
	guest->inside = 0;
	guest->is_new = 1;
	return guest;
}

/* Rule 1. */
static struct guest *adopt(uint64_t fs)
{
	const pid_t tid = (pid_t)SYS_0(SYS_gettid);
	struct guest *guest;

	for (;;) {
		/* Pairs with the release in spare_run(). */
		uint32_t made = load_acquire(&spares_made);

		lock_take(&lists_lock);
		guest = take_any(tid, fs);
		lock_drop(&lists_lock);
		if (guest)
			break;
		SYS_4(SYS_futex, &spares_made, FUTEX_WAIT_PRIVATE, made, NULL);
	}
	SYS_2(SYS_arch_prctl, ARCH_SET_GS, guest->gs);
	return guest;
}

/* The thread-local struct of the thread whose GS is @gs. */
static struct guest *guest_at(uint64_t gs)
{
	return (struct guest *)(gs +
				((uint64_t)(uintptr_t)&guest_here - gs_read()));
}

struct guest *guest_current(void)
{
	const uint64_t fs = fs_read();
	struct guest *guest = guest_at(gs_read());

	if (guest->fs == fs)
		return guest;
	/* A thread may move its FS: the first one does, in its libc's start. */
	if (guest->tid == (pid_t)SYS_0(SYS_gettid)) {
		guest->fs = fs;
		return guest;
	}
	return adopt(fs);
}

/* The one before it on this memory may have left things behind. */
void guest_settle(void)
{
	bool last;

	if (likely(!guest_here.is_new))
		return;
	guest_here.is_new = 0;
	guest_here.believed = 0;
	thread_end();
	ring_fds_thread_end();
	lock_take(&lists_lock);
	last = !spares;
	lock_drop(&lists_lock);
	if (last)
		spare_make();
}

int guest_open(uint64_t high)
{
	reads_bases = bases_can_be_read();
	guest_begin(&guest_here, high);
	guest_here.tid = (pid_t)SYS_0(SYS_gettid);
	guest_here.fs = 0;
	return spare_make();
}

/* glibc has taken the stacks of all other threads for others to use. */
void guest_forked(void)
{
	lists_lock.word = 0;
	all = &guest_here;
	guest_here.next = NULL;
	guest_here.tid = (pid_t)SYS_0(SYS_gettid);
	spares = NULL;
	spare_make();
}
