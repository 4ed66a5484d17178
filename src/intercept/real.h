/* SPDX-License-Identifier: MIT */
/*
 * The libc functions that the library replaces.
 *
 * Theory: all are looked up together, when the library starts or when the first
 * is needed, whichever is earlier (constructors of other libraries run before
 * ours). Later calls are one load and one jump, and as safe in a signal handler
 * as the function itself.
 */
#ifndef POLYRING_INTERCEPT_REAL_H
#define POLYRING_INTERCEPT_REAL_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/compiler.h"

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *ts,
		const sigset_t *mask, size_t bytes);

/* sigset() and sigignore() are deprecated, but some programs call them. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define REAL_FUNCTIONS(X)             \
	X(close)                      \
	X(close_range)                \
	X(closefrom)                  \
	X(dup)                        \
	X(dup2)                       \
	X(dup3)                       \
	X(dlopen)                     \
	X(dlmopen)                    \
	X(epoll_ctl)                  \
	X(epoll_wait)                 \
	X(epoll_pwait)                \
	X(epoll_pwait2)               \
	X(execve)                     \
	X(fcntl)                      \
	X(execvpe)                    \
	X(fexecve)                    \
	X(execveat)                   \
	X(posix_spawn)                \
	X(posix_spawnp)               \
	X(poll)                       \
	X(__poll_chk)                 \
	X(ppoll)                      \
	X(__ppoll_chk)                \
	X(pselect)                    \
	X(pthread_create)             \
	X(pthread_attr_setsigmask_np) \
	X(pthread_setcanceltype)      \
	X(pthread_sigmask)            \
	X(select)                     \
	X(sigaction)                  \
	X(sigaltstack)                \
	X(sigpending)                 \
	X(sigignore)                  \
	X(signal)                     \
	X(sigprocmask)                \
	X(sigtimedwait)               \
	X(sigset)                     \
	X(sigsuspend)                 \
	X(sysv_signal)                \
	X(_exit)

struct real_functions {
#define REAL_MEMBER(name) __typeof__(&name) name;
	REAL_FUNCTIONS(REAL_MEMBER)
#undef REAL_MEMBER
};

extern struct real_functions real_functions;

/* Idempotent; threads that race write the same values. */
void real_resolve(void);

#define REAL(name)                                                 \
	(*({                                                       \
		if (unlikely(!load_relaxed(&real_functions.name))) \
			real_resolve();                            \
		load_relaxed(&real_functions.name);                \
	}))

/* What a C library returns for a system call's result. */
static inline long real_result(long result)
{
	if (likely((unsigned long)result < -4095ul))
		return result;
	errno = (int)-result;
	return -1;
}

#endif
