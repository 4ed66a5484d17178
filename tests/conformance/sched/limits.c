/* SPDX-License-Identifier: MIT */
/*
 * What becomes of requests where the process may have no thread, or no memory
 * for one.
 *
 * Theory: a flush can't be tried without waiting, so a worker does it. The
 * kernel ends it with ECANCELED where the user may have no more threads; its
 * own threads need no memory of the process.
 */
#include "runner/scenario.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void flush(struct ring *r, int fd)
{
	sqe_new(r, IORING_OP_FSYNC, fd, NULL, 0, 0);
	submit(r);
	reap(r, 1);
}

/* A nop, and a read that waits. */
static void work_without_workers(struct ring *r)
{
	char byte;
	int ends[2];

	if (pipe(ends) < 0)
		give_up("pipe: %s", strerror(errno));
	sqe_nop(r);
	submit(r);
	reap(r, 1);
	sqe_new(r, IORING_OP_READ, ends[0], &byte, 1, 0);
	submit(r);
	note_result("write", write(ends[1], "a", 1));
	reap(r, 1);
}

static void no_more_threads(struct ring *unused)
{
	const struct rlimit none = {1, 1};
	int fd = file_with("abcd");
	struct ring mine;

	(void)unused;
	if (!geteuid() && setresuid(65534, 65534, 65534) < 0)
		give_up("setresuid: %s", strerror(errno));
	setrlimit(RLIMIT_NPROC, &none);
	ring_open(&mine, 8, 0);
	work_without_workers(&mine);
	flush(&mine, fd);
}

static void __attribute__((unused)) no_more_memory(struct ring *r)
{
	const struct rlimit none = {0, 0};
	int fd = file_with("abcd");

	work_without_workers(r);
	setrlimit(RLIMIT_DATA, &none);
	flush(r, fd);
}

static const struct scenario scenarios[] = {
	SCENARIO(no_more_threads, NULL, .bare = true),
#ifndef __SANITIZE_ADDRESS__ /* its runtime ends where memory is refused */
	SCENARIO(no_more_memory, NULL),
#endif
};
FAMILY(limits, scenarios);
