// SPDX-License-Identifier: MIT
/*
 * The filters, and the handler of the signal that they raise.
 *
 * Theory: a filter traps calls by their number and arguments, wherever they
 * are made but in the agent's image. It is installed once for a tree of
 * processes and inherited: therefore every program of the tree has the agent,
 * at the same place. What only concerns programs with rings, or with rings in
 * an epoll, waits for the first of these, as each trap costs microseconds.
 *
 * The handler finds the thread's guest and turns the interrupted thread
 * towards the trampoline in entry.S, on the guest's stack: the engine takes
 * locks and sleeps, neither of which may happen in a signal handler.
 *
 * clone3() takes its arguments in memory, which no filter can look at. It is
 * refused as by kernels that lack it: libraries then take clone().
 *
 * Rules:
 *  1. The handler uses no thread-local memory before it has the guest.
 *  2. SIGSYS is never blocked (actions.c): a trap would kill.
 *  3. The kernel's reason to grant a filter is CAP_SYS_ADMIN; without, the
 *     process gives up gaining privileges by exec (no_new_privs).
 *
 * Cost: 1.6 to 4 us a trapped call, 25 ns any other.
 */
#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "abi/uring.h"
#include "agent/agent.h"
#include "agent/guest.h"
#include "base/bpf.h"
#include "base/lock.h"
#include "base/sys.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* "pa"; at most 16 bits. */
#define TRAP_DATA 0x7061
#define TRAP (SECCOMP_RET_TRAP | TRAP_DATA)
#define FILTER_MAX 160

const void *agent_slow;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* ---- the handler --------------------------------------------------------- */

#define RED_ZONE 128

static void filter_on_sigsys(int signo, siginfo_t *info, void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	struct guest *guest;
	struct trapped *trapped;
	uint64_t top;

	if (info->si_code != SYS_SECCOMP || info->si_errno != TRAP_DATA) {
		actions_pass_on(signo, info, ucontext);
		return;
	}
	guest = guest_current();
	top = guest->inside
		      ? ((uint64_t)regs[REG_RSP] - RED_ZONE) & ~UINT64_C(15)
		      : guest->stack_high;
	trapped = (struct trapped *)top - 1;
	*trapped = (struct trapped){(uint64_t)regs[REG_RIP], guest->inside,
				    (uint64_t)regs[REG_RSP]};
	guest->trapped = trapped;
	guest->inside = 1;
	regs[REG_RSP] = (greg_t)(uintptr_t)trapped;
	regs[REG_RIP] = (greg_t)(uintptr_t)agent_trampoline;
}

/* ---- the filter ---------------------------------------------------------- */

/* Ends the program: a call of the agent's passes, others do not. */
static void emit_place(struct bpf_program *p, uint32_t answer)
{
	const uint64_t low = (uint64_t)(uintptr_t)__ehdr_start;
	const uint64_t high = (uint64_t)(uintptr_t)_end;

	LOAD_HIGH(p, instruction_pointer);
	IF_EQUAL(p, (uint32_t)(low >> 32), 0, 3);
	LOAD(p, instruction_pointer);
	IF_LEAST(p, (uint32_t)low, 0, 1);
	IF_LEAST(p, (uint32_t)high, 0, 1);
	RETURN(p, answer);
	RETURN(p, SECCOMP_RET_ALLOW);
}

#define PLACE_LENGTH 7

static void emit_begin(struct bpf_program *p)
{
	LOAD(p, arch);
	IF_EQUAL(p, AUDIT_ARCH_X86_64, 1, 0);
	RETURN(p, SECCOMP_RET_ALLOW);
	LOAD(p, nr);
}

/* A call that counts by its number alone: to the place that follows all. */
static void emit_numbers(struct bpf_program *p, const uint16_t *numbers,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		IF_EQUAL(p, numbers[i], (uint8_t)(count - i), 0);
	RETURN(p, SECCOMP_RET_ALLOW);
}

/* mmap() of a file, shared: a ring's, perhaps. */
static void emit_mmap(struct bpf_program *p)
{
	IF_EQUAL(p, SYS_mmap, 0, 5 + PLACE_LENGTH);
	LOAD(p, args[3]);
	IF_BITS(p, MAP_SHARED, 0, 2); /* and MAP_SHARED_VALIDATE */
	LOAD(p, args[4]);
	IF_EQUAL(p, UINT32_MAX, 0, 1);
	RETURN(p, SECCOMP_RET_ALLOW);
	emit_place(p, TRAP);
}

/* clone() that makes a process: it does not share memory. */
static void emit_clone(struct bpf_program *p)
{
	IF_EQUAL(p, SYS_clone, 0, 3 + PLACE_LENGTH);
	LOAD(p, args[0]);
	IF_BITS(p, CLONE_VM, 0, 1);
	RETURN(p, SECCOMP_RET_ALLOW);
	emit_place(p, TRAP);
}

static void emit_clone3(struct bpf_program *p)
{
	IF_EQUAL(p, SYS_clone3, 0, PLACE_LENGTH);
	emit_place(p, SECCOMP_RET_ERRNO | ENOSYS);
}

/* What waits with a mask of signals, if there is one. */
static void emit_masked(struct bpf_program *p, uint32_t number, size_t argument)
{
	const uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) +
				       argument * sizeof(uint64_t));

	IF_EQUAL(p, number, 0, 3 + PLACE_LENGTH);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
	IF_EQUAL(p, 0, 0, 1);
	RETURN(p, SECCOMP_RET_ALLOW);
	emit_place(p, TRAP);
}

/* arch_prctl() of the register that is the agent's. */
static void emit_gs(struct bpf_program *p)
{
	IF_EQUAL(p, SYS_arch_prctl, 0, 3 + PLACE_LENGTH);
	LOAD(p, args[0]);
	IF_EQUAL(p, ARCH_SET_GS, 1, 0);
	RETURN(p, SECCOMP_RET_ALLOW);
	emit_place(p, TRAP);
}

static void program_always(struct bpf_program *p)
{
	static const uint16_t numbers[] = {
		NR_io_uring_setup, NR_io_uring_enter,  NR_io_uring_register,
		SYS_execve,	   SYS_execveat,       SYS_fork,
		SYS_rt_sigaction,  SYS_rt_sigprocmask, SYS_rt_sigsuspend,
		SYS_exit_group,
	};

	emit_begin(p);
	emit_mmap(p);
	emit_clone(p);
	emit_clone3(p);
	emit_gs(p);
	emit_masked(p, SYS_ppoll, 3);
	emit_masked(p, SYS_epoll_pwait, 4);
	emit_masked(p, SYS_epoll_pwait2, 4);
	emit_masked(p, SYS_pselect6, 5);
	emit_numbers(p, numbers, array_size(numbers));
	emit_place(p, TRAP);
}

static void program_rings(struct bpf_program *p)
{
	static const uint16_t numbers[] = {
		SYS_close,	 SYS_dup2,	SYS_dup3,
		SYS_close_range, SYS_epoll_ctl, SYS_poll,
		SYS_ppoll,	 SYS_select,	SYS_pselect6,
	};

	emit_begin(p);
	emit_numbers(p, numbers, array_size(numbers));
	emit_place(p, TRAP);
}

static void program_watched(struct bpf_program *p)
{
	static const uint16_t numbers[] = {
		SYS_epoll_wait,
		SYS_epoll_pwait,
		SYS_epoll_pwait2,
	};

	emit_begin(p);
	emit_numbers(p, numbers, array_size(numbers));
	emit_place(p, TRAP);
}

/* ---- arming -------------------------------------------------------------- */

/* This is no sandbox, so the processor may go on speculating as before. */
static long filter_bpf_try(struct bpf_program *p)
{
	struct sock_fprog fprog = {(unsigned short)p->length, p->code};
	const unsigned int flags =
		SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	return SYS_3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
}

static int filter_bpf_load(struct bpf_program *p)
{
	long result = filter_bpf_try(p);

	if (result == -EACCES) {
		SYS_5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		result = filter_bpf_try(p);
	}
	/* TSYNC answers with the thread that could not follow. */
	return result > 0 ? -ESRCH : (int)result;
}

int filter_install(enum filters which)
{
	static struct lock lock;
	struct sock_filter code[FILTER_MAX];
	struct bpf_program program = {.code = code};
	int err = 0;

	if (likely(load_relaxed(&agent_tree.filters) & which))
		return 0;
	lock_take(&lock);
	if (!(agent_tree.filters & which)) {
		if (which == FILTER_ALWAYS)
			program_always(&program);
		else if (which == FILTER_RINGS)
			program_rings(&program);
		else
			program_watched(&program);
		err = filter_bpf_load(&program);
		if (!err)
			store_relaxed(&agent_tree.filters,
				      agent_tree.filters | which);
	}
	lock_drop(&lock);
	return err;
}

static int slow_open(void)
{
	const size_t bytes = (size_t)(agent_slow_end - agent_slow_begin);
	long at = SYS_6(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if ((unsigned long)at >= -4095ul)
		return (int)at;
	memcpy((void *)at, agent_slow_begin, bytes);
	agent_slow = (const void *)at;
	return (int)SYS_3(SYS_mprotect, at, PAGE_BYTES, PROT_READ | PROT_EXEC);
}

int filter_open(void)
{
	int err = slow_open();

	return err ? err : actions_open(filter_on_sigsys);
}
