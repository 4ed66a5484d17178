// SPDX-License-Identifier: MIT
/*
 * What the agent serves or looks at, of calls whose site is patched. What is
 * rarer is left to the trap.
 */
#include <sys/syscall.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "intercept/numbers.h"

const int32_t numbers_served[] = {
	NR_io_uring_enter,
	SYS_mmap,
	SYS_close,
	SYS_rt_sigprocmask,
	NR_io_uring_register,
	SYS_rt_sigaction,
	SYS_execve,
	SYS_epoll_ctl,
	SYS_dup2,
	SYS_dup3,
	NR_io_uring_setup,
	SYS_close_range,
};

const size_t numbers_served_count = array_size(numbers_served);

_Static_assert(array_size(numbers_served) <= NUMBERS_SERVED_MAX,
	       "a stub has no room for more");
