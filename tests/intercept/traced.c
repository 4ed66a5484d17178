// SPDX-License-Identifier: MIT
/*
 * A program whose rings are looked at from outside: `traced nops N`, `mixed`,
 * `fork`, `look` or `wait`. trace.py knows what each of them does.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "bare_ring.h"

static void traced_open(struct ring *r)
{
	if (!bare_open(r, 0))
		exit(3);
}

/* Enter with what was put, and take @wait completions. */
static void traced_enter(struct ring *r, unsigned int count, unsigned int wait)
{
	unsigned int head = *word(r, r->p.cq_off.head);

	if (inline_enter(r->fd, count, wait, IORING_ENTER_GETEVENTS) !=
	    (int)count)
		exit(4);
	__atomic_store_n(word(r, r->p.cq_off.head), head + wait,
			 __ATOMIC_RELEASE);
}

static void nops(int count)
{
	struct ring r;

	traced_open(&r);
	for (int i = 0; i < count; i += ENTRIES) {
		for (int j = 0; j < ENTRIES; j++)
			bare_put(&r, IORING_OP_NOP, -1, NULL, 0, 0);
		traced_enter(&r, ENTRIES, ENTRIES);
	}
	close(r.fd);
}

/* The last entry that was put. */
static struct io_uring_sqe *last(struct ring *r)
{
	return &r->sqes[(*word(r, r->p.sq_off.tail) - 1) & (ENTRIES - 1)];
}

static void mixed(void)
{
	static char bytes[16];
	struct ring r;
	int ends[2];

	traced_open(&r);
	if (pipe(ends) < 0)
		exit(5);
	bare_put(&r, IORING_OP_NOP, -1, NULL, 0, IOSQE_CQE_SKIP_SUCCESS);
	last(&r)->user_data = 1;
	bare_put(&r, IORING_OP_READ, 987, bytes, 4, 0);
	last(&r)->user_data = 2;
	bare_put(&r, IORING_OP_READ, ends[0], bytes, sizeof(bytes), 0);
	last(&r)->user_data = 3;
	traced_enter(&r, 3, 1);
	usleep(20000);
	if (write(ends[1], "bytes", 5) != 5)
		exit(6);
	traced_enter(&r, 0, 1);
	bare_put(&r, IORING_OP_POLL_ADD, ends[0], NULL, 0, 0);
	last(&r)->op_flags = POLLIN;
	last(&r)->user_data = 4;
	traced_enter(&r, 1, 0);
}

static void forks(void)
{
	pid_t child = fork();

	nops(child ? ENTRIES : 2 * ENTRIES);
	if (child)
		waitpid(child, NULL, 0);
}

/* What the program can see of being watched. */
static void look(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int first = dup(0), mapped = 0;
	char line[512];
	struct ring r;

	traced_open(&r);
	close(first);
	while (maps && fgets(line, sizeof(line), maps))
		mapped += strstr(line, "polyring-trace") != NULL;
	printf("ring %d next %d mapped %d\n", r.fd - first, dup(0) - first,
	       mapped);
}

int main(int argc, char **argv)
{
	char byte;

	if (argc == 3 && !strcmp(argv[1], "nops"))
		nops(atoi(argv[2]));
	else if (argc == 2 && !strcmp(argv[1], "mixed"))
		mixed();
	else if (argc == 2 && !strcmp(argv[1], "fork"))
		forks();
	else if (argc == 2 && !strcmp(argv[1], "look"))
		look();
	else if (argc == 2 && !strcmp(argv[1], "wait"))
		/* Rings for as long as standard input sends bytes. */
		while (read(0, &byte, 1) == 1) {
			nops(4096 * ENTRIES);
			if (write(1, &byte, 1) != 1)
				return 1;
		}
	else
		return 2;
	return 0;
}
