// SPDX-License-Identifier: MIT
/*
 * `polyring trace`: run a program on the engine, and show what its rings do.
 *
 * Theory: a child executes `polyring run --force` with the program, and with
 * POLYRING_TRACE naming a file in our memory; we read that memory (see
 * observe/trace.h) until the child and all processes that have an open ring
 * have ended. Events of several rings are merged by their times. Nobody wakes
 * us, so that the program never makes a call for us: we look every millisecond
 * while there are events, and every ten when there are none. If we are killed,
 * the program goes on, and its events are dropped when its channels are full.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "cli/trace.h"

#define BUSY_NS 1000000
#define IDLE_NS 10000000
#define WANTED_MAX 64

/* Values of one key of -e; none: all pass. */
struct wanted {
	int count;
	int values[WANTED_MAX];
};

struct trace_options {
	struct wanted ops, fds;
	const char *output;
	bool help;
};

static struct trace_options options;
static struct trace_show show;
static struct trace_memory *memory;
static uint64_t dropped_seen[TRACE_CHANNELS], dropped_total;
static uint64_t unfinished;
static uint32_t rings;
static volatile sig_atomic_t interrupted;

/* ---- time ---------------------------------------------------------------- */

static uint64_t ticks_begin;
static double ns_per_tick;

/* Compare the two clocks over ten milliseconds. */
static void time_begin(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int64_t ns = clock_now_ns(CLOCK_MONOTONIC);
	uint64_t ticks = trace_ticks();

	nanosleep(&pause, NULL);
	ns = clock_now_ns(CLOCK_MONOTONIC) - ns;
	ticks_begin = trace_ticks();
	ns_per_tick = (double)ns / (double)(ticks_begin - ticks);
}

static int64_t time_of(const struct trace_event *event)
{
	return (int64_t)((double)(int64_t)(event->ticks - ticks_begin) *
			 ns_per_tick);
}

/* ---- events -------------------------------------------------------------- */

static bool is_wanted(const struct wanted *wanted, int value)
{
	for (int i = 0; i < wanted->count; i++)
		if (wanted->values[i] == value)
			return true;
	return !wanted->count;
}

static bool trace_passes(const struct trace_line *line)
{
	if (!line->sqe)
		return !options.ops.count && !options.fds.count;
	if (options.fds.count && !trace_has_file(line->sqe))
		return false;
	return is_wanted(&options.ops, line->sqe->opcode) &&
	       is_wanted(&options.fds, line->sqe->fd);
}

static void trace_report(const struct trace_line *line)
{
	if (!trace_passes(line))
		return;
	if (show.summary)
		trace_show_count(line);
	else
		trace_show_line(&show, line);
}

static void submission(struct trace_line *line)
{
	struct io_uring_sqe sqe = {0};

	memcpy(&sqe, line->event->entry, TRACE_ENTRY_BYTES);
	line->sqe = &sqe;
	trace_match_submit(line);
	trace_report(line);
}

static void completion(struct trace_line *line)
{
	struct trace_request *request =
		trace_match_find(line->channel, line->event->done.user_data);

	if (request) {
		line->sqe = &request->sqe;
		line->took_ns = line->ns - request->submitted_ns;
		line->again = request->completed;
	}
	trace_report(line);
	if (request)
		trace_match_done(request, line->event);
}

static void trace_take_event(const struct trace_channel *channel,
			     const struct trace_event *event)
{
	struct trace_line line = {
		.channel = channel,
		.event = event,
		.ns = time_of(event),
		.took_ns = -1,
	};

	if (event->kind == TRACE_SUBMIT)
		submission(&line);
	else
		completion(&line);
}

/* ---- channels ------------------------------------------------------------ */

struct trace_source {
	struct trace_channel *channel;
	uint64_t end; /* written when this round began */
};

static const struct trace_event *
trace_source_head(const struct trace_source *source)
{
	const struct trace_channel *c = source->channel;

	return c->read == source->end
		       ? NULL
		       : &c->events[c->read & (TRACE_EVENTS - 1)];
}

/* The source whose next event is the oldest, or NULL. */
static struct trace_source *trace_oldest(struct trace_source *sources,
					 uint32_t count)
{
	struct trace_source *oldest = NULL;
	uint64_t ticks = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct trace_event *head = trace_source_head(&sources[i]);

		if (!head || (oldest && (int64_t)(head->ticks - ticks) >= 0))
			continue;
		oldest = &sources[i];
		ticks = head->ticks;
	}
	return oldest;
}

static void trace_take_dropped(uint32_t number)
{
	const struct trace_channel *channel = &memory->channels[number];
	uint64_t dropped = load_relaxed(&channel->dropped);
	uint64_t fresh = dropped - dropped_seen[number];

	if (!fresh)
		return;
	dropped_seen[number] = dropped;
	dropped_total += fresh;
	if (!show.summary)
		trace_show_dropped(&show, channel, fresh);
}

/* All channels that have events, as far as these have come. */
static uint32_t trace_sources(struct trace_source *sources)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < TRACE_CHANNELS; i++) {
		struct trace_channel *channel = &memory->channels[i];
		/* Pairs with the release in trace_end(), observe/trace.c. */
		uint64_t end = load_acquire(&channel->written);

		trace_take_dropped(i);
		if (end == channel->read)
			continue;
		/* Whoever writes there nonsense gets nonsense, but an end. */
		if (end - channel->read > TRACE_EVENTS)
			store_release(&channel->read, end - TRACE_EVENTS);
		sources[count++] = (struct trace_source){channel, end};
	}
	return count;
}

/* Returns whether there was any event. */
static bool trace_round(void)
{
	static struct trace_source sources[TRACE_CHANNELS];
	uint32_t count = trace_sources(sources);
	struct trace_source *source;

	while ((source = trace_oldest(sources, count))) {
		trace_take_event(source->channel, trace_source_head(source));
		store_release(&source->channel->read,
			      source->channel->read + 1);
	}
	return count;
}

static bool process_lives(int pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* Free the channels of rings that have ended. Returns how many are open. */
static uint32_t trace_collect(void)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < TRACE_CHANNELS; i++) {
		struct trace_channel *channel = &memory->channels[i];
		/* Pairs with the releases in observe/trace.c. */
		uint32_t state = load_acquire(&channel->state);

		if (state == TRACE_FREE || state == TRACE_TAKEN)
			continue;
		if (state == TRACE_OPEN && process_lives(channel->pid)) {
			open++;
			continue;
		}
		/* What came meanwhile. Pairs with trace_end(). */
		if (load_acquire(&channel->written) != channel->read) {
			open++;
			continue;
		}
		rings++;
		unfinished += trace_match_end(channel);
		store_release(&channel->state, TRACE_FREE);
	}
	return open;
}

/* ---- the program --------------------------------------------------------- */

static int trace_memory_make(void)
{
	char path[64];
	int fd = memfd_create("polyring-trace", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*memory)) < 0)
		return -errno;
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	memory->bytes = sizeof(*memory);
	memory->magic = TRACE_MAGIC;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	return setenv(TRACE_VARIABLE, path, 1) < 0 ? -errno : 0;
}

static void on_interrupt(int number)
{
	interrupted = number;
}

/* A terminal sends them to the program as well, whose end is ours. */
static void trace_outlive(void)
{
	struct sigaction action = {.sa_handler = on_interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

/* Runs in the child: `polyring run` knows how to serve the program. */
static void trace_execute(char **program, int count)
{
	char **argv = calloc((size_t)count + 5, sizeof(*argv));

	if (!argv)
		_exit(EXIT_OURS);
	argv[0] = (char *)"polyring";
	argv[1] = (char *)"run";
	argv[2] = (char *)"-fq";
	argv[3] = (char *)"--";
	memcpy(&argv[4], program, (size_t)count * sizeof(*argv));
	execv("/proc/self/exe", argv);
	_exit(say_error(EXIT_OURS, NULL, "trace: %s", strerror(errno)));
}

/* Read until the program, and what it left behind with rings, has ended. */
static int trace_follow(pid_t child)
{
	int status = 0;
	bool lives = true;

	for (;;) {
		struct timespec pause = {0};
		bool ended = !lives || interrupted == SIGTERM;
		bool any;

		if (lives && waitpid(child, &status, WNOHANG) == child)
			lives = false;
		any = trace_round();
		if (!trace_collect() && ended && !any)
			break;
		if (!any)
			fflush(show.to);
		if (ended && interrupted)
			break;
		pause.tv_nsec = any ? BUSY_NS : IDLE_NS;
		nanosleep(&pause, NULL);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static void trace_say_end(void)
{
	if (show.summary)
		trace_show_table(&show, dropped_total);
	if (!rings)
		say("trace: the program made no ring");
	if (load_relaxed(&memory->without))
		say("trace: %u rings were not watched: only %u at a time are",
		    load_relaxed(&memory->without), TRACE_CHANNELS);
	if (dropped_total && !show.summary)
		say("trace: %llu events were dropped",
		    (unsigned long long)dropped_total);
}

static int trace_run(char **program, int count)
{
	pid_t child;
	int status;
	int err = trace_memory_make();

	if (err < 0)
		return say_error(EXIT_OURS, NULL, "trace: no memory: %s",
				 strerror(-err));
	time_begin();
	child = fork();
	if (child < 0)
		return say_error(EXIT_OURS, NULL, "trace: fork: %s",
				 strerror(errno));
	if (!child)
		trace_execute(program, count);
	trace_outlive();
	status = trace_follow(child);
	trace_say_end();
	if (fflush(show.to) != 0 || ferror(show.to))
		return say_error(status ? status : EXIT_FAILURE, NULL,
				 "trace: the output could not be written");
	return status;
}

/* ---- options ------------------------------------------------------------- */

static bool trace_want(struct wanted *wanted, int value)
{
	if (value < 0 || wanted->count == WANTED_MAX)
		return false;
	wanted->values[wanted->count++] = value;
	return true;
}

/* One "op=RECV" or "fd=7"; a word without key belongs to the key before. */
static bool trace_take_word(char *word, char *key)
{
	const char *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : word;
	char *end;
	long number;

	if (equals)
		*key = (char)tolower(*word);
	if (*key == 'o')
		return trace_want(&options.ops, trace_op_number(value));
	if (*key != 'f')
		return false;
	number = strtol(value, &end, 10);
	return end != value && !*end && number <= INT32_MAX &&
	       trace_want(&options.fds, (int)number);
}

static bool trace_take_filter(char *text)
{
	char *place, *word, key = 0;

	for (word = strtok_r(text, ",", &place); word;
	     word = strtok_r(NULL, ",", &place)) {
		bool known = !strchr(word, '=') || !strncmp(word, "op=", 3) ||
			     !strncmp(word, "fd=", 3);

		if (known && trace_take_word(word, &key))
			continue;
		say_error(0, "Try: -e op=RECV,SEND or -e op=RECV,fd=7",
			  "trace: '%s' is no operation and no fd", word);
		return false;
	}
	return true;
}

/* Returns false after a message: wrong usage. */
static bool trace_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"summary", no_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"expression", required_argument, NULL, 'e'},
		{"output", required_argument, NULL, 'o'},
		{"files", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+cje:o:yh", known, NULL)) !=
	       -1) {
		if (option == 'c')
			show.summary = true;
		else if (option == 'j')
			show.json = true;
		else if (option == 'o')
			options.output = optarg;
		else if (option == 'y')
			show.names_files = true;
		else if (option == 'h')
			options.help = true;
		else if (option != 'e' || !trace_take_filter(optarg))
			return false;
	}
	return true;
}

static int trace(int argc, char **argv)
{
	char path[4096];
	int status;

	if (!trace_parse(argc, argv))
		return EXIT_USAGE;
	if (options.help)
		return fputs(verb_trace.help, stdout) < 0;
	if (optind == argc)
		return say_error(EXIT_USAGE,
				 "Try: polyring trace -- ./server, or polyring "
				 "help trace",
				 "trace: which program?");
	status = program_find(argv[optind], path);
	if (status)
		return status;
	show.to = stderr;
	if (options.output)
		show.to = fopen(options.output, "we");
	if (!show.to)
		return say_error(EXIT_OURS, NULL, "trace: '%s': %s",
				 options.output, strerror(errno));
	setvbuf(show.to, NULL, _IOFBF, 1 << 16);
	show.colours = say_colours(show.to);
	return trace_run(&argv[optind], argc - optind);
}

// clang-format off
const struct verb verb_trace = {
	.name = "trace",
	.brief = "run a program on the engine and show what its rings do",
	.help =
"usage: polyring trace [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
"\n"
"Runs PROGRAM, and all that it starts, on polyring's engine, and prints a line\n"
"for each submission and each completion, on stderr. What strace is for system\n"
"calls. The program never waits for this output: if it is faster, events are\n"
"dropped, and a line says how many. If this command is killed, the program goes\n"
"on.\n"
"\n"
"  0.000123 4711/5 -> RECV fd=7 len=0 group=1 MULTISHOT user_data=0x10\n"
"  0.000240 4711/5 <- RECV fd=7 user_data=0x10 = 64 bid=3 MORE +117.2us\n"
"\n"
"A line has the seconds since the start, thread and ring, and the operation with\n"
"its fields; a completion also the result, and the time since its submission.\n"
"\n"
"options:\n"
"  -c, --summary        print a table at the end instead: operations, errors, and\n"
"                       times from submission to first completion\n"
"  -e op=NAME,...,fd=N  only these operations, and only these fds\n"
"  -j, --json           print a line of JSON for each event, or row\n"
"  -o, --output FILE    print to FILE\n"
"  -y, --files          print what each fd refers to when its line is printed\n"
"  -h, --help           this text\n"
"\n"
"examples:\n"
"  polyring trace -- ./server\n"
"  polyring trace -e op=RECV,SEND -o lines -- ./server\n"
"  polyring trace -c -- ./server\n"
"\n"
"exit status: the program's, 128 and the signal's number if one ended it; 2 wrong\n"
"usage, 125 polyring failed first, 126 the program cannot be run, 127 it was not\n"
"found.\n",
	.run = trace,
};
// clang-format on
