// SPDX-License-Identifier: MIT
/*
 * Programs that a served program executes.
 *
 * Theory: the environment and the file decide whether the next program is
 * served (base/preload.h). If the environment names our library, LD_PRELOAD is
 * fitted to the file: the library is removed for a program that it would harm,
 * and AddressSanitizer's runtime is put before it, or removed if it was added
 * for the program that runs now. If the environment does not name the library
 * (env -i, a script that sets LD_PRELOAD), the program wants it so: nothing is
 * added. In both cases a message before the exec says which program will not be
 * served, once for each exec: on stderr, unless POLYRING_QUIET is set, and as a
 * line in the file that POLYRING_COUNTERS names.
 *
 * A static program, or one with another C library, is executed by the command,
 * which puts the agent into it (src/agent), if the environment says where the
 * command is. Not so one that is given by its descriptor.
 *
 * posix_spawn() and the exec family of libc are handled here. Not noticed are
 * system() and popen(), which run a shell with the environment as it is, and
 * bare system calls.
 *
 * Rules:
 *  1. Between vfork() and exec the memory is the parent's: nothing is
 *     allocated, no static variable is written. Lists are on the stack.
 *  2. libc decides which file execvp() takes, and what it does with a script
 *     without #!. This file searches PATH only to know the file.
 *  3. When exec fails nothing has changed.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/preload.h"
#include "base/sys.h"
#include "intercept/real.h"

#define LIST_NAME "LD_PRELOAD="
#define FILES_OF_PROCESS "/proc/self/fd/"

/* As when the program began: `env -i` has emptied its own environment. */
static bool quiet;

void children_open(void)
{
	const char *word = getenv("POLYRING_QUIET");

	quiet = word && *word;
}

static const char *variable(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, length) &&
		    (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

static size_t string_count(char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

/* The word of @list that names our library, as the program has it. */
static bool ours_in(const char *list, char *ours)
{
	while (*list) {
		size_t length = strcspn(list, ": ");

		memcpy(ours, list, length);
		ours[length] = '\0';
		if (preload_named(ours))
			return true;
		list += length;
		list += strspn(list, ": ");
	}
	return false;
}

static void children_say_unserved(const char *file, const char *why)
{
	if (!quiet)
		intercept_say("'%s' is not served: %s", file, why);
	counters_unserved(file, why);
}

/* The most that fit() writes. */
static size_t list_bytes(char *const *environment)
{
	const char *before = variable(environment, "LD_PRELOAD");

	return strlen(LIST_NAME) + PRELOAD_MORE("") +
	       (before ? 2 * strlen(before) : 0);
}

static bool is_program(const char *path)
{
	return sys_direct(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0) ==
	       0;
}

/* The command, if it can put the agent into what is at @path; else NULL. */
static const char *command_for(const char *path,
			       const struct preload_target *target,
			       char *const *environment)
{
	const char *command = variable(environment, PRELOAD_COMMAND);

	if (!target->agent_serves || !command || *command != '/' ||
	    !is_program(command) || !is_program(path) ||
	    !strncmp(path, FILES_OF_PROCESS, strlen(FILES_OF_PROCESS)))
		return NULL;
	return command;
}

/*
 * Fit LD_PRELOAD to the program at @path. True if @list, which then is
 * "LD_PRELOAD=" and its value, must replace the variable. @command: what must
 * be executed instead, or NULL.
 */
static bool fit(const char *path, const char *file, char *const *environment,
		char *list, const char **command)
{
	const char *before = variable(environment, "LD_PRELOAD");
	const char *engine = variable(environment, "POLYRING_ENGINE");
	const size_t head = strlen(LIST_NAME);
	char ours[before ? strlen(before) + 1 : 1];
	struct preload_target target;

	if (engine && !strcmp(engine, "kernel"))
		return false;
	if (!before || !ours_in(before, ours)) {
		children_say_unserved(file,
				      "LD_PRELOAD in its environment does not "
				      "name libpolyring-preload.so any more");
		return false;
	}
	preload_look(path, &target);
	*command = command_for(path, &target, environment);
	if (*command)
		target.harmed = true; /* two engines would be one too many */
	else if (target.why)
		children_say_unserved(file, target.why);
	memcpy(list, LIST_NAME, head);
	preload_list(&target, before, ours, list + head,
		     list_bytes(environment) - head);
	return strcmp(list + head, before) != 0;
}

/* @to has room for as many as @from, and the end. An empty list is removed. */
static void replace(char *const *from, char *list, char **to)
{
	for (; *from; from++) {
		if (strncmp(*from, LIST_NAME, strlen(LIST_NAME)) != 0)
			*to++ = *from;
		else if (list[strlen(LIST_NAME)])
			*to++ = list;
	}
	*to = NULL;
}

/* The file that execvp() will find for @name, in all usual cases (rule 2). */
static const char *children_find_in_path(const char *name, char *path)
{
	const char *dirs = variable(environ, "PATH");

	if (strchr(name, '/'))
		return name;
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs;) {
		size_t length = strcspn(dirs, ":");

		if (length + strlen(name) + 2 <= PATH_MAX) {
			memcpy(path, dirs, length);
			path[length] = '/';
			strcpy(path + length + (length > 0), name);
			if (is_program(path))
				return path;
		}
		dirs += length + (dirs[length] == ':');
	}
	return name;
}

/* What libc is asked to execute. */
struct exec {
	const char *path;
	char *const *argv;
	char *const *environment;
	bool by_command; /* which then executes what was asked for */
};

#define COMMAND_WORDS 3u /* before the program's own arguments */

static void exec_by_command(struct exec *exec, const char *command, char **to)
{
	to[0] = (char *)"polyring";
	to[1] = (char *)PRELOAD_AGENT_VERB;
	to[2] = (char *)exec->path;
	memcpy(&to[COMMAND_WORDS], exec->argv,
	       (string_count(exec->argv) + 1) * sizeof(*to));
	exec->path = command;
	exec->argv = to;
	exec->by_command = true;
}

/*
 * What is to be executed for @path_, with lists on the caller's stack where it
 * is not what the caller has. A macro, because they have to exist until exec.
 */
#define FITTED(path_, file, argv_, environment_)                               \
	({                                                                     \
		struct exec exec_ = {(path_), (argv_), (environment_), false}; \
		const char *command_ = NULL;                                   \
		char *list_ = __builtin_alloca(list_bytes(exec_.environment)); \
		if (intercept_engine_serves() &&                               \
		    fit(exec_.path, (file), exec_.environment, list_,          \
			&command_)) {                                          \
			char **changed_ = __builtin_alloca(                    \
				(string_count(exec_.environment) + 1) *        \
				sizeof(*changed_));                            \
			replace(exec_.environment, list_, changed_);           \
			exec_.environment = changed_;                          \
		}                                                              \
		if (command_ && exec_.argv)                                    \
			exec_by_command(                                       \
				&exec_, command_,                              \
				__builtin_alloca((COMMAND_WORDS + 1 +          \
						  string_count(exec_.argv)) *  \
						 sizeof(char *)));             \
		exec_;                                                         \
	})

static long exec_begin(void)
{
	signals_before_exec();
	return trap_before_exec();
}

/* exec has failed, or posix_spawn() has done it in a child. */
static void exec_end(long before)
{
	trap_after_exec(before);
	signals_after_exec();
}

static int exec_file(const char *path, char *const *argv,
		     char *const *environment)
{
	const struct exec exec = FITTED(path, path, argv, environment);
	long before = exec_begin();

	REAL(execve)(exec.path, exec.argv, exec.environment);
	exec_end(before);
	return -1;
}

static int exec_named(const char *name, char *const *argv,
		      char *const *environment)
{
	char found[PATH_MAX];
	const char *path = children_find_in_path(name, found);
	const struct exec exec = FITTED(path, name, argv, environment);
	long before = exec_begin();

	if (exec.by_command)
		REAL(execve)(exec.path, exec.argv, exec.environment);
	else
		REAL(execvpe)(name, argv, exec.environment);
	exec_end(before);
	return -1;
}

/*
 * Under other names in C: libc's headers declare that arguments are not NULL.
 */
#define AS(name) __asm__(name)
POLYRING_API int children_execve(const char *path, char *const *argv,
				 char *const *environment) AS("execve");
POLYRING_API int children_execv(const char *path, char *const *argv)
	AS("execv");
POLYRING_API int children_execvp(const char *name, char *const *argv)
	AS("execvp");
POLYRING_API int children_execvpe(const char *name, char *const *argv,
				  char *const *environment) AS("execvpe");
POLYRING_API int children_execl(const char *path, const char *arg, ...)
	AS("execl");
POLYRING_API int children_execlp(const char *name, const char *arg, ...)
	AS("execlp");
POLYRING_API int children_execle(const char *path, const char *arg, ...)
	AS("execle");
POLYRING_API int children_fexecve(int fd, char *const *argv,
				  char *const *environment) AS("fexecve");
POLYRING_API int children_execveat(int dir, const char *path, char *const *argv,
				   char *const *environment, int flags)
	AS("execveat");

int children_execve(const char *path, char *const *argv,
		    char *const *environment)
{
	return exec_file(path, argv, environment);
}

int children_execv(const char *path, char *const *argv)
{
	return exec_file(path, argv, environ);
}

int children_execvp(const char *name, char *const *argv)
{
	return exec_named(name, argv, environ);
}

int children_execvpe(const char *name, char *const *argv,
		     char *const *environment)
{
	return exec_named(name, argv, environment);
}

/*
 * Counts the arguments of execl() and its variants, with the NULL; @args stays
 * at the end.
 */
#define LISTED(arg, args)                                                \
	({                                                               \
		va_list counted_;                                        \
		size_t count_ = 1;                                       \
		char **argv_;                                            \
		va_copy(counted_, args);                                 \
		while (va_arg(counted_, char *))                         \
			count_++;                                        \
		va_end(counted_);                                        \
		argv_ = __builtin_alloca((count_ + 1) * sizeof(*argv_)); \
		argv_[0] = (char *)(arg);                                \
		for (size_t i_ = 1; i_ <= count_; i_++)                  \
			argv_[i_] = va_arg(args, char *);                \
		argv_;                                                   \
	})

int children_execl(const char *path, const char *arg, ...)
{
	va_list args;
	int result;

	va_start(args, arg);
	result = exec_file(path, LISTED(arg, args), environ);
	va_end(args);
	return result;
}

int children_execlp(const char *name, const char *arg, ...)
{
	va_list args;
	int result;

	va_start(args, arg);
	result = exec_named(name, LISTED(arg, args), environ);
	va_end(args);
	return result;
}

int children_execle(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv;
	int result;

	va_start(args, arg);
	argv = LISTED(arg, args);
	result = exec_file(path, argv, va_arg(args, char *const *));
	va_end(args);
	return result;
}

/* A file that is given by its descriptor has a name in /proc. */
#define NAME_BYTES 64
static void name_of(int fd, char *path)
{
	snprintf(path, NAME_BYTES, FILES_OF_PROCESS "%d", fd);
}

int children_fexecve(int fd, char *const *argv, char *const *environment)
{
	char path[NAME_BYTES];
	long before;

	name_of(fd, path);
	before = exec_begin();
	REAL(fexecve)
	(fd, argv, FITTED(path, path, argv, environment).environment);
	exec_end(before);
	return -1;
}

int children_execveat(int dir, const char *path, char *const *argv,
		      char *const *environment, int flags)
{
	char named[PATH_MAX + NAME_BYTES];
	struct exec exec;
	long before;

	if (!path || *path == '/' || dir == AT_FDCWD)
		snprintf(named, sizeof(named), "%s", path ? path : "");
	else
		snprintf(named, sizeof(named), FILES_OF_PROCESS "%d%s%s", dir,
			 *path ? "/" : "", path);
	exec = FITTED(named, named, argv, environment);
	before = exec_begin();
	if (exec.by_command && !flags)
		REAL(execve)(exec.path, exec.argv, exec.environment);
	else
		REAL(execveat)(dir, path, argv, exec.environment, flags);
	exec_end(before);
	return -1;
}

POLYRING_API int posix_spawn(pid_t *pid, const char *path,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes,
			     char *const *argv, char *const *environment)
{
	const struct exec exec = FITTED(path, path, argv, environment);
	long before = exec_begin();
	int result = REAL(posix_spawn)(pid, exec.path, actions, attributes,
				       exec.argv, exec.environment);

	exec_end(before);
	return result;
}

POLYRING_API int posix_spawnp(pid_t *pid, const char *name,
			      const posix_spawn_file_actions_t *actions,
			      const posix_spawnattr_t *attributes,
			      char *const *argv, char *const *environment)
{
	char found[PATH_MAX];
	const char *path = children_find_in_path(name, found);
	const struct exec exec = FITTED(path, name, argv, environment);
	long before = exec_begin();
	int result;

	if (exec.by_command)
		result = REAL(posix_spawn)(pid, exec.path, actions, attributes,
					   exec.argv, exec.environment);
	else
		result = REAL(posix_spawnp)(pid, name, actions, attributes,
					    argv, exec.environment);
	exec_end(before);
	return result;
}
