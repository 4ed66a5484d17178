// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/sys.h"

/* The first number of ours, read once: the limit seldom changes. */
static int first_high(void)
{
	static int first;
	struct rlimit limit;
	int known = load_relaxed(&first);

	if (known)
		return known;
	if (SYS_4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		limit.rlim_cur = 1024;
	if (limit.rlim_cur > 1 << 20)
		limit.rlim_cur = 1 << 20;
	known = (int)limit.rlim_cur / 2 + 1;
	store_relaxed(&first, known);
	return known;
}

int fd_dup_high(int fd)
{
	long high = SYS_3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_high());

	if (high == -EINVAL || high == -EMFILE)
		high = SYS_3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
	return (int)high;
}

int fd_move_high(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fd_dup_high(fd);
	if (high < 0)
		return fd;
	fd_close(fd);
	return high;
}

void fd_make_room(void)
{
	fd_close(fd_move_high((int)SYS_2(SYS_eventfd2, 0, EFD_CLOEXEC)));
}

void fd_close(int fd)
{
	if (fd >= 0)
		SYS_1(SYS_close, fd);
}

bool fd_is_open(int fd)
{
	return SYS_3(SYS_fcntl, fd, F_GETFD, 0) >= 0;
}

/* Where kcmp is refused. Sockets have an inode each, so only files can err. */
static bool looks_same(int a, int b)
{
	struct stat of_a, of_b;

	if (SYS_2(SYS_fstat, a, &of_a) < 0 || SYS_2(SYS_fstat, b, &of_b) < 0)
		return false;
	return of_a.st_ino == of_b.st_ino && of_a.st_dev == of_b.st_dev &&
	       SYS_2(SYS_fcntl, a, F_GETFL) == SYS_2(SYS_fcntl, b, F_GETFL);
}

bool fd_same_file(int a, int b)
{
	long pid, differ;

	if (a == b)
		return true;
	pid = SYS_0(SYS_getpid);
	differ = SYS_5(SYS_kcmp, pid, pid, KCMP_FILE, a, b);
	return differ == -EBADF ? false
	       : differ < 0	? looks_same(a, b)
				: differ == 0;
}

/*
 * Where there is no /proc: an AIO read that names @fd as the eventfd to signal
 * is refused for what @fd is, and only then for its address, which no program
 * can have. It never starts.
 */
static int ask_aio_for_eventfd(int fd)
{
	aio_context_t context = 0;
	struct iocb read = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = UINT64_C(1) << 63,
		.aio_nbytes = sizeof(uint64_t),
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *first = &read;
	long err;

	if (!fd_is_open(fd))
		return -EBADF;
	err = SYS_2(SYS_io_setup, 1, &context);
	if (err < 0)
		return (int)err;
	err = SYS_3(SYS_io_submit, context, 1, &first);
	SYS_1(SYS_io_destroy, context);
	return err == -EFAULT ? 0 : -EINVAL;
}

/* Its link in /proc says what it is, and costs least. */
int fd_dup_eventfd(int fd)
{
	char path[32], target[32];
	long n;
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = SYS_3(SYS_readlink, path, target, sizeof(target));
	if (n < 0) {
		err = ask_aio_for_eventfd(fd);
		return err < 0 ? err : fd_dup_high(fd);
	}
	if ((size_t)n < sizeof("anon_inode:[eventfd]") - 1 ||
	    memcmp(target, "anon_inode:[eventfd]", 20) != 0)
		return -EINVAL;
	return fd_dup_high(fd);
}
