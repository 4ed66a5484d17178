// SPDX-License-Identifier: MIT
/*
 * The agent begins, and lets the program begin.
 *
 * Theory: the way in has left a note (handoff.h) and turned the program here
 * before its first instruction. The agent's C library has started on a stack
 * of its own, so this is ordinary code, called by the command's main(), which
 * is the agent's too; it ends by leaving for the program's entry with the stack
 * that the kernel made, and never returns. From then on the agent's code runs
 * when the program makes a call.
 *
 * What the kernel keeps for the program's first thread and our library has
 * set (the word to clear at its end, robust locks, FS) is reset before.
 *
 * Settings are the program's own, if it has any in its environment: a name
 * that begins with POLYRING_. A program that was started without them, by
 * `env -i` say, has those of the first in its tree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/guest.h"
#include "base/fd.h"
#include "base/sys.h"
#include "intercept/intercept.h"
#include "intercept/xsave.h"

#define SETTINGS_MAX 16

struct agent_tree agent_tree;
struct inject_image agent_image;
bool agent_serves;

static char *settings[SETTINGS_MAX + 1];

static bool is_setting(const char *text)
{
	return !strncmp(text, "POLYRING_", 9);
}

/* Copied, as the program may change its environment. */
static bool settings_of_program(const uint64_t *stack)
{
	char **at = (char **)(stack + stack[0] + 2);
	char *to = agent_tree.settings;
	size_t left = SETTINGS_BYTES - 1;
	bool any = false;

	for (; *at; at++) {
		size_t bytes = strlen(*at) + 1;

		if (!is_setting(*at) || bytes > left)
			continue;
		memcpy(to, *at, bytes);
		to += bytes;
		left -= bytes;
		*to = '\0';
		any = true;
	}
	return any;
}

static void settings_read(const uint64_t *stack)
{
	size_t count = 0;
	char *at;

	settings_of_program(stack);
	at = agent_tree.settings;
	for (; *at && count < SETTINGS_MAX; at += strlen(at) + 1)
		settings[count++] = at;
	environ = settings;
}

static bool engine_is_asked_for(void)
{
	const char *engine = getenv("POLYRING_ENGINE");

	return !engine || strcmp(engine, "kernel") != 0;
}

static void name_take(const uint64_t *stack)
{
	static char name[64];
	const char *argv0 = stack[0] ? (const char *)stack[1] : "";
	const char *slash = strrchr(argv0, '/');

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : argv0);
	program_invocation_short_name = name;
}

static uint64_t state_mask(void)
{
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* 0, or what keeps the program from being served. */
static int agent_open(const struct agent_handoff *note, uint64_t stack_high)
{
	int err = xsave_measure() ? guest_open(stack_high) : -ENODEV;

	if (!err)
		err = filter_open();
	if (err)
		return err;
	if (program_is_command((const uint64_t *)note->stack))
		agent_serves = false;
	if (agent_serves && guest_reads_bases() &&
	    intercept_lane_open(LANE_PATCH))
		program_patch((const uint64_t *)note->stack);
	counters_open();
	return filter_install(FILTER_ALWAYS);
}

void agent_begin(void)
{
	const struct agent_handoff *note =
		(const struct agent_handoff *)getauxval(AT_AGENT_HANDOFF);
	const uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	int err;

	if (!note || note->magic != HANDOFF_MAGIC)
		return;
	if (note->helper)
		SYS_4(SYS_wait4, note->helper, NULL, __WALL, NULL);
	if (note->fd >= 0)
		fd_close(note->fd);
	agent_tree = note->tree;
	agent_image = (struct inject_image){(const void *)note->file,
					    note->file_bytes};
	settings_read((const uint64_t *)note->stack);
	name_take((const uint64_t *)note->stack);
	agent_serves = engine_is_asked_for();
	err = agent_open(note, here);
	if (err)
		intercept_say("this program is not served (%s)",
			      strerrorname_np(-err));
	SYS_2(SYS_set_robust_list, NULL, 24);
	SYS_1(SYS_set_tid_address, NULL);
	agent_leave(note->entry, note->stack, state_mask());
}
