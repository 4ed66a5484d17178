// SPDX-License-Identifier: MIT
/*
 * Messages of the command.
 *
 * Theory: messages go to stderr and begin with the command's name, to
 * distinguish them from the program's own. The first line says what went wrong
 * and why, the second what to do about it. Colours are used only on a terminal,
 * never with NO_COLOR set (no-color.org) or on a dumb one.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct colours say_colours(FILE *stream)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if ((no && *no) || (term && !strcmp(term, "dumb")) ||
	    !isatty(fileno(stream)))
		return (struct colours){"", "", "", "", ""};
	return (struct colours){"\033[32m", "\033[31m", "\033[1m", "\033[2m",
				"\033[0m"};
}

static void say_line(const char *format, va_list args)
{
	struct colours c = say_colours(stderr);

	fprintf(stderr, "%spolyring:%s ", c.strong, c.off);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(format, args);
	va_end(args);
}

int say_error(int status, const char *advice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(format, args);
	va_end(args);
	if (advice)
		fprintf(stderr, "          %s\n", advice);
	return status;
}

const char *say_errno_name(int error)
{
	const char *name = strerrorname_np(error < 0 ? -error : error);

	return name ? name : "an unknown error";
}
