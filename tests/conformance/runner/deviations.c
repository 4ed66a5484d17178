/* SPDX-License-Identifier: MIT */
/*
 * The answers in which polyring differs from the kernel, and why:
 * doc/deviations.md.
 *
 * Theory: a scenario whose transcripts can't be equal names a row here, and is
 * left out of the comparison. A row without a scenario says why it can't be
 * played. There are at most DEVIATIONS_MAX rows: instead of adding one more,
 * correct the engine.
 */
#include "harness.h"

#define DEVIATIONS_MAX 12

static const struct deviation rows[] = {
	{
		.name = "ring-file",
		.what = "a ring's descriptor: `read(2)` and `write(2)`; "
			"polling right after taking completions without "
			"entering",
		.kernel = "EINVAL; not readable",
		.polyring = "EAGAIN, and bytes vanish; may be readable for a "
			    "millisecond or so (exact where the preload "
			    "library intercepts the poll)",
		.why = "it is one end of a socket pair, whose other end gets "
		       "a hang-up when the last copy is closed (D2); the "
		       "engine is not notified when the head moves",
	},
	{
		.name = "inc",
		.what = "MSG_WAITALL that fills an INC buffer in two parts, or "
			"takes a bundle; a datagram that is cut off "
			"(MSG_TRUNC) in an INC ring",
		.kernel = "does not count the second part: the next receive "
			  "overwrites it; leaves the bundle's last buffer in "
			  "the ring although it is filled; advances by the "
			  "whole length, into the next buffer",
		.polyring = "counts both parts; a bundle completes with the "
			    "bytes of one or two passes; advances by the bytes "
			    "placed, as 7.x does (I5)",
		.why = "a program would lose bytes",
	},
	{
		.name = "empty",
		.what = "two empty datagrams that one multishot RECVMSG finds "
			"in an internet socket behind others",
		.kernel = "the first ends the request, the second stays in the "
			  "socket",
		.polyring = "posts both: the first with F_MORE, the second as "
			    "the last completion",
		.why = "one call received several datagrams (D6), and a "
		       "received datagram can't be put back",
	},
	{
		.name = "direct-position",
		.what = "READ at position -1 of an O_DIRECT file",
		.kernel = "reads at the file's position and does not advance "
			  "it",
		.polyring = "advances it, as read(2) does",
		.why = "the manual page promises it, and a program would read "
		       "the same block again and again",
	},
	{
		.name = "napi-static",
		.what = "NAPI with a list of devices (TRACKING_STATIC)",
		.kernel = "polls these devices",
		.polyring = "EINVAL, as before 6.13",
		.why = "epoll polls the devices of the sockets that it watches",
	},
	{
		.name = "splice-canceled",
		.what = "cancelling a SPLICE or TEE that waits",
		.kernel = "its result is -512, the cancel's -EALREADY",
		.polyring = "-ECANCELED, and 0 or -EALREADY",
		.why = "-512 is an internal error of the kernel; no bytes were "
		       "moved",
	},
	{
		.name = "personality",
		.what = "rights that the process has given up: a personality, "
			"after setresuid of all three ids; an SQPOLL ring "
			"made before; rights of another thread, where no "
			"thread can be created to keep them",
		.kernel = "the request runs with these rights",
		.polyring = "EPERM for a personality's request; the current "
			    "rights for an SQPOLL ring's; EACCES",
		.why = "a process can't regain rights that it has given up",
	},
	{
		.name = "unmapped",
		.what = "memory that is unmapped while it is registered: "
			"buffers, a ring of buffers, a region, queues "
			"(NO_MMAP) in private memory",
		.kernel = "goes on using the pages, which it pinned",
		.polyring = "ENOBUFS or EFAULT; queues continue in zeroed "
			    "pages",
		.why = "user space can't pin the pages of a mapping",
		.unplayed = "the program has broken its own memory",
	},
	{
		.name = "forked",
		.what = "a ring that processes share after a fork: what one of "
			"them registers then, cancelling another's request, "
			"buffers in private memory, buffer rings; a ring of an "
			"unrelated process, or the kernel's own: its calls, "
			"and MSG_RING to it",
		.kernel = "all processes see it; works; the pages of the "
			  "process that registered them; one head; works",
		.polyring = "only that process sees it; ENOENT; the "
			    "process's copy of the pages; a head for each "
			    "process; EOPNOTSUPP and EBADFD",
		.why = "requests, tables and buffers are in each process's "
		       "memory",
	},
	{
		.name = "iopoll",
		.what = "reads on an IOPOLL ring from a device without polled "
			"queues; zero-copy receive (RECV_ZC)",
		.kernel = "EOPNOTSUPP; known to the probe",
		.polyring = "kernel AIO reads; EINVAL, as where the kernel was "
			    "built without",
		.why = "user space has no access to a device's own queues",
	},
	{
		.name = "closed-listener",
		.what = "a connection to a listener that the program has "
			"closed while a POLL_ADD of it is armed",
		.kernel = "ECONNRESET: the event completes the poll, which "
			  "held the last copy of the listener, before "
			  "connect(2) returns",
		.polyring = "0, and the reset less than a millisecond later",
		.why = "the kernel runs connect(2): the event reaches a thread "
		       "of the engine only after it",
		.unplayed = "the order of the two depends on timing",
	},
	{
		.name = "taskrun",
		.what = "the SQ flag TASKRUN",
		.kernel = "set only with TASKRUN_FLAG, while completions wait",
		.polyring = "in default mode set while work is armed",
		.why = "it makes liburing's peek enter, which is what drives "
		       "the ring (D4)",
		.unplayed = "the moment when it is set depends on timing",
	},
};

_Static_assert(array_size(rows) <= DEVIATIONS_MAX,
	       "too many differences are known");

static const char head[] =
	"# Where polyring's answers differ from the kernel's\n"
	"\n"
	"Compared with a live 6.18. Made by `make tables` from "
	"tests/conformance/runner/deviations.c;\n"
	"a test fails when it is out of date. The conformance suite leaves "
	"out the scenarios\n"
	"that belong to these rows and names them: "
	"`build/tests/conformance/conformance --all --list`.\n"
	"Everything else that it plays is equal. [support.md](support.md) "
	"lists what is not supported at all.\n"
	"\n"
	"| what | the kernel | polyring | why |\n"
	"|---|---|---|---|\n";

const struct deviation *deviation_find(const char *name)
{
	for (size_t i = 0; i < array_size(rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static bool has_scenario(const char *name)
{
	for (size_t i = 0; i < family_count; i++)
		for (size_t j = 0; j < families[i]->count; j++) {
			const struct scenario *s = &families[i]->scenarios[j];

			if (s->deviates && !strcmp(s->deviates, name))
				return true;
		}
	return false;
}

/*
 * A row without a scenario must say why; a scenario must name an existing row.
 */
static bool rows_hold(void)
{
	bool hold = true;

	for (size_t i = 0; i < array_size(rows); i++)
		if (has_scenario(rows[i].name) == (rows[i].unplayed != NULL)) {
			printf("deviation %s: a scenario, or a reason why "
			       "there is none\n",
			       rows[i].name);
			hold = false;
		}
	return hold;
}

static char *page_make(void)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *page = open_memstream(&text, &bytes);

	if (!page)
		abort();
	fputs(head, page);
	for (size_t i = 0; i < array_size(rows); i++)
		fprintf(page, "| %s | %s | %s | %s |\n", rows[i].what,
			rows[i].kernel, rows[i].polyring, rows[i].why);
	fclose(page);
	return text;
}

int deviations_print(void)
{
	char *text = page_make();
	int result = fputs(text, stdout) < 0 || !rows_hold();

	free(text);
	return result;
}

int deviations_check(const char *path)
{
	FILE *file = fopen(path, "r");
	char *made = page_make(), *there = NULL;
	bool same;
	size_t room = 0;

	same = file && getdelim(&there, &room, '\0', file) >= 0 &&
	       !strcmp(made, there);
	if (!same)
		printf("%s is out of date: make tables\n", path);
	if (file)
		fclose(file);
	free(there);
	free(made);
	return !rows_hold() || !same;
}
