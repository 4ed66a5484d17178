// SPDX-License-Identifier: MIT
#include "drive/waker.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/sys.h"

static struct {
	struct lock lock;
	uint32_t users;
	int fd; /* -1: none */
	int first_fd; /* what epolls know it by */
} waker = {.fd = -1};

static int waker_open(void) HOLDS(&waker.lock)
{
	int fd;

	if (waker.fd >= 0)
		return 0;
	fd = fd_move_high(
		(int)SYS_3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return fd;
	waker.first_fd = fd;
	store_relaxed(&waker.fd, fd);
	fd_keep(&waker.fd);
	return 0;
}

static void close_unused(void) HOLDS(&waker.lock)
{
	if (waker.users)
		return;
	fd_close(waker.fd);
	store_relaxed(&waker.fd, -1);
}

static int waker_add(int epoll_fd)
{
	struct epoll_event nothing = {.events = 0};
	long err;

	lock_take(&waker.lock);
	err = waker_open();
	if (!err)
		err = SYS_4(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_ADD, waker.fd,
			    &nothing);
	waker.users += !err;
	close_unused();
	lock_drop(&waker.lock);
	return (int)err;
}

int waker_epoll(void)
{
	int fd = fd_move_high((int)SYS_1(SYS_epoll_create1, EPOLL_CLOEXEC));
	int err = fd < 0 ? fd : waker_add(fd);

	if (!err)
		return fd;
	if (fd >= 0)
		fd_close(fd);
	return err;
}

void waker_remove(void)
{
	lock_take(&waker.lock);
	waker.users--;
	close_unused();
	lock_drop(&waker.lock);
}

int waker_wake(int epoll_fd, uint64_t data)
{
	struct epoll_event once = {
		.events = EPOLLOUT | EPOLLONESHOT,
		.data.u64 = data,
	};

	int fd = load_relaxed(&waker.fd);
	long err = SYS_4(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_MOD, fd, &once);

	/* Under another number it is another file to epoll. */
	if (unlikely(err == -ENOENT) && fd != load_relaxed(&waker.first_fd))
		err = SYS_4(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_ADD, fd, &once);
	return (int)err;
}

bool waker_is(int fd)
{
	return load_relaxed(&waker.fd) == fd;
}

void waker_lost(void)
{
	lock_take(&waker.lock);
	store_relaxed(&waker.fd, -1);
	lock_drop(&waker.lock);
}

void waker_forget(void)
{
	waker.lock.word = 0;
	waker.users = 0;
	fd_close(waker.fd);
	waker.fd = -1;
}
