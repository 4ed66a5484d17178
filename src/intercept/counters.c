// SPDX-License-Identifier: MIT
/*
 * The line that a process writes at its end when POLYRING_COUNTERS names a
 * file.
 *
 * Theory: how a program was served is known when it ends. At exit, by whichever
 * function of libc, one line of JSON is appended with one write():
 *
 *   {"pid":7,"program":"fio","lanes":["trap"],"counters":{"name":1,...}}
 *
 * Only a process that made an io_uring call writes a line, and only for itself:
 * a child made by fork starts anew; a child made by vfork (which shares the
 * parent's memory) is recognised by its pid and writes none. A process that is
 * killed, or that replaces itself by exec, writes nothing. A program that is
 * executed and cannot be served (children.c) has a line of its own:
 *
 *   {"pid":8,"program":"./tool","unserved":"it is statically linked: ..."}
 *
 * With POLYRING_SUMMARY each such process also says on stderr, in one line,
 * what was served. The value is the pid of the program that `polyring run`
 * started: that one says so as well if it made no io_uring call.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "polyring/polyring.h"

#define COUNTERS_MAX 256
#define LINE_BYTES 16384
#define SHORT_LINE_BYTES 1024

unsigned int counters_lanes;
static long owner_pid;
static bool summary_said;
static char path_at_start[PATH_MAX];

struct line {
	char *text;
	size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void
counters_add(struct line *line, const char *format, ...)
{
	size_t room = line->room - line->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line->text + line->length, room, format, args);
	va_end(args);
	if (length > 0 && (size_t)length < room)
		line->length += (size_t)length;
}

/* Add a string, quoted for JSON. */
static void add_quoted(struct line *line, const char *text)
{
	counters_add(line, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			counters_add(line, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			counters_add(line, "\\u%04x", *text);
		else
			counters_add(line, "%c", *text);
	}
	counters_add(line, "\"");
}

static void add_lanes(struct line *line, unsigned int lanes)
{
	static const char *const names[] = {"libc", "trap", "patch"};
	const char *between = "";

	counters_add(line, ",\"lanes\":[");
	for (unsigned int i = 0; i < array_size(names); i++) {
		if (!(lanes & 1u << i))
			continue;
		counters_add(line, "%s\"%s\"", between, names[i]);
		between = ",";
	}
	counters_add(line, "]");
}

static void add_all(struct line *line, unsigned int lanes)
{
	static struct polyring_counter counters[COUNTERS_MAX];
	size_t count = polyring_counters(counters, COUNTERS_MAX);

	counters_add(line, "{\"pid\":%ld,\"program\":", owner_pid);
	add_quoted(line, program_invocation_short_name);
	add_lanes(line, lanes);
	counters_add(line, ",\"counters\":{");
	for (size_t i = 0; i < count && i < COUNTERS_MAX; i++) {
		counters_add(line, "%s", i ? "," : "");
		add_quoted(line, counters[i].name);
		counters_add(line, ":%llu",
			     (unsigned long long)counters[i].value);
	}
	counters_add(line, "}}\n");
}

static void append(const char *path, const struct line *line)
{
	/* A FIFO without a reader must not keep the program from ending. */
	long fd = sys_direct(SYS_openat, AT_FDCWD, (long)path,
			     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
				     O_NONBLOCK,
			     0666, 0, 0);

	if (fd < 0) {
		intercept_say("POLYRING_COUNTERS=%s: %s", path,
			      strerror((int)-fd));
		return;
	}
	sys_direct(SYS_write, fd, (long)line->text, (long)line->length, 0, 0,
		   0);
	sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
}

static uint64_t counter_of(const struct polyring_counter *counters,
			   size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(counters[i].name, name))
			return counters[i].value;
	return 0;
}

static void summary_say(unsigned int lanes)
{
	static struct polyring_counter found[COUNTERS_MAX];
	size_t count = polyring_counters(found, COUNTERS_MAX);
	const char *name = program_invocation_short_name;

	if (!lanes) {
		intercept_say("%s made no io_uring call: nothing was served",
			      name);
		return;
	}
	intercept_say(
		"served %s: %llu rings, %llu requests, %llu completions; "
		"%llu waited for their file, %llu ran on a worker",
		name, (unsigned long long)counter_of(found, count, "rings"),
		(unsigned long long)counter_of(found, count, "requests"),
		(unsigned long long)counter_of(found, count, "completions"),
		(unsigned long long)counter_of(found, count, "armed"),
		(unsigned long long)counter_of(found, count, "punted"));
}

static long pid_now(void)
{
	return sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/*
 * At most one line: the caller that clears counters_lanes writes it. Large
 * objects are not on the stack, which may be that of a crash handler.
 */
void counters_write(void)
{
	const char *path = getenv("POLYRING_COUNTERS");
	const char *summary = getenv("POLYRING_SUMMARY");
	static char text[LINE_BYTES];
	struct line line = {.text = text, .room = sizeof(text)};
	unsigned int lanes;

	if ((!path && !summary) || pid_now() != owner_pid)
		return;
	lanes = __atomic_exchange_n(&counters_lanes, 0, __ATOMIC_RELAXED);
	if (lanes && path && *path) {
		add_all(&line, lanes);
		append(path, &line);
	}
	if (!summary ||
	    __atomic_exchange_n(&summary_said, true, __ATOMIC_RELAXED))
		return;
	if (lanes || strtol(summary, NULL, 10) == owner_pid)
		summary_say(lanes);
}

/*
 * On the stack, as this may be a child in its parent's memory. Uses the file
 * that was set when the program began, as `env -i` has emptied its own
 * environment.
 */
void counters_unserved(const char *file, const char *why)
{
	char text[SHORT_LINE_BYTES];
	struct line line = {.text = text, .room = sizeof(text)};

	if (!*path_at_start)
		return;
	counters_add(&line, "{\"pid\":%ld,\"program\":", pid_now());
	add_quoted(&line, file);
	counters_add(&line, ",\"unserved\":");
	add_quoted(&line, why);
	counters_add(&line, "}\n");
	append(path_at_start, &line);
}

void counters_forked(void)
{
	owner_pid = pid_now();
	store_relaxed(&counters_lanes, 0);
	store_relaxed(&summary_said, false);
}

void counters_open(void)
{
	const char *path = getenv("POLYRING_COUNTERS");

	owner_pid = pid_now();
	at_quick_exit(counters_write);
	if (path)
		snprintf(path_at_start, sizeof(path_at_start), "%s", path);
}
