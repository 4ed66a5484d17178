/* SPDX-License-Identifier: MIT */
/*
 * Writing a transcript.
 *
 * Theory: the text is in memory shared with the runner, and a line is in it
 * before the call that wrote it returns; so a transcript survives a crash of
 * its scenario. One thread writes. A transcript that is full ends the scenario.
 */
#include "harness.h"

#include <ctype.h>
#include <stdarg.h>

struct transcript *transcript;

static void append(const char *format, va_list arguments)
{
	size_t room = TRANSCRIPT_BYTES - transcript->used;
	int wrote;

	wrote = vsnprintf(transcript->text + transcript->used, room, format,
			  arguments);
	if (wrote < 0 || (size_t)wrote + 2 > room)
		_exit(2);
	transcript->used += (uint32_t)wrote;
	transcript->text[transcript->used++] = '\n';
	transcript->text[transcript->used] = '\0';
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
}

void give_up(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
	note("gave up");
	_exit(0);
}

void note_result(const char *label, long result)
{
	const char *name = NULL;

	if (result < 0 && result > -4096)
		name = strerrorname_np((int)-result);
	if (name)
		note("%s = -%s", label, name);
	else
		note("%s = %ld", label, result);
}

/* Room for the longest text written below, "\xNN*4294967295 ". */
#define BYTES_TEXT 1024

void note_bytes(const char *label, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	char text[BYTES_TEXT];
	size_t used = 0;
	size_t i = 0;

	while (i < count && used < sizeof(text) - 32) {
		size_t run = 1;

		while (i + run < count && at[i + run] == at[i])
			run++;
		if (isgraph(at[i]) && at[i] != '*' && at[i] != '\\')
			text[used++] = (char)at[i];
		else
			used += (size_t)sprintf(text + used, "\\x%02x", at[i]);
		if (run > 3)
			used += (size_t)sprintf(text + used, "*%zu ", run);
		else
			run = 1;
		i += run;
	}
	text[used] = '\0';
	note("%s [%zu] %s%s", label, count, text, i < count ? "..." : "");
}
