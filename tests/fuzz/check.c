/* SPDX-License-Identifier: MIT */
/*
 * Checking one program, and making a bad one small.
 *
 * Theory: a crash or an endless loop of either side must not end the fuzzer,
 * so a program is checked in a forked process, whose records lie in shared
 * memory. Shrinking takes away runs of steps, halves first, then single steps,
 * then puts every value to the first, most ordinary one of its list, and goes
 * round until nothing changes. What remains differs for a reason that is in
 * every line of it; not always the reason it differed at first.
 */
#include "check.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../conformance/runner/harness.h"

#define HANG_S 10
#define SHRINK_MOST 4000

bool with_kernel;

static void *shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("fuzz: memory");
		exit(2);
	}
	return at;
}

struct stage *stage_open(void)
{
	if (!transcript)
		transcript = shared(sizeof(*transcript));
	return shared(sizeof(struct stage));
}

void find_kernel(void)
{
	struct io_uring_params params = {
		.flags =
			IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int fd = kernel_side.setup(4, &params);

	with_kernel = fd >= 0;
	if (fd >= 0)
		close(fd);
}

bool stage_differs(struct stage *stage)
{
	if (with_kernel)
		play(&stage->program, &kernel_side, &stage->left);
	play(&stage->program, engine_side, &stage->right);
	return with_kernel && record_differs(&stage->left, &stage->right) >= 0;
}

/* ---- processes ----------------------------------------------------------- */

int wait_bounded(int pid, struct stage *stage, unsigned int seconds)
{
	const struct timespec tick = {.tv_nsec = 1000 * 1000};
	uint64_t seen = stage->number;
	unsigned int ticks = 0;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		nanosleep(&tick, NULL);
		ticks = stage->number == seen ? ticks + 1 : 0;
		seen = stage->number;
		if (ticks < seconds * 900)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	return status;
}

enum verdict stage_check(struct stage *stage)
{
	int status;
	int pid;

	stage->signal = 0;
	transcript->used = 0;
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fuzz: fork");
		exit(2);
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		play_open();
		_exit(stage_differs(stage) ? 3 : 4);
	}
	status = wait_bounded(pid, stage, HANG_S);
	if (status < 0)
		return VERDICT_HANG;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
		return VERDICT_SAME;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		return VERDICT_DIFFERS;
	stage->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return VERDICT_CRASH;
}

/* ---- shrinking ----------------------------------------------------------- */

static bool still(struct stage *stage, enum verdict verdict, int *left)
{
	return (*left)-- > 0 && stage_check(stage) == verdict;
}

static bool drop_steps(struct stage *stage, enum verdict verdict, int *left)
{
	struct program *program = &stage->program;
	bool better = false;

	for (uint32_t run = program->count / 2; run; run /= 2) {
		for (uint32_t at = 0; at + run <= program->count;) {
			struct program before = *program;

			memmove(&program->steps[at], &program->steps[at + run],
				(program->count - at - run) *
					sizeof(program->steps[0]));
			program->count -= run;
			if (still(stage, verdict, left)) {
				better = true;
				continue;
			}
			*program = before;
			at += run;
		}
	}
	return better;
}

static bool plain_values(struct stage *stage, enum verdict verdict, int *left)
{
	bool better = false;

	for (uint32_t i = 0; i < stage->program.count; i++) {
		struct step *step = &stage->program.steps[i];

		for (unsigned int f = 0; f < FIELDS_MAX; f++) {
			uint8_t was = step->field[f];

			step->field[f] = 0;
			if (!was)
				continue;
			if (still(stage, verdict, left))
				better = true;
			else
				step->field[f] = was;
		}
	}
	return better;
}

void stage_shrink(struct stage *stage, enum verdict verdict)
{
	int left = verdict == VERDICT_HANG ? 30 : SHRINK_MOST;
	bool better = true;

	while (better && left > 0) {
		better = drop_steps(stage, verdict, &left);
		better |= plain_values(stage, verdict, &left);
	}
	stage_check(stage);
}

/* ---- reporting ----------------------------------------------------------- */

/* Play up to and with the step where memory differs, and compare the bytes. */
static void tell_memory(const struct program *program, uint32_t steps, FILE *to)
{
	static struct record record;
	struct program part = *program;
	const unsigned char *memory;
	unsigned char *before;
	char text[64];
	size_t bytes;
	int told = 0;

	play_open();
	bytes = play_memory(&memory);
	before = malloc(bytes);
	part.count = steps < part.count ? steps : part.count;
	play(&part, &kernel_side, &record);
	memcpy(before, memory, bytes);
	play(&part, engine_side, &record);
	for (size_t i = 0; i < bytes && told < 24; i++) {
		if (before[i] == memory[i])
			continue;
		fprintf(to, "  %s: kernel %02x, polyring %02x\n",
			play_place(i, text, sizeof(text)), before[i],
			memory[i]);
		told++;
	}
	if (!told)
		fprintf(to, "  in a ring that the engine allocated\n");
	free(before);
}

static void tell_memory_apart(const struct program *program, uint32_t steps,
			      FILE *to)
{
	int pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		tell_memory(program, steps, to);
		fflush(to);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

#define TOLD_BEFORE 4
#define TOLD_AFTER 3

static void tell_side(const char *name, const struct record *record, int at,
		      FILE *to)
{
	int i = at > TOLD_BEFORE ? at - TOLD_BEFORE : 0;

	fprintf(to, "%s:\n", name);
	for (; i < at + TOLD_AFTER && i < (int)record->count; i++) {
		fprintf(to, "%s ", i == at ? "!" : " ");
		event_print(&record->events[i], to);
	}
}

void stage_tell_difference(const struct stage *stage, FILE *to)
{
	int at = record_differs(&stage->left, &stage->right);

	if (at < 0)
		return;
	tell_side("kernel", &stage->left, at, to);
	tell_side("polyring", &stage->right, at, to);
	if (stage->left.events[at].kind == EVENT_MEMORY)
		tell_memory_apart(&stage->program,
				  stage->left.events[at].step + 1, to);
}

static void print_numbered(const struct program *program, FILE *to)
{
	for (uint32_t i = 0; i < program->count; i++) {
		fprintf(to, "%3u  ", i);
		step_print(&program->steps[i], to);
	}
}

static const char *const verdict_names[] = {"same", "differs", "crash", "hang"};

void stage_tell(struct stage *stage, enum verdict verdict, FILE *to)
{
	fprintf(to, "-- %s, %u steps:\n", verdict_names[verdict],
		stage->program.count);
	print_numbered(&stage->program, to);
	if (verdict == VERDICT_DIFFERS)
		stage_tell_difference(stage, to);
	else if (verdict != VERDICT_SAME)
		fprintf(to, "at step %u of %s, %s%s\n",
			stage->right.count ? stage->right.at : stage->left.at,
			stage->right.count ? "polyring" : "the kernel",
			stage->signal ? sigabbrev_np(stage->signal) : "",
			transcript->used ? transcript->text : "");
	fflush(to);
}

void stage_keep(const struct stage *stage, enum verdict verdict,
		const char *directory)
{
	uint32_t name = 2166136261u;
	const unsigned char *bytes = (const void *)stage->program.steps;
	char path[4096];
	FILE *to;

	for (size_t i = 0; i < stage->program.count * sizeof(struct step); i++)
		name = (name ^ bytes[i]) * 16777619u;
	snprintf(path, sizeof(path), "%s/%s-%08x.prog", directory,
		 verdict_names[verdict], name);
	to = fopen(path, "w");
	if (!to) {
		perror(path);
		return;
	}
	program_print(&stage->program, to);
	fclose(to);
	printf("kept as %s\n", path);
}
