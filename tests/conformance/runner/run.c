/* SPDX-License-Identifier: MIT */
/*
 * Playing scenarios, each in a process of its own.
 *
 * Theory: a process is forked for every play, so that a crash, a leak or a
 * thread of the engine affects nothing else; it is killed with its process
 * group when it takes longer than the watchdog allows. The transcript is in
 * shared memory and outlives the process; its last line says how the process
 * ended. The runner itself never calls a side, and so has no threads when it
 * forks.
 *
 * A scenario that is known to wait for ever (on an older kernel that refuses
 * the request that would wake it) is killed when its transcript has reached the
 * end of the known one and has not changed for a second. Without such knowledge
 * a scenario is killed only by the watchdog, so that no machine is too slow.
 *
 * States of a slot: free (pid 0), playing. SIGCHLD is blocked and waited for.
 */
#include "harness.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define SLOTS_MAX 16

struct slot {
	pid_t pid;
	size_t piece;
	time_t deadline;
	time_t stuck; /* since when it has been at its known last line */
	struct transcript *transcript;
};

static time_t now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Unread completions in the CQ are part of the result. */
static void play_end(struct ring *r)
{
	if (r->fd < 0)
		return;
	if (r->cq_tail && ring_ready(r))
		note("unread: %u", ring_ready(r));
	ring_close(r);
	note("closed");
}

void play_piece(const struct piece *piece, const struct side *on)
{
	struct ring ring = {.fd = -1};

	side = on;
	mode = piece->mode;
	signal(SIGPIPE, SIG_IGN);
	if (!piece->scenario->bare)
		ring_open(&ring, 64, 0);
	piece->scenario->play(&ring);
	play_end(&ring);
	note("end");
}

static void child(const struct piece *piece, const struct side *on)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	play_piece(piece, on);
	_exit(0);
}

static int start(struct slot *slot, const struct piece *pieces, size_t index,
		 const struct side *on, unsigned int seconds)
{
	memset(slot->transcript, 0, sizeof(*slot->transcript));
	slot->piece = index;
	slot->deadline = now_seconds() + seconds;
	slot->stuck = 0;
	transcript = slot->transcript;
	fflush(NULL);
	slot->pid = fork();
	if (slot->pid < 0)
		return -errno;
	if (!slot->pid)
		child(&pieces[index], on);
	setpgid(slot->pid, slot->pid);
	return 0;
}

static void finish(struct slot *slot, int status, bool late, char **texts)
{
	transcript = slot->transcript;
	if (late)
		note(KILLED);
	else if (WIFSIGNALED(status))
		note("!! crashed: SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		note("!! exit status %d", WEXITSTATUS(status));
	texts[slot->piece] = strdup(slot->transcript->text);
	slot->pid = 0;
}

/* Has it reached the line where @expected ends because it was killed? */
static bool stuck(struct slot *slot, const char *expected)
{
	const char *end = expected ? strstr(expected, KILLED) : NULL;
	time_t now = now_seconds();

	if (!end || strlen(slot->transcript->text) != (size_t)(end - expected))
		return false;
	if (memcmp(slot->transcript->text, expected, (size_t)(end - expected)))
		return false;
	if (!slot->stuck)
		slot->stuck = now;
	return now > slot->stuck + 1;
}

/* Returns true when the slot has become free. */
static bool look_at(struct slot *slot, char **texts, char *const *expected)
{
	bool late = now_seconds() > slot->deadline ||
		    stuck(slot, expected ? expected[slot->piece] : NULL);
	int status = 0;
	pid_t pid;

	if (late)
		kill(-slot->pid, SIGKILL);
	pid = waitpid(slot->pid, &status, late ? 0 : WNOHANG);
	if (pid != slot->pid)
		return false;
	kill(-slot->pid, SIGKILL);
	finish(slot, status, late, texts);
	return true;
}

static void wait_for_child(void)
{
	const struct timespec tick = {.tv_sec = 1};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &tick);
}

static void slots_open(struct slot *slots, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		slots[i].pid = 0;
		slots[i].transcript = mmap(NULL, sizeof(struct transcript),
					   PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	}
}

static void slots_close(struct slot *slots, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		munmap(slots[i].transcript, sizeof(struct transcript));
}

#define PROGRESS_SECONDS 5

/* Print a line now and then to show progress; not part of the result. */
static void show_progress(size_t next, size_t count)
{
	static time_t last;
	time_t now = time(NULL);

	if (!last)
		last = now;
	if (now - last < PROGRESS_SECONDS)
		return;
	last = now;
	fprintf(stderr, "conformance: played %zu of %zu\n", next, count);
}

void run_pieces(const struct piece *pieces, size_t count, const struct side *on,
		unsigned int jobs, unsigned int seconds, char **texts,
		char *const *expected)
{
	struct slot slots[SLOTS_MAX];
	size_t running = 0;
	size_t next = 0;
	sigset_t set;
	unsigned int i;

	if (jobs > SLOTS_MAX)
		jobs = SLOTS_MAX;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	slots_open(slots, jobs);
	while (next < count || running) {
		for (i = 0; i < jobs; i++) {
			if (slots[i].pid && look_at(&slots[i], texts, expected))
				running--;
			if (slots[i].pid || next == count)
				continue;
			if (start(&slots[i], pieces, next, on, seconds))
				break;
			next++;
			running++;
		}
		show_progress(next, count);
		if (running)
			wait_for_child();
	}
	slots_close(slots, jobs);
}
