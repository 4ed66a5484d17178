// SPDX-License-Identifier: MIT
/*
 * Finding the program, and knowing beforehand whether LD_PRELOAD reaches it.
 *
 * Theory: the dynamic linker reads LD_PRELOAD, so a program without one (a
 * static one: no PT_INTERP), one for another architecture, and one that gains
 * privileges (the dynamic linker then ignores us) run as if we were not
 * there. That must be said before the program meets EPERM. A script is its
 * interpreter; `#!/usr/bin/env python3` is taken as env, which is dynamic,
 * and what env runs inherits LD_PRELOAD.
 */
#include "cli/cli.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel's own bound on interpreters of interpreters. */
#define SCRIPTS_MAX 4
#define HEAD_BYTES 256

static int not_executable(const char *path, int error)
{
	return complain(EXIT_CANNOT_RUN,
			"Check the file's permissions (chmod +x) and that "
			"it is a program.",
			"cannot run '%s': %s", path, strerror(error));
}

/* 0: take it. ENOENT: look on. Else: why it cannot be run. */
static int candidate(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? ENOENT : errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, X_OK) < 0 ? errno : 0;
}

static int find_in_path(const char *name, char *path)
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
		error = *name ? find_in_path(name, path) : ENOENT;
	}
	if (!error)
		return 0;
	if (error != ENOENT)
		return not_executable(name, error);
	return complain(EXIT_NOT_FOUND,
			strchr(name, '/') ? "Check the path."
					  : "Check the name and $PATH.",
			"cannot run '%s': no such program", name);
}

static bool has_interpreter(int fd, const Elf64_Ehdr *elf)
{
	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		off_t at = (off_t)(elf->e_phoff + i * sizeof(Elf64_Phdr));
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment), at) !=
		    (ssize_t)sizeof(segment))
			return false;
		if (segment.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static const char *elf_refuses(int fd, const Elf64_Ehdr *elf)
{
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
		return "it is not an x86-64 program";
	if (!has_interpreter(fd, elf))
		return "it is statically linked: the dynamic linker, which "
		       "would load libpolyring-preload.so, takes no part";
	return NULL;
}

/* Would exec raise privileges? Then LD_PRELOAD is ignored. */
static const char *privileges_refuse(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_mode & S_ISUID && st.st_uid != geteuid())
		return "it is setuid: the dynamic linker ignores LD_PRELOAD "
		       "for programs that gain privileges";
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP &&
	    st.st_gid != getegid())
		return "it is setgid: the dynamic linker ignores LD_PRELOAD "
		       "for programs that gain privileges";
	if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "it has file capabilities: the dynamic linker ignores "
		       "LD_PRELOAD for programs that gain privileges";
	return NULL;
}

/* Cuts "#! /bin/sh -e\n..." down to "/bin/sh". */
static char *interpreter_of(char *head)
{
	char *name = head + 2 + strspn(head + 2, " \t");

	name[strcspn(name, " \t\n")] = '\0';
	return name;
}

static const char *file_refuses(const char *path, int scripts)
{
	char head[HEAD_BYTES] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;
	ssize_t bytes;

	/* Executable yet unreadable: the kernel will know. */
	if (fd < 0)
		return NULL;
	bytes = pread(fd, head, sizeof(head) - 1, 0);
	if (bytes > 2 && !memcmp(head, "#!", 2)) {
		if (scripts > 0)
			why = file_refuses(interpreter_of(head), scripts - 1);
	} else if (bytes >= (ssize_t)sizeof(Elf64_Ehdr) &&
		   !memcmp(head, ELFMAG, SELFMAG)) {
		why = privileges_refuse(fd);
		if (!why)
			why = elf_refuses(fd, (const Elf64_Ehdr *)head);
	}
	close(fd);
	return why;
}

const char *program_refuses_preload(const char *path)
{
	return file_refuses(path, SCRIPTS_MAX);
}

int program_exec(const char *path, char **argv)
{
	execv(path, argv);
	if (errno == ENOEXEC) {
		/* A script without #!: the shell's, as execvp() has it. */
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
		return complain(EXIT_CANNOT_RUN,
				"The interpreter that it names does not exist.",
				"cannot run '%s': %s", path, strerror(errno));
	return not_executable(path, errno);
}
