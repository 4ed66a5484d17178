// SPDX-License-Identifier: MIT
/*
 * The trap lane: a seccomp filter and the handler of the signal it raises.
 *
 * Theory: the filter answers SECCOMP_RET_TRAP to io_uring's three calls, to
 * close, which may be a ring's, and to a shared mapping of a file, if they come
 * from one of the instructions or ranges that sites.c found; ALLOW to
 * everything else. TRAP outranks the ERRNO of a container's filter whichever
 * was installed first. The kernel then raises SIGSYS instead of making the
 * call, and the handler sets the interrupted thread to the trampoline in
 * entry.S, where the call is made as ordinary code: the engine takes locks and
 * sleeps, neither of which may happen inside a signal handler.
 *
 * Why the instruction's address is part of the condition: filters survive
 * exec(), handlers do not. In a program that is executed by this one without
 * the preload library, these addresses hold other code, nothing is trapped, and
 * io_uring gives the container's answer instead of killing the program. An
 * object's code is at one of 2^28 pages, so that a range of 16 MiB is hit by an
 * io_uring call of such a program once in 60,000 times.
 *
 * Rules:
 *  1. No site that could not be patched, no filter, no cost.
 *  2. The handler changes rip and rcx and nothing else; it calls nothing.
 *  3. The filter is installed in all threads together (TSYNC), the handler
 *     before it, and the threads' SIGSYS is unblocked before that (signals.c):
 *     a trap while SIGSYS is blocked kills the process.
 *  4. The kernel grants a filter to a process with CAP_SYS_ADMIN, or to one
 *     that gives up gaining privileges by exec (no_new_privs).
 *  5. A trap is recognised as ours by the filter's data, which the kernel
 *     delivers in si_errno; other SIGSYS are the program's.
 *  6. Objects and code that come later add filters; filters are never removed.
 *  7. A program that executes itself inherits its filters. If its addresses
 *     are the same again, the filter reports that it is there and no second one
 *     is installed. Otherwise each exec adds one, and the kernel allows some
 *     800. So from the 256th on a program is executed without randomisation of
 *     its addresses (ADDR_NO_RANDOMIZE).
 *
 * Cost: 1.6 to 4 us a trapped call. Every other system call of a process with a
 * filter costs 25 ns more, although the kernel answers from a bitmap: it finds
 * out from the filter that their number alone decides.
 */
#include "intercept/intercept.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "abi/uring.h"
#include "base/bpf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "intercept/real.h"
#include "intercept/xsave.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* "pr"; at most 16 bits. */
#define TRAP_DATA 0x7072
#define TRAP (SECCOMP_RET_TRAP | TRAP_DATA)

/*
 * From this number of filters on, programs are executed so that they add none.
 */
#define FILTERS_MANY 256

/* "prFI": asks the filter whether it is there. */
#define MARK_QUESTION 0x70724649u

/* How many ranges of code made at run time are trapped at most. */
#define MAPPED_MAX 256u

/* Rule 2. The address is also what the instruction sets rcx to. */
static void on_sigsys(int signo, siginfo_t *info, void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

	if (info->si_code != SYS_SECCOMP || info->si_errno != TRAP_DATA) {
		signals_pass_on(signo, info, ucontext);
		return;
	}
	regs[REG_RCX] = regs[REG_RIP];
	regs[REG_RIP] = (greg_t)(uintptr_t)intercept_trampoline;
}

/* ---- the filter ---------------------------------------------------------- */

/* Allows other architectures, other calls, private or anonymous mmap. */
static void emit_calls(struct bpf_program *p)
{
	LOAD(p, arch);
	IF_EQUAL(p, AUDIT_ARCH_X86_64, 1, 0);
	RETURN(p, SECCOMP_RET_ALLOW);
	LOAD(p, nr);
	IF_EQUAL(p, NR_io_uring_setup, 11, 0);
	IF_EQUAL(p, NR_io_uring_enter, 10, 0);
	IF_EQUAL(p, NR_io_uring_register, 9, 0);
	IF_EQUAL(p, SYS_close, 8, 0);
	IF_EQUAL(p, SYS_mmap, 1, 0);
	RETURN(p, SECCOMP_RET_ALLOW);
	LOAD(p, args[3]);
	/* MAP_SHARED, and MAP_SHARED_VALIDATE. */
	IF_BITS(p, 1, 1, 0);
	RETURN(p, SECCOMP_RET_ALLOW);
	LOAD(p, args[4]);
	IF_EQUAL(p, UINT32_MAX, 0, 1);
	RETURN(p, SECCOMP_RET_ALLOW);
	/* Only io_uring's three, close and mmap get here. */
}

/* Traps if the low half of the address, which is loaded, is within @site. */
static void emit_site(struct bpf_program *p, const struct site *site)
{
	if (site->first == site->last) {
		IF_EQUAL(p, (uint32_t)site->first, 0, 1);
	} else {
		bpf_emit(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)site->first, 0,
			 2);
		bpf_emit(p, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)site->last, 1,
			 0);
	}
	RETURN(p, TRAP);
}

static int compare_sites(const void *a, const void *b)
{
	uint64_t one = ((const struct site *)a)->first;
	uint64_t two = ((const struct site *)b)->first;

	return one < two ? -1 : one > two;
}

/*
 * Emit the sites that share the high half of their address; returns how many.
 */
static size_t emit_sites_of_4g(struct bpf_program *p, const struct site *sites,
			       size_t count)
{
	uint32_t high = (uint32_t)(sites[0].first >> 32);
	size_t jump, done = 0;

	LOAD_HIGH(p, instruction_pointer);
	IF_EQUAL(p, high, 1, 0);
	jump = p->length;
	bpf_emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	LOAD(p, instruction_pointer);
	while (done < count && (uint32_t)(sites[done].first >> 32) == high)
		emit_site(p, &sites[done++]);
	p->code[jump].k = (uint32_t)(p->length - jump - 1);
	return done;
}

/* At most 3 a site, 4 for each 4 GiB that has one, and the rest. */
static size_t program_room(size_t sites)
{
	return 7 * sites + 40;
}

/*
 * Lets the filter report that it is there: a getppid(), which takes no
 * arguments, with these two fails. It is first, because allowed calls leave
 * emit_calls() early.
 */
static void emit_mark(struct bpf_program *p, uint32_t mark)
{
	LOAD(p, nr);
	IF_EQUAL(p, SYS_getppid, 0, 5);
	LOAD(p, args[0]);
	IF_EQUAL(p, MARK_QUESTION, 0, 3);
	LOAD(p, args[1]);
	IF_EQUAL(p, mark, 0, 1);
	RETURN(p, SECCOMP_RET_ERRNO | EEXIST);
}

static bool mark_is_there(uint32_t mark)
{
	return sys_direct(SYS_getppid, MARK_QUESTION, mark, 0, 0, 0, 0) ==
	       -EEXIST;
}

/*
 * A number that identifies these sites; 0 if their addresses can't occur again.
 */
static uint32_t mark_of(const struct site *sites, size_t count)
{
	long personality =
		sys_direct(SYS_personality, UINT32_MAX, 0, 0, 0, 0, 0);
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	if (sites[0].first >> 32 && !(personality & ADDR_NO_RANDOMIZE))
		return 0;
	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ sites[i].first) * 0x100000001b3u;
		hash = (hash ^ sites[i].last) * 0x100000001b3u;
	}
	return (uint32_t)(hash >> 32) | 1;
}

static void emit_all(struct bpf_program *p, const struct site *sites,
		     size_t count, uint32_t mark)
{
	size_t at;

	if (mark)
		emit_mark(p, mark);
	emit_calls(p);
	for (at = 0; at < count;)
		at += emit_sites_of_4g(p, &sites[at], count - at);
	RETURN(p, SECCOMP_RET_ALLOW);
}

/* A range must not cross 4 GiB: emit_site() compares low halves. */
static int split_sites(const struct site_list *from, struct site *to)
{
	int count = 0;

	for (size_t i = 0; i < from->count; i++) {
		struct site site = from->sites[i];

		if (site.first >> 32 != site.last >> 32) {
			to[count] = site;
			to[count++].last = site.first | UINT32_MAX;
			site.first = site.last & ~(uint64_t)UINT32_MAX;
		}
		to[count++] = site;
	}
	qsort(to, (size_t)count, sizeof(*to), compare_sites);
	return count;
}

/* ---- arming -------------------------------------------------------------- */

static long seccomp_filter(const struct bpf_program *program,
			   unsigned int flags)
{
	struct sock_fprog fprog = {
		.len = (unsigned short)program->length,
		.filter = program->code,
	};

	return sys_direct(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			  (long)&fprog, 0, 0, 0);
}

/*
 * This filter is no sandbox, so the processor may speculate as before
 * (SPEC_ALLOW; kernels before 4.17 do not have it).
 */
static long filter_try(const struct bpf_program *program)
{
	const unsigned int all_threads = SECCOMP_FILTER_FLAG_TSYNC;
	long result = seccomp_filter(
		program, all_threads | SECCOMP_FILTER_FLAG_SPEC_ALLOW);

	return result == -EINVAL ? seccomp_filter(program, all_threads)
				 : result;
}

/* Rules 3 and 4. TSYNC returns the thread that could not be synchronised. */
static int filter_load(const struct bpf_program *program)
{
	long result;

	if (program->length > BPF_MAXINSNS)
		return -E2BIG;
	result = filter_try(program);
	if (result == -EACCES) {
		sys_direct(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
		result = filter_try(program);
	}
	return result > 0 ? -ESRCH : (int)result;
}

static int trap_filter_install(const struct site_list *list)
{
	struct site *sites = mem_new(2 * list->count, sizeof(*sites));
	struct bpf_program program = {
		.code = mem_new(program_room(2 * list->count),
				sizeof(*program.code)),
	};
	int err = -ENOMEM;

	if (sites && program.code) {
		int count = split_sites(list, sites);
		uint32_t mark = mark_of(sites, (size_t)count);

		emit_all(&program, sites, (size_t)count, mark);
		err = mark && mark_is_there(mark) ? 0 : filter_load(&program);
	}
	mem_free(program.code);
	mem_free(sites);
	return err;
}

int trap_arm(const struct site_list *sites)
{
	int err;

	if (!xsave_measure())
		return -ENODEV;
	err = signals_take(SIGSYS, on_sigsys);
	if (err < 0)
		return err;
	signals_sigsys_traps();
	signals_unblock();
	return trap_filter_install(sites);
}

static const char *trap_object_of(const struct site_list *found)
{
	return found->object ? found->object : "an object";
}

/* ---- executing ----------------------------------------------------------- */

static bool filters_many;

static long personality_set(long persona)
{
	return sys_direct(SYS_personality, persona, 0, 0, 0, 0, 0);
}

/* How many filters there are, including the container's and others. */
static long filters_count(void)
{
	static const char key[] = "\nSeccomp_filters:";
	char status[4096] = "";
	long fd = sys_direct(SYS_openat, AT_FDCWD, (long)"/proc/self/status",
			     O_RDONLY | O_CLOEXEC, 0, 0, 0);
	const char *at;

	if (fd < 0)
		return 0;
	sys_direct(SYS_read, fd, (long)status, sizeof(status) - 1, 0, 0, 0);
	sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
	at = strstr(status, key);
	return at ? strtol(at + sizeof(key) - 1, NULL, 10) : 0;
}

/*
 * Between vfork() and exec this changes nothing of the parent's: it belongs to
 * the thread.
 */
long trap_before_exec(void)
{
	long before;

	if (!load_relaxed(&filters_many))
		return -1;
	before = personality_set(UINT32_MAX);
	if (before >= 0)
		personality_set(before | ADDR_NO_RANDOMIZE);
	return before;
}

void trap_after_exec(long before)
{
	if (before >= 0)
		personality_set(before);
}

/* Trap the sites that could not be patched. */
static void trap_rest(const struct site_list *found)
{
	int err;

	if (!intercept_lane_open(LANE_TRAP)) {
		intercept_say("io_uring calls that %s makes inline stay with "
			      "the kernel: the trap lane is closed",
			      trap_object_of(found));
		return;
	}
	err = trap_arm(found);
	if (err)
		intercept_say("io_uring calls that %s makes inline stay with "
			      "the kernel: arming the trap failed (%s)",
			      trap_object_of(found), strerrorname_np(-err));
	else if (filters_count() >= FILTERS_MANY)
		store_relaxed(&filters_many, true);
}

void trap_update(void *handle)
{
	struct site_list found = {0};
	int err;

	if (!intercept_engine_serves())
		return;
	err = sites_find(&found);
	if (!err && handle)
		err = sites_find_beside(handle, &found);
	if (err)
		intercept_say("no memory to look for io_uring calls");
	if (found.count)
		trap_rest(&found);
	sites_free(&found);
}

/* Each is one more filter, so their number is bounded. */
static void trap_one_mapped(const struct site_list *found)
{
	static unsigned int count;
	unsigned int before = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);

	if (before < MAPPED_MAX)
		trap_rest(found);
	else if (before == MAPPED_MAX)
		intercept_say("io_uring calls of more than %u pieces of code "
			      "made at run time stay with the kernel: each "
			      "takes a filter",
			      MAPPED_MAX);
}

void trap_mapped(uintptr_t at, size_t bytes, bool writable)
{
	struct site_list found = {0};
	int errno_before = errno;

	if (sites_mapped(at, bytes, writable, &found))
		trap_one_mapped(&found);
	sites_free(&found);
	errno = errno_before;
}

static void parent_forked(void)
{
	signals_after_fork(false);
}

static void forked(void)
{
	signals_after_fork(true);
	sites_forked();
	counters_forked();
}

__attribute__((constructor)) static void intercept_open(void)
{
	real_resolve();
	signals_open();
	if (!intercept_engine_serves())
		return;
	signals_unblock();
	trap_update(NULL);
	mapped_open();
	if (sites_suspected())
		fd_make_room();
	counters_open();
	children_open();
	pthread_atfork(signals_before_fork, parent_forked, forked);
}
