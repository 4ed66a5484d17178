// SPDX-License-Identifier: MIT
#include "drive/drive_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/inject.h"
#include "drive/reactor.h"

/* Far longer than anything here takes; only a failure waits for it. */
#define PATIENCE_NS (20 * NS_PER_SEC)

struct listener {
	struct reactor_wait wait;
	struct reactor *reactor;
	uint32_t seen; /* every event so far */
	int calls;
	struct listener *victim; /* disarmed when this one is called */
	bool finds_nothing;
	int nth; /* call of all */
};

static int calls_of_all;

static void heard(struct reactor_wait *wait, uint32_t events)
{
	struct listener *l = container_of(wait, struct listener, wait);

	l->seen |= events;
	l->calls++;
	l->nth = ++calls_of_all;
	if (l->finds_nothing)
		l->reactor->found_empty = true;
	if (l->victim)
		reactor_disarm(l->reactor, &l->victim->wait);
}

static struct listener listener_of(struct reactor *r)
{
	struct listener l = {.wait.ready = heard, .reactor = r};

	list_init(&l.wait.node);
	return l;
}

static void look(struct reactor *r)
{
	struct reactor_events events = {.room = 0};

	assert_int_equal(reactor_sleep(r, &events, 0, NULL), 0);
	reactor_dispatch(r, &events);
}

/* Everything that has happened by now has been dispatched afterwards. */
static void drain(struct reactor *r)
{
	struct reactor_events events = {.room = 0};

	do {
		reactor_sleep(r, &events, 0, NULL);
		reactor_dispatch(r, &events);
	} while (events.count == REACTOR_EVENTS_MAX);
}

static void wait_for_calls(struct reactor *r, const struct listener *l,
			   int calls)
{
	int64_t until = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct reactor_events events = {.room = 0};

	while (l->calls < calls && clock_now_ns(CLOCK_MONOTONIC) < until) {
		reactor_sleep(r, &events, until, NULL);
		reactor_dispatch(r, &events);
	}
	assert_int_equal(l->calls, calls);
}

static void pair_of_pipes(int ends[2])
{
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void pair_of_sockets(int ends[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

static void put_byte(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1;
}

static int arm(struct reactor *r, struct listener *l, int fd, uint32_t mask)
{
	return reactor_arm(r, &l->wait, fd, false, mask);
}

static void open_for_test(struct reactor *r)
{
	reactor_open(r);
	assert_int_equal(reactor_make_ready(r), 0);
}

static void tells_what_happens_after_arming(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_pipes(ends);
	l = listener_of(&r);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	assert_int_equal(r.armed, 1);
	look(&r);
	assert_int_equal(l.calls, 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &l, 1);
	assert_int_equal(l.seen, EPOLLIN);
	reactor_disarm(&r, &l.wait);
	reactor_disarm(&r, &l.wait);
	assert_int_equal(r.armed, 0);
	put_byte(ends[1]);
	look(&r);
	assert_int_equal(l.calls, 1);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

/* The owner tried, then data came, then it armed: it must hear of the data. */
static void D5_tells_what_happened_before_arming(void **state)
{
	static const bool owned[] = {false, true};

	(void)state;
	for (size_t i = 0; i < array_size(owned); i++) {
		struct listener l;
		struct reactor r;
		int ends[2];

		open_for_test(&r);
		pair_of_pipes(ends);
		l = listener_of(&r);
		for (int turn = 1; turn <= 3; turn++) {
			put_byte(ends[1]);
			assert_int_equal(reactor_arm(&r, &l.wait, ends[0],
						     owned[i], EPOLLIN),
					 0);
			wait_for_calls(&r, &l, turn);
			reactor_disarm(&r, &l.wait);
		}
		reactor_close(&r);
		close(ends[0]);
		close(ends[1]);
	}
}

static void each_wait_hears_its_own_mask(void **state)
{
	struct listener in, out;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	in = listener_of(&r);
	out = listener_of(&r);
	assert_int_equal(arm(&r, &in, ends[0], EPOLLIN), 0);
	look(&r);
	assert_int_equal(arm(&r, &out, ends[0], EPOLLOUT), 0);
	wait_for_calls(&r, &out, 1);
	assert_int_equal(out.seen, EPOLLOUT);
	assert_int_equal(in.calls, 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &in, 1);
	assert_int_equal(in.seen, EPOLLIN);
	close(ends[1]);
	wait_for_calls(&r, &in, 2);
	assert_true(in.seen & out.seen & EPOLLHUP);
	reactor_close(&r);
	close(ends[0]);
}

static void a_changed_mask_is_heard(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	l = listener_of(&r);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	assert_int_equal(reactor_change(&r, &l.wait, EPOLLOUT), 0);
	wait_for_calls(&r, &l, 1);
	assert_int_equal(l.seen, EPOLLOUT);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

/* The application closes a number, and it becomes another file. */
static void a_number_is_reused(bool renewed)
{
	struct listener old, young, third;
	int before[2], after[2], number;
	struct reactor r;
	char byte;

	open_for_test(&r);
	pair_of_pipes(before);
	pair_of_pipes(after);
	old = listener_of(&r);
	young = listener_of(&r);
	third = listener_of(&r);
	number = before[0];
	assert_int_equal(arm(&r, &old, number, EPOLLIN), 0);
	assert_int_equal(dup2(after[0], number), number);
	if (renewed)
		reactor_renew(&r, number);
	assert_int_equal(arm(&r, &young, number, EPOLLIN), 0);

	put_byte(after[1]);
	wait_for_calls(&r, &young, 1);
	assert_int_equal(old.calls, 0);

	/* The old one goes on through its duplicate. */
	put_byte(before[1]);
	wait_for_calls(&r, &old, 1);
	assert_int_equal(young.calls, 1);
	assert_int_equal(read(reactor_fd(&old.wait), &byte, 1), 1);

	/* Both watches end in either order, and the number stays usable. */
	reactor_disarm(&r, &old.wait);
	assert_int_equal(arm(&r, &third, number, EPOLLIN), 0);
	wait_for_calls(&r, &third, 1);
	reactor_disarm(&r, &young.wait);
	reactor_disarm(&r, &third.wait);
	assert_int_equal(r.armed, 0);
	reactor_close(&r);
	close(number);
	close(before[1]);
	close(after[0]);
	close(after[1]);
}

static void D5_a_number_reused_while_armed(void **state)
{
	(void)state;
	a_number_is_reused(false);
}

static void D5_a_number_given_out_while_armed(void **state)
{
	(void)state;
	a_number_is_reused(true);
}

/* D5: a duplicate is held while armed, and lingers for one turn at most. */
/* D5: and then it becomes the first file again, with requests on both. */
static void D5_a_number_that_comes_back(void **state)
{
	struct listener first, second, again, last;
	int before[2], between[2], number, kept;
	struct reactor r;
	char byte;

	(void)state;
	open_for_test(&r);
	pair_of_pipes(before);
	pair_of_pipes(between);
	first = listener_of(&r);
	second = listener_of(&r);
	again = listener_of(&r);
	last = listener_of(&r);
	number = before[0];
	kept = dup(number);
	assert_int_equal(arm(&r, &first, number, EPOLLIN), 0);
	assert_int_equal(dup2(between[0], number), number);
	assert_int_equal(arm(&r, &second, number, EPOLLIN), 0);
	assert_int_equal(dup2(kept, number), number);
	assert_int_equal(arm(&r, &again, number, EPOLLIN), 0);

	put_byte(before[1]);
	wait_for_calls(&r, &again, 1);
	wait_for_calls(&r, &first, 1);
	assert_int_equal(second.calls, 0);
	assert_int_equal(read(reactor_fd(&again.wait), &byte, 1), 1);
	put_byte(between[1]);
	wait_for_calls(&r, &second, 1);
	assert_int_equal(read(reactor_fd(&second.wait), &byte, 1), 1);
	assert_int_equal(first.calls, 1);

	/* Once more in between, and all end. */
	assert_int_equal(dup2(between[0], number), number);
	assert_int_equal(arm(&r, &last, number, EPOLLIN), 0);
	put_byte(between[1]);
	wait_for_calls(&r, &last, 1);
	reactor_disarm(&r, &first.wait);
	reactor_disarm(&r, &second.wait);
	reactor_disarm(&r, &again.wait);
	reactor_disarm(&r, &last.wait);
	assert_true(list_empty(&r.strays));
	reactor_close(&r);
	close(number);
	close(kept);
	close(before[1]);
	close(between[0]);
	close(between[1]);
}

static void D5_a_held_duplicate_is_let_go(void **state)
{
	static const bool at_once[] = {false, true};

	(void)state;
	for (size_t i = 0; i < array_size(at_once); i++) {
		struct listener l;
		struct reactor r;
		int ends[2];

		open_for_test(&r);
		pair_of_sockets(ends);
		l = listener_of(&r);
		assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
		close(ends[0]);
		reactor_release_idle(&r);
		reactor_release(&r, ends[0]);
		assert_false(hung_up(ends[1]));
		put_byte(ends[1]);
		wait_for_calls(&r, &l, 1);
		reactor_disarm(&r, &l.wait);
		assert_false(hung_up(ends[1]));
		if (at_once[i])
			reactor_release(&r, ends[0]);
		else
			reactor_release_idle(&r);
		assert_true(hung_up(ends[1]));
		reactor_close(&r);
		close(ends[1]);
	}
}

/* Armed again within the turn, the same duplicate serves. */
static void a_lingering_duplicate_is_taken_up_again(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2], held;

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	l = listener_of(&r);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	held = reactor_fd(&l.wait);
	assert_int_not_equal(held, ends[0]);
	reactor_disarm(&r, &l.wait);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	assert_int_equal(reactor_fd(&l.wait), held);
	reactor_release_idle(&r);
	assert_int_not_equal(fcntl(held, F_GETFD), -1);
	reactor_close(&r);
	assert_int_equal(fcntl(held, F_GETFD), -1);
	close(ends[0]);
	close(ends[1]);
}

/* Events are fetched without the lock: by then their watch may be gone. */
static void an_event_for_a_watch_that_is_gone_is_ignored(void **state)
{
	struct listener gone, next;
	struct reactor_events events = {.room = 0};
	int first[2], second[2];
	struct reactor r;

	(void)state;
	open_for_test(&r);
	pair_of_pipes(first);
	pair_of_pipes(second);
	gone = listener_of(&r);
	next = listener_of(&r);
	assert_int_equal(reactor_arm(&r, &gone.wait, first[0], true, EPOLLIN),
			 0);
	put_byte(first[1]);
	reactor_sleep(&r, &events, 0, NULL);
	assert_int_equal(events.count, 1);

	/* The next watch takes the same place. */
	reactor_disarm(&r, &gone.wait);
	reactor_forget(&r, first[0]);
	close(first[0]);
	assert_int_equal(reactor_arm(&r, &next.wait, second[0], true, EPOLLIN),
			 0);
	reactor_dispatch(&r, &events);
	assert_int_equal(gone.calls + next.calls, 0);
	put_byte(second[1]);
	wait_for_calls(&r, &next, 1);
	reactor_close(&r);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

/* Between the fetch and the dispatch somebody else has read it. */
static void what_was_taken_meanwhile_is_not_told(void **state)
{
	struct reactor_events events = {.room = 0};
	struct listener l;
	struct reactor r;
	int ends[2];
	char byte;

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	l = listener_of(&r);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	drain(&r);
	put_byte(ends[1]);
	reactor_sleep(&r, &events, 0, NULL);
	assert_int_equal(events.count, 1);
	reactor_recheck(&r, &events);
	assert_true(events.events[0].events & EPOLLIN);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	reactor_recheck(&r, &events);
	reactor_dispatch(&r, &events);
	assert_int_equal(l.calls, 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &l, 1);
	reactor_disarm(&r, &l.wait);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

static void a_forgotten_number_may_be_any_file(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2], number;

	(void)state;
	open_for_test(&r);
	for (int turn = 0; turn < 3; turn++) {
		pair_of_pipes(ends);
		number = ends[0];
		l = listener_of(&r);
		put_byte(ends[1]);
		assert_int_equal(
			reactor_arm(&r, &l.wait, number, true, EPOLLIN), 0);
		wait_for_calls(&r, &l, 1);
		reactor_disarm(&r, &l.wait);
		reactor_forget(&r, number);
		close(ends[0]);
		close(ends[1]);
	}
	reactor_close(&r);
}

static void what_cannot_be_armed_says_why(void **state)
{
	struct listener l;
	struct reactor r;
	int file, ends[2], closed;

	(void)state;
	open_for_test(&r);
	file = memfd_create("file", MFD_CLOEXEC);
	pair_of_pipes(ends);
	closed = ends[0];
	close(ends[0]);
	l = listener_of(&r);
	assert_int_equal(arm(&r, &l, file, EPOLLIN), -EPERM);
	assert_int_equal(arm(&r, &l, closed, EPOLLIN), -EBADF);
	assert_int_equal(arm(&r, &l, -1, EPOLLIN), -EBADF);
	assert_int_equal(r.armed, 0);
	assert_null(l.wait.watch);

	/* None of that stands in the way of what the number becomes. */
	close(file);
	close(ends[1]);
	pair_of_pipes(ends);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &l, 1);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

static void a_callback_may_disarm_any_wait(void **state)
{
	struct listener l[3];
	struct reactor r;
	int ends[2];

	(void)state;
	/* Each in turn disarms each, itself included. */
	for (int by = 0; by < 3; by++) {
		for (int whom = 0; whom < 3; whom++) {
			open_for_test(&r);
			pair_of_pipes(ends);
			for (int i = 0; i < 3; i++) {
				l[i] = listener_of(&r);
				arm(&r, &l[i], ends[0], EPOLLIN);
			}
			l[by].victim = &l[whom];
			put_byte(ends[1]);
			wait_for_calls(&r, &l[by], 1);
			assert_int_equal(r.armed, 2);
			put_byte(ends[1]);
			drain(&r);
			assert_true(l[whom].calls <= 1);
			reactor_close(&r);
			close(ends[0]);
			close(ends[1]);
		}
	}
}

static void more_files_than_one_fetch_holds(void **state)
{
	enum { FILES = 3 * REACTOR_EVENTS_MAX };
	static struct listener l[FILES];
	static int ends[FILES][2];
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
	struct reactor r;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	open_for_test(&r);
	for (int i = 0; i < FILES; i++) {
		pair_of_pipes(ends[i]);
		l[i] = listener_of(&r);
		assert_int_equal(arm(&r, &l[i], ends[i][0], EPOLLIN), 0);
		put_byte(ends[i][1]);
	}
	for (int i = 0; i < FILES; i++)
		wait_for_calls(&r, &l[i], 1);
	reactor_close(&r);
	for (int i = 0; i < FILES; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void *wake(void *reactor)
{
	reactor_wake(reactor);
	return NULL;
}

static void a_wake_ends_a_sleep_or_the_next(void **state)
{
	struct reactor_events events = {.room = 0};
	struct reactor r;
	pthread_t waker;
	int64_t until;

	(void)state;
	open_for_test(&r);
	for (int turn = 0; turn < 100; turn++) {
		until = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
		assert_int_equal(pthread_create(&waker, NULL, wake, &r), 0);
		reactor_sleep(&r, &events, until, NULL);
		pthread_join(waker, NULL);
		assert_true(clock_now_ns(CLOCK_MONOTONIC) < until);
		assert_int_equal(events.count, 1);
		/* Both at once may count as one: none is left over. */
		drain(&r);
	}
	reactor_close(&r);
}

/* The program closes a number that it doesn't know, or gives it another file.
 */
static void a_lost_epoll_is_made_anew(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2], lost;

	(void)state;
	for (int replaced = 0; replaced < 2; replaced++) {
		open_for_test(&r);
		pair_of_pipes(ends);
		l = listener_of(&r);
		assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
		lost = r.epoll_fd;
		if (replaced)
			assert_int_equal(dup2(ends[1], lost), lost);
		else
			close(lost);
		reactor_wake(&r);
		look(&r); /* the first call on it shows that it is lost */
		assert_int_equal(reactor_get_ready(&r), 0);
		put_byte(ends[1]);
		wait_for_calls(&r, &l, 1);
		reactor_wake(&r);
		look(&r);
		assert_false(r.lost);
		reactor_close(&r);
		if (replaced)
			close(lost);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Where there is no number for an epoll, looks and short sleeps have to do. */
static void without_an_epoll_it_looks(void **state)
{
	struct reactor_events events = {.room = 0};
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	reactor_open(&r);
	pair_of_pipes(ends);
	l = listener_of(&r);
	inject_start();
	inject_number(SYS_epoll_create1, -EMFILE);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	assert_true(reactor_is_slow(&r));
	reactor_look_slowly(&r, &events);
	reactor_dispatch(&r, &events);
	assert_int_equal(l.calls, 0);
	put_byte(ends[1]);
	reactor_look_slowly(&r, &events);
	reactor_dispatch(&r, &events);
	assert_int_equal(l.calls, 1);
	assert_true(inject_stop());
	assert_int_equal(reactor_get_ready(&r), 0);
	assert_false(reactor_is_slow(&r));
	wait_for_calls(&r, &l, 2);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

/* D14: whatever is refused, an arming works or says why and leaves nothing. */
static void D14_a_refused_arming_leaves_nothing(void **state)
{
	bool refused = true;

	(void)state;
	for (long n = 0; refused; n++) {
		struct listener l;
		struct reactor r;
		int ends[2], err;

		open_for_test(&r);
		pair_of_pipes(ends);
		l = listener_of(&r);
		inject_start();
		inject_allocation(n);
		err = arm(&r, &l, ends[0], EPOLLIN);
		refused = inject_stop();
		assert_int_equal(err, refused ? -ENOMEM : 0);
		assert_int_equal(r.armed, !refused);
		if (refused)
			assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
		put_byte(ends[1]);
		wait_for_calls(&r, &l, 1);
		reactor_close(&r);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Without room for a duplicate the number itself has to do. */
static void out_of_numbers_arms_all_the_same(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_pipes(ends);
	l = listener_of(&r);
	inject_start();
	inject_number(SYS_fcntl, -EMFILE);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	assert_true(inject_stop());
	assert_int_equal(reactor_fd(&l.wait), ends[0]);
	put_byte(ends[1]);
	wait_for_calls(&r, &l, 1);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

/* One event calls no more of those that try than have something to find. */
static void an_event_calls_as_many_as_it_serves(void **state)
{
	enum { TRY = 8, LOOKER = TRY };
	struct listener l[TRY + 1];
	struct reactor r;
	int ends[2], i, calls = 0;

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	for (i = 0; i < TRY + 1; i++) {
		l[i] = listener_of(&r);
		l[i].wait.how = i == LOOKER ? 0 : WAIT_TRIES;
		/* The last armed is called first and finds something. */
		l[i].finds_nothing = i != TRY - 1;
	}
	/* One that only looks, behind them all, is called nevertheless. */
	assert_int_equal(arm(&r, &l[LOOKER], ends[0], EPOLLIN), 0);
	for (i = 0; i < TRY; i++)
		assert_int_equal(arm(&r, &l[i], ends[0], EPOLLIN), 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &l[LOOKER], 1);
	assert_int_equal(l[TRY - 1].calls, 1);
	for (i = 0; i < TRY; i++)
		calls += l[i].calls;
	assert_int_equal(calls, 2);
	/* The end of the file is for all of them. */
	shutdown(ends[1], SHUT_RDWR);
	wait_for_calls(&r, &l[LOOKER], 2);
	for (i = 0; i < TRY; i++)
		calls -= l[i].calls;
	assert_int_equal(calls, -TRY);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

static void waits_are_called_in_the_kernels_order(void **state)
{
	struct listener first, second, third;
	struct reactor r;
	int ends[2];

	(void)state;
	for (int turns = 0; turns < 2; turns++) {
		uint32_t how = WAIT_TRIES | (turns ? WAIT_IN_TURN : 0);

		open_for_test(&r);
		pair_of_sockets(ends);
		first = second = third = listener_of(&r);
		first.wait.how = second.wait.how = third.wait.how = how;
		list_init(&first.wait.node);
		list_init(&second.wait.node);
		list_init(&third.wait.node);
		assert_int_equal(arm(&r, &first, ends[0], EPOLLIN), 0);
		assert_int_equal(arm(&r, &second, ends[0], EPOLLIN), 0);
		assert_int_equal(arm(&r, &third, ends[0], EPOLLIN), 0);
		put_byte(ends[1]);
		wait_for_calls(&r, turns ? &third : &first, 1);
		assert_true(turns ? first.nth < second.nth
				  : third.nth < second.nth);
		/* After a wake-up those that stayed queue up anew. */
		put_byte(ends[1]);
		wait_for_calls(&r, turns ? &third : &first, 2);
		wait_for_calls(&r, &second, 2);
		assert_true(first.nth < second.nth);
		reactor_close(&r);
		close(ends[0]);
		close(ends[1]);
	}
}

static int arm_once(struct reactor *r, struct listener *l, int fd)
{
	static uint32_t epoch;
	struct reactor_once once = {
		.wait = &l->wait,
		.fd = fd,
		.mask = EPOLLIN,
	};

	reactor_arm_once(r, &once, 1, ++epoch);
	return once.err;
}

static void a_kept_event_outlives_its_data(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	l = listener_of(&r);
	if (arm_once(&r, &l, ends[0]))
		skip();
	put_byte(ends[1]);
	assert_int_equal(read(ends[0], &(char){0}, 1), 1);
	wait_for_calls(&r, &l, 1);
	assert_int_equal(l.calls, 1);
	assert_int_equal(l.seen & EPOLLIN, EPOLLIN);
	reactor_disarm(&r, &l.wait);
	/* It was for one event. */
	put_byte(ends[1]);
	drain(&r);
	assert_int_equal(l.calls, 1);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

/* The end is seen although its number was closed while they were armed. */
static void kept_waits_of_one_file_share_a_duplicate(void **state)
{
	enum { WAITS = 5 };
	struct pollfd end = {.events = POLLIN};
	struct listener l[WAITS];
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	for (int i = 0; i < WAITS; i++) {
		l[i] = listener_of(&r);
		if (arm_once(&r, &l[i], ends[0]))
			skip();
		assert_int_equal(reactor_fd(&l[i].wait),
				 reactor_fd(&l[0].wait));
	}
	close(ends[0]);
	reactor_disarm(&r, &l[0].wait);
	put_byte(ends[1]);
	wait_for_calls(&r, &l[1], 1);
	drain(&r);
	for (int i = 1; i < WAITS; i++) {
		assert_int_equal(l[i].calls, 1);
		reactor_disarm(&r, &l[i].wait);
	}
	assert_int_equal(l[0].calls, 0);
	end.fd = ends[1];
	assert_int_equal(poll(&end, 1, (int)(PATIENCE_NS / 1000000)), 1);
	reactor_close(&r);
	close(ends[1]);
}

static void what_aio_cannot_poll_is_left_to_epoll(void **state)
{
	struct listener l;
	struct reactor r;
	int ends[2];

	(void)state;
	open_for_test(&r);
	pair_of_sockets(ends);
	l = listener_of(&r);
	assert_true(arm_once(&r, &l, r.epoll_fd) < 0);
	assert_true(arm_once(&r, &l, -1) < 0);
	inject_start();
	inject_number(SYS_io_submit, -ENOSYS);
	assert_true(arm_once(&r, &l, ends[0]) < 0);
	inject_stop();
	assert_null(l.wait.watch);
	assert_int_equal(arm(&r, &l, ends[0], EPOLLIN), 0);
	put_byte(ends[1]);
	wait_for_calls(&r, &l, 1);
	assert_int_equal(l.calls, 1);
	reactor_close(&r);
	close(ends[0]);
	close(ends[1]);
}

int reactor_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_happens_after_arming),
		cmocka_unit_test(D5_tells_what_happened_before_arming),
		cmocka_unit_test(each_wait_hears_its_own_mask),
		cmocka_unit_test(a_changed_mask_is_heard),
		cmocka_unit_test(a_kept_event_outlives_its_data),
		cmocka_unit_test(kept_waits_of_one_file_share_a_duplicate),
		cmocka_unit_test(what_aio_cannot_poll_is_left_to_epoll),
		cmocka_unit_test(D5_a_number_reused_while_armed),
		cmocka_unit_test(D5_a_number_given_out_while_armed),
		cmocka_unit_test(D5_a_number_that_comes_back),
		cmocka_unit_test(D5_a_held_duplicate_is_let_go),
		cmocka_unit_test(a_lingering_duplicate_is_taken_up_again),
		cmocka_unit_test(an_event_for_a_watch_that_is_gone_is_ignored),
		cmocka_unit_test(a_forgotten_number_may_be_any_file),
		cmocka_unit_test(what_cannot_be_armed_says_why),
		cmocka_unit_test(what_was_taken_meanwhile_is_not_told),
		cmocka_unit_test(a_callback_may_disarm_any_wait),
		cmocka_unit_test(more_files_than_one_fetch_holds),
		cmocka_unit_test(an_event_calls_as_many_as_it_serves),
		cmocka_unit_test(waits_are_called_in_the_kernels_order),
		cmocka_unit_test(a_lost_epoll_is_made_anew),
		cmocka_unit_test(without_an_epoll_it_looks),
		cmocka_unit_test(a_wake_ends_a_sleep_or_the_next),
		cmocka_unit_test(D14_a_refused_arming_leaves_nothing),
		cmocka_unit_test(out_of_numbers_arms_all_the_same),
	};

	return cmocka_run_group_tests_name("drive/reactor", tests, NULL, NULL);
}
