/* SPDX-License-Identifier: MIT */
/*
 * conformance: the kernel is the oracle.
 *
 * Theory: every scenario is played on the kernel's io_uring and on polyring,
 * and the transcripts must be equal. If the kernel can't be used (it refuses
 * io_uring, or is another version than the recorded one) the recorded
 * transcripts take its place. Without an engine built in, or with --side
 * kernel, the live kernel is compared with its own record instead; with
 * --repeat, with itself. With --kernel 6.1 the engine answers as that kernel
 * does, and is compared with that kernel's record (tests/oracle makes it).
 *
 * Exit status: 0 when nothing differs, 1 when something does, 2 for usage.
 */
#include "harness.h"

#include <fnmatch.h>
#include <getopt.h>
#include <sys/utsname.h>

#ifndef SOURCE_ROOT
#define SOURCE_ROOT "."
#endif
#define PIECES_MAX 4096
#define ONLY_MAX 64
#define AGAIN_MAX 16 /* more differences than these have a real cause */
#define ALONE_TIMES 3

struct options {
	const char *only[ONLY_MAX];
	size_t only_count;
	const char *side;
	const char *record;
	const char *kernel;
	const char *root;
	const char *check_deviations;
	bool deviations;
	bool list;
	bool all;
	bool replay;
	bool live;
	bool print;
	unsigned int repeat;
	unsigned int jobs;
	unsigned int seconds;
};

static struct piece pieces[PIECES_MAX];
static size_t piece_count;
static size_t deviations; /* left out because they are known to deviate */
static size_t roots; /* left out because this is not root */
static bool replays; /* the record speaks for the kernel */
static size_t unrecorded; /* left out because that kernel was not asked */
static size_t differences; /* of an older kernel, known and listed */
static size_t equal_alone; /* differed while others ran, and not alone */

static const char usage[] =
	"usage: conformance [options]\n"
	"Play every scenario on the kernel and on polyring and compare.\n"
	"  --list            name the scenarios, their modes and rules\n"
	"  --only GLOB       only those with this in their name, which is\n"
	"                    family.scenario/mode (may be given more than "
	"once)\n"
	"  --deviations      print doc/deviations.md\n"
	"  --check-deviations FILE  compare it with FILE\n"
	"  --all             also the known deviations\n"
	"  --side SIDE       kernel or engine: compare that one with the "
	"record\n"
	"  --replay          the record speaks for the kernel\n"
	"  --live            ask the kernel though its version differs\n"
	"  --record DIR      write the kernel's transcripts\n"
	"  --kernel VERSION  the engine as that kernel, against its record\n"
	"  --repeat N        play on the kernel N times; they must be equal\n"
	"  --print           print the transcripts too\n"
	"  --jobs N          play N at a time (2)\n"
	"  --watchdog SEC    kill a scenario after this long (60)\n"
	"  --root DIR        the source tree, for doc/ and the record\n";

static const struct option long_options[] = {
	{"list", no_argument, NULL, 'l'},
	{"only", required_argument, NULL, 'o'},
	{"deviations", no_argument, NULL, 'd'},
	{"check-deviations", required_argument, NULL, 'D'},
	{"all", no_argument, NULL, 'a'},
	{"side", required_argument, NULL, 's'},
	{"replay", no_argument, NULL, 'p'},
	{"live", no_argument, NULL, 'L'},
	{"record", required_argument, NULL, 'r'},
	{"kernel", required_argument, NULL, 'k'},
	{"repeat", required_argument, NULL, 'n'},
	{"print", no_argument, NULL, 'P'},
	{"jobs", required_argument, NULL, 'j'},
	{"watchdog", required_argument, NULL, 'w'},
	{"root", required_argument, NULL, 'R'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* ---- choosing ------------------------------------------------------------ */

static const char *mode_name(enum mode which)
{
	switch (which) {
	case MODE_DEFAULT:
		return "default";
	case MODE_DEFER:
		return "defer";
	case MODE_SQPOLL:
		return "sqpoll";
	case MODE_COOP:
		return "coop";
	}
	return "?";
}

/* A pattern may match anywhere in the name. */
static bool wanted(const struct options *options, const char *name)
{
	char pattern[256];
	size_t i;

	for (i = 0; i < options->only_count; i++) {
		snprintf(pattern, sizeof(pattern), "*%s*", options->only[i]);
		if (!fnmatch(pattern, name, 0))
			return true;
	}
	return !options->only_count;
}

static void choose_mode(const struct options *options,
			const struct family *family,
			const struct scenario *scenario, enum mode which)
{
	struct piece *piece = &pieces[piece_count];

	piece->family = family;
	piece->scenario = scenario;
	piece->mode = which;
	snprintf(piece->name, sizeof(piece->name), "%s.%s/%s", family->name,
		 scenario->name, mode_name(which));
	if (piece_count < PIECES_MAX - 1 && wanted(options, piece->name))
		piece_count++;
}

static bool left_out(const struct options *options,
		     const struct scenario *scenario)
{
	return scenario->deviates && !options->all;
}

/* A live kernel answers others as it answers them; its record is root's. */
static bool needs_root(const struct scenario *scenario)
{
	return scenario->locks || (scenario->roots && replays);
}

static void choose(const struct options *options, const struct family *family)
{
	const struct scenario *scenario = family->scenarios;
	size_t i;

	for (i = 0; i < family->count; i++, scenario++) {
		if (scenario->deviates && !deviation_find(scenario->deviates)) {
			fprintf(stderr, "conformance: deviations.c has no %s\n",
				scenario->deviates);
			exit(2);
		}
		unsigned int modes =
			scenario->modes ? scenario->modes : MODES_BOTH;
		unsigned int bit;

		if (left_out(options, scenario)) {
			deviations += scenario->deviates != NULL;
			continue;
		}
		if (needs_root(scenario) && geteuid() && !options->all) {
			roots++;
			continue;
		}
		if (scenario->bare)
			modes = MODE_DEFAULT;
		for (bit = 1; bit <= modes; bit <<= 1)
			if (modes & bit)
				choose_mode(options, family, scenario,
					    (enum mode)bit);
	}
}

static int list(void)
{
	size_t i;

	for (i = 0; i < piece_count; i++) {
		const struct scenario *scenario = pieces[i].scenario;

		printf("%-60s %s%s%s\n", pieces[i].name,
		       scenario->rules ? scenario->rules : "",
		       scenario->deviates ? "deviates: " : "",
		       scenario->deviates
			       ? deviation_find(scenario->deviates)->why
			       : "");
	}
	printf("%zu scenarios\n", piece_count);
	return 0;
}

/* ---- the kernel's side --------------------------------------------------- */

static bool kernel_refuses(void)
{
	struct io_uring_params params = {0};
	int fd = kernel_side.setup(1, &params);

	if (fd >= 0)
		close(fd);
	return fd == -EPERM || fd == -ENOSYS || fd == -EACCES;
}

/* Is the running kernel of the recorded version, for example 6.18? */
static bool kernel_is_recorded(const struct store *store)
{
	const char *recorded = store_kernel(store);
	unsigned int major[2] = {0, 0};
	unsigned int minor[2] = {0, 0};
	struct utsname name;

	uname(&name);
	if (sscanf(recorded, "%u.%u", &major[0], &minor[0]) != 2)
		return true;
	sscanf(name.release, "%u.%u", &major[1], &minor[1]);
	return major[0] == major[1] && minor[0] == minor[1];
}

static bool must_replay(const struct options *options,
			const struct store *store)
{
	if (options->replay)
		return true;
	if (kernel_refuses()) {
		printf("The kernel refuses io_uring; kernel %s speaks from its "
		       "record.\n",
		       store_kernel(store));
		return true;
	}
	if (options->live || kernel_is_recorded(store))
		return false;
	printf("This kernel is not %s, which speaks from its record.\n",
	       store_kernel(store));
	return true;
}

/* ---- playing and comparing ----------------------------------------------- */

static char **play_all(const struct options *options, const struct side *on,
		       char *const *expected)
{
	char **texts = calloc(PIECES_MAX, sizeof(*texts));

	if (!texts)
		abort();
	run_pieces(pieces, piece_count, on, options->jobs, options->seconds,
		   texts, expected);
	return texts;
}

static void free_all(char **texts)
{
	size_t i;

	for (i = 0; i < piece_count; i++)
		free(texts[i]);
	free(texts);
}

static char **replay_all(const struct store *store)
{
	char **texts = calloc(PIECES_MAX, sizeof(*texts));
	const char *text;
	size_t i;

	if (!texts)
		abort();
	for (i = 0; i < piece_count; i++) {
		text = store_get(store, pieces[i].name);
		texts[i] = strdup(text ? text : "nothing is recorded\n");
	}
	return texts;
}

/* Plays piece @i alone; its transcript replaces the one before. */
static void play_alone(const struct options *options, const struct side *on,
		       size_t i, char **texts, char *const *expected)
{
	char *alone = NULL;

	run_pieces(&pieces[i], 1, on, 1, options->seconds, &alone,
		   expected ? &expected[i] : NULL);
	free(texts[i]);
	texts[i] = alone;
}

/*
 * Scenarios play in parallel on few processors, and a time limit of the
 * kernel's own may expire for one that gets too little time. Therefore
 * differing pieces are played again alone, ALONE_TIMES each, and must be equal
 * every time. @left_on is NULL if the record is used.
 */
static void play_again(const struct options *options,
		       const struct side *left_on, const struct side *right_on,
		       char **left, char **right)
{
	size_t i, differ = 0;
	int times;

	for (i = 0; i < piece_count; i++)
		differ += strcmp(left[i], right[i]) != 0;
	if (differ > AGAIN_MAX)
		return;
	for (i = 0; i < piece_count; i++) {
		if (!strcmp(left[i], right[i]))
			continue;
		printf("%s differed beside others:\n", pieces[i].name);
		print_difference(left[i], right[i], "kernel", "polyring");
		for (times = 0; times < ALONE_TIMES; times++) {
			if (left_on)
				play_alone(options, left_on, i, left, NULL);
			play_alone(options, right_on, i, right,
				   left_on ? NULL : left);
			if (strcmp(left[i], right[i]))
				break;
		}
		equal_alone += times == ALONE_TIMES;
	}
}

/*
 * A scenario that crashes on both sides has asked neither. Older kernels lack
 * what some are made of, and crash them.
 */
static bool asked_nothing(const struct options *options, const char *text)
{
	return !options->kernel &&
	       (strstr(text, "!! crashed") || strstr(text, "!! exit status"));
}

/* Returns how many differ, or crashed alike. */
static size_t compare_all(const struct options *options, char **left,
			  char **right, const char *left_name,
			  const char *right_name)
{
	size_t differ = 0;
	size_t i;

	for (i = 0; i < piece_count; i++) {
		bool nothing = asked_nothing(options, left[i]);

		if (options->print)
			printf("== %s\n%s\n", pieces[i].name, right[i]);
		if (!strcmp(left[i], right[i]) && !nothing)
			continue;
		differ++;
		printf("%s %s\n", pieces[i].name,
		       nothing ? "crashed" : "differs");
		print_difference(left[i], right[i], left_name, right_name);
	}
	return differ;
}

static size_t repeat(const struct options *options)
{
	char **first = play_all(options, &kernel_side, NULL);
	size_t differ = 0;
	unsigned int round;

	for (round = 1; round < options->repeat; round++) {
		char **again = play_all(options, &kernel_side, NULL);

		differ += compare_all(options, first, again, "kernel, first",
				      "kernel, again");
		free_all(again);
	}
	free_all(first);
	return differ;
}

/*
 * Of another kernel than that of @base only what differs from the base is
 * recorded.
 */
static int record(const struct options *options, const struct store *base)
{
	char **texts = play_all(options, &kernel_side, NULL);
	int result = 0;
	size_t i;

	if (kernel_is_recorded(base))
		base = NULL;
	for (i = 0; i < family_count && !result; i++)
		result = store_write(options->record, base, families[i], pieces,
				     texts, piece_count);
	free_all(texts);
	if (result)
		fprintf(stderr, "conformance: %s: %s\n", options->record,
			strerror(-result));
	else
		printf("recorded %zu scenarios\n", piece_count);
	return result ? 1 : 0;
}

static size_t compare_sides(const struct options *options, struct store *store)
{
	bool replay = replays;
	bool kernel_only = !engine_side ||
			   (options->side && !strcmp(options->side, "kernel"));
	bool engine_only = options->side && !strcmp(options->side, "engine");
	char **left;
	char **right;
	size_t differ;

	if (!engine_side && replay) {
		printf("There is neither a kernel to ask nor an engine.\n");
		return piece_count;
	}
	if (replay || engine_only || kernel_only)
		left = replay_all(store);
	else
		left = play_all(options, &kernel_side, NULL);
	right = play_all(options, kernel_only ? &kernel_side : engine_side,
			 NULL);
	play_again(options,
		   replay || engine_only || kernel_only ? NULL : &kernel_side,
		   kernel_only ? &kernel_side : engine_side, left, right);
	differ = compare_all(options, left, right,
			     replay || engine_only || kernel_only
				     ? "kernel, recorded"
				     : "kernel",
			     kernel_only ? "kernel" : "polyring");
	free_all(left);
	free_all(right);
	return differ;
}

/* Keep the pieces that @store has a record of. */
static void keep_recorded(const struct store *store)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < piece_count; i++)
		if (store_get(store, pieces[i].name))
			pieces[kept++] = pieces[i];
	unrecorded = piece_count - kept;
	piece_count = kept;
}

/* Differences with a known reason are counted, and then taken as equal. */
static void excuse(const struct options *options, const char *path, char **left,
		   char **right)
{
	struct known *known = known_open(path);
	size_t i;

	for (i = 0; i < piece_count; i++) {
		if (!strcmp(left[i], right[i]) ||
		    !known_reason(known, pieces[i].name))
			continue;
		differences++;
		free(right[i]);
		right[i] = strdup(left[i]);
	}
	if (!options->only_count)
		known_print_unused(known, stdout);
	known_close(known);
}

static size_t compare_older(const struct options *options,
			    const struct store *base)
{
	char path[4096];
	struct store *store;
	char **left;
	char **right;
	size_t differ;

	snprintf(path, sizeof(path), "%s/tests/conformance/transcripts/%s",
		 options->root, options->kernel);
	store = store_open(path, base);
	if (!store || !engine_side)
		abort();
	keep_recorded(store);
	setenv("POLYRING_KERNEL", options->kernel, 1);
	left = replay_all(store);
	right = play_all(options, engine_side, left);
	strcat(path, "/known");
	excuse(options, path, left, right);
	play_again(options, NULL, engine_side, left, right);
	differ = compare_all(options, left, right, store_kernel(store),
			     "polyring");
	printf("kernel %s: %zu scenarios not recorded, %zu known differences\n",
	       store_kernel(store), unrecorded, differences);
	free_all(left);
	free_all(right);
	store_close(store);
	return differ;
}

static int summary(const struct options *options, size_t differ)
{
	char path[4096];
	struct rules *rules;
	size_t i;

	snprintf(path, sizeof(path), "%s/doc/spec.md", options->root);
	rules = rules_open(path);
	for (i = 0; i < piece_count; i++)
		if (!rules_cite(rules, pieces[i].scenario->rules))
			printf("%s cites a rule that %s doesn't have\n",
			       pieces[i].name, path);
	if (!options->only_count && !options->kernel)
		rules_print_missing(rules, stdout);
	if (deviations && !options->only_count)
		printf("left out: %zu known deviations (--all --list says "
		       "why)\n",
		       deviations);
	if (roots && !options->only_count)
		printf("left out: %zu that need root\n", roots);
	if (equal_alone)
		printf("%zu scenarios were equal only when played alone\n",
		       equal_alone);
	printf("%zu passed, %zu failed\n", piece_count - differ, differ);
	printf("conformance: %zu scenarios, %zu equal, %zu differ; "
	       "SPEC rules cited: %zu of %zu\n",
	       piece_count, piece_count - differ, differ, rules_cited(rules),
	       rules_count(rules));
	rules_close(rules);
	return differ ? 1 : 0;
}

/* ---- the command line ---------------------------------------------------- */

static void set_option(struct options *options, int option)
{
	switch (option) {
	case 'l':
		options->list = true;
		break;
	case 'a':
		options->all = true;
		break;
	case 'd':
		options->deviations = true;
		break;
	case 'D':
		options->check_deviations = optarg;
		break;
	case 'p':
		options->replay = true;
		break;
	case 'L':
		options->live = true;
		break;
	case 'P':
		options->print = true;
		break;
	case 'o':
		if (options->only_count < ONLY_MAX)
			options->only[options->only_count++] = optarg;
		break;
	case 's':
		options->side = optarg;
		break;
	case 'r':
		options->record = optarg;
		options->all = true;
		break;
	case 'k':
		options->kernel = optarg;
		break;
	case 'R':
		options->root = optarg;
		break;
	default:
		fputs(usage, option == 'h' ? stdout : stderr);
		exit(option == 'h' ? 0 : 2);
	}
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > 100000) {
		fprintf(stderr, "conformance: %s is no number\n", text);
		exit(2);
	}
	return (unsigned int)value;
}

static void parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) !=
	       -1) {
		if (option == 'n')
			options->repeat = number(optarg);
		else if (option == 'j')
			options->jobs = number(optarg);
		else if (option == 'w')
			options->seconds = number(optarg);
		else
			set_option(options, option);
	}
	if (optind != argc)
		set_option(options, '?');
	if (options->side && strcmp(options->side, "kernel") &&
	    strcmp(options->side, "engine"))
		set_option(options, '?');
}

int main(int argc, char **argv)
{
	struct options options = {
		.root = SOURCE_ROOT,
		.jobs = 2,
		.seconds = 60,
	};
	char directory[4096];
	struct store *store;
	size_t differ;
	size_t i;

	parse_options(&options, argc, argv);
	if (options.deviations)
		return deviations_print();
	if (options.check_deviations)
		return deviations_check(options.check_deviations);
	snprintf(directory, sizeof(directory),
		 "%s/tests/conformance/transcripts", options.root);
	store = store_open(directory, NULL);
	if (!store)
		abort();
	replays =
		options.kernel || options.list || must_replay(&options, store);
	for (i = 0; i < family_count; i++)
		choose(&options, families[i]);
	if (!piece_count) {
		fprintf(stderr, "conformance: no scenario has such a name\n");
		return 2;
	}
	if (options.list)
		return list();
	if (options.record)
		return record(&options, store);
	if (options.kernel)
		differ = compare_older(&options, store);
	else if (options.repeat)
		differ = repeat(&options);
	else
		differ = compare_sides(&options, store);
	store_close(store);
	return summary(&options, differ);
}
