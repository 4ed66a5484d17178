// SPDX-License-Identifier: MIT
/*
 * Call sites of all shapes. Some can be patched, others are trapped; each must
 * be served, and other system calls made there must reach the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tap.h"

typedef long (*shape_fn)(long number);

long shape_immediate(long number);
long shape_register(long number);
long shape_loop(long number);
long shape_behind_a_call(long number);
long shape_twins(long number);
long shape_entered(long number);
long shape_entered_from_outside(long number);
long shape_outside(long number);
long shape_another_number(long number);
long shape_computed(long number);
long shape_unknown(long number);

static const struct {
	const char *name;
	shape_fn call;
} shapes[] = {
	{"an_immediate_before_it", shape_immediate},
	{"the_number_in_a_register", shape_register},
	{"the_number_moved_in_a_loop", shape_loop},
	{"only_code_behind_it_can_be_moved", shape_behind_a_call},
	{"two_close_together", shape_twins},
	{"a_jump_to_the_instruction", shape_entered},
	{"code_that_another_function_enters", shape_entered_from_outside},
	{"the_other_function", shape_outside},
	{"a_foreign_number_that_is_jumped_over", shape_another_number},
	{"a_computed_jump_to_it", shape_computed},
	{"code_in_no_function", shape_unknown},
};

static int served(shape_fn call)
{
	for (int i = 0; i < 1000; i++)
		if (call(426) != -EBADF)
			return 0;
	return 1;
}

/* The kernel serves them from the same site. */
static int other_calls_work(void)
{
	int status = -1;
	long pid;

	if (shape_register(SYS_getpid) != getpid() ||
	    shape_entered(SYS_getpid) != getpid())
		return 0;
	/* The child is in the middle of the stub, too. */
	pid = shape_register(SYS_fork);
	if (pid == 0)
		_exit(shape_register(SYS_getppid) > 0 ? 7 : 8);
	return waitpid((pid_t)pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 7;
}

/* No memory may be written and executed. */
static int nothing_is_writable_code(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int good = maps != NULL;

	while (maps && fgets(line, sizeof(line), maps)) {
		const char *rights = strchr(line, ' ');

		if (rights && rights[2] == 'w' && rights[3] == 'x')
			good = 0;
	}
	if (maps)
		fclose(maps);
	return good;
}

/* Where the engine's would be, but there is no ring yet. */
static int no_file_is_open_above(void)
{
	struct rlimit limit;
	int first;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	first = (int)(limit.rlim_cur > 1 << 20 ? 1 << 20 : limit.rlim_cur) / 2;
	for (int fd = first; fd < first + 16; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 0;
	return 1;
}

int main(void)
{
	CHECK("no_file_is_open_before_there_is_a_ring",
	      no_file_is_open_above());
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		CHECK(shapes[i].name, served(shapes[i].call));
	CHECK("other_system_calls_reach_the_kernel", other_calls_work());
	CHECK("no_memory_is_writable_code", nothing_is_writable_code());
	return tap_end();
}
