// SPDX-License-Identifier: MIT
/*
 * Querying the kernel's own io_uring, and the likely reasons for a refusal.
 *
 * Theory: the command must reach the kernel even when it runs under another
 * `polyring run`, whose preload library traps the io_uring calls of programs.
 * That library does not serve a program that defines polyring_asks_the_kernel,
 * as this one does.
 *
 * A filter may do worse than refuse: it may kill the calling process, or raise
 * a signal that kills it. So a child makes the calls.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/profile.h"
#include "abi/uring.h"
#include "base/sys.h"
#include "polyring/polyring.h"

/* src/intercept/sites.c looks for this symbol. */
__attribute__((visibility("default"))) const char polyring_asks_the_kernel = 1;

static int kernel_setup(uint32_t entries, struct io_uring_params *params)
{
	return (int)sys_direct(NR_io_uring_setup, entries, (long)params, 0, 0,
			       0, 0);
}

static int kernel_register(int fd, uint32_t opcode, void *arg, uint32_t count)
{
	return (int)sys_direct(NR_io_uring_register, fd, opcode, (long)arg,
			       count, 0, 0);
}

const struct side side_kernel = {
	.name = "kernel",
	.setup = kernel_setup,
	.reg = kernel_register,
};

const struct side side_polyring = {
	.name = "polyring",
	.setup = polyring_setup,
	.reg = polyring_register,
};

/*
 * The child writes its result to shared memory. It dumps no core, only this
 * process waits for it, and it runs no handlers when it exits.
 */
static void ask_and_end(void (*ask)(void *found), void *found)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGSYS, SIG_DFL);
	ask(found);
	_exit(0);
}

int kernel_ask(void (*ask)(void *found), void *found, size_t bytes)
{
	void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, answer = 0;
	pid_t child;

	if (shared == MAP_FAILED)
		return -errno;
	child = fork();
	if (child == 0)
		ask_and_end(ask, shared);
	if (child < 0)
		answer = -errno;
	else if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		answer = KERNEL_KILLS;
	if (!answer)
		memcpy(found, shared, bytes);
	munmap(shared, bytes);
	return answer;
}

static void ask_for_ring(void *found)
{
	struct io_uring_params params = {0};
	int fd = kernel_setup(2, &params);

	if (fd >= 0)
		sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
	*(int *)found = fd < 0 ? fd : 0;
}

int kernel_answers(void)
{
	int answer = 0;
	int err = kernel_ask(ask_for_ring, &answer, sizeof(answer));

	return err ? err : answer;
}

const char *kernel_answer_name(int answer)
{
	return answer == KERNEL_KILLS ? "SIGSYS" : say_errno_name(answer);
}

bool kernel_refuses(int answer)
{
	return answer == -EPERM || answer == -EACCES || answer == -ENOSYS ||
	       answer == KERNEL_KILLS;
}

/* The engine can't answer as an older kernel: the differences are too many. */
#define OLDEST KVER(5, 10)

int kernel_chosen(const char *verb, const char *text, const char **name)
{
	const char *from = text ? "--kernel " : "POLYRING_KERNEL=";
	unsigned int version;

	*name = NULL;
	if (!text)
		text = getenv("POLYRING_KERNEL");
	if (!text || !strcmp(text, "latest"))
		return 0;
	if (!abi_version_parse(text, &version) && version >= OLDEST &&
	    version <= ABI_LATEST) {
		*name = text;
		return 0;
	}
	return say_error(EXIT_USAGE,
			 "Name one from 5.10 to 6.18, as in --kernel 6.1, or "
			 "latest; polyring probe --kernel 6.1 shows what that "
			 "kernel has.",
			 "%s: %s%s: polyring does not know the answers of such "
			 "a kernel",
			 verb, from, text);
}

static long read_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long number = -1;

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			number = strtol(line + strlen(key), NULL, 10);
	fclose(file);
	return number;
}

const char *kernel_refusal(int answer)
{
	long disabled = read_number("/proc/sys/kernel/io_uring_disabled", "");
	bool filtered = read_number("/proc/self/status", "Seccomp:") == 2;

	if (answer == KERNEL_KILLS)
		return "a seccomp filter kills who asks for it";
	if (answer == -EPERM && disabled == 2)
		return "the sysctl kernel.io_uring_disabled is 2 (for all)";
	if (answer == -EPERM && disabled == 1 && !filtered)
		return "the sysctl kernel.io_uring_disabled is 1 (for all but "
		       "its group)";
	if (filtered)
		return "a seccomp filter denies it (a container's default?)";
	if (answer == -ENOSYS)
		return "this kernel was built without it or is too old";
	if (answer == -EACCES)
		return "a security module denies it";
	return "something we do not know denies it";
}
