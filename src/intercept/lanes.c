// SPDX-License-Identifier: MIT
/*
 * Which lanes may be used, and messages on stderr, without stdio.
 *
 * Theory: the environment names the lanes, once for the life of the process.
 * The agent asks here as well.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "intercept/intercept.h"

void intercept_say(const char *format, ...)
{
	char line[512] = "polyring: ";
	size_t length = strlen(line);
	va_list args;
	int written;

	va_start(args, format);
	written = vsnprintf(line + length, sizeof(line) - length - 1, format,
			    args);
	va_end(args);
	if (written > 0)
		length += (size_t)written;
	if (length > sizeof(line) - 1)
		length = sizeof(line) - 1;
	line[length++] = '\n';
	sys_direct(SYS_write, 2, (long)line, (long)length, 0, 0, 0);
}

/* Which of the names, separated by commas, in @names are lanes. */
static unsigned int lanes_named(const char *names)
{
	static const struct {
		const char *name;
		enum intercept_lane lane;
	} known[] = {
		{"libc", LANE_LIBC},
		{"patch", LANE_PATCH},
		{"trap", LANE_TRAP},
	};
	unsigned int lanes = LANE_LIBC;

	while (*names) {
		size_t length = strcspn(names, ","), i = 0;

		while (i < array_size(known) &&
		       (strlen(known[i].name) != length ||
			strncmp(known[i].name, names, length) != 0))
			i++;
		if (i < array_size(known))
			lanes |= known[i].lane;
		else if (length)
			intercept_say("POLYRING_LANES: no lane is named %.*s",
				      (int)length, names);
		names += length + (names[length] == ',');
	}
	return lanes;
}

bool intercept_lane_open(enum intercept_lane lane)
{
	static unsigned int open;
	unsigned int lanes = load_relaxed(&open);
	const char *names;

	if (!lanes) {
		names = getenv("POLYRING_LANES");
		lanes = lanes_named(names && *names ? names : "patch,trap");
		store_relaxed(&open, lanes);
	}
	return lanes & lane;
}
