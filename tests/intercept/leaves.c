// SPDX-License-Identifier: MIT
/*
 * Threads that leave a call and never return to it: by siglongjmp() out of a
 * handler, by pthread_exit() in one, or because they are cancelled. The ring
 * works afterwards, and ends when it is closed. The same checks pass on the
 * kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "bare_ring.h"

#define ROUNDS 100
#define BOUND_MS 20000

static void ring_open(struct ring *r, unsigned int flags)
{
	REQUIRE(bare_open(r, flags));
}

static void ring_close(struct ring *r)
{
	munmap(r->memory,
	       r->p.cq_off.cqes +
		       r->p.cq_entries * sizeof(struct io_uring_cqe));
	munmap(r->sqes, r->p.sq_entries * sizeof(*r->sqes));
	close(r->fd);
}

static void put(struct ring *r, int opcode, int fd, void *addr,
		unsigned int len)
{
	bare_put(r, opcode, fd, addr, len, 0);
}

static unsigned int ready(struct ring *r)
{
	return __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) -
	       *word(r, r->p.cq_off.head);
}

static void take_all(struct ring *r)
{
	__atomic_store_n(word(r, r->p.cq_off.head), *word(r, r->p.cq_off.tail),
			 __ATOMIC_RELEASE);
}

/* Wait for one completion, with a bound. Returns whether it came. */
static int comes(struct ring *r)
{
	for (int i = 0; i < BOUND_MS && !ready(r); i++) {
		inline_enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS);
		if (!ready(r))
			usleep(1000);
	}
	return ready(r) > 0;
}

static int works(struct ring *r)
{
	int came;

	take_all(r);
	put(r, IORING_OP_NOP, -1, NULL, 0);
	if (inline_enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS) != 1)
		return 0;
	came = ready(r) == 1;
	take_all(r);
	return came;
}

static sigjmp_buf leave_to;

static void jump(int signo)
{
	(void)signo;
	siglongjmp(leave_to, 1);
}

static void in_ms(timer_t timer, long ms)
{
	struct itimerspec when = {.it_value = {ms / 1000, ms % 1000 * 1000000}};

	if (!ms)
		when.it_value.tv_nsec = 300000;
	timer_settime(timer, 0, &when, NULL);
}

static timer_t timer_of(void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGUSR1};
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	return timer;
}

/* Overwrite the part of the stack that was left, as the next calls would. */
static void scribble(int depth)
{
	volatile char bytes[4000];

	memset((char *)bytes, 0x41, sizeof(bytes));
	if (depth)
		scribble(depth - 1);
}

/* The call is left, then made again from a deeper stack frame. */
static int works_deep(struct ring *r, int depth)
{
	volatile char bytes[2000];

	bytes[0] = 1;
	return depth ? works_deep(r, depth - 1) && bytes[0] : works(r);
}

static void test_jump(unsigned int flags, const char *name)
{
	volatile int good = 0;
	int ends[2];
	struct ring r;
	timer_t timer = timer_of(jump, 0);
	char byte;

	ring_open(&r, flags);
	REQUIRE(!pipe(ends));
	put(&r, IORING_OP_READ, ends[0], &byte, 1);
	inline_enter(r.fd, 1, 0, 0);
	if (!sigsetjmp(leave_to, 1)) {
		in_ms(timer, 20);
		inline_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS);
		CHECK("not reached", 0);
	}
	scribble(flags ? 4 : 0);
	good = write(ends[1], "a", 1) == 1 && comes(&r);
	CHECK(name, good && works(&r) && works_deep(&r, 20));
	ring_close(&r);
	close(ends[0]);
	close(ends[1]);
	timer_delete(timer);
}

/* The signal and the data come at about the same time: neither is lost. */
static void test_jump_beside_data(void)
{
	timer_t timer = timer_of(jump, 0);
	static volatile int missing;
	int ends[2];
	struct ring r;
	static char byte;

	ring_open(&r, 0);
	REQUIRE(!pipe(ends));
	for (volatile int i = 0; i < ROUNDS; i++) {
		struct timespec nap = {.tv_nsec = 250000 + i * 1000};

		put(&r, IORING_OP_READ, ends[0], &byte, 1);
		inline_enter(r.fd, 1, 0, 0);
		if (!sigsetjmp(leave_to, 1)) {
			if (!fork()) {
				nanosleep(&nap, NULL);
				_exit(write(ends[1], "a", 1) != 1);
			}
			in_ms(timer, 0);
			inline_enter(r.fd, 0, 2, IORING_ENTER_GETEVENTS);
			for (;;)
				pause();
		}
		missing += !comes(&r);
		take_all(&r);
	}
	CHECK("a_jump_loses_no_event", !missing && works(&r));
	ring_close(&r);
	timer_delete(timer);
}

/*
 * Leave calls that don't sleep, at whatever instruction the signal interrupts
 * them.
 */
static void test_jump_out_of_calls(void)
{
	timer_t timer = timer_of(jump, 0);
	static volatile int good;
	struct ring r;

	ring_open(&r, 0);
	for (volatile int i = 0; i < 3 * ROUNDS; i++) {
		if (!sigsetjmp(leave_to, 1)) {
			in_ms(timer, 0);
			for (;;) {
				put(&r, IORING_OP_NOP, -1, NULL, 0);
				inline_enter(r.fd, 1, 1,
					     IORING_ENTER_GETEVENTS);
				take_all(&r);
			}
		}
		/* The signal may have come between the entry and the call. */
		inline_enter(r.fd, ENTRIES, 0, 0);
		good += works(&r);
	}
	CHECK("jump_out_of_calls", good == 3 * ROUNDS);
	ring_close(&r);
	timer_delete(timer);
}

static volatile int seen, wrong;

static void note(int signo, siginfo_t *info, void *context)
{
	wrong += signo != SIGRTMIN || info->si_code != SI_QUEUE || !context ||
		 info->si_pid != getpid() || info->si_value.sival_int != seen;
	seen++;
}

static void *send_many(void *to)
{
	for (int i = 0; i < 30 * ROUNDS; i++) {
		union sigval value = {.sival_int = i};

		while (pthread_sigqueue(*(pthread_t *)to, SIGRTMIN, value))
			usleep(100);
	}
	return NULL;
}

/* A signal that comes during a call has the siginfo that was sent. */
static void test_signals_during_calls(void)
{
	struct sigaction action = {.sa_sigaction = note,
				   .sa_flags = SA_SIGINFO};
	pthread_t self = pthread_self(), thread;
	struct ring r;

	sigaction(SIGRTMIN, &action, NULL);
	ring_open(&r, 0);
	pthread_create(&thread, NULL, send_many, &self);
	while (seen < 30 * ROUNDS)
		wrong += !works(&r);
	pthread_join(thread, NULL);
	CHECK("signals_during_calls_are_as_sent", !wrong);
	ring_close(&r);
}

static void once(int signo)
{
	(void)signo;
	seen++;
}

static void test_actions_are_as_given(void)
{
	struct sigaction action = {.sa_handler = once,
				   .sa_flags = (int)SA_RESETHAND},
			 now;

	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGUSR2, NULL, &now);
	CHECK("an_action_is_read_as_given",
	      now.sa_handler == once && now.sa_flags & (int)SA_RESETHAND &&
		      !(now.sa_flags & SA_SIGINFO));
	seen = 0;
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &now);
	CHECK("a_handler_for_once_runs_once",
	      seen == 1 && now.sa_handler == SIG_DFL);
	CHECK("signal_returns_what_was",
	      signal(SIGUSR2, once) == SIG_DFL &&
		      signal(SIGUSR2, SIG_IGN) == once &&
		      signal(SIGUSR2, SIG_DFL) == SIG_IGN);
	signal(SIGUSR2, once);
	sigaction(SIGUSR2, NULL, &now);
	CHECK("signal_sets_what_libc_sets",
	      now.sa_flags & SA_RESTART && sigismember(&now.sa_mask, SIGUSR2));
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void test_left_rings_end(void)
{
	timer_t timer = timer_of(jump, 0);
	static volatile int before;

	for (volatile int i = 0; i < 3 * ROUNDS; i++) {
		static struct ring r;

		if (i == ROUNDS)
			before = open_files();
		ring_open(&r, 0);
		if (!sigsetjmp(leave_to, 1)) {
			in_ms(timer, 1);
			inline_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS);
		}
		ring_close(&r);
	}
	CHECK("left_rings_end", open_files() < before + ROUNDS / 2);
	timer_delete(timer);
}

static struct ring *nested;
static volatile int nested_good;

static void call(int signo)
{
	(void)signo;
	nested_good += works(nested);
}

/* A handler may call what it interrupted, and the sleeper goes on. */
static void test_handler_calls(void)
{
	struct ring r, other;
	timer_t timer = timer_of(call, SA_RESTART);

	ring_open(&r, 0);
	ring_open(&other, 0);
	for (int i = 0; i < 2; i++) {
		nested = i ? &r : &other;
		nested_good = 0;
		in_ms(timer, 20);
		CHECK("the_signal_ends_the_wait",
		      inline_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS) ==
			      -EINTR);
		CHECK("the_handler_s_call_works", nested_good == 1);
		CHECK("the_ring_works_then", works(&r) && works(&other));
	}
	ring_close(&r);
	ring_close(&other);
	timer_delete(timer);
}

static void leave_thread(int signo)
{
	(void)signo;
	pthread_exit(NULL);
}

static void *sleep_in(void *ring)
{
	for (;;)
		inline_enter(((struct ring *)ring)->fd, 0, 8,
			     IORING_ENTER_GETEVENTS);
	return NULL;
}

static void *sleep_in_until_now(void *ring)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	return sleep_in(ring);
}

static void *call_until_now(void *ring)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		inline_enter(((struct ring *)ring)->fd, 0, 0,
			     IORING_ENTER_GETEVENTS);
	return NULL;
}

static void *call_until_asked(void *ring)
{
	for (;;) {
		inline_enter(((struct ring *)ring)->fd, 0, 0,
			     IORING_ENTER_GETEVENTS);
		pthread_testcancel();
	}
	return NULL;
}

static void test_thread_ends(void *(*body)(void *), int by_signal,
			     const char *name)
{
	struct sigaction action = {.sa_handler = leave_thread};
	int good = 0;
	struct ring r;

	sigaction(SIGUSR1, &action, NULL);
	ring_open(&r, 0);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread;

		REQUIRE(!pthread_create(&thread, NULL, body, &r));
		usleep((useconds_t)(i * 37 % 700));
		if (by_signal)
			pthread_kill(thread, SIGUSR1);
		else
			pthread_cancel(thread);
		pthread_join(thread, NULL);
		good += works(&r);
	}
	CHECK(name, good == ROUNDS);
	ring_close(&r);
}

int main(void)
{
	test_jump(0, "jump_out_of_a_wait");
	test_jump(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		  "jump_out_of_a_ring_that_defers");
	test_jump(IORING_SETUP_SQPOLL, "jump_out_of_a_polled_ring");
	test_jump_beside_data();
	test_jump_out_of_calls();
	test_signals_during_calls();
	test_actions_are_as_given();
	test_left_rings_end();
	test_handler_calls();
	alarm(300);
	test_thread_ends(sleep_in, 1, "exit_out_of_a_wait");
	test_thread_ends(sleep_in_until_now, 0, "cancelled_in_a_wait");
	test_thread_ends(call_until_now, 0, "cancelled_in_a_call");
	test_thread_ends(call_until_asked, 0, "cancelled_when_asked");
	return tap_end();
}
