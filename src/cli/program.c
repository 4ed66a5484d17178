// SPDX-License-Identifier: MIT
/*
 * Finding the program, as execvp() does, and executing it. base/preload.h
 * determines whether the engine can serve it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int not_executable(const char *path, int error)
{
	return say_error(EXIT_CANNOT_RUN,
			 "Check the file's permissions (chmod +x) and that "
			 "it is a program.",
			 "cannot run '%s': %s", path, strerror(error));
}

/* 0: use it. ENOENT: continue the search. Else: why it cannot be run. */
static int candidate(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? ENOENT : errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, X_OK) < 0 ? errno : 0;
}

static int program_find_in_path(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	int answer = ENOENT;

	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t length = strcspn(dirs, ":");
		int written = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length,
				       dirs, length ? "/" : "", name);
		int error = written < PATH_MAX ? candidate(path) : ENOENT;

		if (!error)
			return 0;
		if (error != ENOENT)
			answer = EACCES;
		if (!dirs[length])
			return answer;
		dirs += length + 1;
	}
}

int program_find(const char *name, char *path)
{
	int error;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		error = candidate(path);
	} else {
		error = *name ? program_find_in_path(name, path) : ENOENT;
	}
	if (!error)
		return 0;
	if (error != ENOENT)
		return not_executable(name, error);
	return say_error(EXIT_NOT_FOUND,
			 strchr(name, '/') ? "Check the path."
					   : "Check the name and $PATH.",
			 "cannot run '%s': no such program", name);
}

int program_exec(const char *path, char **argv)
{
	execv(path, argv);
	if (errno == ENOEXEC) {
		/* A script without #! is run by the shell, as execvp() does. */
		size_t count = 0;
		char **shell;

		while (argv[count])
			count++;
		shell = calloc(count + 2, sizeof(*shell));
		if (shell) {
			shell[0] = (char *)"sh";
			shell[1] = (char *)path;
			memcpy(&shell[2], &argv[1], count * sizeof(*shell));
			execv("/bin/sh", shell);
		}
	}
	if (errno == ENOENT)
		return say_error(
			EXIT_CANNOT_RUN,
			"The interpreter that it names does not exist.",
			"cannot run '%s': %s", path, strerror(errno));
	return not_executable(path, errno);
}
