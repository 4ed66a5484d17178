/* SPDX-License-Identifier: MIT */
/*
 * io_uring_enter: submitting, waiting, how a wait ends, and a full completion
 * queue.
 */
#include "runner/scenario.h"

#include <pthread.h>
#include <sys/time.h>
#include <time.h>

static const struct io_timespec soon = {.tv_nsec = 20 * 1000 * 1000};

static void queue(struct ring *r, unsigned int count)
{
	while (count--)
		sqe_nop(r);
	store_release(r->sq_tail, r->next);
}

/* ---- errors -------------------------------------------------------------- */

static void bad_file(struct ring *r)
{
	int ring = r->fd;

	r->fd = -1;
	enter(r, 0, 0, 0, NULL, 0);
	enter(r, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	reg(r, IORING_REGISTER_PROBE, NULL, 0);
	r->fd = file_with("");
	enter(r, 0, 0, 0, NULL, 0);
	enter(r, 0, 0, 0x80000000, NULL, 0);
	reg(r, IORING_REGISTER_PROBE, NULL, 0);
	r->fd = ring;
}

static void unknown_flags(struct ring *r)
{
	unsigned int bit;

	queue(r, 1);
	for (bit = 8; bit < 32; bit++)
		enter(r, 1, 0, 1u << bit, NULL, 0);
	note("sq head %u", *r->sq_head);
	enter(r, 1, 0, 0, NULL, 0);
	reap(r, 1);
}

static void submits_no_more_than_asked(struct ring *r)
{
	queue(r, 5);
	enter(r, 2, 0, 0, NULL, 0);
	note("sq head %u tail %u", *r->sq_head, *r->sq_tail);
	enter(r, 0, 0, 0, NULL, 0);
	enter(r, 100, 0, 0, NULL, 0);
	note("sq head %u tail %u", *r->sq_head, *r->sq_tail);
	enter(r, 100, 0, 0, NULL, 0);
	reap(r, 5);
}

static void more_than_the_queue_holds(struct ring *r)
{
	queue(r, 64);
	enter(r, UINT32_MAX, 64, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u", ring_ready(r));
	reap(r, 64);
}

static void waits_for_what_is_there(struct ring *r)
{
	queue(r, 3);
	enter(r, 3, 3, IORING_ENTER_GETEVENTS, NULL, 0);
	enter(r, 0, 2, IORING_ENTER_GETEVENTS, NULL, 0);
	/* A number larger than the CQ is cut to the CQ's size. */
	reap(r, 3);
}

static void min_complete_above_the_queue(struct ring *r)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		queue(r, 64);
		enter(r, 64, 0, 0, NULL, 0);
	}
	enter(r, 0, 100000, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u", ring_ready(r));
	while (ring_ready(r))
		ring_seen(r);
}

static void unknown_opcodes(struct ring *r)
{
	static const uint8_t ops[] = {70, 128, 255};
	size_t i;

	for (i = 0; i < array_size(ops); i++) {
		sqe_new(r, ops[i], -1, NULL, 0, 0);
		go(r);
	}
}

static void unknown_sqe_flags(struct ring *r)
{
	sqe_nop(r)->flags = 0x80;
	go(r);
	sqe_nop(r)->flags = 0xff;
	go(r);
	sqe_nop(r)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_nop(r)->personality = 1;
	go(r);
	sqe_nop(r)->ioprio = 1;
	go(r);
}

static void a_bad_sqe_ends_the_submission(struct ring *r)
{
	sqe_nop(r);
	sqe_new(r, 200, -1, NULL, 0, 0);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	reap(r, 2);
	submit(r);
	reap(r, 2);
}

static void submit_all(struct ring *r)
{
	ring_open(r, 8, IORING_SETUP_SUBMIT_ALL);
	sqe_nop(r);
	sqe_new(r, 200, -1, NULL, 0, 0);
	sqe_nop(r);
	sqe_nop(r)->flags = 0x80;
	sqe_nop(r);
	submit(r);
	reap(r, 5);
}

static void bad_array_index(struct ring *r)
{
	sqe_nop(r);
	sqe_nop(r);
	sqe_nop(r);
	r->sq_array[1] = 64;
	submit(r);
	quiet(r);
	note("sq head %u tail %u dropped %u", *r->sq_head, *r->sq_tail,
	     *r->sq_dropped);
	submit(r);
	quiet(r);
	note("sq head %u tail %u dropped %u", *r->sq_head, *r->sq_tail,
	     *r->sq_dropped);
}

static void array_in_any_order(struct ring *r)
{
	sqe_nop(r);
	sqe_nop(r);
	sqe_nop(r);
	r->sq_array[0] = 2;
	r->sq_array[1] = 2;
	r->sq_array[2] = 0;
	go(r);
}

static void the_tail_is_believed(struct ring *r)
{
	sqe_nop(r);
	store_release(r->sq_tail, r->next + 200);
	enter(r, 1, 0, 0, NULL, 0);
	note("sq head %u", *r->sq_head);
	reap(r, 1);
}

/* The engine keeps nothing of an SQE after its submission. */
static void sqes_may_be_reused_at_once(struct ring *r)
{
	struct iovec *iov = pages(4096);
	struct io_uring_sqe *sqe;
	char bytes[8] = "";
	int fd[2];

	pair(fd, PAIR_STREAM);
	iov->iov_base = bytes;
	iov->iov_len = 8;
	sqe = sqe_new(r, IORING_OP_READV, fd[0], iov, 1, 0);
	submit(r);
	memset(sqe, 0xff, sizeof(*sqe));
	munmap(iov, 4096);
	put(fd[1], "hello");
	reap(r, 1);
	note_bytes("bytes", bytes, 8);
}

/* ---- waiting ------------------------------------------------------------- */

static void sigmask_size(struct ring *r)
{
	uint64_t mask = 0;

	sqe_nop(r);
	submit(r);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, &mask, 8);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, &mask, 4);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, &mask, 128);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 4);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, nowhere(), 8);
	reap(r, 1);
	enter(r, 0, 0, 0, nowhere(), 8);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, nowhere(), 8);
}

static void ext_arg(struct ring *r)
{
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&soon};
	const uint32_t flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;

	enter(r, 0, 1, flags, &arg, sizeof(arg));
	enter(r, 0, 1, flags, &arg, sizeof(arg) - 1);
	enter(r, 0, 1, flags, &arg, sizeof(arg) + 8);
	enter(r, 0, 1, flags, NULL, sizeof(arg));
	enter(r, 0, 1, flags, nowhere(), sizeof(arg));
	arg.ts = (uintptr_t)nowhere();
	enter(r, 0, 1, flags, &arg, sizeof(arg));
	arg.ts = (uintptr_t)&soon;
	arg.sigmask = (uintptr_t)nowhere();
	arg.sigmask_sz = 8;
	enter(r, 0, 1, flags, &arg, sizeof(arg));
	arg.sigmask_sz = 5;
	enter(r, 0, 1, flags, &arg, sizeof(arg));
	sqe_nop(r);
	arg.sigmask = 0;
	submit(r);
	enter(r, 0, 1, flags, &arg, sizeof(arg));
	reap(r, 1);
}

static void ext_arg_without_getevents(struct ring *r)
{
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&soon};

	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, IORING_ENTER_EXT_ARG, &arg, sizeof(arg));
	enter(r, 0, 0, IORING_ENTER_EXT_ARG, &arg, 3);
	reap(r, 1);
}

static void timeouts_of_waiting(struct ring *r)
{
	static const struct io_timespec times[] = {
		{0, 0},	 {0, 1},	  {0, 20000000},   {-1, 0},
		{0, -1}, {0, 1000000000}, {-1, 999999999},
	};
	struct io_uring_getevents_arg arg = {.ts = 0};
	size_t i;

	for (i = 0; i < array_size(times); i++) {
		arg.ts = (uintptr_t)&times[i];
		enter(r, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
		      &arg, sizeof(arg));
	}
}

static void timeout_with_some_ready(struct ring *r)
{
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&soon};

	queue(r, 2);
	enter(r, 2, 5, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
	      sizeof(arg));
	enter(r, 0, 5, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
	      sizeof(arg));
	reap(r, 2);
}

static void absolute_timeout(struct ring *r)
{
	struct io_timespec past = {.tv_sec = 0};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&past};

	enter(r, 0, 1,
	      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
		      IORING_ENTER_ABS_TIMER,
	      &arg, sizeof(arg));
}

static void min_wait(struct ring *r)
{
	struct io_uring_getevents_arg arg = {.min_wait_usec = 20000,
					     .ts = (uintptr_t)&soon};
	const uint32_t flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;

	/* One completion is there: after the minimum wait that is enough. */
	queue(r, 1);
	enter(r, 1, 5, flags, &arg, sizeof(arg));
	reap(r, 1);
	/* No completion is there: the timeout ends the wait. */
	enter(r, 0, 5, flags, &arg, sizeof(arg));
	arg.ts = 0;
	queue(r, 1);
	enter(r, 1, 5, flags, &arg, sizeof(arg));
	reap(r, 1);
}

#define LOOK (IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG)

/* One wait with no time, for @want; then writes all completions. */
static void look_once(struct ring *r, uint32_t submit, uint32_t want,
		      uint32_t flags, int64_t ns)
{
	struct io_timespec ts = {.tv_nsec = ns};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&ts};

	store_release(r->sq_tail, r->next);
	enter(r, submit, want, LOOK | flags, &arg, sizeof(arg));
	note("found %u", ring_ready(r));
	reap_sorted(r, ring_ready(r));
}

/* Completions that are ready are found at once, however short the time is. */
static void a_wait_that_may_not_wait(struct ring *r)
{
	char byte[2];
	int fd[2], i;

	pair(fd, PAIR_PIPE);
	for (i = 0; i < 6; i++) {
		sqe_new(r, IORING_OP_READ, fd[0], byte, 1, (uint64_t)-1);
		submit(r);
		look_once(r, 0, 1, 0, 0);
		put(fd[1], "x");
		look_once(r, 0, 1 + (uint32_t)i / 4,
			  i % 3 == 2 ? IORING_ENTER_ABS_TIMER : 0, i % 2);
	}
	/* The same with an SQE to submit. */
	sqe_new(r, IORING_OP_READ, fd[0], byte, 1, (uint64_t)-1);
	submit(r);
	put(fd[1], "xy");
	sqe_new(r, IORING_OP_READ, fd[0], byte + 1, 1, (uint64_t)-1);
	look_once(r, 1, 2, 0, 0);
	sqe_new(r, IORING_OP_READ, fd[0], byte, 1, (uint64_t)-1);
	look_once(r, 1, 1, 0, 0);
	put(fd[1], "z");
	look_once(r, 0, 0, 0, 0);
}

/* Also when there are many. */
static void many_are_found_without_waiting(struct ring *r)
{
	static char bytes[200];
	int fd[200][2];
	uint32_t i;

	ring_open(r, 256, mode_flags());
	for (i = 0; i < array_size(fd); i++) {
		pair(fd[i], PAIR_PIPE);
		sqe_new(r, IORING_OP_READ, fd[i][0], &bytes[i], 1,
			(uint64_t)-1);
	}
	submit(r);
	for (i = 0; i < array_size(fd); i++)
		put(fd[i][1], "x");
	look_once(r, 0, array_size(fd), 0, 0);
}

static void a_due_timeout_is_found_without_waiting(struct ring *r)
{
	static const struct io_timespec moment = {.tv_nsec = 1000};

	sqe_timeout(r, &moment, 0, 0);
	submit(r);
	pause_ms(5);
	look_once(r, 0, 1, 0, 0);
}

static void note_waited(struct ring *r, uint32_t want, uint32_t min_ms,
			int64_t ts_ms)
{
	struct io_timespec ts = {.tv_nsec = ts_ms * 1000000};
	struct io_uring_getevents_arg arg = {
		.min_wait_usec = min_ms * 1000,
		.ts = ts_ms ? (uintptr_t)&ts : 0,
	};
	struct timespec from, to;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &from);
	enter(r, 0, want, LOOK, &arg, sizeof(arg));
	clock_gettime(CLOCK_MONOTONIC, &to);
	ms = (to.tv_sec - from.tv_sec) * 1000 +
	     (to.tv_nsec - from.tv_nsec) / 1000000;
	note("%s, %u there", ms < 150 ? "at once" : "waited", ring_ready(r));
}

/*
 * The minimum wait applies although the time is shorter, and then the wait
 * ends.
 */
static void min_wait_and_time(struct ring *r)
{
	char byte;
	int fd[2];

	pair(fd, PAIR_PIPE);
	note_waited(r, 2, 200, 1);
	note_waited(r, 2, 200, 0);
	queue(r, 1);
	submit(r);
	note_waited(r, 2, 200, 1);
	note_waited(r, 1, 900, 1);
	sqe_new(r, IORING_OP_READ, fd[0], &byte, 1, (uint64_t)-1);
	submit(r);
	put(fd[1], "x");
	note_waited(r, 2, 900, 900);
	reap(r, 2);
}

/* One call of a ring with DEFER_TASKRUN runs so many requests, and no more. */
static void deferred_work_has_a_pace(struct ring *r)
{
	static char bytes[60];
	int fd[60][2];
	uint32_t i;

	ring_open(r, 64, mode_flags());
	for (i = 0; i < array_size(fd); i++) {
		pair(fd[i], PAIR_STREAM);
		sqe_new(r, IORING_OP_RECV, fd[i][0], &bytes[i], 1, 0);
	}
	submit(r);
	for (i = 0; i < array_size(fd); i++)
		put(fd[i][1], "x");
	look_once(r, 0, 1, 0, 0);
	look_once(r, 0, 30, 0, 0);
	look_once(r, 0, 0, 0, 0);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals = 1;
}

static void signals_every_20_ms(void)
{
	const struct itimerval often = {{0, 20000}, {0, 20000}};
	struct sigaction action = {.sa_handler = count_signal};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void interrupted(struct ring *r)
{
	signals_every_20_ms();
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	note("handled %d", (int)signals);
	queue(r, 1);
	enter(r, 1, 5, IORING_ENTER_GETEVENTS, NULL, 0);
	enter(r, 0, 5, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 1);
}

static void interrupted_although_restartable(struct ring *r)
{
	struct sigaction action = {.sa_handler = count_signal,
				   .sa_flags = SA_RESTART};

	signals_every_20_ms();
	sigaction(SIGALRM, &action, NULL);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	note("handled %d", (int)signals);
}

/* The signal is blocked before the call, and unblocked while it waits. */
static void sigmask_while_waiting(struct ring *r)
{
	sigset_t alarm;
	sigset_t none;

	sigemptyset(&none);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	signals_every_20_ms();
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, &none, 8);
	note("handled %d", (int)signals);
	sigprocmask(SIG_SETMASK, NULL, &none);
	note("blocked again %d", sigismember(&none, SIGALRM));
}

static void wakes_when_data_comes(struct ring *r)
{
	struct io_timespec later = {.tv_nsec = 30 * 1000 * 1000};
	char byte;
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], &byte, 1, UINT64_MAX);
	sqe_timeout(r, &later, 0, IORING_TIMEOUT_ETIME_SUCCESS)->flags =
		IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_WRITE, fd[1], "x", 1, UINT64_MAX);
	submit(r);
	enter(r, 0, 3, IORING_ENTER_GETEVENTS, NULL, 0);
	reap_sorted(r, 3);
}

static void peeking_is_enough(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	submit(r);
	put(fd[1], "x");
	peek(r, 1);
}

/* ---- overflow ------------------------------------------------------------ */

static void overfill(struct ring *r)
{
	unsigned int i;

	ring_open(r, 4, 0);
	for (i = 0; i < 6; i++) {
		queue(r, 4);
		enter(r, 4, 0, 0, NULL, 0);
	}
	note("ready %u overflow %u flags 0x%x", ring_ready(r), *r->cq_overflow,
	     *r->sq_flags);
}

static void overflow_is_kept(struct ring *r)
{
	overfill(r);
	reap(r, 24);
	quiet(r);
	note("overflow %u flags 0x%x", *r->cq_overflow, *r->sq_flags);
}

static void overflow_is_flushed_by_entering(struct ring *r)
{
	overfill(r);
	while (ring_ready(r))
		ring_seen(r);
	note("flags 0x%x", *r->sq_flags);
	enter(r, 0, 0, 0, NULL, 0);
	note("ready %u", ring_ready(r));
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u flags 0x%x", ring_ready(r), *r->sq_flags);
	ring_seen(r);
	ring_seen(r);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u flags 0x%x", ring_ready(r), *r->sq_flags);
	while (ring_ready(r))
		ring_seen(r);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u flags 0x%x", ring_ready(r), *r->sq_flags);
	while (ring_ready(r))
		ring_seen(r);
}

static void overflow_and_more_submitted(struct ring *r)
{
	overfill(r);
	sqe_nop(r);
	submit(r);
	ring_seen(r);
	ring_seen(r);
	sqe_nop(r);
	submit(r);
	reap(r, 24);
}

static void overflow_of_a_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	ring_open(r, 2, 0);
	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, 1, 16, 1, 0, 16);
	put(fd[1], "abcdefghij");
	sqe_recv_multi(r, fd[0], 1);
	submit(r);
	while (ring_ready(r) < 4)
		side->enter(r->fd, 0, 4, IORING_ENTER_GETEVENTS, NULL, 0);
	note("ready %u", ring_ready(r));
	reap(r, 4);
	quiet(r);
	quiet(r);
	quiet(r);
}

static void overflow_of_cqe32(struct ring *r)
{
	unsigned int i;

	ring_open(r, 4, IORING_SETUP_CQE32);
	for (i = 0; i < 4; i++) {
		queue(r, 4);
		enter(r, 4, 0, 0, NULL, 0);
	}
	reap(r, 16);
}

static void overflow_then_closed(struct ring *r)
{
	overfill(r);
	ring_close(r);
}

/* ---- threads ------------------------------------------------------------- */

static void *enter_elsewhere(void *context)
{
	struct ring *r = context;

	enter(r, 1, 0, 0, NULL, 0);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	return NULL;
}

static void other_thread_enters(struct ring *r)
{
	pthread_t thread;

	sqe_nop(r);
	go(r);
	queue(r, 1);
	if (pthread_create(&thread, NULL, enter_elsewhere, r))
		give_up("no thread");
	pthread_join(thread, NULL);
	note("sq head %u", *r->sq_head);
	while (ring_ready(r))
		ring_seen(r);
}

static void single_issuer_other_thread(struct ring *r)
{
	pthread_t thread;

	ring_open(r, 8, IORING_SETUP_SINGLE_ISSUER);
	queue(r, 1);
	if (pthread_create(&thread, NULL, enter_elsewhere, r))
		give_up("no thread");
	pthread_join(thread, NULL);
	note("sq head %u", *r->sq_head);
}

static void *register_elsewhere(void *context)
{
	bufs_register(context, 0, 8, 5, IOU_PBUF_RING_MMAP);
	return NULL;
}

static void other_thread_registers(struct ring *r)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, register_elsewhere, r))
		give_up("no thread");
	pthread_join(thread, NULL);
}

static void disabled(struct ring *r)
{
	ring_open(r, 8, IORING_SETUP_R_DISABLED);
	queue(r, 2);
	enter(r, 1, 0, 0, NULL, 0);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	bufs_register(r, 0, 8, 5, IOU_PBUF_RING_MMAP);
	reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	enter(r, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0);
	reap(r, 2);
}

static void sqpoll_wakes_up(struct ring *r)
{
	sqe_nop(r);
	go(r);
	while (!(load_acquire(r->sq_flags) & IORING_SQ_NEED_WAKEUP))
		pause_ms(5);
	note("asleep");
	sqe_nop(r);
	go(r);
	enter(r, 0, 0, IORING_ENTER_SQ_WAIT, NULL, 0);
	enter(r, 7, 0, 0, NULL, 0);
}

/*
 * A tail that is far from the head does not count as a full queue, so no call
 * waits for it. The entries' indices are out of range, so that all of them are
 * dropped.
 */
static void sqpoll_room_in_a_scribbled_queue(struct ring *r)
{
	if (!r->sq_array)
		return;
	for (uint32_t i = 0; i < r->params.sq_entries; i++)
		r->sq_array[i] = ~0u;
	store_release(r->sq_tail, load_relaxed(r->sq_tail) + 0x40000000);
	enter(r, 5, 0, IORING_ENTER_SQ_WAIT, NULL, 0);
	enter(r, 0, 0, IORING_ENTER_SQ_WAIT, NULL, 0);
	store_release(r->sq_tail, load_acquire(r->sq_head));
}

static void taskrun_flag(struct ring *r)
{
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	submit(r);
	put(fd[1], "x");
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	note("flags 0x%x", *r->sq_flags);
	reap(r, 1);
}

static void closed_with_requests_in_flight(struct ring *r)
{
	struct io_timespec hour = {.tv_sec = 3600};
	static char bytes[8];
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	for (i = 0; i < 20; i++) {
		sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
		sqe_poll(r, fd[0], POLLIN);
		sqe_timeout(r, &hour, 0, 0);
	}
	submit(r);
	ring_close(r);
	close(fd[0]);
	get(fd[1], 1);
}

/* Each flag together with each other, with a completion in the queue. */
static void flags_in_pairs(struct ring *r)
{
	const int known = 8;
	struct io_uring_getevents_arg arg = {.sigmask_sz = 8};

	sqe_nop(r);
	submit(r);
	for (int a = 0; a < 32; a++)
		for (int b = a; b < known || b == a; b++) {
			uint32_t flags = 1u << a | 1u << b;
			int plain, with;

			plain = side->enter(r->fd, 0, 1, flags, NULL, 0);
			with = side->enter(r->fd, 0, 1, flags, &arg,
					   sizeof(arg));
			if (plain || with)
				note("flags 0x%x: %d %d", flags, plain, with);
		}
	reap(r, 1);
}

/* The same with nothing to wait for. */
static void flags_without_waiting(struct ring *r)
{
	for (int a = 0; a < 32; a++) {
		uint32_t flags = IORING_ENTER_GETEVENTS | 1u << a;

		note("flags 0x%x: %d %d", flags,
		     side->enter(r->fd, 0, 0, flags, NULL, 0),
		     side->enter(r->fd, 0, 0, flags, NULL, 24));
	}
}

static const struct scenario rows[] = {
	SCENARIO(bad_file, NULL),
	SCENARIO(unknown_flags, NULL),
	SCENARIO(submits_no_more_than_asked, NULL),
	SCENARIO(more_than_the_queue_holds, NULL),
	SCENARIO(waits_for_what_is_there, NULL),
	SCENARIO(min_complete_above_the_queue, NULL),
	SCENARIO(unknown_opcodes, NULL, .modes = MODES_ALL),
	SCENARIO(unknown_sqe_flags, NULL),
	SCENARIO(a_bad_sqe_ends_the_submission, NULL),
	SCENARIO(submit_all, NULL, .bare = true),
	SCENARIO(bad_array_index, NULL),
	SCENARIO(array_in_any_order, NULL),
	SCENARIO(the_tail_is_believed, NULL),
	SCENARIO(sqes_may_be_reused_at_once, NULL, .modes = MODES_ALL),
	SCENARIO(sigmask_size, NULL),
	SCENARIO(ext_arg, NULL),
	SCENARIO(ext_arg_without_getevents, NULL),
	SCENARIO(timeouts_of_waiting, NULL),
	SCENARIO(timeout_with_some_ready, NULL),
	SCENARIO(absolute_timeout, NULL),
	SCENARIO(min_wait, NULL),
	SCENARIO(a_wait_that_may_not_wait, NULL,
		 .modes = MODES_BOTH | MODE_COOP),
	SCENARIO(many_are_found_without_waiting, NULL, .bare = true,
		 .modes = MODES_BOTH),
	SCENARIO(a_due_timeout_is_found_without_waiting, NULL),
	SCENARIO(min_wait_and_time, NULL),
	SCENARIO(deferred_work_has_a_pace, NULL, .bare = true,
		 .modes = MODE_DEFER),
	SCENARIO(interrupted, NULL),
	SCENARIO(interrupted_although_restartable, NULL),
	SCENARIO(sigmask_while_waiting, NULL),
	SCENARIO(wakes_when_data_comes, NULL, .modes = MODES_ALL),
	SCENARIO(peeking_is_enough, NULL, .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(overflow_is_kept, NULL, .bare = true),
	SCENARIO(overflow_is_flushed_by_entering, NULL, .bare = true),
	SCENARIO(overflow_and_more_submitted, NULL, .bare = true),
	SCENARIO(overflow_of_a_multishot, "S12", .bare = true),
	SCENARIO(overflow_of_cqe32, NULL, .bare = true),
	SCENARIO(overflow_then_closed, NULL, .bare = true),
	SCENARIO(other_thread_enters, NULL),
	SCENARIO(single_issuer_other_thread, NULL, .bare = true),
	SCENARIO(other_thread_registers, NULL),
	SCENARIO(disabled, NULL, .bare = true),
	SCENARIO(sqpoll_wakes_up, NULL, .modes = MODE_SQPOLL),
	SCENARIO(sqpoll_room_in_a_scribbled_queue, NULL, .modes = MODE_SQPOLL),
	SCENARIO(taskrun_flag, NULL, .modes = MODE_COOP | MODE_DEFER),
	SCENARIO(closed_with_requests_in_flight, NULL, .modes = MODES_ALL),
	SCENARIO(flags_in_pairs, NULL, .modes = MODES_ALL),
	SCENARIO(flags_without_waiting, NULL, .modes = MODES_ALL),
};

FAMILY(enter, rows);
