// SPDX-License-Identifier: MIT
/*
 * The command: `polyring VERB ...`.
 *
 * Theory: a verb is one row of the table below and one file in this directory.
 * This file has what all verbs share: finding the verb, help, the version, and
 * an exit status that reports a result that could not be written.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/preload.h"
#include "cli/cli.h"
#include "polyring/version.h"

static const struct verb *const verbs[] = {
	&verb_run,
	&verb_deny,
	&verb_probe,
	&verb_trace,
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *verb_named(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static void print_help(FILE *to)
{
	struct colours c = say_colours(to);

	fprintf(to,
		"usage: polyring VERB [OPTION...] [ARGUMENT...]\n"
		"\n"
		"polyring is io_uring in user space. It runs programs written "
		"for io_uring where\nthe kernel refuses it.\n\nverbs:\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %s%-7s%s %s\n", c.strong, verbs[i]->name, c.off,
			verbs[i]->brief);
	fprintf(to,
		"  %shelp%s    help VERB explains one of them\n\nexamples:\n"
		"  polyring probe                            what works here?\n"
		"  polyring run -- ./server                  make it work\n"
		"  polyring deny -- polyring run -- ./server try that "
		"anywhere\n"
		"\n"
		"polyring --version says which one this is. The manual: "
		"man polyring\n",
		c.strong, c.off);
}

static int unknown_verb(const char *name)
{
	return say_error(EXIT_USAGE, "Try: polyring --help",
			 "there is no verb '%s'; there are run, deny, probe, "
			 "trace and help",
			 name);
}

static int help(const char *name)
{
	const struct verb *verb;

	if (!name) {
		print_help(stdout);
		return 0;
	}
	verb = verb_named(name);
	if (!verb)
		return unknown_verb(name);
	fputs(verb->help, stdout);
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct verb *verb;

	if (!name) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("polyring " POLYRING_VERSION);
		return 0;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") ||
	    !strcmp(name, "help"))
		return help(argc > 2 ? argv[2] : NULL);
	if (!strcmp(name, PRELOAD_AGENT_VERB))
		return run_by_preload(argc - 1, argv + 1);
	verb = verb_named(name);
	if (!verb)
		return unknown_verb(name);
	if (argc > 2 && !strcmp(argv[2], "--help"))
		return help(name);
	return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

#ifdef POLYRING_AGENT
	agent_begin();
#endif
	status = dispatch(argc, argv);

	/* A full disk or a closed pipe is also a failure. */
	if (fflush(stdout) != 0 || ferror(stdout))
		return status ? status : EXIT_FAILURE;
	return status;
}
