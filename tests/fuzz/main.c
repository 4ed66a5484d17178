/* SPDX-License-Identifier: MIT */
/*
 * The differential fuzzer: random programs of provided buffers, each played on
 * the kernel's io_uring and on polyring, must be seen to do the same.
 *
 * Theory: program n of a run depends only on the run's seed and n, not on the
 * process that plays it. Programs are played in batches, a process for each
 * batch, so that a crash costs one batch and threads and files of the engine
 * don't pile up. A program with a difference is played again in a process of
 * its own, shrunk and reported; the batch continues with the next program.
 *
 * Where the kernel refuses io_uring its recorded answers can stand in: for each
 * program of a seed a hash of all events of its play.
 *
 * A difference that does not recur when its program is played alone is reported
 * as well: an earlier program has left something behind. Only if polyring gave
 * the same results both times, and the kernel gave them, too, when the program
 * was played alone, the kernel has two answers (by its own timing): such
 * programs are reported and counted separately.
 */
#include <dirent.h>
#include <getopt.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "../conformance/runner/harness.h"
#include "check.h"

#define BATCH_PROGRAMS 400
#define JOBS_MAX 16
#define HANG_TICKS 10000 /* of a millisecond */
#define PROGRESS_S 3

static struct {
	uint64_t seed;
	uint64_t programs; /* 0: no bound */
	uint64_t operations; /* 0: no bound */
	unsigned int seconds; /* 0: no bound */
	unsigned int jobs;
	unsigned int differences; /* stop after so many */
	const char *keep;
	const char *answers; /* the kernel's, recorded */
	bool records;
	const char *replay; /* a directory of programs to begin with */
	bool tap;
	bool verbose;
} options = {.jobs = 1, .differences = 5};

struct job {
	pid_t pid;
	struct stage *stage;
	uint64_t first; /* program of its batch */
	uint64_t seen;
	unsigned int ticks; /* since it came to a new program */
};

static struct job jobs[JOBS_MAX];
static struct stage *bench; /* where single programs are checked */
static uint64_t programs;
static uint64_t operations;
static unsigned int differences;
static unsigned int
	unsteady; /* the kernel gave two different answers to them */
static uint64_t next_program;

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static uint64_t seed_of(uint64_t number)
{
	return options.seed * UINT64_C(0xd1342543de82ef95) + number;
}

/* ---- recorded answers ------------------------------------------------------
 */

static uint64_t *answers; /* one for each program; shared with the players */

static uint64_t answer_of(const struct record *record)
{
	const unsigned char *bytes = (const void *)record->events;
	size_t count = record->count * sizeof(record->events[0]);
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	while (count--)
		sum = (sum ^ *bytes++) * UINT64_C(0x100000001b3);
	return sum;
}

/* In the player. */
static void answer_given(struct stage *stage)
{
	uint64_t *answer = &answers[stage->number];

	if (options.records)
		*answer = answer_of(&stage->left);
	if (with_kernel || *answer == answer_of(&stage->right))
		return;
	if (!stage->unlike++)
		stage->first_unlike = stage->number;
}

/*
 * How much a socket takes, for example, depends on the running kernel, so the
 * recorded answers hold only for the kernel that gave them. Returns whether
 * they can be used.
 */
static bool answers_read(FILE *from)
{
	unsigned long long seed = 0, answer = 0;
	struct utsname name;
	char release[65];

	if (uname(&name) < 0 ||
	    fscanf(from, "# seed %llu, answered by Linux %64s", &seed,
		   release) != 2 ||
	    seed != options.seed || strcmp(release, name.release) != 0)
		return false;
	for (uint64_t i = 0; i < options.programs; i++) {
		if (fscanf(from, "%llx", &answer) != 1)
			return false;
		answers[i] = answer;
	}
	return true;
}

static void answers_write(void)
{
	FILE *to = fopen(options.answers, "w");
	struct utsname name;

	if (!to || uname(&name) < 0) {
		perror(options.answers);
		exit(2);
	}
	fprintf(to, "# seed %llu, answered by Linux %s\n",
		(unsigned long long)options.seed, name.release);
	for (uint64_t i = 0; i < options.programs; i++)
		fprintf(to, "%016llx\n", (unsigned long long)answers[i]);
	fclose(to);
}

static void answers_open(void)
{
	FILE *from = options.records ? NULL : fopen(options.answers, "r");
	size_t bytes = options.programs * sizeof(*answers);

	answers = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answers == MAP_FAILED || (!options.records && !from)) {
		perror(options.answers);
		exit(2);
	}
	if (from && (with_kernel || !answers_read(from)))
		answers = NULL;
	if (from)
		fclose(from);
}

/* ---- a batch ------------------------------------------------------------- */

/* Behind the last program of the batch. */
static uint64_t batch_end(const struct job *job)
{
	uint64_t end = job->first + BATCH_PROGRAMS;

	return options.programs && end > options.programs ? options.programs
							  : end;
}

/* In the child; ends at the batch's end or at the first difference. */
static void play_batch(struct job *job)
{
	struct stage *stage = job->stage;
	uint64_t end = batch_end(job);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	play_open();
	for (; stage->number < end; stage->number++) {
		program_random(&stage->program, seed_of(stage->number));
		if (stage_differs(stage))
			_exit(3);
		if (answers)
			answer_given(stage);
		stage->programs++;
		stage->operations += stage->right.steps;
	}
	_exit(4);
}

static void start(struct job *job, uint64_t number, uint64_t first)
{
	job->first = first;
	job->seen = number;
	job->ticks = 0;
	job->stage->number = number;
	job->stage->programs = 0;
	job->stage->operations = 0;
	job->stage->unlike = 0;
	fflush(NULL);
	job->pid = fork();
	if (job->pid < 0) {
		perror("fuzz: fork");
		exit(2);
	}
	if (!job->pid)
		play_batch(job);
}

/*
 * Played alone, @bench showed no difference. Which side answered differently in
 * the batch?
 */
static void found_once(const struct stage *player)
{
	bool ours_stayed = with_kernel &&
			   record_differs(&player->left, &player->right) >= 0 &&
			   record_differs(&player->right, &bench->right) < 0;

	if (ours_stayed) {
		differences--;
		unsteady++;
	}
	printf("-- %s\n", ours_stayed
				  ? "alone the kernel answers as polyring did"
				  : "not alone: a program before it left "
				    "something, or polyring is unsteady");
	stage_tell_difference(player, stdout);
}

static void found(const struct stage *player)
{
	uint64_t number = player->number;
	enum verdict verdict;

	differences++;
	printf("program %llu of seed %llu\n", (unsigned long long)number,
	       (unsigned long long)options.seed);
	if (transcript->used)
		printf("-- %s\n", transcript->text);
	program_random(&bench->program, seed_of(number));
	verdict = stage_check(bench);
	if (verdict == VERDICT_SAME) {
		found_once(player);
		return;
	}
	stage_shrink(bench, verdict);
	stage_tell(bench, verdict, stdout);
	if (options.keep)
		stage_keep(bench, verdict, options.keep);
}

/* The player has ended; @bad: its last program is to be checked. */
static void finish(struct job *job, bool bad, bool more)
{
	uint64_t number = job->stage->number;

	programs += job->stage->programs + bad;
	operations += job->stage->operations;
	if (job->stage->unlike) {
		printf("%llu programs are answered otherwise than recorded;"
		       " the first is %llu\n",
		       (unsigned long long)job->stage->unlike,
		       (unsigned long long)job->stage->first_unlike);
		differences += (unsigned int)job->stage->unlike;
	}
	job->pid = 0;
	if (bad)
		found(job->stage);
	if (!bad || !more)
		return;
	if (number + 1 < batch_end(job))
		start(job, number + 1, job->first);
}

static void look_at(struct job *job, bool more)
{
	int status;
	bool bad;

	if (job->stage->number != job->seen)
		job->ticks = 0;
	job->seen = job->stage->number;
	if (++job->ticks > HANG_TICKS)
		kill(job->pid, SIGKILL);
	if (waitpid(job->pid, &status, job->ticks > HANG_TICKS ? 0 : WNOHANG) !=
	    job->pid)
		return;
	bad = !WIFEXITED(status) || WEXITSTATUS(status) != 4;
	finish(job, bad, more);
}

static uint64_t operations_now(void)
{
	uint64_t sum = operations;

	for (unsigned int i = 0; i < options.jobs; i++)
		if (jobs[i].pid)
			sum += jobs[i].stage->operations;
	return sum;
}

static bool go_on(time_t began)
{
	if (differences >= options.differences)
		return false;
	if (options.programs && next_program >= options.programs)
		return false;
	if (options.operations && operations_now() >= options.operations)
		return false;
	return !options.seconds || now_s() - began < (time_t)options.seconds;
}

static void progress(time_t began)
{
	static time_t last;
	time_t now = now_s();
	uint64_t sum = operations_now();

	if (!last)
		last = now;
	if (now - last < PROGRESS_S)
		return;
	last = now;
	printf("%5lld s  %llu operations, %llu a second, %u differences\n",
	       (long long)(now - began), (unsigned long long)sum,
	       (unsigned long long)(sum / (uint64_t)(now - began)),
	       differences);
	fflush(stdout);
}

static void run_random(void)
{
	const struct timespec tick = {.tv_nsec = 1000 * 1000};
	time_t began = now_s();
	bool busy = true;

	while (busy) {
		bool more = go_on(began);

		busy = more;
		for (unsigned int i = 0; i < options.jobs; i++) {
			struct job *job = &jobs[i];

			if (job->pid)
				look_at(job, more);
			if (!job->pid && more) {
				start(job, next_program, next_program);
				next_program += BATCH_PROGRAMS;
			}
			busy |= job->pid != 0;
		}
		progress(began);
		nanosleep(&tick, NULL);
	}
}

/* ---- kept programs ------------------------------------------------------- */

static unsigned int passed;
static unsigned int failed;

static void verdict_line(bool good, const char *name)
{
	if (good)
		passed++;
	else
		failed++;
	if (options.tap)
		printf("%sok %u - %s\n", good ? "" : "not ", passed + failed,
		       name);
	fflush(stdout);
}

static void replay(const char *path)
{
	enum verdict verdict = VERDICT_CRASH;

	if (program_read(&bench->program, path) < 0) {
		verdict_line(false, path);
		return;
	}
	verdict = stage_check(bench);
	if (verdict != VERDICT_SAME) {
		differences++;
		stage_tell(bench, verdict, stdout);
	} else if (!options.tap) {
		printf("same: %s\n", path);
	}
	for (uint32_t i = 0; options.verbose && i < bench->right.count; i++)
		event_print(&bench->right.events[i], stdout);
	programs++;
	operations += bench->right.steps;
	verdict_line(verdict == VERDICT_SAME, path);
}

static int is_program(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return end && !strcmp(end, ".prog");
}

static void replay_directory(const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_program, alphasort);
	char path[4096];

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory,
			 entries[i]->d_name);
		replay(path);
		free(entries[i]);
	}
	if (count < 0)
		perror(directory);
	else
		free(entries);
}

/* ---- options ------------------------------------------------------------- */

static void usage(FILE *to)
{
	fputs("usage: fuzz [OPTION]... [PROGRAM]...\n"
	      "Plays random programs, or the given ones, on both sides.\n"
	      "  --seconds N      how long (default: until something differs)\n"
	      "  --programs N     how many programs\n"
	      "  --operations N   how many steps\n"
	      "  --seed N         of the random programs (default: the time)\n"
	      "  --jobs N         processes beside one another\n"
	      "  --differences N  stop after so many (default 5)\n"
	      "  --keep DIR       store shrunk programs there\n"
	      "  --replay DIR     first the programs that are stored there\n"
	      "  --answers FILE   what the kernel answered to --programs of "
	      "--seed\n"
	      "  --record         write that file\n"
	      "  --tap            speak TAP, for a test runner\n"
	      "  --verbose        print what polyring answered to given "
	      "programs\n"
	      "  --show N         print program N of the seed, and end\n",
	      to);
}

static uint64_t fresh_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000) %
	       1000000000;
}

static void show(uint64_t number)
{
	static struct program program;

	program_random(&program, seed_of(number));
	program_print(&program, stdout);
	exit(0);
}

static const struct option long_options[] = {
	{"seconds", required_argument, NULL, 's'},
	{"programs", required_argument, NULL, 'p'},
	{"operations", required_argument, NULL, 'o'},
	{"seed", required_argument, NULL, 'S'},
	{"jobs", required_argument, NULL, 'j'},
	{"differences", required_argument, NULL, 'd'},
	{"keep", required_argument, NULL, 'k'},
	{"replay", required_argument, NULL, 'r'},
	{"answers", required_argument, NULL, 'a'},
	{"record", no_argument, NULL, 'R'},
	{"tap", no_argument, NULL, 't'},
	{"verbose", no_argument, NULL, 'v'},
	{"show", required_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static bool set_option(int option)
{
	uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;

	switch (option) {
	case 's':
		options.seconds = (unsigned int)number;
		return true;
	case 'p':
		options.programs = number;
		return true;
	case 'o':
		options.operations = number;
		return true;
	case 'S':
		options.seed = number;
		return true;
	case 'j':
		options.jobs = number < 1	   ? 1
			       : number > JOBS_MAX ? JOBS_MAX
						   : (unsigned int)number;
		return true;
	case 'd':
		options.differences = (unsigned int)number;
		return true;
	case 'k':
		options.keep = optarg;
		return true;
	case 'r':
		options.replay = optarg;
		return true;
	case 'a':
		options.answers = optarg;
		return true;
	case 'R':
		options.records = true;
		return true;
	case 't':
		options.tap = true;
		return true;
	case 'v':
		options.verbose = true;
		return true;
	case 'n':
		show(number);
		return true;
	default:
		return false;
	}
}

static void read_options(int argc, char **argv)
{
	int option;

	options.seed = fresh_seed();
	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		if (!set_option(option)) {
			usage(stderr);
			exit(2);
		}
	}
}

static void random_part(void)
{
	unsigned int before = differences;
	char name[128];

	for (unsigned int i = 0; i < options.jobs; i++)
		jobs[i].stage = stage_open();
	run_random();
	snprintf(name, sizeof(name), "random programs of seed %llu%s",
		 (unsigned long long)options.seed,
		 with_kernel || answers || differences > before
			 ? ""
			 : " # SKIP the kernel refuses io_uring");
	verdict_line(differences == before, name);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	bench = stage_open();
	find_kernel();
	if (options.answers && options.programs)
		answers_open();
	if (!with_kernel)
		printf("# the kernel refuses io_uring: %s\n",
		       answers ? "its recorded answers are compared"
			       : "polyring plays alone, nothing is compared");
	if (options.replay)
		replay_directory(options.replay);
	for (int i = optind; i < argc; i++)
		replay(argv[i]);
	if (optind == argc)
		random_part();
	if (options.answers && options.records && !differences)
		answers_write();
	if (options.tap)
		printf("1..%u\n", passed + failed);
	if (unsteady)
		printf("fuzz: the kernel has two answers to %u programs\n",
		       unsteady);
	printf("fuzz: %llu programs, %llu operations, %u differences"
	       " (seed %llu)\n",
	       (unsigned long long)programs, (unsigned long long)operations,
	       differences, (unsigned long long)options.seed);
	if (options.tap)
		printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
