// SPDX-License-Identifier: MIT
/*
 * Asking the kernel's own io_uring, and why it refuses.
 *
 * Theory: the command must reach the kernel even when it runs under another
 * `polyring run`, whose preload library traps the io_uring calls of programs.
 * That library knows them by the numbers that stand in the code; here the
 * numbers are read from memory, so it passes this program by.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/profile.h"
#include "abi/uring.h"
#include "base/sys.h"
#include "polyring/polyring.h"

static const volatile long nr_setup = NR_io_uring_setup;
static const volatile long nr_register = NR_io_uring_register;

static int kernel_setup(uint32_t entries, struct io_uring_params *params)
{
	return (int)sys_direct(nr_setup, entries, (long)params, 0, 0, 0, 0);
}

static int kernel_register(int fd, uint32_t opcode, void *arg, uint32_t count)
{
	return (int)sys_direct(nr_register, fd, opcode, (long)arg, count, 0, 0);
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

int kernel_answers(void)
{
	struct io_uring_params params = {0};
	int fd = kernel_setup(2, &params);

	if (fd < 0)
		return fd;
	sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
	return 0;
}

bool kernel_refuses(int answer)
{
	return answer == -EPERM || answer == -EACCES || answer == -ENOSYS;
}

/* Older kernels are too far from what the engine does to play them. */
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
	return complain(EXIT_USAGE,
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
