// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/lock.h"
#include "base/own_fds.h"
#include "base/sys.h"

/*
 * Programs with room for more files share the fds above this with the engine.
 */
#define BASE_MAX 65536u
/* The engine uses at most so many fds above the program's. */
#define OURS_MAX 262144u
/*
 * If the limit can't be raised, the engine uses the highest fds below it: an
 * eighth of all, or of a low limit LAST_FEW, and LAST_SPARE for duplicates that
 * the engine can do without.
 */
#define LAST_PART 8
#define LOW_LIMIT 4096u
#define LAST_FEW 64u
#define LAST_SPARE 8u

/* While the limit is raised, and while own_fds changes. */
static struct lock limit_lock;
static struct rlimit
	unraised; /* a limit that could not be raised: not tried again */

static int set_limit(const struct rlimit *limit)
{
	return (int)SYS_4(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
}

static int dup_from(int fd, rlim_t lowest)
{
	return (int)SYS_3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
}

static bool is_unraised(const struct rlimit *limit)
{
	return limit->rlim_cur == unraised.rlim_cur &&
	       limit->rlim_max == unraised.rlim_max;
}

/* Raises the hard limit too if that is needed and allowed, and restores it. */
static int dup_above(int fd, const struct rlimit *limit)
{
	struct rlimit high = {
		.rlim_cur = limit->rlim_cur + OURS_MAX,
		.rlim_max = limit->rlim_max,
	};
	int got;

	if (is_unraised(limit))
		return -EMFILE;
	if (high.rlim_max < high.rlim_cur) {
		high.rlim_max = high.rlim_cur;
		if (set_limit(&high) < 0)
			high.rlim_cur = high.rlim_max = limit->rlim_max;
		else
			goto raised;
	}
	if (high.rlim_cur <= limit->rlim_cur || set_limit(&high) < 0) {
		unraised = *limit;
		return -EMFILE;
	}
raised:
	got = dup_from(fd, limit->rlim_cur);
	set_limit(limit);
	return got;
}

static rlim_t last_numbers(const struct rlimit *limit, bool spare)
{
	if (limit->rlim_cur > LOW_LIMIT)
		return limit->rlim_cur / LAST_PART;
	if (limit->rlim_cur < 2 * LAST_FEW)
		return limit->rlim_cur / 2;
	return spare ? LAST_SPARE : LAST_FEW;
}

static int dup_high_locked(int fd, bool spare) HOLDS(&limit_lock)
{
	struct rlimit limit;
	int got;

	if (SYS_4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return dup_from(fd, 3);
	if (limit.rlim_cur > BASE_MAX)
		return dup_from(fd, BASE_MAX);
	got = dup_above(fd, &limit);
	if (got != -EMFILE && got != -EINVAL)
		return got;
	got = dup_from(fd, limit.rlim_cur - last_numbers(&limit, spare));
	if (spare)
		return got;
	if (got == -EMFILE || got == -EINVAL)
		got = dup_from(fd, 3);
	return got;
}

static int dup_high(int fd, bool spare)
{
	int got;

	lock_take(&limit_lock);
	got = dup_high_locked(fd, spare);
	own_fds_add(got);
	lock_drop(&limit_lock);
	return got;
}

int fd_dup_high(int fd)
{
	return dup_high(fd, false);
}

int fd_dup_spare(int fd)
{
	return dup_high(fd, true);
}

void fd_before_fork(void) UNCHECKED_LOCKS
{
	lock_take(&limit_lock);
}

void fd_after_fork(void) UNCHECKED_LOCKS
{
	limit_lock.word = 0;
}

int fd_move_high(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fd_dup_high(fd);
	if (high < 0) {
		lock_take(&limit_lock);
		own_fds_add(fd);
		lock_drop(&limit_lock);
		return fd;
	}
	fd_close(fd);
	return high;
}

void fd_keep(int *at)
{
	lock_take(&limit_lock);
	own_fds_place(*at, at);
	lock_drop(&limit_lock);
}

int fd_vacate(int fd)
{
	int *at, got;

	lock_take(&limit_lock);
	at = own_fds_at(fd);
	got = at ? dup_high_locked(fd, false) : -EBUSY;
	if (got >= 0) {
		own_fds_remove(fd);
		own_fds_add(got);
		own_fds_place(got, at);
		store_relaxed(at, got);
	}
	lock_drop(&limit_lock);
	return got < 0 ? got : 0;
}

void fd_lose(int fd)
{
	int *at;

	lock_take(&limit_lock);
	at = own_fds_at(fd);
	own_fds_remove(fd);
	if (at)
		store_relaxed(at, -1);
	lock_drop(&limit_lock);
}

void fd_make_room(void)
{
	fd_close(fd_move_high((int)SYS_2(SYS_eventfd2, 0, EFD_CLOEXEC)));
}

bool fd_ready_now(int fd, short events)
{
	struct pollfd look = {.fd = fd, .events = events};

	return SYS_3(SYS_poll, &look, 1, 0) != 0;
}

static bool closes_nothing;

void fd_close_nothing(bool nothing)
{
	store_relaxed(&closes_nothing, nothing);
}

void fd_close(int fd)
{
	if (fd < 0)
		return;
	if (own_fds_has(fd)) {
		lock_take(&limit_lock);
		own_fds_remove(fd);
		lock_drop(&limit_lock);
	}
	if (likely(!load_relaxed(&closes_nothing)))
		SYS_1(SYS_close, fd);
}

bool fd_is_open(int fd)
{
	return SYS_3(SYS_fcntl, fd, F_GETFD, 0) >= 0;
}

/*
 * For when kcmp is refused. Each socket has its own inode, so only files can
 * look the same and differ.
 */
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
 * For when there is no /proc: an AIO read that names @fd as the eventfd to
 * signal. The kernel checks first that @fd is an eventfd and then the address,
 * which is one that no program can have. So the read never starts.
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

/* The link in /proc shows what @fd is, at the least cost. */
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
