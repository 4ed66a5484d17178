/* SPDX-License-Identifier: MIT */
/*
 * ASYNC_CANCEL with each of its flags, and SYNC_CANCEL.
 *
 * Theory: the requests to cancel wait on pipes and sockets that never become
 * ready. The order among several matches is not defined: where one of several
 * is cancelled, only the count is written.
 */
#include "runner/scenario.h"

static const struct io_timespec hour = {.tv_sec = 3600};
static char bytes[64];

static struct io_uring_sqe *waiting(struct ring *r, int fd)
{
	return sqe_new(r, IORING_OP_READ, fd, bytes, 8, 0);
}

/* Write how many completions had each result, without their user_data. */
static void count_results(struct ring *r, unsigned int count)
{
	unsigned int cancelled = 0;
	unsigned int other = 0;

	while (count--) {
		while (!ring_ready(r))
			side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
				    0);
		if (ring_cqe(r)->res == -ECANCELED)
			cancelled++;
		else {
			other++;
			note("#%u: %d", (unsigned int)ring_cqe(r)->user_data,
			     ring_cqe(r)->res);
		}
		ring_seen(r);
	}
	note("%u cancelled, %u other", cancelled, other);
}

static void by_user_data(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	waiting(r, fd[0]);
	submit(r);
	quiet(r);
	sqe_cancel(r, 2, 0);
	submit(r);
	reap_sorted(r, 2);
	sqe_cancel(r, 2, 0);
	go(r);
	put(fd[1], "x");
	reap(r, 1);
}

static void by_user_data_flag(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	submit(r);
	sqe_cancel(r, 1, IORING_ASYNC_CANCEL_USERDATA);
	submit(r);
	reap_sorted(r, 2);
}

static void the_same_user_data(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0])->user_data = 7;
	waiting(r, fd[0])->user_data = 7;
	waiting(r, fd[0])->user_data = 7;
	submit(r);
	sqe_cancel(r, 7, 0)->user_data = 50;
	submit(r);
	count_results(r, 2);
	sqe_cancel(r, 7, IORING_ASYNC_CANCEL_ALL)->user_data = 51;
	submit(r);
	count_results(r, 3);
}

static void every_kind(struct ring *r)
{
	struct bufs b;
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, 1, 4, 16, 0, 4);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	sqe_recv_multi(r, fd[0], 1);
	sqe_poll(r, fd[0], POLLIN);
	sqe_timeout(r, &hour, 0, 0);
	waiting(r, fd[0]);
	sqe_nop(r)->flags = IOSQE_IO_DRAIN;
	submit(r);
	quiet(r);
	for (i = 1; i <= 6; i++)
		side->enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	reg(r, IORING_REGISTER_SYNC_CANCEL,
	    &(struct io_uring_sync_cancel_reg){
		    .flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		    .timeout = {-1, -1}},
	    1);
	quiet(r);
}

static void not_found(struct ring *r)
{
	sqe_cancel(r, 99, 0);
	go(r);
	sqe_cancel(r, 99, IORING_ASYNC_CANCEL_ALL);
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY);
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD)->fd = file_with("");
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_OP)->len = IORING_OP_READ;
	go(r);
}

static void itself(struct ring *r)
{
	sqe_cancel(r, 1, 0);
	go(r);
	sqe_cancel(r, 2, IORING_ASYNC_CANCEL_ALL);
	go(r);
}

static void by_file(struct ring *r)
{
	int other[2];
	int fd[2];

	pair(fd, PAIR_PIPE);
	pair(other, PAIR_PIPE);
	waiting(r, fd[0]);
	waiting(r, other[0]);
	waiting(r, fd[0]);
	sqe_poll(r, fd[0], POLLIN);
	submit(r);
	quiet(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD)->fd = fd[0];
	submit(r);
	count_results(r, 2);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL)->fd =
		fd[0];
	submit(r);
	count_results(r, 3);
	put(other[1], "x");
	reap(r, 1);
}

static void by_another_number_of_the_file(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD)->fd = dup(fd[0]);
	submit(r);
	reap_sorted(r, 2);
}

static void by_file_errors(struct ring *r)
{
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD)->fd = -1;
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD)->fd = 12345;
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD_FIXED)->fd = 0;
	go(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED)
		->fd = 0;
	go(r);
}

static void by_fixed_file(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	waiting(r, 0)->flags = IOSQE_FIXED_FILE;
	waiting(r, fd[0]);
	submit(r);
	sqe_cancel(r, 0,
		   IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED |
			   IORING_ASYNC_CANCEL_ALL)
		->fd = 0;
	submit(r);
	quiet(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED)
		->fd = 9;
	go(r);
}

static void by_opcode(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	waiting(r, fd[0]);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_OP)->len = IORING_OP_RECV;
	submit(r);
	reap_sorted(r, 2);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_ALL)
		->len = IORING_OP_READ;
	submit(r);
	reap_sorted(r, 2);
	sqe_cancel(r, 3, IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_USERDATA)
		->len = IORING_OP_READ;
	go(r);
	sqe_cancel(r, 3, IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_USERDATA)
		->len = IORING_OP_TIMEOUT;
	submit(r);
	reap_sorted(r, 2);
}

/* ANY means all of them, with ALL or without. */
static void any(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	waiting(r, fd[0]);
	waiting(r, fd[0]);
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY);
	submit(r);
	quiet(r);
	waiting(r, fd[0]);
	sqe_timeout(r, &hour, 0, 0);
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	submit(r);
	quiet(r);
}

static void file_and_user_data(struct ring *r)
{
	int other[2];
	int fd[2];

	pair(fd, PAIR_PIPE);
	pair(other, PAIR_PIPE);
	waiting(r, fd[0])->user_data = 7;
	waiting(r, other[0])->user_data = 7;
	submit(r);
	sqe_cancel(r, 7, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_USERDATA)
		->fd = other[0];
	submit(r);
	reap_sorted(r, 2);
	put(fd[1], "x");
	reap(r, 1);
}

static void flag_combinations(struct ring *r)
{
	static const uint32_t flags[] = {
		0x40,
		0x80000000,
		IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_FD,
		IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_OP,
		IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_USERDATA,
		IORING_ASYNC_CANCEL_FD_FIXED,
		IORING_ASYNC_CANCEL_FD_FIXED | IORING_ASYNC_CANCEL_ALL,
	};
	size_t i;

	for (i = 0; i < array_size(flags); i++) {
		note("flags 0x%x", flags[i]);
		sqe_cancel(r, 1000, flags[i]);
		go(r);
	}
}

static void fields(struct ring *r)
{
	sqe_cancel(r, 9, 0)->off = 1;
	go(r);
	sqe_cancel(r, 9, 0)->len = 1;
	go(r);
	sqe_cancel(r, 9, 0)->splice_fd_in = 1;
	go(r);
	sqe_cancel(r, 9, 0)->ioprio = 1;
	go(r);
	sqe_cancel(r, 9, 0)->buf_index = 1;
	go(r);
	sqe_cancel(r, 9, IORING_ASYNC_CANCEL_OP)->len = 255;
	go(r);
	sqe_cancel(r, 9, IORING_ASYNC_CANCEL_OP)->len = 70000;
	go(r);
}

static void worker(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0])->flags = IOSQE_ASYNC;
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	quiet(r);
	close(fd[1]);
	quiet(r);
}

static void worker_by_file(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0])->flags = IOSQE_ASYNC;
	submit(r);
	quiet(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL)->fd =
		fd[0];
	submit(r);
	quiet(r);
}

static void accept_and_connect(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);

	sqe_new(r, IORING_OP_ACCEPT, listening, NULL, 0, 0);
	sqe_new(r, IORING_OP_ACCEPT, listening, NULL, 0, 0)->ioprio =
		IORING_ACCEPT_MULTISHOT;
	submit(r);
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL)->fd =
		listening;
	submit(r);
	reap_sorted(r, 3);
}

static void in_the_same_submission(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

/* ---- SYNC_CANCEL --------------------------------------------------------- */

static int sync_cancel(struct ring *r, uint64_t user_data, int fd,
		       uint32_t flags, uint8_t opcode)
{
	struct io_uring_sync_cancel_reg how = {
		.addr = user_data,
		.fd = fd,
		.flags = flags,
		.timeout = {-1, -1},
		.opcode = opcode,
	};

	return reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
}

static void sync_by_user_data(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	waiting(r, fd[0]);
	submit(r);
	sync_cancel(r, 1, 0, 0, 0);
	reap(r, 1);
	sync_cancel(r, 1, 0, 0, 0);
}

static void sync_by_file_and_opcode(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	waiting(r, fd[0]);
	waiting(r, fd[0]);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	submit(r);
	sync_cancel(r, 0, 0, IORING_ASYNC_CANCEL_OP, IORING_OP_RECV);
	reap(r, 1);
	sync_cancel(r, 0, fd[0],
		    IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, 0);
	reap_sorted(r, 2);
	sync_cancel(r, 0, 0, IORING_ASYNC_CANCEL_ANY, 0);
	sync_cancel(r, 0, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		    0);
}

static void sync_errors(struct ring *r)
{
	struct io_uring_sync_cancel_reg how = {.timeout = {-1, -1}};

	reg(r, IORING_REGISTER_SYNC_CANCEL, NULL, 1);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 0);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 2);
	reg(r, IORING_REGISTER_SYNC_CANCEL, nowhere(), 1);
	how.flags = 0x40;
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
	how.flags = 0;
	how.pad[0] = 1;
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
	how.pad[0] = 0;
	how.pad2[2] = 1;
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
	sync_cancel(r, 0, -1, IORING_ASYNC_CANCEL_FD, 0);
	sync_cancel(r, 0, 0,
		    IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED, 0);
	sync_cancel(r, 99, 0, 0, 0);
}

static void sync_with_a_timeout(struct ring *r)
{
	struct io_uring_sync_cancel_reg how = {.addr = 99};

	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
	how.timeout.tv_nsec = -5;
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
	how.timeout = (struct io_timespec){.tv_sec = 1};
	reg(r, IORING_REGISTER_SYNC_CANCEL, &how, 1);
}

static const struct scenario rows[] = {
	SCENARIO(by_user_data, NULL, .modes = MODES_ALL),
	SCENARIO(by_user_data_flag, NULL),
	SCENARIO(the_same_user_data, NULL),
	SCENARIO(every_kind, NULL),
	SCENARIO(not_found, NULL),
	SCENARIO(itself, NULL),
	SCENARIO(by_file, NULL, .modes = MODES_ALL),
	SCENARIO(by_another_number_of_the_file, NULL),
	SCENARIO(by_file_errors, NULL),
	SCENARIO(by_fixed_file, NULL),
	SCENARIO(by_opcode, NULL, .modes = MODES_ALL),
	SCENARIO(any, NULL, .modes = MODES_ALL),
	SCENARIO(file_and_user_data, NULL),
	SCENARIO(flag_combinations, NULL),
	SCENARIO(fields, NULL),
	SCENARIO(worker, NULL),
	SCENARIO(worker_by_file, NULL),
	SCENARIO(accept_and_connect, NULL),
	SCENARIO(in_the_same_submission, NULL, .modes = MODES_ALL),
	SCENARIO(sync_by_user_data, NULL),
	SCENARIO(sync_by_file_and_opcode, NULL),
	SCENARIO(sync_errors, NULL),
	SCENARIO(sync_with_a_timeout, NULL),
};

FAMILY(cancel, rows);
