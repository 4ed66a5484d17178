/* SPDX-License-Identifier: MIT */
/*
 * A ring that several processes have: forked with it, each submits, waits and
 * ends as it likes.
 */
#include "runner/scenario.h"

#include <sys/eventfd.h>
#include <sys/wait.h>

#define LINE 64
#define ALONE_S 60

/* What processes tell each other, and data that both see. */
static struct board {
	char bytes[4][LINE];
	volatile uint32_t step;
} * board;

static void board_open(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		give_up("no memory");
}

static void step_wait(uint32_t step)
{
	while (load_acquire(&board->step) < step)
		pause_ms(1);
}

static void step_done(uint32_t step)
{
	store_release(&board->step, step);
}

/* What others have submitted since is behind us. */
static void catch_up(struct ring *r)
{
	uint32_t tail = load_acquire(r->sq_tail);

	r->next_user_data += tail - r->next;
	r->next = tail;
}

static pid_t begin(struct ring *r, void (*play)(struct ring *r))
{
	pid_t child = fork();

	if (child)
		return child;
	/* The runner kills only the first process. */
	alarm(ALONE_S);
	play(r);
	_exit(0);
}

static void await(struct ring *r, pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		note("ended by signal %d", WTERMSIG(status));
	if (r->sq_tail)
		catch_up(r);
}

/* One after the other, so that what they note has an order. */
static void in_child(struct ring *r, void (*play)(struct ring *r))
{
	await(r, begin(r, play));
}

/* ---- submission ------------------------------------------------------------
 */

static void nops(struct ring *r)
{
	sqe_nop(r);
	sqe_nop(r);
	go(r);
}

static void child_submits(struct ring *r)
{
	in_child(r, nops);
	nops(r);
	in_child(r, nops);
}

static void two_nops(struct ring *r)
{
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
}

static void child_submits_and_parent_reaps(struct ring *r)
{
	in_child(r, two_nops);
	reap(r, 2);
}

static void reap_two(struct ring *r)
{
	reap(r, 2);
}

static void parent_submits_and_child_reaps(struct ring *r)
{
	two_nops(r);
	in_child(r, reap_two);
	quiet(r);
}

/* Entries that one wrote and another submits. */
static void submit_two(struct ring *r)
{
	submit(r);
	reap(r, 2);
}

static void child_submits_what_parent_wrote(struct ring *r)
{
	sqe_nop(r);
	sqe_nop(r);
	in_child(r, submit_two);
	nops(r);
}

static void grandchild(struct ring *r)
{
	in_child(r, nops);
	nops(r);
}

static void grandchild_submits(struct ring *r)
{
	in_child(r, grandchild);
	nops(r);
}

static void read_own_file(struct ring *r)
{
	sqe_new(r, IORING_OP_READ, file_with("abcd"), board->bytes[0], 4, 0);
	submit(r);
	if (mode == MODE_SQPOLL)
		pause_ms(100);
}

/* A file that only the child has. */
static void child_reads_its_own_file(struct ring *r)
{
	board_open();
	in_child(r, read_own_file);
	reap(r, 1);
	note_bytes("bytes", board->bytes[0], 4);
}

static void work_of_all_kinds(struct ring *r)
{
	struct io_timespec soon = {.tv_nsec = 10000000};
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_SEND, fd[0], "abcd", 4, 0);
	sqe_new(r, IORING_OP_RECV, fd[1], board->bytes[0], LINE, 0);
	go(r);
	note_bytes("bytes", board->bytes[0], 4);
	sqe_new(r, IORING_OP_RECV, fd[1], board->bytes[1], LINE, 0);
	submit(r);
	put(fd[0], "efgh");
	reap(r, 1);
	note_bytes("bytes", board->bytes[1], 4);
	sqe_timeout(r, &soon, 0, 0);
	go(r);
	sqe_nop(r)->flags = IOSQE_ASYNC;
	go(r);
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	sqe_nop(r)->flags = IOSQE_IO_DRAIN;
	go(r);
	sqe_nop(r)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_RECV, fd[1], board->bytes[1], LINE, 0);
	submit(r);
	sqe_cancel(r, r->next_user_data - 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

static void child_works(struct ring *r)
{
	board_open();
	in_child(r, work_of_all_kinds);
	work_of_all_kinds(r);
}

/* ---- waiting ---------------------------------------------------------------
 */

/* Without a word in between. */
static void submit_later(struct ring *r)
{
	pause_ms(50);
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	side->enter(r->fd, 1, 0,
		    mode == MODE_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0, NULL, 0);
}

static void wait_for_one(struct ring *r)
{
	step_done(1);
	reap(r, 1);
}

/* Asleep in enter it is woken by what another posts. */
static void child_waits_for_the_parents(struct ring *r)
{
	pid_t child;

	board_open();
	child = begin(r, wait_for_one);
	step_wait(1);
	submit_later(r);
	await(r, child);
}

static void parent_waits_for_the_childs(struct ring *r)
{
	pid_t child = begin(r, submit_later);

	reap(r, 1);
	await(r, child);
}

/* Nobody of the process that has the request is in enter. */
static void child_waits_for_a_read_of_the_parents(struct ring *r)
{
	pid_t child;
	int fd[2];

	board_open();
	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], board->bytes[0], 4, 0);
	submit(r);
	child = begin(r, wait_for_one);
	step_wait(1);
	pause_ms(50);
	put(fd[1], "abcd");
	await(r, child);
	note_bytes("bytes", board->bytes[0], 4);
}

static int pipe_of_both[2];

static void read_and_linger(struct ring *r)
{
	sqe_new(r, IORING_OP_READ, pipe_of_both[0], board->bytes[0], 4, 0);
	submit(r);
	step_done(1);
	step_wait(2);
}

static void parent_waits_for_a_read_of_the_childs(struct ring *r)
{
	pid_t child;

	board_open();
	pair(pipe_of_both, PAIR_PIPE);
	child = begin(r, read_and_linger);
	step_wait(1);
	put(pipe_of_both[1], "abcd");
	reap(r, 1);
	note_bytes("bytes", board->bytes[0], 4);
	step_done(2);
	await(r, child);
}

static void wait_in_vain(struct ring *r)
{
	struct io_timespec soon = {.tv_nsec = 20000000};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&soon};

	enter(r, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
	      sizeof(arg));
}

static void child_waits_in_vain(struct ring *r)
{
	in_child(r, wait_in_vain);
	wait_in_vain(r);
}

/* ---- ends ------------------------------------------------------------------
 */

static void end_by_signal(struct ring *r)
{
	(void)r;
	kill(getpid(), SIGKILL);
}

static void end_with_a_read(struct ring *r)
{
	sqe_new(r, IORING_OP_READ, pipe_of_both[0], board->bytes[0], 4, 0);
	submit(r);
}

static void killed_with_a_read(struct ring *r)
{
	end_with_a_read(r);
	end_by_signal(r);
}

static void killed_with_many(struct ring *r)
{
	for (int i = 0; i < 3; i++)
		sqe_poll(r, pipe_of_both[0], POLLIN);
	end_with_a_read(r);
	end_by_signal(r);
}

/* Another program has neither the requests nor the ring. */
static void execs_with_a_read(struct ring *r)
{
	end_with_a_read(r);
	execl("/bin/true", "true", (char *)NULL);
}

static void after(struct ring *r, void (*play)(struct ring *r),
		  unsigned int count)
{
	board_open();
	pair(pipe_of_both, PAIR_PIPE);
	in_child(r, play);
	put(pipe_of_both[1], "abcd");
	reap_sorted(r, count);
	nops(r);
	get(pipe_of_both[0], 4);
}

static void child_ends_with_a_read(struct ring *r)
{
	after(r, end_with_a_read, 1);
}

static void child_is_killed_with_a_read(struct ring *r)
{
	after(r, killed_with_a_read, 1);
}

static void child_is_killed_with_many(struct ring *r)
{
	after(r, killed_with_many, 4);
}

static void child_execs_with_a_read(struct ring *r)
{
	after(r, execs_with_a_read, 1);
}

static void close_ring(struct ring *r)
{
	note_result("close", close(r->fd));
}

static void child_closes(struct ring *r)
{
	in_child(r, close_ring);
	nops(r);
}

static void use_and_close(struct ring *r)
{
	nops(r);
	close_ring(r);
}

static void child_uses_and_closes(struct ring *r)
{
	in_child(r, use_and_close);
	nops(r);
}

static void use_alone(struct ring *r)
{
	step_wait(1);
	nops(r);
	sqe_new(r, IORING_OP_READ, file_with("abcd"), board->bytes[0], 4, 0);
	go(r);
	note_bytes("bytes", board->bytes[0], 4);
	step_done(2);
}

static void make_fork_and_end(struct ring *r)
{
	ring_open(r, 8, 0);
	nops(r);
	begin(r, use_alone);
}

/* As a daemon does that goes into the background. */
static void the_maker_ends(struct ring *r)
{
	board_open();
	in_child(r, make_fork_and_end);
	step_done(1);
	step_wait(2);
}

/* The thread that takes the entries has ended with the process of it. */
static void enter_without_its_poller(struct ring *r)
{
	step_wait(1);
	enter(r, 0, 0, 0, NULL, 0);
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 0, 0, NULL, 0);
	enter(r, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	enter(r, 0, 0, 1u << 30, NULL, 0);
	step_done(2);
}

static void make_poller_fork_and_end(struct ring *r)
{
	ring_open(r, 8, IORING_SETUP_SQPOLL);
	nops(r);
	begin(r, enter_without_its_poller);
}

static void the_maker_of_a_poller_ends(struct ring *r)
{
	board_open();
	in_child(r, make_poller_fork_and_end);
	step_done(1);
	step_wait(2);
}

/* ---- what was registered before --------------------------------------------
 */

static void read_registered(struct ring *r)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_READ_FIXED, 0, board->bytes[1], 4, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	go(r);
	note_bytes("bytes", board->bytes[1], 4);
}

static void child_uses_what_is_registered(struct ring *r)
{
	struct iovec whole;
	int fd = file_with("abcd");

	board_open();
	whole = (struct iovec){board, sizeof(*board)};
	reg(r, IORING_REGISTER_FILES, &fd, 1);
	reg(r, IORING_REGISTER_BUFFERS, &whole, 1);
	close(fd);
	in_child(r, read_registered);
	read_registered(r);
}

static void child_posts_to_the_eventfd(struct ring *r)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;

	reg(r, IORING_REGISTER_EVENTFD, &fd, 1);
	in_child(r, two_nops);
	note_result("read", read(fd, &count, sizeof(count)));
	note("told: %d", count > 0);
	reap(r, 2);
}

static void parent_polls_the_ring(struct ring *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	pid_t child;

	child = begin(r, submit_later);
	note_result("poll", poll(&p, 1, 10000));
	note("events %x", (unsigned int)p.revents);
	await(r, child);
	reap(r, 1);
}

static void register_own(struct ring *r)
{
	int fd = file_with("abcd");

	reg(r, IORING_REGISTER_FILES, &fd, 1);
}

/* Each process has what was registered before it was forked, and its own. */
static void child_registers(struct ring *r)
{
	board_open();
	in_child(r, register_own);
	sqe_new(r, IORING_OP_READ, 0, board->bytes[0], 4, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
}

/* ---- cancelling ------------------------------------------------------------
 */

static void parent_cancels_the_childs(struct ring *r)
{
	pid_t child;

	board_open();
	pair(pipe_of_both, PAIR_PIPE);
	child = begin(r, read_and_linger);
	step_wait(1);
	catch_up(r);
	sqe_cancel(r, r->next_user_data - 1, 0);
	submit(r);
	quiet(r);
	step_done(2);
	await(r, child);
}

/* ---- more than there is room for -------------------------------------------
 */

static void overfill(struct ring *r)
{
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 8; k++)
			sqe_nop(r);
		submit(r);
	}
}

static void child_overfills(struct ring *r)
{
	ring_open(r, 8, 0);
	in_child(r, overfill);
	note("ready %u", ring_ready(r));
	reap(r, 40);
	overfill(r);
	reap(r, 40);
}

/* ---- memory of the application's -------------------------------------------
 */

static void open_in_shared_memory(struct ring *r)
{
	struct io_uring_params p = {.flags = IORING_SETUP_NO_MMAP};
	unsigned char *memory = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	p.cq_off.user_addr = (uintptr_t)memory;
	p.sq_off.user_addr = (uintptr_t)memory + 4096;
	if (ring_try(r, 8, &p) < 0)
		give_up("setup: %d", r->fd);
	r->sq_memory = r->cq_memory = memory;
	r->sqe_memory = memory + 4096;
	ring_map(r);
}

static void memory_is_the_applications(struct ring *r)
{
	open_in_shared_memory(r);
	board_open();
	in_child(r, work_of_all_kinds);
	in_child(r, two_nops);
	reap(r, 2);
}

/* ---- several rings ---------------------------------------------------------
 */

static struct ring second;

static void message_second(struct ring *r)
{
	sqe_new(r, IORING_OP_MSG_RING, second.fd, NULL, 17, 99);
	go(r);
}

static void child_messages_another_ring(struct ring *r)
{
	ring_open(r, 8, 0);
	ring_open(&second, 8, 0);
	in_child(r, message_second);
	reap(&second, 1);
}

static void connect_late(struct ring *r)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	(void)r;
	getsockname(pipe_of_both[0], (struct sockaddr *)&address, &length);
	connect_to(&address, length);
}

static void accept_two(struct ring *r)
{
	struct io_uring_sqe *sqe = returns_fd(
		sqe_new(r, IORING_OP_ACCEPT, pipe_of_both[0], NULL, 0, 0));
	uint64_t accept = sqe->user_data;

	sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	submit(r);
	connect_late(r);
	reap(r, 1);
	connect_late(r);
	reap(r, 1);
	sqe_cancel(r, accept, 0);
	submit(r);
	reap_sorted(r, 2);
}

/* A server that forks first and accepts then. */
static void children_accept(struct ring *r)
{
	struct sockaddr_storage address;
	socklen_t length;

	pipe_of_both[0] = listener(&address, &length);
	in_child(r, accept_two);
	in_child(r, accept_two);
}

static const struct scenario scenarios[] = {
	SCENARIO(child_submits, NULL, .modes = MODES_ALL | MODE_COOP),
	SCENARIO(child_submits_and_parent_reaps, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL | MODE_COOP),
	SCENARIO(parent_submits_and_child_reaps, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL | MODE_COOP),
	SCENARIO(child_submits_what_parent_wrote, NULL,
		 .modes = MODE_DEFAULT | MODE_COOP),
	SCENARIO(grandchild_submits, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_reads_its_own_file, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(child_works, NULL, .modes = MODE_DEFAULT | MODE_COOP),
	SCENARIO(child_waits_for_the_parents, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL | MODE_COOP),
	SCENARIO(parent_waits_for_the_childs, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL | MODE_COOP),
	SCENARIO(child_waits_for_a_read_of_the_parents, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(parent_waits_for_a_read_of_the_childs, NULL,
		 .modes = MODE_DEFAULT),
	SCENARIO(child_waits_in_vain, NULL, .modes = MODES_ALL | MODE_COOP),
	SCENARIO(child_ends_with_a_read, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_is_killed_with_a_read, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_is_killed_with_many, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_execs_with_a_read, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_closes, NULL, .modes = MODES_ALL),
	SCENARIO(child_uses_and_closes, NULL, .modes = MODE_DEFAULT),
	SCENARIO(the_maker_ends, NULL, .bare = true),
	SCENARIO(the_maker_of_a_poller_ends, NULL, .bare = true),
	SCENARIO(child_uses_what_is_registered, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_registers, NULL, .modes = MODE_DEFAULT,
		 .deviates = "forked"),
	SCENARIO(parent_cancels_the_childs, NULL, .modes = MODE_DEFAULT,
		 .deviates = "forked"),
	SCENARIO(child_posts_to_the_eventfd, NULL, .modes = MODE_DEFAULT),
	SCENARIO(parent_polls_the_ring, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_overfills, NULL, .bare = true),
	SCENARIO(memory_is_the_applications, NULL, .bare = true),
	SCENARIO(child_messages_another_ring, NULL, .bare = true),
	SCENARIO(children_accept, NULL, .modes = MODE_DEFAULT),
};
FAMILY(shared, scenarios);
