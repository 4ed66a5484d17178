// SPDX-License-Identifier: MIT
#include "io/nonblock.h"

#include <fcntl.h>

#include "base/sys.h"

struct lock flags_lock;

void nonblock_forget_lock(void)
{
	flags_lock.word = 0;
}

long nonblock_begin(int fd)
{
	long was;

	lock_take(&flags_lock);
	was = SYS_2(SYS_fcntl, fd, F_GETFL);
	if (was >= 0 && !(was & O_NONBLOCK))
		SYS_3(SYS_fcntl, fd, F_SETFL, was | O_NONBLOCK);
	return was;
}

void nonblock_end(int fd, long was)
{
	if (was >= 0 && !(was & O_NONBLOCK))
		SYS_3(SYS_fcntl, fd, F_SETFL, was);
	lock_drop(&flags_lock);
}
