/* SPDX-License-Identifier: MIT */
/*
 * SPLICE and TEE: between pipes, files and sockets, waiting for either end.
 */
#include "runner/scenario.h"

#define FD_IN_FIXED (1u << 31)
#define ANY UINT64_MAX /* no offset: a pipe, or the file's own position */

static struct io_uring_sqe *splice_sqe(struct ring *r, int in, uint64_t off_in,
				       int out, uint64_t off_out, uint32_t len)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_SPLICE, out, NULL, len, off_out);

	sqe->splice_off_in = off_in;
	sqe->splice_fd_in = in;
	return sqe;
}

static struct io_uring_sqe *tee_sqe(struct ring *r, int in, int out,
				    uint32_t len)
{
	struct io_uring_sqe *sqe = sqe_new(r, IORING_OP_TEE, out, NULL, len, 0);

	sqe->splice_fd_in = in;
	return sqe;
}

static void pipe_to_pipe(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	put(a[1], "hello");
	splice_sqe(r, a[0], ANY, b[1], ANY, 3);
	go(r);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	go(r);
	get(b[0], 10);
	splice_sqe(r, a[0], ANY, b[1], ANY, 0);
	go(r);
	close(a[1]);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	go(r);
	put(b[1], "x");
	close(b[0]);
	pair(a, PAIR_PIPE);
	put(a[1], "x");
	signal(SIGPIPE, SIG_IGN);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	go(r);
}

static void files(struct ring *r)
{
	int file = file_with("0123456789"), other = file_with(""), p[2];

	pair(p, PAIR_PIPE);
	splice_sqe(r, file, 2, p[1], ANY, 5);
	go(r);
	splice_sqe(r, file, ANY, p[1], ANY, 3);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	splice_sqe(r, p[0], ANY, other, 1, 4);
	go(r);
	splice_sqe(r, p[0], ANY, other, ANY, 4);
	go(r);
	note("position %ld", (long)lseek(other, 0, SEEK_CUR));
	lseek(other, 0, SEEK_SET);
	get(other, 20);
	splice_sqe(r, file, 100, p[1], ANY, 5);
	go(r);
	splice_sqe(r, file, 0, other, 0, 5);
	go(r);
}

static void errors(struct ring *r)
{
	int file = file_with("0123456789"), a[2], b[2];
	unsigned int i;

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	put(a[1], "hello hello hello");
	splice_sqe(r, a[0], 0, b[1], ANY, 1);
	go(r);
	splice_sqe(r, a[0], ANY, b[1], 5, 1);
	go(r);
	splice_sqe(r, file, (uint64_t)-5, b[1], ANY, 1);
	go(r);
	splice_sqe(r, 12345, ANY, b[1], ANY, 1);
	go(r);
	splice_sqe(r, a[0], ANY, 12345, ANY, 1);
	go(r);
	splice_sqe(r, 12345, ANY, b[1], ANY, 0);
	go(r);
	splice_sqe(r, a[1], ANY, b[1], ANY, 1);
	go(r);
	splice_sqe(r, a[0], ANY, b[0], ANY, 1);
	go(r);
	splice_sqe(r, a[0], ANY, a[1], ANY, 1);
	go(r);
	splice_sqe(r, r->fd, ANY, b[1], ANY, 1);
	go(r);
	splice_sqe(r, a[0], ANY, r->fd, ANY, 1);
	go(r);
	for (i = 0; i < 32; i += i == 6 ? 24 : 1) {
		splice_sqe(r, a[0], ANY, b[1], ANY, 1)->op_flags = 1u << i;
		go(r);
	}
	splice_sqe(r, a[0], ANY, b[1], ANY, 1)->buf_index = 1;
	go(r);
	splice_sqe(r, a[0], ANY, b[1], ANY, 1)->addr3 = 1;
	go(r);
	splice_sqe(r, a[0], ANY, b[1], ANY, 1)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	splice_sqe(r, a[0], ANY, b[1], ANY, 0xffffffff);
	go(r);
}

static void waits_for_input(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	submit(r);
	quiet(r);
	put(a[1], "hello");
	reap(r, 1);
	get(b[0], 10);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	submit(r);
	quiet(r);
	close(a[1]);
	reap(r, 1);
}

static void fill_pipe(int fd)
{
	static const char page[4096];

	nonblocking(fd);
	while (write(fd, page, sizeof(page)) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

static void waits_for_room(struct ring *r)
{
	static char page[4096];
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	put(a[1], "hello");
	fill_pipe(b[1]);
	splice_sqe(r, a[0], ANY, b[1], ANY, 5);
	submit(r);
	quiet(r);
	note_result("read", read(b[0], page, sizeof(page)));
	reap(r, 1);
}

static void does_not_wait(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10)->op_flags = 2; /* NONBLOCK */
	go(r);
	tee_sqe(r, a[0], b[1], 10)->op_flags = 2;
	go(r);
	nonblocking(a[0]);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	go(r);
	tee_sqe(r, a[0], b[1], 10);
	go(r);
	pair(a, PAIR_PIPE);
	nonblocking(b[1]);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	go(r);
}

static void canceled(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0)->user_data = 77;
	submit(r);
	reap_sorted(r, 2);
	put(a[1], "hello");
	get(a[0], 10);
}

/* The socket is full, and it is a blocking one. */
static void canceled_while_it_sends(struct ring *r)
{
	static char bytes[4096];
	int p[2], s[2];

	pair(p, PAIR_PIPE);
	pair(s, PAIR_STREAM);
	while (send(s[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	put(p[1], "hello");
	splice_sqe(r, p[0], ANY, s[0], ANY, 10);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0)->user_data = 77;
	submit(r);
	reap_sorted(r, 2);
	get(p[0], 10);
	put(p[1], "again");
	splice_sqe(r, p[0], ANY, s[0], ANY, 10);
	submit(r);
	quiet(r);
}

static void in_a_chain(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	put(a[1], "hello");
	splice_sqe(r, a[0], ANY, b[1], ANY, 5)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	put(a[1], "hello");
	splice_sqe(r, a[0], ANY, b[1], ANY, 6)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	put(a[1], "hello");
	tee_sqe(r, a[0], b[1], 6)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	splice_sqe(r, 12345, ANY, b[1], ANY, 6)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	splice_sqe(r, a[0], ANY, b[1], ANY, 6)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
}

static void registered_files(struct ring *r)
{
	int a[2], b[2], table[4];
	struct io_uring_sqe *sqe;

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	memcpy(table, a, sizeof(a));
	memcpy(table + 2, b, sizeof(b));
	reg(r, IORING_REGISTER_FILES, table, 4);
	put(a[1], "hello hello");
	splice_sqe(r, a[0], ANY, 3, ANY, 2)->flags = IOSQE_FIXED_FILE;
	go(r);
	splice_sqe(r, 0, ANY, b[1], ANY, 2)->op_flags = FD_IN_FIXED;
	go(r);
	sqe = splice_sqe(r, 0, ANY, b[1], ANY, 2);
	sqe->op_flags = FD_IN_FIXED;
	sqe->flags = IOSQE_ASYNC;
	go(r);
	splice_sqe(r, 4, ANY, b[1], ANY, 2)->op_flags = FD_IN_FIXED;
	go(r);
	splice_sqe(r, a[0], ANY, 4, ANY, 2)->flags = IOSQE_FIXED_FILE;
	go(r);
	tee_sqe(r, 0, b[1], 2)->op_flags = FD_IN_FIXED;
	go(r);
	get(b[0], 20);
	get(a[0], 20);
	splice_sqe(r, 0, ANY, b[1], ANY, 2)->op_flags = FD_IN_FIXED;
	submit(r);
	quiet(r);
	put(a[1], "ab");
	reap(r, 1);
}

static void tees(struct ring *r)
{
	int file = file_with("abc"), a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	put(a[1], "hello");
	tee_sqe(r, a[0], b[1], 3);
	go(r);
	tee_sqe(r, a[0], b[1], 30);
	go(r);
	get(a[0], 20);
	get(b[0], 20);
	tee_sqe(r, file, b[1], 3);
	go(r);
	tee_sqe(r, a[0], a[1], 3);
	go(r);
	tee_sqe(r, 12345, b[1], 3);
	go(r);
	tee_sqe(r, a[0], 12345, 3);
	go(r);
	tee_sqe(r, a[0], b[1], 0);
	go(r);
	tee_sqe(r, a[0], b[1], 3)->off = 1;
	go(r);
	tee_sqe(r, a[0], b[1], 3)->splice_off_in = 1;
	go(r);
	tee_sqe(r, a[0], b[1], 30);
	submit(r);
	quiet(r);
	put(a[1], "later");
	reap(r, 1);
	tee_sqe(r, a[0], b[1], 30)->flags = IOSQE_ASYNC;
	go(r);
	close(a[1]);
	get(a[0], 20);
	tee_sqe(r, a[0], b[1], 30);
	go(r);
}

static void sockets(struct ring *r)
{
	int s[2], p[2];

	pair(p, PAIR_PIPE);
	pair(s, PAIR_TCP);
	splice_sqe(r, s[0], ANY, p[1], ANY, 10);
	submit(r);
	quiet(r);
	put(s[1], "hello");
	reap(r, 1);
	splice_sqe(r, p[0], ANY, s[0], ANY, 5);
	go(r);
	wait_bytes(s[1], 5);
	get(s[1], 10);
	nonblocking(s[0]);
	splice_sqe(r, s[0], ANY, p[1], ANY, 10);
	go(r);
	shutdown(s[1], SHUT_WR);
	splice_sqe(r, s[0], ANY, p[1], ANY, 10);
	submit(r);
	reap(r, 1);
}

/* More than the socket has room for, to one that waits. */
static void more_than_there_is_room_for(struct ring *r)
{
	static const enum pair_kind kinds[] = {PAIR_STREAM, PAIR_TCP};
	static char page[4096];

	for (size_t i = 0; i < array_size(kinds); i++) {
		int s[2], p[2], taken = 0;

		pair(p, PAIR_PIPE);
		pair(s, kinds[i]);
		while (send(s[0], page, sizeof(page), MSG_DONTWAIT) > 0)
			;
		for (int k = 0; k < 4; k++)
			if (write(p[1], page, sizeof(page)) < 0)
				give_up("write");
		splice_sqe(r, p[0], ANY, s[0], ANY, 16384);
		submit(r);
		quiet(r);
		while (!ring_ready(r)) {
			if (recv(s[1], page, sizeof(page), MSG_DONTWAIT) < 0)
				pause_ms(1);
			if (!(++taken % 64))
				side->enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS,
					    NULL, 0);
		}
		reap(r, 1);
		get(p[0], 0);
		note("nonblocking: %d", !!(fcntl(s[0], F_GETFL) & O_NONBLOCK));
	}
}

static void datagrams_into_a_pipe(struct ring *r)
{
	static const enum pair_kind kinds[] = {PAIR_DGRAM, PAIR_UDP};

	for (size_t i = 0; i < array_size(kinds); i++) {
		int s[2], p[2];

		pair(p, PAIR_PIPE);
		pair(s, kinds[i]);
		splice_sqe(r, s[0], ANY, p[1], ANY, 10);
		submit(r);
		quiet(r);
		put(s[1], "hello");
		reap(r, 1);
		get(p[0], 10);
	}
}

/* The program may use the fds again as soon as the request waits. */
static void closed_while_it_waits(struct ring *r)
{
	int a[2], b[2];

	pair(a, PAIR_PIPE);
	pair(b, PAIR_PIPE);
	splice_sqe(r, a[0], ANY, b[1], ANY, 10);
	submit(r);
	quiet(r);
	close(a[0]);
	close(b[1]);
	put(a[1], "hello");
	reap(r, 1);
	get(b[0], 10);
	get(b[0], 10);
}

static const struct scenario rows[] = {
	SCENARIO(pipe_to_pipe, NULL, .modes = MODES_ALL),
	SCENARIO(files, NULL),
	SCENARIO(errors, "P13"),
	SCENARIO(waits_for_input, NULL),
	SCENARIO(waits_for_room, NULL),
	SCENARIO(does_not_wait, NULL),
	SCENARIO(canceled, NULL, .deviates = "splice-canceled"),
	SCENARIO(canceled_while_it_sends, NULL, .deviates = "splice-canceled"),
	SCENARIO(in_a_chain, "P12"),
	SCENARIO(registered_files, NULL),
	SCENARIO(tees, NULL),
	SCENARIO(sockets, NULL),
	SCENARIO(closed_while_it_waits, NULL),
	SCENARIO(more_than_there_is_room_for, NULL),
	SCENARIO(datagrams_into_a_pipe, NULL),
};

FAMILY(splice, rows);
