// SPDX-License-Identifier: MIT
/*
 * `polyring deny`: run a program as with a container's default filter.
 *
 * Theory: container runtimes deny io_uring with a seccomp filter that answers
 * EPERM to its three calls; this verb does the same, and nothing else. The
 * filter is inherited by all children and cannot be removed. It also covers the
 * 32-bit and x32 system calls, whose numbers are the same but for x32's bit.
 * Without CAP_SYS_ADMIN the kernel grants a filter only to a process that gives
 * up gaining privileges by exec (no_new_privs).
 */
#include "cli/cli.h"

#include <getopt.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "base/sys.h"

#define X32_BIT 0x40000000u

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static const struct sock_filter filter[] = {
	LOAD(arch),
	IF_EQUAL(AUDIT_ARCH_X86_64, 1, 0),
	IF_EQUAL(AUDIT_ARCH_I386, 0, 5),
	LOAD(nr),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NR_io_uring_setup, 0, 2),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NR_io_uring_register, 1, 0),
	RETURN(SECCOMP_RET_ERRNO | EPERM),
	RETURN(SECCOMP_RET_ALLOW),
};

static int deny_filter_install(void)
{
	const struct sock_fprog program = {
		.len = array_size(filter),
		.filter = (struct sock_filter *)filter,
	};
	long result = sys_direct(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
				 (long)&program, 0, 0, 0);

	if (result != -EACCES)
		return (int)result;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)sys_direct(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
			       (long)&program, 0, 0, 0);
}

static int deny(int argc, char **argv)
{
	char path[PATH_MAX];
	int status, err;

	/* "+": the first argument that is no option is the program. */
	if (getopt(argc, argv, "+") != -1)
		return EXIT_USAGE;
	if (optind == argc)
		return say_error(EXIT_USAGE,
				 "Try: polyring deny -- ./server, or polyring "
				 "help deny",
				 "deny: which program?");
	status = program_find(argv[optind], path);
	if (status)
		return status;
	err = deny_filter_install();
	if (err < 0)
		return say_error(EXIT_OURS,
				 "The kernel must have seccomp filters "
				 "(CONFIG_SECCOMP_FILTER), and an outer filter "
				 "must allow seccomp(2).",
				 "deny: the filter was not accepted: %s",
				 say_errno_name(err));
	return program_exec(path, &argv[optind]);
}

// clang-format off
const struct verb verb_deny = {
	.name = "deny",
	.brief = "run a program with io_uring refused, as containers do",
	.help =
"usage: polyring deny [--] PROGRAM [ARGUMENT...]\n"
"\n"
"Runs PROGRAM, and all that it starts, in a place where io_uring_setup,\n"
"io_uring_enter and io_uring_register answer EPERM: what the default seccomp\n"
"profiles of container runtimes do. Needs no privileges. It cannot be undone\n"
"for these processes. Without CAP_SYS_ADMIN they also cannot gain privileges\n"
"(sudo will not work in there).\n"
"\n"
"examples:\n"
"  polyring deny -- ./server              does my server have a fallback?\n"
"  polyring deny -- polyring run -- ./server\n"
"                                         the server on polyring's engine\n"
"  polyring deny -- sh                    look around in such a place\n"
"\n"
"exit status: the program's; 2 wrong usage, 125 the filter was not accepted,\n"
"126 the program cannot be run, 127 it was not found.\n",
	.run = deny,
};
// clang-format on
