// SPDX-License-Identifier: MIT
/*
 * A program with a system call wrapper of its own: the calls' numbers are
 * arguments, far from the one `syscall` instruction. Also what fork makes of a
 * ring's process. Run under `polyring deny`, otherwise the kernel could serve
 * the calls.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/uring.h"

#include "../bare_call.h"

static int passed, failed;

static void check(const char *name, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed + 1,
	       name);
	fflush(stdout);
	passed += good;
	failed += !good;
}

__attribute__((noinline)) static long own_syscall(long number, long a, long b,
						  long c, long d)
{
	return bare_call(number, a, b, c, d, 0, 0);
}

static int served(void)
{
	struct io_uring_params params = {0};
	long fd = own_syscall(425, 4, (long)&params, 0, 0);

	if (fd < 0)
		return 0;
	close((int)fd);
	return own_syscall(426, -1, 1, 0, 0) == -EBADF;
}

int main(void)
{
	int status = -1;
	pid_t pid;

	check("a_wrapper_of_the_programs_own_is_served", served());
	pid = fork();
	if (pid == 0)
		exit(!served());
	check("so_it_is_in_the_child_of_a_fork",
	      waitpid(pid, &status, 0) == pid && status == 0);
	check("and_in_the_parent_afterwards", served());
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed,
	       failed);
	return failed != 0;
}
