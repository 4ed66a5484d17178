/* SPDX-License-Identifier: MIT */
/*
 * FUTEX_WAIT, FUTEX_WAKE and FUTEX_WAITV, among themselves and with futex(2).
 */
#include "runner/scenario.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#define SIZE_U32 2u
#define PRIVATE 128u
#define ANY_BIT 0xffffffffu

static uint32_t word;

/* futex(2) from this thread. */
static long plain_wake(uint32_t *at, int count, bool private)
{
	int op = FUTEX_WAKE | (private ? FUTEX_PRIVATE_FLAG : 0);
	long woken = syscall(SYS_futex, at, op, count, NULL, NULL, 0);

	note_result("woken", woken < 0 ? -errno : woken);
	return woken;
}

static struct io_uring_sqe *wait_sqe(struct ring *r, uint32_t *at,
				     uint64_t value, uint64_t mask,
				     uint32_t flags)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_FUTEX_WAIT, (int)flags, at, 0, value);

	sqe->addr3 = mask;
	return sqe;
}

static struct io_uring_sqe *wake_sqe(struct ring *r, uint32_t *at,
				     uint64_t count, uint64_t mask,
				     uint32_t flags)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_FUTEX_WAKE, (int)flags, at, 0, count);

	sqe->addr3 = mask;
	return sqe;
}

#define WAIT(at, value) wait_sqe(r, at, value, ANY_BIT, SIZE_U32 | PRIVATE)
#define WAKE(at, count) wake_sqe(r, at, count, ANY_BIT, SIZE_U32 | PRIVATE)

static void woken(struct ring *r)
{
	word = 7;
	WAIT(&word, 7);
	submit(r);
	quiet(r);
	plain_wake(&word, 1, true);
	reap(r, 1);
	plain_wake(&word, 1, true);
	WAIT(&word, 8);
	go(r);
	WAIT(&word, 7);
	WAIT(&word, 7);
	submit(r);
	plain_wake(&word, 10, true);
	reap_sorted(r, 2);
	WAIT(&word, 7);
	submit(r);
	word = 8;
	quiet(r);
	plain_wake(&word, 10, true);
	reap(r, 1);
}

static void shared(struct ring *r)
{
	uint32_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	wait_sqe(r, at, 0, ANY_BIT, SIZE_U32);
	submit(r);
	plain_wake(at, 1, true);
	quiet(r);
	plain_wake(at, 1, false);
	reap(r, 1);
	wait_sqe(r, at, 0, ANY_BIT, SIZE_U32);
	submit(r);
	wake_sqe(r, at, 1, ANY_BIT, SIZE_U32);
	submit(r);
	reap_sorted(r, 2);
}

static void woken_by_request(struct ring *r)
{
	word = 1;
	WAKE(&word, 1);
	go(r);
	WAIT(&word, 1);
	submit(r);
	WAKE(&word, 1);
	submit(r);
	reap_sorted(r, 2);
	WAIT(&word, 1);
	WAIT(&word, 1);
	WAIT(&word, 1);
	submit(r);
	WAKE(&word, 0)->user_data = 50;
	submit(r);
	reap(r, 1);
	quiet(r);
	WAKE(&word, 100)->user_data = 51;
	submit(r);
	reap_sorted(r, 4);
}

static void *wait_plainly(void *argument)
{
	(void)argument;
	syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, NULL,
		NULL, 0);
	return NULL;
}

static void wakes_a_thread(struct ring *r)
{
	pthread_t thread;
	int woke = 0;

	word = 1;
	if (pthread_create(&thread, NULL, wait_plainly, NULL))
		give_up("no thread");
	while (!woke) {
		WAKE(&word, 1);
		store_release(r->sq_tail, r->next);
		side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		woke = ring_cqe(r)->res;
		ring_seen(r);
		pause_ms(1);
	}
	pthread_join(thread, NULL);
	note("woke %d", woke);
}

static void masks(struct ring *r)
{
	word = 1;
	wait_sqe(r, &word, 1, 2, SIZE_U32 | PRIVATE);
	submit(r);
	wake_sqe(r, &word, 1, 4, SIZE_U32 | PRIVATE);
	submit(r);
	reap(r, 1);
	quiet(r);
	wake_sqe(r, &word, 1, 6, SIZE_U32 | PRIVATE);
	submit(r);
	reap_sorted(r, 2);
	wait_sqe(r, &word, 1, 0, SIZE_U32 | PRIVATE);
	go(r);
	wake_sqe(r, &word, 1, 0, SIZE_U32 | PRIVATE);
	go(r);
	wait_sqe(r, &word, 1, UINT64_MAX, SIZE_U32 | PRIVATE);
	go(r);
	wait_sqe(r, &word, (UINT64_C(1) << 32) + 1, ANY_BIT,
		 SIZE_U32 | PRIVATE);
	go(r);
	wake_sqe(r, &word, 1, UINT64_MAX, SIZE_U32 | PRIVATE);
	go(r);
	wake_sqe(r, &word, UINT64_MAX, ANY_BIT, SIZE_U32 | PRIVATE);
	go(r);
}

static void errors(struct ring *r)
{
	uint32_t flags;

	word = 1;
	for (flags = 0; flags < 4; flags++) {
		wait_sqe(r, &word, 2, ANY_BIT, flags);
		go(r);
		wake_sqe(r, &word, 1, ANY_BIT, flags);
		go(r);
	}
	wait_sqe(r, &word, 2, ANY_BIT, SIZE_U32 | 16);
	go(r);
	wait_sqe(r, &word, 2, ANY_BIT, SIZE_U32 | 256);
	go(r);
	WAIT((uint32_t *)((char *)&word + 1), 1);
	go(r);
	WAKE((uint32_t *)((char *)&word + 1), 1);
	go(r);
	WAIT(nowhere(), 0);
	go(r);
	WAKE(nowhere(), 1);
	go(r);
	WAIT(NULL, 0);
	go(r);
	WAKE((uint32_t *)-4096L, 1);
	go(r);
	WAIT((uint32_t *)-4096L, 0);
	go(r);
	wake_sqe(r, nowhere(), 1, ANY_BIT, SIZE_U32);
	go(r);
	WAIT(&word, 2)->op_flags = 1;
	go(r);
	WAIT(&word, 2)->len = 1;
	go(r);
	WAIT(&word, 2)->buf_index = 1;
	go(r);
	WAIT(&word, 2)->file_index = 1;
	go(r);
	WAIT(&word, 2)->pad2_ = 1;
	go(r);
	WAIT(&word, 2)->flags = IOSQE_FIXED_FILE;
	go(r);
	WAIT(&word, 2)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	WAIT(&word, 2)->flags = IOSQE_ASYNC;
	go(r);
	WAKE(&word, 1)->flags = IOSQE_ASYNC;
	go(r);
}

static void canceled(struct ring *r)
{
	word = 1;
	WAIT(&word, 1)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	sqe_cancel(r, 1, 0)->user_data = 50;
	submit(r);
	reap_sorted(r, 3);
	plain_wake(&word, 10, true);
	wait_sqe(r, &word, 1, 2, SIZE_U32 | PRIVATE)->user_data = 60;
	submit(r);
	sqe_cancel(r, 60, 0)->user_data = 61;
	submit(r);
	reap_sorted(r, 2);
	plain_wake(&word, 10, true);
	WAIT(&word, 1)->user_data = 70;
	WAIT(&word, 1)->user_data = 71;
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY)->user_data = 72;
	submit(r);
	reap_sorted(r, 3);
	plain_wake(&word, 10, true);
	WAIT(&word, 1)->user_data = 80;
	submit(r);
	plain_wake(&word, 1, true);
	reap(r, 1);
	sqe_cancel(r, 80, 0)->user_data = 81;
	submit(r);
	reap(r, 1);
}

static void three_waits(struct ring *r)
{
	WAIT(&word, 1)->user_data = 9;
	WAIT(&word, 1)->user_data = 9;
	WAIT(&word, 1)->user_data = 9;
	submit(r);
}

/* Flags differ in how they count cancelled requests. */
static void several_canceled(struct ring *r)
{
	struct io_uring_sync_cancel_reg by_opcode = {
		.flags = IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_ALL,
		.opcode = IORING_OP_FUTEX_WAIT,
		.timeout = {-1, -1},
	};
	struct io_uring_sync_cancel_reg any = {
		.flags = IORING_ASYNC_CANCEL_ANY,
		.timeout = {-1, -1},
	};
	struct io_uring_sqe *sqe;

	word = 1;
	three_waits(r);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &by_opcode, 1);
	reap_sorted(r, 3);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &by_opcode, 1);
	three_waits(r);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &any, 1);
	reap_sorted(r, 3);
	three_waits(r);
	sqe = sqe_cancel(r, 0,
			 IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_ALL);
	sqe->len = IORING_OP_FUTEX_WAIT;
	submit(r);
	reap_sorted(r, 4);
	three_waits(r);
	sqe_cancel(r, 9, IORING_ASYNC_CANCEL_ALL);
	submit(r);
	reap_sorted(r, 4);
	plain_wake(&word, 10, true);
}

static void timed_by_a_link(struct ring *r)
{
	struct io_timespec ts = {.tv_nsec = 10000000};
	struct io_uring_sqe *sqe;

	word = 1;
	WAIT(&word, 1)->flags = IOSQE_IO_LINK;
	sqe = sqe_new(r, IORING_OP_LINK_TIMEOUT, -1, &ts, 1, 0);
	(void)sqe;
	submit(r);
	reap_sorted(r, 2);
	plain_wake(&word, 10, true);
}

static void in_a_chain(struct ring *r)
{
	word = 1;
	WAIT(&word, 2)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	WAKE(&word, 1)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	WAIT(&word, 1)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	quiet(r);
	plain_wake(&word, 1, true);
	reap(r, 2);
}

/* A ring that closes ends its waits. */
static void ring_closed(struct ring *r)
{
	word = 1;
	WAIT(&word, 1);
	WAIT(&word, 1);
	submit(r);
	ring_close(r);
	while (syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG,
		       0, 1000, &word, 1) > 0)
		pause_ms(1);
	note("nobody waits");
}

static void many(struct ring *r)
{
	struct ring big;
	long woke = 0;
	int i;

	(void)r;
	word = 1;
	ring_open(&big, 256, 0);
	for (i = 0; i < 200; i++)
		wait_sqe(&big, &word, 1, ANY_BIT, SIZE_U32 | PRIVATE);
	submit(&big);
	woke = plain_wake(&word, 1000, true);
	(void)woke;
	enter(&big, 0, 200, IORING_ENTER_GETEVENTS, NULL, 0);
	note("%u completions", ring_ready(&big));
	ring_close(&big);
}

/* ---- FUTEX_WAITV ---- */

struct waiter {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

static struct waiter waiter(const uint32_t *at, uint64_t value)
{
	return (struct waiter){
		.value = value,
		.address = (uintptr_t)at,
		.flags = SIZE_U32 | PRIVATE,
	};
}

static struct io_uring_sqe *waitv(struct ring *r, const struct waiter *waiters,
				  uint32_t count)
{
	return sqe_new(r, IORING_OP_FUTEX_WAITV, 0, waiters, count, 0);
}

static void vectors(struct ring *r)
{
	static uint32_t words[128];
	struct waiter w[128];
	int i;

	for (i = 0; i < 128; i++)
		w[i] = waiter(&words[i], 0);
	waitv(r, w, 3);
	submit(r);
	quiet(r);
	plain_wake(&words[1], 1, true);
	reap(r, 1);
	plain_wake(&words[0], 1, true);
	waitv(r, w, 128);
	submit(r);
	memset(w, 0xff, sizeof(w));
	plain_wake(&words[127], 1, true);
	reap(r, 1);
	for (i = 0; i < 128; i++)
		w[i] = waiter(&words[i], 0);
	waitv(r, w, 128)->user_data = 40;
	submit(r);
	sqe_cancel(r, 40, 0)->user_data = 41;
	submit(r);
	reap_sorted(r, 2);
	plain_wake(&words[5], 1, true);
	words[2] = 9;
	waitv(r, w, 3);
	go(r);
	waitv(r, w, 2);
	submit(r);
	WAKE(&words[0], 1)->user_data = 60;
	submit(r);
	reap_sorted(r, 2);
}

static void vector_errors(struct ring *r)
{
	static uint32_t words[4];
	struct waiter w[130];
	int i;

	for (i = 0; i < 130; i++)
		w[i] = waiter(&words[0], 1);
	waitv(r, w, 0);
	go(r);
	waitv(r, w, 129);
	go(r);
	waitv(r, nowhere(), 1);
	go(r);
	waitv(r, NULL, 1);
	go(r);
	w[0].reserved = 1;
	waitv(r, w, 1);
	go(r);
	w[0] = waiter(&words[0], 0);
	w[0].flags = 0;
	waitv(r, w, 1);
	go(r);
	w[0].flags = SIZE_U32 | 64;
	waitv(r, w, 1);
	go(r);
	w[0] = waiter(nowhere(), 0);
	waitv(r, w, 1);
	go(r);
	w[0] = waiter((uint32_t *)((char *)words + 1), 0);
	waitv(r, w, 1);
	go(r);
	w[0] = waiter(&words[0], UINT64_C(1) << 32);
	waitv(r, w, 1);
	go(r);
	waitv(r, w, 1)->fd = 1;
	go(r);
	waitv(r, w, 1)->addr2 = 1;
	go(r);
	waitv(r, w, 1)->op_flags = 1;
	go(r);
	waitv(r, w, 1)->addr3 = 1;
	go(r);
	waitv(r, w, 1)->buf_index = 1;
	go(r);
	waitv(r, w, 1)->file_index = 1;
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(woken, NULL, .modes = MODES_ALL),
	SCENARIO(shared, NULL),
	SCENARIO(woken_by_request, NULL),
	SCENARIO(wakes_a_thread, NULL),
	SCENARIO(masks, NULL),
	SCENARIO(errors, "P13"),
	SCENARIO(canceled, NULL),
	SCENARIO(several_canceled, NULL),
	SCENARIO(timed_by_a_link, NULL),
	SCENARIO(in_a_chain, "P12"),
	SCENARIO(ring_closed, NULL),
	SCENARIO(many, NULL, .bare = true),
	SCENARIO(vectors, NULL),
	SCENARIO(vector_errors, NULL),
};

FAMILY(futex, rows);
