// SPDX-License-Identifier: MIT
#include "intercept/closing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/syscall.h>

#include "base/sys.h"
#include "intercept/intercept.h"
#include "polyring/polyring.h"

static bool closing_matters(void)
{
	return unlikely(load_relaxed(&intercept_rings_exist));
}

bool closing_refuses(int fd)
{
	return closing_matters() && polyring_keeps(fd);
}

bool closing_meets_ours(unsigned int first)
{
	return closing_matters() && first <= INT_MAX &&
	       polyring_keeps_next((int)first) >= 0;
}

static long close_range_of(unsigned int first, unsigned int last,
			   unsigned int flags)
{
	return sys_direct(SYS_close_range, first, last, flags, 0, 0, 0);
}

/* Ours are close-on-exec anyway. A table of the thread's own comes first. */
long closing_range(unsigned int first, unsigned int last, unsigned int flags)
{
	long err = 0;
	int kept;

	if (flags & CLOSE_RANGE_CLOEXEC || first > last ||
	    !closing_meets_ours(first))
		return close_range_of(first, last, flags);
	if (flags)
		err = close_range_of(UINT_MAX, UINT_MAX, flags);
	while (!err && first <= last) {
		kept = first <= INT_MAX ? polyring_keeps_next((int)first) : -1;
		if (kept < 0 || (unsigned int)kept > last)
			return close_range_of(first, last, 0);
		if ((unsigned int)kept > first)
			err = close_range_of(first, (unsigned int)kept - 1, 0);
		first = (unsigned int)kept + 1;
	}
	return err;
}

bool closing_make_way(int from, int to)
{
	if (from == to || !closing_refuses(to) ||
	    sys_direct(SYS_fcntl, from, F_GETFD, 0, 0, 0, 0) < 0)
		return false;
	polyring_vacate(to);
	return true;
}

void closing_made_way(int to, long result)
{
	if (result < 0)
		sys_direct(SYS_close, to, 0, 0, 0, 0, 0);
}

void closing_tell(int fd)
{
	if (!closing_matters())
		return;
	watch_new_fd(fd);
	polyring_closed(fd);
}

long closing_call(long number, long a, long b, long c)
{
	bool made_way = false;
	int closed = -1;
	long result;

	switch (number) {
	case SYS_close:
		closed = (int)a;
		if (closing_refuses(closed))
			return -EBADF;
		result = sys_direct(number, a, 0, 0, 0, 0, 0);
		break;
	case SYS_close_range:
		result = closing_range((unsigned int)a, (unsigned int)b,
				       (unsigned int)c);
		break;
	default:
		closed = (int)b;
		made_way = closing_make_way((int)a, closed);
		result = sys_direct(number, a, b, c, 0, 0, 0);
		break;
	}
	if (made_way)
		closing_made_way(closed, result);
	if (result >= 0)
		closing_tell(closed);
	return result;
}
