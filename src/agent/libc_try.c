// SPDX-License-Identifier: MIT
/*
 * Will this system's C library do for the agent? A program that is linked and
 * changed as the agent is, and run when the build is configured (meson.build).
 *
 * Theory: libc.c and tools/thread-by-gs count on things that no release of
 * glibc promises. So no list of releases is kept: what they count on is tried.
 * The program ends with 0 if memory, threads and their own variables work, and
 * the heap of brk() has not moved; and, when it was changed, if FS is nobody's.
 * With an argument it is as it was linked, as the command is.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 8

static __thread int own;
static long heap_end;
static int by_gs;

static uint64_t fs_now(void)
{
	uint64_t base = 1;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
	return base;
}

static void *thread_run(void *argument)
{
	char text[32];

	own++;
	errno = 0;
	snprintf(text, sizeof(text), "%d %.1f", own, 0.5);
	free(malloc(100000));
	return own == 1 && !(by_gs && fs_now()) && text[0] == '1' ? argument
								  : NULL;
}

static int threads_work(void)
{
	pthread_t threads[THREADS];
	void *result = NULL;
	int count = 0;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread_run, &own))
			return 0;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		count += result == &own;
	}
	return count == THREADS;
}

int main(int argc, char **argv)
{
	(void)argv;
	by_gs = argc == 1;
	heap_end = syscall(SYS_brk, 0);
	if (by_gs && fs_now())
		return 2;
	for (int i = 0; i < ROUNDS; i++)
		if (!threads_work())
			return 3;
	return syscall(SYS_brk, 0) == heap_end && !own ? 0 : 4;
}
