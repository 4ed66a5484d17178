// SPDX-License-Identifier: MIT
/*
 * What is done instead of each call that a lane brings here.
 *
 * Theory: io_uring's three are the engine's. Calls that poll a ring's fd tell
 * the engine first that somebody looks; calls that close one tell it
 * afterwards (see intercept/watch.c). All else that comes here needs other
 * arguments than the program gave, or care: signals, fork, exec, the end.
 *
 * Cost: a switch; the calls that need only a look are trapped only in programs
 * that have rings (filter.c), or come by a patched site.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>

#include "abi/uring.h"
#include "agent/agent.h"
#include "agent/guest.h"
#include "base/fault.h"
#include "base/sys.h"
#include "intercept/intercept.h"
#include "polyring/polyring.h"

static bool rings_exist;

static long calls_setup(uint32_t entries, struct io_uring_params *params)
{
	int fd = polyring_setup(entries, params);

	if (fd < 0)
		return fd;
	store_relaxed(&rings_exist, true);
	filter_install(FILTER_RINGS);
	if (!(params->flags & IORING_SETUP_REGISTERED_FD_ONLY))
		polyring_watch(fd, false);
	return fd;
}

static long call_mmap(long at, long bytes, long prot, long flags, long fd,
		      long offset)
{
	if ((int)fd >= 0 && load_relaxed(&rings_exist) &&
	    polyring_owns((int)fd))
		return polyring_mmap((void *)at, (size_t)bytes, (int)prot,
				     (int)flags, (int)fd, (uint64_t)offset);
	return SYS_6(SYS_mmap, at, bytes, prot, flags, fd, offset);
}

/* The program closes numbers: @closed, or a range of them. */
static long calls_closing(long number, long a, long b, long c, int closed)
{
	long result = SYS_3(number, a, b, c);

	if (load_relaxed(&rings_exist) && result >= 0)
		polyring_closed(closed);
	return result;
}

/* ---- polling ------------------------------------------------------------- */

static void call_watch_one(int fd)
{
	if (fd < 0 || !polyring_owns(fd))
		return;
	polyring_watch(fd, true);
	filter_install(FILTER_WATCHED);
}

static void call_watch_polled(const struct pollfd *fds, unsigned int count)
{
	struct pollfd one;

	if (!load_relaxed(&rings_exist))
		return;
	for (unsigned int i = 0; i < count; i++) {
		if (fault_copy(&one, &fds[i], sizeof(one)) < 0)
			return;
		call_watch_one(one.fd);
	}
}

static void call_watch_set(int count, const unsigned long *set)
{
	unsigned long word = 0;

	if (!set)
		return;
	for (int fd = 0; fd < count; fd++) {
		if (fd % NFDBITS == 0 &&
		    fault_copy(&word, &set[fd / NFDBITS], sizeof(word)) < 0)
			return;
		if (word >> fd % NFDBITS & 1)
			call_watch_one(fd);
	}
}

static void call_watch_selected(int count, long in, long out, long except)
{
	if (!load_relaxed(&rings_exist))
		return;
	call_watch_set(count, (const unsigned long *)in);
	call_watch_set(count, (const unsigned long *)out);
	call_watch_set(count, (const unsigned long *)except);
}

static long call_epoll_ctl(long epfd, long op, long fd, long event)
{
	if (load_relaxed(&rings_exist) && op != EPOLL_CTL_DEL)
		call_watch_one((int)fd);
	return SYS_4(SYS_epoll_ctl, epfd, op, fd, event);
}

/* A call that waits, with a mask as its argument @mask, of @bytes. */
static long call_wait(long number, long a, long b, long c, long d,
		      const void *mask, long bytes)
{
	uint64_t copy;
	long err = actions_wait_mask(&mask, bytes, &copy);

	if (err)
		return err;
	if (number == SYS_rt_sigsuspend)
		return SYS_2(number, mask, bytes);
	if (number == SYS_ppoll)
		return SYS_5(number, a, b, c, mask, bytes);
	if (load_relaxed(&rings_exist))
		polyring_settle();
	return SYS_6(number, a, b, c, d, mask, bytes);
}

/* The last argument of pselect6 points to this. */
struct select_mask {
	const void *mask;
	uint64_t bytes;
};

static long call_select(long number, long a, long b, long c, long d, long e,
			long f)
{
	struct select_mask with;
	uint64_t copy;
	long err;

	call_watch_selected((int)a, b, c, d);
	if (number == SYS_select || !f)
		return SYS_6(number, a, b, c, d, e, f);
	if (fault_copy(&with, (const void *)f, sizeof(with)) < 0)
		return -EFAULT;
	err = actions_wait_mask(&with.mask, (long)with.bytes, &copy);
	return err ? err : SYS_6(number, a, b, c, d, e, &with);
}

static long call_polling(long number, long a, long b, long c, long d, long e,
			 long f)
{
	switch ((int)number) {
	case SYS_epoll_ctl:
		return call_epoll_ctl(a, (int)b, c, d);
	case SYS_ppoll:
		call_watch_polled((const struct pollfd *)a, (unsigned int)b);
		return call_wait(number, a, b, c, 0, (const void *)d, e);
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return call_wait(number, a, b, c, d, (const void *)e, f);
	case SYS_rt_sigsuspend:
		return call_wait(number, 0, 0, 0, 0, (const void *)a, b);
	case SYS_poll:
		call_watch_polled((const struct pollfd *)a, (unsigned int)b);
		break;
	case SYS_select:
	case SYS_pselect6:
		return call_select((int)number, a, b, c, d, e, f);
	case SYS_epoll_wait:
		if (load_relaxed(&rings_exist))
			polyring_settle();
		break;
	}
	return SYS_6(number, a, b, c, d, e, f);
}

/* ---- all ----------------------------------------------------------------- */

static long call_uring(long number, long a, long b, long c, long d, long e,
		       long f)
{
	if (!agent_serves)
		return SYS_6(number, a, b, c, d, e, f);
	if ((int)number == NR_io_uring_setup)
		return calls_setup((uint32_t)a, (struct io_uring_params *)b);
	if ((int)number == NR_io_uring_enter)
		return polyring_enter((int)a, (uint32_t)b, (uint32_t)c,
				      (uint32_t)d, (const void *)e, (size_t)f);
	return polyring_register((int)a, (uint32_t)b, (void *)c, (uint32_t)d);
}

static long call_exec(long number, long a, long b, long c, long d, long e)
{
	const struct inject_program named = {
		.dir = AT_FDCWD,
		.path = (const char *)a,
		.argv = (char *const *)b,
		.environment = (char *const *)c,
	};
	const struct inject_program at = {
		.dir = (int)a,
		.path = (const char *)b,
		.argv = (char *const *)c,
		.environment = (char *const *)d,
		.flags = (int)e,
	};

	return process_exec(number == SYS_execve ? &named : &at);
}

/* Set by the program, it would lose the agent its memory. */
static long call_gs(long number, long what, long base)
{
	if ((int)what != ARCH_SET_GS)
		return SYS_2(number, what, base);
	intercept_say("this program sets the GS register, which is polyring's "
		      "here: refused (EPERM)");
	return -EPERM;
}

long agent_call(long number, long a, long b, long c, long d, long e, long f)
{
	/* The kernel looks at the low half only. */
	switch ((int)number) {
	case NR_io_uring_setup:
	case NR_io_uring_enter:
	case NR_io_uring_register:
		return call_uring(number, a, b, c, d, e, f);
	case SYS_mmap:
		return call_mmap(a, b, c, d, e, f);
	case SYS_close:
		return calls_closing(number, a, 0, 0, (int)a);
	case SYS_dup2:
	case SYS_dup3:
		return calls_closing(number, a, b, c, (int)b);
	case SYS_close_range:
		return calls_closing(number, a, b, c, -1);
	case SYS_rt_sigaction:
		return actions_exchange(a, (const void *)b, (void *)c, d);
	case SYS_rt_sigprocmask:
		return actions_mask(a, (const void *)b, (void *)c, d);
	case SYS_execve:
	case SYS_execveat:
		return call_exec((int)number, a, b, c, d, e);
	case SYS_fork:
	case SYS_clone:
		return process_fork((int)number, a, b, c, d, e);
	case SYS_arch_prctl:
		return call_gs(number, a, b);
	case SYS_exit_group:
		process_leave();
		break;
	default:
		return call_polling(number, a, b, c, d, e, f);
	}
	return SYS_6(number, a, b, c, d, e, f);
}

static void note(enum intercept_lane lane, long number)
{
	guest_settle();
	if ((int)number >= NR_io_uring_setup &&
	    (int)number <= NR_io_uring_register && agent_serves)
		intercept_note(lane);
}

long agent_from_trap(long number, long a, long b, long c, long d, long e,
		     long f)
{
	note(LANE_TRAP, number);
	return agent_call(number, a, b, c, d, e, f);
}

long agent_from_patch(long number, long a, long b, long c, long d, long e,
		      long f)
{
	note(LANE_PATCH, number);
	return agent_call(number, a, b, c, d, e, f);
}
