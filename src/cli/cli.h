/* SPDX-License-Identifier: MIT */
/*
 * Declarations that the verbs of the command share.
 *
 * Theory: a verb is a function that gets its own arguments (argv[0] is the
 * verb) and returns the exit status of the command, or replaces the process.
 * Messages go to stderr and say what happened, why, and what to do; results go
 * to stdout. Exit statuses are those of env(1) and timeout(1), which users know
 * from other commands that run programs.
 */
#ifndef POLYRING_CLI_CLI_H
#define POLYRING_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	EXIT_USAGE = 2,
	EXIT_OURS = 125, /* polyring failed before the program ran */
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

struct verb {
	const char *name;
	const char *brief;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_run;
extern const struct verb verb_deny;
extern const struct verb verb_probe;
extern const struct verb verb_trace;

/* ---- say.c --------------------------------------------------------------- */

/* Escape sequences, or "" where colours are not wanted. */
struct colours {
	const char *good;
	const char *bad;
	const char *strong;
	const char *faint;
	const char *off;
};

/* The colours for a stream: if it is a terminal, and NO_COLOR is not set. */
struct colours say_colours(FILE *stream);

/* Print "polyring: " and a line on stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with advice on a second line; returns @status. */
int say_error(int status, const char *advice, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The name of an errno, as <errno.h> spells it. */
const char *say_errno_name(int error);

/* ---- kernel.c ------------------------------------------------------------ */

struct io_uring_params;

/* The two sides that a verb may query; errors are negative errnos. */
struct side {
	const char *name;
	int (*setup)(uint32_t entries, struct io_uring_params *params);
	int (*reg)(int fd, uint32_t opcode, void *arg, uint32_t count);
};

extern const struct side side_kernel;
extern const struct side side_polyring;

/* A result besides the negative errnos: the calling process is killed. */
#define KERNEL_KILLS (-4096)

/*
 * Let @ask query the kernel in a child, which a filter may kill; it writes its
 * result to @found, of @bytes. 0, KERNEL_KILLS, or another negative errno if
 * there can be no child.
 */
int kernel_ask(void (*ask)(void *found), void *found, size_t bytes);

/* 0 if the kernel gives us a ring, else the error. */
int kernel_answers(void);

/* The name of the answer: an errno as <errno.h> spells it, or SIGSYS. */
const char *kernel_answer_name(int answer);

/* Does this answer mean that io_uring is denied? */
bool kernel_refuses(int answer);

/* The likely reason, as a clause that follows "because". */
const char *kernel_refusal(int answer);

/*
 * The chosen kernel version: @text, the option of @verb, or else from the
 * environment. 0 with @name (NULL: none chosen) or, after a message, an exit
 * status.
 */
int kernel_chosen(const char *verb, const char *text, const char **name);

/* ---- run.c --------------------------------------------------------------- */

/* The verb PRELOAD_AGENT_VERB of base/preload.h. */
int run_by_preload(int argc, char **argv);

/* ---- program.c ----------------------------------------------------------- */

/*
 * Fill @path (of PATH_MAX bytes) as execvp() would. 0, or 126 or 127 after a
 * message.
 */
int program_find(const char *name, char *path);

/* Replace this process. Returns only on failure, with an exit status. */
int program_exec(const char *path, char **argv);

/* ---- agent.c ------------------------------------------------------------- */

bool agent_is_there(void);

/* In this process, so in all that it executes? */
bool agent_is_here(void);

/* The same with the agent in it; a negative errno, -ENOTSUP: no way in. */
int agent_exec(const char *path, char **argv);

#endif
