// SPDX-License-Identifier: MIT
/*
 * A served program that executes itself without the preload library: the
 * filter it leaves behind must not kill what it executes. Run under `polyring
 * deny`, where the child then meets EPERM.
 */
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "tap.h"

/* What a child that is run this way makes of an inline call. */
static int child_status(char **argv, char **environment)
{
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environment))
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		return -2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char *child[] = {argv[0], (char *)"--child", NULL};
	char *bare[] = {(char *)"PATH=/bin:/usr/bin", NULL};
	int fd = inline_ring();

	if (argc > 1)
		return fd >= 0 ? 0 : -fd;
	CHECK("the_program_is_served", fd >= 0);
	CHECK("a_child_is_served_too", child_status(child, environ) == 0);
	CHECK("a_child_without_the_library_sees_EPERM_and_lives",
	      child_status(child, bare) == EPERM);
	return tap_end();
}
