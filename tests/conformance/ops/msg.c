/* SPDX-License-Identifier: MIT */
/*
 * MSG_RING: completions and registered files, sent to another ring.
 */
#include "runner/scenario.h"

#include <pthread.h>

enum { DATA, SEND_FD };
#define CQE_SKIP 1u
#define FLAGS_PASS 2u

static struct io_uring_sqe *message(struct ring *r, int to, uint32_t result,
				    uint64_t user_data)
{
	return sqe_new(r, IORING_OP_MSG_RING, to, NULL, result, user_data);
}

static struct io_uring_sqe *send_file(struct ring *r, int to, int from_slot,
				      uint32_t to_slot_plus_1,
				      uint64_t user_data)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_MSG_RING, to, NULL, 0, user_data);

	sqe->addr = SEND_FD;
	sqe->addr3 = (uint64_t)from_slot;
	sqe->file_index = to_slot_plus_1;
	return sqe;
}

static void open_plain(struct ring *other)
{
	struct io_uring_params params = {0};

	if (ring_try(other, 4, &params) < 0)
		give_up("no other ring");
	ring_map(other);
}

static void to_another(struct ring *r)
{
	struct ring other;

	open_plain(&other);
	message(r, other.fd, 5, 77);
	go(r);
	reap(&other, 1);
	message(r, other.fd, 0xffffffff, 78)->flags = IOSQE_ASYNC;
	go(r);
	reap(&other, 1);
	message(r, other.fd, 6, 79)->op_flags = FLAGS_PASS;
	go(r);
	reap(&other, 1);
	message(r, other.fd, 6, 79)->op_flags = FLAGS_PASS;
	ring_close(&other);
	go(r);
}

static void with_flags(struct ring *r)
{
	struct io_uring_sqe *sqe;
	struct ring other;

	open_plain(&other);
	sqe = message(r, other.fd, 6, 79);
	sqe->op_flags = FLAGS_PASS;
	sqe->file_index = 0x30002;
	go(r);
	reap(&other, 1);
	message(r, other.fd, 6, 79)->file_index = 2;
	go(r);
	quiet(&other);
	message(r, other.fd, 6, 80)->op_flags = CQE_SKIP;
	go(r);
	quiet(&other);
	message(r, other.fd, 6, 81)->op_flags = 4;
	go(r);
	message(r, other.fd, 6, 82)->flags = IOSQE_ASYNC;
	sqe = message(r, other.fd, 6, 82);
	sqe->flags = IOSQE_ASYNC;
	sqe->addr = 2;
	go(r);
	message(r, other.fd, 6, 82)->addr = 2;
	go(r);
	message(r, other.fd, 6, 82)->addr3 = 2;
	go(r);
	quiet(&other);
	message(r, other.fd, 6, 83)->buf_index = 1;
	go(r);
	message(r, other.fd, 6, 84)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	message(r, other.fd, 6, 85)->pad2_ = 1;
	go(r);
	quiet(&other);
	ring_close(&other);
}

static void to_no_ring(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	message(r, fd[0], 5, 77);
	go(r);
	message(r, 12345, 5, 77);
	go(r);
	message(r, file_with("x"), 5, 77);
	go(r);
	send_file(r, fd[0], 0, 1, 77);
	go(r);
	message(r, 3, 5, 77)->flags = IOSQE_FIXED_FILE;
	go(r);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	message(r, 0, 5, 77)->flags = IOSQE_FIXED_FILE;
	go(r);
}

static void to_itself(struct ring *r)
{
	message(r, r->fd, 5, 77);
	submit(r);
	reap_sorted(r, 2);
	send_file(r, r->fd, 0, 1, 78);
	go(r);
	reg(r, IORING_REGISTER_FILES, (int[2]){0, -1}, 2);
	send_file(r, r->fd, 0, 2, 78);
	go(r);
}

static void in_a_chain(struct ring *r)
{
	struct ring other;

	open_plain(&other);
	message(r, other.fd, 5, 77)->flags = IOSQE_IO_LINK;
	message(r, other.fd, 6, 78)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	reap(&other, 2);
	message(r, -1, 5, 77)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	message(r, other.fd, 5, 79)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
	reap(&other, 1);
	ring_close(&other);
}

/* A full completion queue keeps the messages sent to it. */
static void overflow(struct ring *r)
{
	struct ring other;
	int i;

	open_plain(&other);
	for (i = 0; i < 10; i++) {
		message(r, other.fd, (uint32_t)i, 100 + (uint64_t)i);
		go(r);
	}
	reap(&other, 8);
	quiet(&other);
	ring_close(&other);
}

static void to_a_disabled_ring(struct ring *r)
{
	struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
	struct ring other;

	if (ring_try(&other, 4, &params) < 0)
		give_up("no other ring");
	ring_map(&other);
	message(r, other.fd, 5, 77);
	go(r);
	reg(&other, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	message(r, other.fd, 5, 77);
	go(r);
	reap(&other, 1);
	ring_close(&other);
}

/* Such a ring's completions become visible when its own thread enters. */
static void to_a_deferring_ring(struct ring *r)
{
	struct io_uring_params params = {
		.flags =
			IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	struct ring other;

	if (ring_try(&other, 4, &params) < 0)
		give_up("no other ring");
	ring_map(&other);
	message(r, other.fd, 5, 77);
	go(r);
	reap(&other, 1);
	sqe_nop(&other);
	go(&other);
	message(r, other.fd, 6, 78);
	go(r);
	reap(&other, 1);
	ring_close(&other);
}

static void announced(struct ring *r)
{
	struct pollfd p = {.events = POLLIN};
	struct ring other;

	open_plain(&other);
	p.fd = other.fd;
	note_result("poll", poll(&p, 1, 0));
	message(r, other.fd, 5, 77);
	go(r);
	note_result("poll", poll(&p, 1, -1));
	reap(&other, 1);
	ring_close(&other);
}

static void use_slot(struct ring *r, int slot)
{
	sqe_new(r, IORING_OP_WRITE, slot, "x", 1, UINT64_MAX)->flags =
		IOSQE_FIXED_FILE;
	go(r);
}

static void files(struct ring *r)
{
	struct ring other;
	int fd[2], none[3] = {-1, -1, -1};

	open_plain(&other);
	pair(fd, PAIR_PIPE);
	send_file(r, other.fd, 1, 1, 77);
	go(r);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	send_file(r, other.fd, 1, 1, 77);
	go(r);
	quiet(&other);
	reg(&other, IORING_REGISTER_FILES, none, 3);
	send_file(r, other.fd, 1, 1, 77);
	go(r);
	reap(&other, 1);
	use_slot(&other, 0);
	get(fd[0], 10);
	send_file(r, other.fd, 1, IORING_FILE_INDEX_ALLOC, 78)->flags =
		IOSQE_ASYNC;
	go(r);
	reap(&other, 1);
	use_slot(&other, 1);
	send_file(r, other.fd, 1, 3, 79)->op_flags = CQE_SKIP;
	go(r);
	quiet(&other);
	use_slot(&other, 2);
	send_file(r, other.fd, 1, IORING_FILE_INDEX_ALLOC, 80);
	go(r);
	send_file(r, other.fd, 1, 4, 80);
	go(r);
	send_file(r, other.fd, 2, 1, 80);
	go(r);
	send_file(r, other.fd, 1, 0, 80);
	go(r);
	quiet(&other);
	send_file(r, other.fd, 0, 1, 81)->len = 9;
	go(r);
	quiet(&other);
	send_file(r, other.fd, 0, 1, 82)->op_flags = FLAGS_PASS;
	go(r);
	quiet(&other);
	get(fd[0], 10);
	ring_close(&other);
}

#define MESSAGES 300

struct talker {
	struct ring ring;
	const struct ring *to;
	uint32_t sent;
	uint32_t got;
};

/* Send all messages, and take completions until all that are due have come. */
static void *talk(void *argument)
{
	struct talker *t = argument;
	struct ring *r = &t->ring;

	while (t->sent < MESSAGES || t->got < 2 * MESSAGES) {
		uint32_t submits = t->sent < MESSAGES;

		if (submits) {
			message(r, t->to->fd, 1, 1000);
			store_release(r->sq_tail, r->next);
			t->sent++;
		}
		side->enter(r->fd, submits, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		while (ring_ready(r)) {
			t->got++;
			ring_seen(r);
		}
	}
	return NULL;
}

/* Neither ring may wait for the other's lock while it holds its own. */
static void to_each_other_at_once(struct ring *r)
{
	struct talker talkers[2] = {{.to = NULL}};
	pthread_t thread;

	(void)r;
	open_plain(&talkers[0].ring);
	open_plain(&talkers[1].ring);
	talkers[0].to = &talkers[1].ring;
	talkers[1].to = &talkers[0].ring;
	if (pthread_create(&thread, NULL, talk, &talkers[0]))
		give_up("no thread");
	talk(&talkers[1]);
	pthread_join(thread, NULL);
	note("%u and %u", talkers[0].got, talkers[1].got);
}

static const struct scenario rows[] = {
	SCENARIO(to_another, NULL, .modes = MODES_ALL),
	SCENARIO(with_flags, "P13"),
	SCENARIO(to_no_ring, NULL),
	SCENARIO(to_itself, NULL, .modes = MODES_ALL),
	SCENARIO(in_a_chain, "P12"),
	SCENARIO(overflow, NULL),
	SCENARIO(to_a_disabled_ring, NULL),
	SCENARIO(to_a_deferring_ring, NULL),
	SCENARIO(announced, NULL),
	SCENARIO(files, NULL, .modes = MODES_ALL),
	SCENARIO(to_each_other_at_once, NULL, .bare = true),
};

FAMILY(msg, rows);
