// SPDX-License-Identifier: MIT
/*
 * Which side serves this process, and the dispatcher of all lanes.
 *
 * Theory: POLYRING_ENGINE decides, once, for the life of the process:
 *
 *   polyring  the engine serves io_uring;
 *   kernel    all calls pass through, the library does nothing;
 *   auto      (also when unset) the kernel if it answers io_uring_setup, the
 *             engine if the answer is EPERM, EACCES or ENOSYS.
 *
 * POLYRING_LANES names the lanes that may be used, separated by commas; unset
 * or empty means all. libc's, which costs nothing, is always open.
 *
 * The decision is made on first use, because constructors of other libraries
 * may call functions here before ours has run. Threads that race compute the
 * same.
 *
 * Cost: one relaxed load for a process that uses no io_uring; for one that
 * does, libc's syscall() costs two compares more than libc's own.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/sys.h"
#include "intercept/closing.h"
#include "intercept/real.h"
#include "polyring/polyring.h"

enum serves {
	SERVES_UNDECIDED,
	SERVES_KERNEL,
	SERVES_ENGINE,
};

static int serves;
intptr_t intercept_errno_at;
bool intercept_rings_exist;

static enum serves intercept_ask_kernel(void)
{
	struct io_uring_params params = {0};
	long fd = sys_direct(NR_io_uring_setup, 1, (long)&params, 0, 0, 0, 0);

	if (fd >= 0)
		sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
	return fd == -EPERM || fd == -EACCES || fd == -ENOSYS ? SERVES_ENGINE
							      : SERVES_KERNEL;
}

static enum serves decide(void)
{
	const char *engine = getenv("POLYRING_ENGINE");

	if (!engine || !*engine || !strcmp(engine, "auto"))
		return intercept_ask_kernel();
	if (!strcmp(engine, "polyring"))
		return SERVES_ENGINE;
	if (!strcmp(engine, "kernel"))
		return SERVES_KERNEL;
	intercept_say("POLYRING_ENGINE=%s is none of polyring, kernel, auto; "
		      "taking auto",
		      engine);
	return intercept_ask_kernel();
}

bool intercept_engine_serves(void)
{
	int known = load_relaxed(&serves);

	if (unlikely(known == SERVES_UNDECIDED)) {
		/*
		 * A sanitizer's runtime calls this before libc has set environ.
		 */
		if (!environ)
			return false;
		known = (int)decide();
		store_relaxed(&serves, known);
	}
	return known == SERVES_ENGINE;
}

/*
 * A ring made here starts unwatched: watch.c sets it watched when it is polled.
 * With REGISTERED_FD_ONLY the result is an index, not an fd.
 */
static long call_setup(uint32_t entries, struct io_uring_params *params)
{
	int fd = polyring_setup(entries, params);

	if (fd < 0)
		return fd;
	store_relaxed(&intercept_rings_exist, true);
	watch_new_fd(fd);
	if (!(params->flags & IORING_SETUP_REGISTERED_FD_ONLY))
		polyring_watch(fd, false);
	return fd;
}

/* Which of fcntl's commands it is doesn't matter: a result is a number. */
static long call_duplicating(long number, long a, long b, long c)
{
	long result = sys_direct(number, a, b, c, 0, 0, 0);

	if (load_relaxed(&intercept_rings_exist))
		watch_new_fd((int)result);
	return result;
}

long intercept_call(long number, long a, long b, long c, long d, long e, long f)
{
	/* The kernel uses only the low half. */
	switch ((int)number) {
	case NR_io_uring_setup:
		return call_setup((uint32_t)a, (struct io_uring_params *)b);
	case NR_io_uring_enter:
		return polyring_enter((int)a, (uint32_t)b, (uint32_t)c,
				      (uint32_t)d, (const void *)e, (size_t)f);
	case NR_io_uring_register:
		return polyring_register((int)a, (uint32_t)b, (void *)c,
					 (uint32_t)d);
	case SYS_mmap:
		if ((int)e >= 0 && load_relaxed(&intercept_rings_exist) &&
		    polyring_owns((int)e))
			return polyring_mmap((void *)a, (size_t)b, (int)c,
					     (int)d, (int)e, (uint64_t)f);
		break;
	case SYS_close:
	case SYS_dup2:
	case SYS_dup3:
	case SYS_close_range:
		return closing_call((int)number, a, b, c);
	case SYS_dup:
	case SYS_fcntl:
		return call_duplicating(number, a, b, c);
	}
	return sys_direct(number, a, b, c, d, e, f);
}

void intercept_find_errno(void)
{
	uintptr_t thread;

	__asm__("mov %%fs:0, %0" : "=r"(thread));
	intercept_errno_at = (intptr_t)((uintptr_t)&errno - thread);
}

static bool is_io_uring(long number)
{
	return (int)number >= NR_io_uring_setup &&
	       (int)number <= NR_io_uring_register;
}

/*
 * An inline system call does not change errno, so the engine must not either.
 */
static inline long from_inline(enum intercept_lane lane, long number, long a,
			       long b, long c, long d, long e, long f)
{
	int errno_before = errno;
	long result;

	if (is_io_uring(number))
		intercept_note(lane);
	result = intercept_call(number, a, b, c, d, e, f);
	errno = errno_before;
	return result;
}

long intercept_from_trap(long number, long a, long b, long c, long d, long e,
			 long f)
{
	return from_inline(LANE_TRAP, number, a, b, c, d, e, f);
}

long intercept_from_patch(long number, long a, long b, long c, long d, long e,
			  long f)
{
	return from_inline(LANE_PATCH, number, a, b, c, d, e, f);
}

long intercept_from_libc(long number, long a, long b, long c, long d, long e,
			 long f)
{
	int errno_before = errno;
	long result;

	if (!intercept_engine_serves())
		return real_result(sys_direct(number, a, b, c, d, e, f));
	if (is_io_uring(number))
		intercept_note(LANE_LIBC);
	result = intercept_call(number, a, b, c, d, e, f);
	errno = errno_before;
	return real_result(result);
}

/*
 * Not with the real mmap(): memory allocators call this before they can handle
 * the allocations of a symbol lookup.
 */
POLYRING_API void *intercept_mmap(void *hint, size_t bytes, int prot, int flags,
				  int fd, off_t offset) __asm__("mmap");
POLYRING_API void *intercept_mmap64(void *hint, size_t bytes, int prot,
				    int flags, int fd,
				    off_t offset) __asm__("mmap64")
	__attribute__((alias("mmap")));

void *intercept_mmap(void *hint, size_t bytes, int prot, int flags, int fd,
		     off_t offset)
{
	long result = intercept_call(SYS_mmap, (long)hint, (long)bytes, prot,
				     flags, fd, offset);

	if ((unsigned long)result < -4095ul)
		mapped_look((void *)result, bytes, prot);
	return (void *)real_result(result);
}

/* "." and ".." and one more. Without /proc the number of threads is unknown. */
bool intercept_has_one_thread(void)
{
	uint8_t names[1024] __attribute__((aligned(8)));
	long fd = sys_direct(SYS_openat, AT_FDCWD, (long)"/proc/self/task",
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
	long bytes;
	int count = 0;

	if (fd < 0)
		return false;
	bytes = sys_direct(SYS_getdents64, fd, (long)names, sizeof(names), 0, 0,
			   0);
	sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
	/* A record's length is 16 bytes into it. */
	for (long at = 0; at < bytes; count++) {
		uint16_t length;

		memcpy(&length, names + at + 16, sizeof(length));
		at += length;
	}
	return count == 3;
}
