// SPDX-License-Identifier: MIT
/*
 * What the preload library serves or looks at, of calls that are made inline.
 *
 * Theory: stubs compare in this order, so the most frequent come first.
 */
#include <sys/syscall.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "intercept/numbers.h"

const int32_t numbers_served[] = {
	NR_io_uring_enter, SYS_mmap, SYS_close,		NR_io_uring_register,
	SYS_dup2,	   SYS_dup3, NR_io_uring_setup, SYS_close_range,
};

const size_t numbers_served_count = array_size(numbers_served);

_Static_assert(array_size(numbers_served) <= NUMBERS_SERVED_MAX,
	       "a stub has no room for more");
