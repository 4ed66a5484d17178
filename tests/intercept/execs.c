// SPDX-License-Identifier: MIT
/*
 * Each exec function adapts LD_PRELOAD to the program: a runtime that was put
 * in front of the library, for a program that this one is not, is removed for
 * the next program, by each of the functions. And a program that executes
 * itself again and again (--again N) does not collect filters without bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

#include "tap.h"

#define RUNTIME "libasan.so.8:"
#define CLEAN 42

static char self[PATH_MAX];
static char *const child[] = {self, (char *)"--child", NULL};

static void by_execve(void)
{
	execve(self, child, environ);
}
static void by_execv(void)
{
	execv(self, child);
}
static void by_execvp(void)
{
	execvp(strrchr(self, '/') + 1, child);
}
static void by_execvpe(void)
{
	execvpe("execs", child, environ);
}
static void by_execl(void)
{
	execl(self, self, "--child", NULL);
}
static void by_execlp(void)
{
	execlp("execs", self, "--child", NULL);
}
static void by_execle(void)
{
	execle(self, self, "--child", NULL, environ);
}

static void by_fexecve(void)
{
	fexecve(open(self, O_RDONLY | O_CLOEXEC), child, environ);
}

static void by_execveat(void)
{
	execveat(open("/", O_PATH | O_CLOEXEC), self + 1, child, environ, 0);
}

static void end_as(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

static void by_posix_spawn(void)
{
	pid_t pid;

	if (!posix_spawn(&pid, self, NULL, NULL, child, environ))
		end_as(pid);
}

static void by_posix_spawnp(void)
{
	pid_t pid;

	if (!posix_spawnp(&pid, "execs", NULL, NULL, child, environ))
		end_as(pid);
}

static const struct {
	const char *name;
	void (*start)(void);
} ways[] = {
	{"execve", by_execve},
	{"execv", by_execv},
	{"execvp", by_execvp},
	{"execvpe", by_execvpe},
	{"execl", by_execl},
	{"execlp", by_execlp},
	{"execle", by_execle},
	{"fexecve", by_fexecve},
	{"execveat", by_execveat},
	{"posix_spawn", by_posix_spawn},
	{"posix_spawnp", by_posix_spawnp},
};

/* The environment as it is while a program with the runtime runs. */
static void prepare(void)
{
	const char *before = getenv("LD_PRELOAD");
	char list[PATH_MAX * 2], path[PATH_MAX];

	snprintf(list, sizeof(list), RUNTIME "%s", before);
	setenv("LD_PRELOAD", list, 1);
	snprintf(path, sizeof(path), "%.*s", (int)(strrchr(self, '/') - self),
		 self);
	setenv("PATH", path, 1);
}

static int is_clean(void)
{
	const char *list = getenv("LD_PRELOAD");

	return list && strstr(list, "polyring") && !strstr(list, "libasan");
}

static int status_of(void (*start)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		start();
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_failure(void)
{
	char *const argv[] = {(char *)"none", NULL};

	errno = 0;
	CHECK("a_failing_exec_says_why",
	      execv("/no/such/program", argv) == -1 && errno == ENOENT);
	errno = 0;
	CHECK("also_along_PATH",
	      execvp("no-such-program", argv) == -1 && errno == ENOENT);
	CHECK("posix_spawn_returns_it",
	      posix_spawnp(&(pid_t){0}, "no-such-program", NULL, NULL, argv,
			   environ) == ENOENT);
}

/* Filters of this process, or -1 where the kernel does not count them. */
static int filters(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	int count = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "Seccomp_filters: %d", &count);
	if (status)
		fclose(status);
	return count;
}

/* Runs as many programs as @left says, each executed by the one before. */
static int again(const char *left, const char *most)
{
	char number[16];
	int fd = inline_ring();

	if (fd < 0) {
		printf("%s left: not served\n", left);
		return 1;
	}
	close(fd);
	if (!atoi(left)) {
		printf("%d filters\n", filters());
		return filters() > atoi(most);
	}
	snprintf(number, sizeof(number), "%d", atoi(left) - 1);
	execl(self, self, "--again", number, most, NULL);
	return 2;
}

int main(int argc, char **argv)
{
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\0';
	if (argc > 3 && !strcmp(argv[1], "--again"))
		return again(argv[2], argv[3]);
	if (argc > 1)
		return is_clean() ? CLEAN : 1;
	prepare();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		CHECK(ways[i].name, status_of(ways[i].start) == CLEAN);
	test_failure();
	return tap_end();
}
