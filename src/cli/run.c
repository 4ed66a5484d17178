// SPDX-License-Identifier: MIT
/*
 * `polyring run`: run a program with the kernel's io_uring or with the engine.
 *
 * Theory: the kernel first. If it gives a ring, the program is executed with
 * POLYRING_ENGINE=kernel, so that a preload library inherited from an outer run
 * does nothing. If it refuses, or --force asks for the engine, the program is
 * executed with libpolyring-preload.so in LD_PRELOAD and
 * POLYRING_ENGINE=polyring, or, where nothing can be preloaded, with the agent
 * in it (agent.c). One line on stderr says which, and why. --kernel
 * asks for the engine as well, because the kernel cannot answer as another
 * version. With --force or --kernel the kernel is not queried, and a program
 * that the engine cannot serve is not run; otherwise such a program is run, and
 * a message says so. The program replaces this process: it has our pid, and its
 * status is ours.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/preload.h"

struct run_options {
	bool force;
	bool quiet;
	bool summary;
	bool help;
	const char *counters;
	const char *kernel;
};

/* Relative to the command: in the build tree, then installed. */
static const char *const preload_places[] = {
	"src/intercept/" PRELOAD_NAME,
	"../intercept/" PRELOAD_NAME,
	PRELOAD_NAME,
	"../" POLYRING_LIBDIR "/polyring/" PRELOAD_NAME,
	"../lib/polyring/" PRELOAD_NAME,
	"../lib64/polyring/" PRELOAD_NAME,
};

static bool preload_at(const char *directory, const char *place, char *path)
{
	char joined[PATH_MAX];
	int length =
		snprintf(joined, sizeof(joined), "%s/%s", directory, place);

	return length < PATH_MAX && realpath(joined, path) &&
	       access(path, R_OK) == 0;
}

static bool preload_find(char *path)
{
	char self[PATH_MAX] = "";
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *directory = length > 0 ? dirname(self) : ".";

	for (size_t i = 0;
	     i < sizeof(preload_places) / sizeof(preload_places[0]); i++)
		if (preload_at(directory, preload_places[i], path))
			return true;
	return preload_at(POLYRING_PREFIX,
			  POLYRING_LIBDIR "/polyring/" PRELOAD_NAME, path);
}

/* Other libraries stay, except one that would harm the program. */
static int preload_set(const struct preload_target *target, const char *path)
{
	const char *before = getenv("LD_PRELOAD");
	size_t room = PRELOAD_MORE(path) + (before ? strlen(before) : 0);
	char *list = malloc(room);
	int result;

	if (!list)
		return -1;
	result = preload_list(target, before, path, list, room)
			 ? setenv("LD_PRELOAD", list, 1)
			 : unsetenv("LD_PRELOAD");
	free(list);
	return result;
}

/* Makes the path absolute: the program may change its directory. */
static int counters_set(const char *file)
{
	char *cwd, *path;
	int result;

	if (!file)
		return 0;
	if (*file == '/')
		return setenv("POLYRING_COUNTERS", file, 1);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, file) < 0)
		return -1;
	result = setenv("POLYRING_COUNTERS", path, 1);
	free(path);
	free(cwd);
	return result;
}

static int environment_fails(void)
{
	return say_error(EXIT_OURS, NULL,
			 "run: the environment could not be set: %s",
			 strerror(errno));
}

static int on_the_kernel(const struct run_options *options, const char *path,
			 char **argv)
{
	if (!options->quiet)
		say("the kernel's io_uring serves %s: it answers here",
		    argv[0]);
	if (options->summary)
		say("--summary counts what the engine serves; --force asks for "
		    "the engine");
	if (setenv("POLYRING_ENGINE", "kernel", 1) < 0)
		return environment_fails();
	return program_exec(path, argv);
}

static int preload_missing(const char *preload)
{
	if (preload)
		return say_error(EXIT_OURS,
				 "Move it to a path without blanks and colons: "
				 "LD_PRELOAD takes them as separators.",
				 "run: '%s' cannot be preloaded", preload);
	return say_error(EXIT_OURS,
			 "Install polyring completely (meson install), or run "
			 "the command from its build directory.",
			 "run: " PRELOAD_NAME " is not where this command "
			 "expects it");
}

/* The words after "polyring's engine serves CMD". */
static void say_engine(const struct run_options *options, const char *program,
		       int answer)
{
	const char *as = options->kernel ? " as Linux " : "";
	const char *version = options->kernel ? options->kernel : "";

	if (options->quiet)
		return;
	if (answer)
		say("polyring's engine serves %s%s%s: the kernel answers %s, "
		    "%s",
		    program, as, version, kernel_answer_name(answer),
		    kernel_refusal(answer));
	else
		say("polyring's engine serves %s%s%s: %s asks for it", program,
		    as, version, options->kernel ? "--kernel" : "--force");
}

/* Programs that the program starts get the same version. */
static int kernel_set(const char *kernel)
{
	return kernel ? setenv("POLYRING_KERNEL", kernel, 1)
		      : unsetenv("POLYRING_KERNEL");
}

/* The engine was asked for and can't serve the program: it is not run. */
static int cannot_serve(const char *path, const char *why)
{
	return say_error(EXIT_CANNOT_RUN,
			 "Use a dynamically linked build (glibc) without "
			 "privileges, or a place where the kernel allows "
			 "io_uring.",
			 "cannot serve '%s': %s", path, why);
}

/* The engine was not asked for, and the program may work without it. */
static void run_say_unserved(const char *path, const char *why, int answer)
{
	say_error(
		0,
		"It runs without. For io_uring use a dynamically linked build "
		"(glibc) without privileges.",
		"cannot serve '%s': %s; its io_uring calls meet the kernel, "
		"which answers %s",
		path, why, kernel_answer_name(answer));
}

/* The preload library names programs that are not served, unless quiet. */
static int quiet_set(bool quiet)
{
	return quiet ? setenv("POLYRING_QUIET", "1", 1)
		     : unsetenv("POLYRING_QUIET");
}

/* It is for the program that replaces this process, and so has its pid. */
static int summary_set(bool summary)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return summary ? setenv("POLYRING_SUMMARY", pid, 1)
		       : unsetenv("POLYRING_SUMMARY");
}

/* The preload library executes us for programs that need the agent. */
static void command_set(void)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length > 0 ? length : 0] = '\0';
	if (!agent_is_there() || !*self)
		unsetenv(PRELOAD_COMMAND);
	else
		setenv(PRELOAD_COMMAND, self, 1);
}

static int settings_set(const struct run_options *options)
{
	if (kernel_set(options->kernel) < 0 ||
	    counters_set(options->counters) < 0 ||
	    summary_set(options->summary) < 0 || quiet_set(options->quiet) < 0)
		return -1;
	command_set();
	return setenv("POLYRING_ENGINE", "polyring", 1);
}

static const char untraced[] =
	"it can't be traced here (seccomp, Yama, or a debugger)";

int run_by_preload(int argc, char **argv)
{
	const char *quiet = getenv("POLYRING_QUIET");

	if (argc < 3)
		return EXIT_USAGE;
	if (agent_exec(argv[1], &argv[2]) == -ENOTSUP && !(quiet && *quiet))
		say("'%s' is not served: %s", argv[1], untraced);
	return program_exec(argv[1], &argv[2]);
}

/* Nothing is to be preloaded into what the program starts: it has the agent. */
static int on_the_agent(const struct run_options *options,
			struct preload_target *target, const char *path,
			char **argv, int answer)
{
	target->harmed = true;
	if (preload_set(target, PRELOAD_NAME) < 0 || settings_set(options) < 0)
		return environment_fails();
	say_engine(options, argv[0], answer);
	if (agent_exec(path, argv) == -ENOTSUP) {
		if (!answer)
			return cannot_serve(path, untraced);
		run_say_unserved(path, untraced, answer);
	}
	/* What could not be executed cannot be again, and this says why. */
	return program_exec(path, argv);
}

static int on_the_engine(const struct run_options *options, const char *path,
			 char **argv, int answer)
{
	struct preload_target target;
	char preload[PATH_MAX];

	preload_look(path, &target);
	if (agent_is_here() || (target.agent_serves && agent_is_there()))
		return on_the_agent(options, &target, path, argv, answer);
	if (target.why && !answer)
		return cannot_serve(path, target.why);
	if (!preload_find(preload)) {
		if (!target.why && agent_is_there())
			return on_the_agent(options, &target, path, argv,
					    answer);
		return preload_missing(NULL);
	}
	if (strpbrk(preload, ": "))
		return preload_missing(preload);
	if (target.why)
		run_say_unserved(path, target.why, answer);
	else
		say_engine(options, argv[0], answer);
	if (preload_set(&target, preload) < 0 || settings_set(options) < 0)
		return environment_fails();
	return program_exec(path, argv);
}

/* Returns false after a message: wrong usage. */
static bool parse(int argc, char **argv, struct run_options *options)
{
	static const struct option known[] = {
		{"force", no_argument, NULL, 'f'},
		{"quiet", no_argument, NULL, 'q'},
		{"summary", no_argument, NULL, 's'},
		{"counters", required_argument, NULL, 'c'},
		{"kernel", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+fqsc:k:h", known, NULL)) !=
	       -1) {
		if (option == 'f')
			options->force = true;
		else if (option == 'q')
			options->quiet = true;
		else if (option == 's')
			options->summary = true;
		else if (option == 'c')
			options->counters = optarg;
		else if (option == 'k')
			options->kernel = optarg;
		else if (option == 'h')
			options->help = true;
		else
			return false;
	}
	return true;
}

static int run(int argc, char **argv)
{
	struct run_options options = {0};
	char path[PATH_MAX];
	int status, answer;

	if (!parse(argc, argv, &options))
		return EXIT_USAGE;
	if (options.help)
		return fputs(verb_run.help, stdout) < 0;
	status = kernel_chosen("run", options.kernel, &options.kernel);
	if (status)
		return status;
	if (optind == argc)
		return say_error(EXIT_USAGE,
				 "Try: polyring run -- ./server, or polyring "
				 "help run",
				 "run: which program?");
	status = program_find(argv[optind], path);
	if (status)
		return status;
	answer = options.force || options.kernel ? 0 : kernel_answers();
	if (options.force || options.kernel || kernel_refuses(answer))
		return on_the_engine(&options, path, &argv[optind], answer);
	return on_the_kernel(&options, path, &argv[optind]);
}

// clang-format off
const struct verb verb_run = {
	.name = "run",
	.brief = "run a program with io_uring, also where the kernel refuses",
	.help =
"usage: polyring run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
"\n"
"Runs PROGRAM, unchanged, so that its io_uring calls work. If the kernel allows\n"
"io_uring here, the kernel serves it, at no cost. If the kernel refuses (EPERM,\n"
"EACCES, ENOSYS, a filter that kills who asks), polyring's engine does, in the\n"
"program's own process. One line on stderr says which, and why.\n"
"\n"
"options:\n"
"  -f, --force          use the engine even where the kernel would do\n"
"  -q, --quiet          do not say which was chosen, nor what of the programs that\n"
"                       it starts is not served\n"
"  -s, --summary        when a process that used the engine ends, say in one line on\n"
"                       stderr what was served; PROGRAM says if it made no call\n"
"  -c, --counters FILE  at its end, each process that used the engine appends a\n"
"                       line of JSON to FILE: how much went through it\n"
"  -k, --kernel VERSION show the program that kernel, served by the engine: its\n"
"                       features, operations, flags and errors. 5.10 to 6.18,\n"
"                       as in 6.1, or latest\n"
"  -h, --help           this text\n"
"\n"
"examples:\n"
"  polyring run -- ./server --port 8080\n"
"  polyring deny -- polyring run -- ./server    as in a container\n"
"  polyring run --force -- fio job.fio          the engine, to try or debug it\n"
"  polyring run --force -- gdb ./server         gdb and strace see all of it\n"
"  polyring run -f -c used.json -- ./server     prove that the engine served\n"
"  polyring run --kernel 5.15 -- ./server       does it start on an old kernel?\n"
"\n"
"The engine reaches x86-64 programs that gain no privileges by exec: by a library\n"
"in LD_PRELOAD, or, if they are static or linked with musl, by ptrace. Others\n"
"(setuid, setgid; static where ptrace is refused) run without it, after a\n"
"message; with --force or --kernel they are refused, status 126.\n"
"\n"
"exit status: the program's; 2 wrong usage, 125 polyring is not installed\n"
"completely, 126 the program cannot be run or served, 127 it was not found.\n",
	.run = run,
};
// clang-format on
