/* SPDX-License-Identifier: MIT */
/*
 * Declarations that the files of libpolyring-preload.so share.
 *
 * Theory: a program's io_uring call reaches intercept_call() in these ways:
 *
 *   libc lane   the program calls libc's syscall() or mmap(); ours is found
 *               first (entry.S, dispatch.c).
 *   patch lane  the program has the `syscall` instruction inline, as liburing
 *               does; it is replaced by a jump to code that calls the library
 *               (sites.c, patch.c, entry.S).
 *   trap lane   where that cannot be done, a seccomp filter traps exactly
 *               those instructions and a trampoline makes the call (trap.c,
 *               entry.S).
 *   watch       poll, select and epoll_ctl with a ring fd do not reach
 *               intercept_call(); they only set the ring watched (watch.c).
 *
 * signals.c hides the handlers that this needs (SIGSYS for the trap lane,
 * SIGSEGV and SIGBUS for base/fault.h) from the program. loader.c handles
 * objects that are loaded later, mapped.c other code, children.c the programs
 * that the program executes. counters.c writes the line that POLYRING_COUNTERS
 * asks for.
 */
#ifndef POLYRING_INTERCEPT_INTERCEPT_H
#define POLYRING_INTERCEPT_INTERCEPT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* ---- dispatch.c ---------------------------------------------------------- */

/* Does the engine serve this process? False: the kernel does. */
bool intercept_engine_serves(void);

enum intercept_lane {
	LANE_LIBC = 1,
	LANE_TRAP = 2,
	LANE_PATCH = 4,
};

/* May this lane be used? As POLYRING_LANES says; libc's always may. */
bool intercept_lane_open(enum intercept_lane lane);

/* Has the library made a ring? One relaxed load; never false again. */
extern bool intercept_rings_exist;

/*
 * The offset of errno from a thread's pointer: it is the same for all threads,
 * because libc's own thread-local memory is static. For entry.S.
 */
extern intptr_t intercept_errno_at;
void intercept_find_errno(void);

/* Does no other thread execute the program's code? False if that is unknown. */
bool intercept_has_one_thread(void);

/*
 * The dispatcher: makes a system call by number. Returns what the kernel would,
 * errors as a negative errno. Never changes errno.
 */
long intercept_call(long number, long a, long b, long c, long d, long e,
		    long f);

/* Called by the lanes' assembly (entry.S). */
long intercept_from_trap(long number, long a, long b, long c, long d, long e,
			 long f);
long intercept_from_patch(long number, long a, long b, long c, long d, long e,
			  long f);
long intercept_from_libc(long number, long a, long b, long c, long d, long e,
			 long f);

/* One line on stderr, without stdio. */
void intercept_say(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* ---- sites.c ------------------------------------------------------------- */

/*
 * Addresses that seccomp reports for an inline system call: the one after the
 * instruction. [first, last], both included; usually equal.
 */
struct site {
	uint64_t first;
	uint64_t last;
};

struct site_list {
	struct site *sites;
	size_t count;
	size_t room;
	/* an object that they were found in, for messages */
	const char *object;
};

/*
 * Examine loaded objects that were not examined before, and patch what can be
 * patched; @found gets the remaining sites. 0 or -ENOMEM.
 */
int sites_find(struct site_list *found);

/* The same for the namespace that dlmopen() put @handle into. */
int sites_find_beside(void *handle, struct site_list *found);

/* Does any of the examined objects contain one of io_uring's numbers? */
bool sites_suspected(void);

/*
 * The program has made [@at, @at + @bytes) executable. Returns whether it must
 * be trapped; then it is in @found.
 */
bool sites_mapped(uintptr_t at, size_t bytes, bool writable,
		  struct site_list *found);

void sites_free(struct site_list *list);

/* In the child of a fork. */
void sites_forked(void);

/* ---- trap.c -------------------------------------------------------------- */

/* Trap @sites from now on. Returns 0 or a negative errno. */
int trap_arm(const struct site_list *sites);

/*
 * Find new sites and trap them; prints errors on stderr. @handle may be NULL.
 */
void trap_update(void *handle);

/* The program has mapped code, or made it executable; see mapped.c. */
void trap_mapped(uintptr_t at, size_t bytes, bool writable);

/*
 * Around exec, in a process that has inherited so many filters that an exec
 * must not add another each time: the next program's addresses are kept the
 * same. @before is the result of trap_before_exec().
 */
long trap_before_exec(void);
void trap_after_exec(long before);

/* ---- children.c ---------------------------------------------------------- */

void children_open(void);

/* ---- mapped.c ------------------------------------------------------------ */

/* From now on, examine memory that becomes executable. */
void mapped_open(void);

/* After a successful mmap() or mprotect(): a relaxed load if not open. */
void mapped_look(const void *at, size_t bytes, int prot);

/* ---- entry.S ------------------------------------------------------------- */

extern const char intercept_trampoline[];

/*
 * For stubs. The names say which vector registers they preserve: 8 of SSE or
 * AVX, all 16 of SSE or AVX, or all. Those with _flags preserve all flags too.
 */
extern const char intercept_patched_sse_8[];
extern const char intercept_patched_sse[];
extern const char intercept_patched_sse_flags[];
extern const char intercept_patched_avx_8[];
extern const char intercept_patched_avx[];
extern const char intercept_patched_avx_flags[];
extern const char intercept_patched_avx512[];
extern const char intercept_patched_avx512_flags[];

/* ---- signals.c ----------------------------------------------------------- */

/*
 * Install @handler for @signo, hidden from the program: the action that the
 * program sets, before or later, is recorded and reported, and gets the signals
 * that @handler passes to signals_pass_on().
 */
int signals_take(int signo, void (*handler)(int, siginfo_t *, void *));

/* Around fork(), so that the child finds the actions consistent. */
void signals_before_fork(void);
void signals_after_fork(bool child);

/* Around exec: the next program inherits the mask that this one has set. */
void signals_before_exec(void);
void signals_after_exec(void);

/* Handle a signal with the action that the program has set for it. */
void signals_pass_on(int signo, siginfo_t *info, void *ucontext);

/* From now on a filter traps. */
void signals_sigsys_traps(void);

/* Look up early what a crash handler should not have to look up. */
void signals_open(void);

/* Unblock, in the calling thread, the signals that must not be blocked. */
void signals_unblock(void);

/*
 * @mask without the signals that must not be blocked; in @copy, if that
 * differs.
 */
const sigset_t *signals_without_ours(const sigset_t *mask, sigset_t *copy);

/*
 * Make @call, which waits with the signal mask @mask and uses the name mask_
 * for it. Meanwhile the three signals are not blocked but held, and held ones
 * that the mask admits are delivered.
 */
#define SIGNALS_WAIT(mask, call)                                      \
	({                                                            \
		struct signals_wait wait_ = signals_wait_begin(mask); \
		const sigset_t *mask_ =                               \
			wait_.changed ? &wait_.copy : wait_.mask;     \
		__typeof__(call) result_ = (call);                    \
		signals_wait_end(&wait_);                             \
		result_;                                              \
	})

struct signals_wait {
	const sigset_t *mask;
	sigset_t copy;
	uint64_t blocked;
	bool changed;
};

struct signals_wait signals_wait_begin(const sigset_t *mask);
void signals_wait_end(const struct signals_wait *wait);

/* ---- counters.c ---------------------------------------------------------- */

extern unsigned int counters_lanes;

/* Record that a call came in by @lane. Writes only the first time. */
static inline void intercept_note(enum intercept_lane lane)
{
	if (unlikely(!(load_relaxed(&counters_lanes) & lane)))
		__atomic_fetch_or(&counters_lanes, lane, __ATOMIC_RELAXED);
}

void counters_open(void);

/* Write the line, if it is not written yet. */
void counters_write(void);

/* Write the line of @file, which is executed and not served. Keeps errno. */
void counters_unserved(const char *file, const char *why);

/* In the child of a fork. */
void counters_forked(void);

/* Before the program waits in an epoll: see watch.c. */
void watch_settle(void);

/* @fd was given out anew, and may be a ring's. */
void watch_new_fd(int fd);

#endif
