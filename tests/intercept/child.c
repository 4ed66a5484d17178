// SPDX-License-Identifier: MIT
/*
 * What a served program starts. With the library in its environment a child is
 * served, too. Without, or where nothing can be preloaded, it gets the kernel's
 * answer: EPERM, as this is run under `polyring deny`. A filter that it
 * inherits must not kill it, whichever way it was started.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tap.h"

#define SERVED 100
#define REFUSED (SERVED + EPERM)
#define NOT_RAISED 77
#define NOBODY 65534

static char self[PATH_MAX];
static char *bare[] = {(char *)"PATH=/bin:/usr/bin", NULL};

typedef pid_t (*start_fn)(char *const *argv, char *const *environment);

static pid_t by_posix_spawn(char *const *argv, char *const *environment)
{
	pid_t pid = -1;

	posix_spawn(&pid, argv[0], NULL, NULL, argv, environment);
	return pid;
}

static pid_t by_fork(char *const *argv, char *const *environment)
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(argv[0], argv, environment);
		_exit(127);
	}
	return pid;
}

/* The child is in our memory until it has executed. */
static pid_t by_vfork(char *const *argv, char *const *environment)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(argv[0], argv, environment);
		_exit(127);
	}
	return pid;
}

/* env -i takes away what the shell was given. */
static pid_t by_shell(char *const *argv, char *const *environment)
{
	char *const words[] = {(char *)"/bin/sh",
			       (char *)"-c",
			       environment == bare
				       ? (char *)"env -i \"$@\"; exit $?"
				       : (char *)"\"$@\"; exit $?",
			       (char *)"sh",
			       argv[0],
			       argv[1],
			       NULL};

	return by_fork(words, environ);
}

/* With all signals blocked, which a child inherits. */
static pid_t by_fork_blocked(char *const *argv, char *const *environment)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = by_fork(argv, environment);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int status_of(start_fn start, const char *path, const char *word,
		     char *const *environment)
{
	char *const argv[] = {(char *)path, (char *)word, NULL};
	pid_t pid = start(argv, environment);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const struct {
	const char *name;
	start_fn start;
} ways[] = {
	{"posix_spawn", by_posix_spawn},
	{"fork", by_fork},
	{"vfork", by_vfork},
	{"a_shell", by_shell},
	{"fork_with_all_signals_blocked", by_fork_blocked},
};

static void test_ways(void)
{
	char name[100];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(name, sizeof(name), "%s_with_the_library_is_served",
			 ways[i].name);
		CHECK(name, status_of(ways[i].start, self, "--child",
				      environ) == SERVED);
		snprintf(name, sizeof(name),
			 "%s_without_it_sees_EPERM_and_lives", ways[i].name);
		CHECK(name, status_of(ways[i].start, self, "--child", bare) ==
				    REFUSED);
	}
}

static void test_static(void)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%.*s/static",
		 (int)(strrchr(self, '/') - self), self);
	CHECK("a_static_child_is_served_or_lives",
	      status_of(by_fork, path, "ask", environ) ==
		      (getenv("POLYRING_COMMAND") ? EFAULT : EPERM));
}

static int copy_of_self(const char *to, mode_t mode)
{
	int in = open(self, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	char bytes[65536];
	ssize_t n;

	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(out, bytes, (size_t)n) != n)
			n = -1;
	n |= fchown(out, NOBODY, NOBODY) | fchmod(out, mode);
	close(in);
	close(out);
	return (int)n;
}

/* The dynamic linker ignores LD_PRELOAD in programs that gain privileges. */
static void test_setuid(void)
{
	char path[] = "/tmp/polyring-child-XXXXXX";
	int fd = mkstemp(path), status = NOT_RAISED;

	close(fd);
	if (fd >= 0 && copy_of_self(path, 04755) == 0)
		status = status_of(by_fork, path, "--raised", environ);
	unlink(path);
	if (status == NOT_RAISED)
		puts("# no setuid programs here");
	else
		CHECK("a_setuid_child_sees_EPERM_and_lives", status == REFUSED);
}

int main(int argc, char **argv)
{
	int fd = inline_ring();

	if (argc > 1 && !strcmp(argv[1], "--raised") && !getauxval(AT_SECURE))
		return NOT_RAISED;
	if (argc > 1)
		return fd >= 0 ? SERVED : SERVED - fd;
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\0';
	CHECK("the_program_is_served", fd >= 0);
	test_ways();
	test_static();
	test_setuid();
	return tap_end();
}
