/* SPDX-License-Identifier: MIT */
/*
 * Signals: which thread gets SIGPIPE.
 *
 * A write without a reader raises it in the thread that submitted the write,
 * unless the kernel gave the request to a worker. Each scenario is one way in
 * which a request comes to be tried; it is played with each operation that
 * writes.
 */
#include "runner/scenario.h"

#include <pthread.h>
#include <sys/syscall.h>

#define ANYWHERE UINT64_MAX
#define PIECE 4000u /* does not fit into a full pipe */
#define NOSIGNAL 0x100 /* RWF_NOSIGNAL */

static volatile int signals;
static volatile int elsewhere; /* in a thread other than the first */

static void on_pipe(int signo)
{
	(void)signo;
	signals++;
	if (syscall(SYS_gettid) != getpid())
		elsewhere++;
}

enum way {
	PIPE_WRITE,
	PIPE_WRITEV,
	PIPE_NOSIGNAL,
	SOCKET_WRITE,
	SOCKET_SEND,
	SOCKET_SENDMSG,
	PIPE_SPLICE,
	PIPE_TEE,
	WAYS,
};

static const char *const names[WAYS] = {
	"WRITE", "WRITEV",  "RWF_NOSIGNAL", "WRITE to a socket",
	"SEND",	 "SENDMSG", "SPLICE",	    "TEE",
};

/* The end to write to, the end to read from, and the pipe to splice from. */
static int out, reader, from[2];
static char data[PIECE];
static struct iovec piece = {data, 3};
static struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

static void ends(enum way way)
{
	bool socket = way >= SOCKET_WRITE && way <= SOCKET_SENDMSG;
	int fd[2];

	pair(fd, socket ? PAIR_STREAM : PAIR_PIPE);
	out = fd[1];
	reader = fd[0];
	pair(from, PAIR_PIPE);
	put(from[1], "abc");
	signals = 0;
	elsewhere = 0;
	piece.iov_len = 3;
}

static void fill(void)
{
	int flags = fcntl(out, F_GETFL);

	nonblocking(out);
	while (write(out, data, sizeof(data)) > 0)
		;
	while (write(out, data, 1) > 0)
		;
	fcntl(out, F_SETFL, flags);
	piece.iov_len = PIECE;
}

static void hang_up(void)
{
	close(reader);
}

static struct io_uring_sqe *sqe_of(struct ring *r, enum way way)
{
	const uint32_t len = (uint32_t)piece.iov_len;
	struct io_uring_sqe *sqe;

	switch (way) {
	case PIPE_WRITEV:
		return sqe_new(r, IORING_OP_WRITEV, out, &piece, 1, 0);
	case SOCKET_SEND:
		return sqe_new(r, IORING_OP_SEND, out, data, len, 0);
	case SOCKET_SENDMSG:
		return sqe_new(r, IORING_OP_SENDMSG, out, &message, 1, 0);
	case PIPE_SPLICE:
	case PIPE_TEE:
		sqe = sqe_new(
			r, way == PIPE_TEE ? IORING_OP_TEE : IORING_OP_SPLICE,
			out, NULL, 3, way == PIPE_TEE ? 0 : ANYWHERE);
		sqe->splice_fd_in = from[0];
		sqe->splice_off_in = way == PIPE_TEE ? 0 : ANYWHERE;
		return sqe;
	default:
		sqe = sqe_new(r, IORING_OP_WRITE, out, data, len, 0);
		sqe->op_flags = way == PIPE_NOSIGNAL ? NOSIGNAL : 0;
		return sqe;
	}
}

/* It is sent before the completion can be seen, except to another thread. */
static void end(void)
{
	pause_ms(2);
	note("signals %d, elsewhere %d", signals, elsewhere);
	close(out);
	close(from[0]);
	close(from[1]);
}

#define EACH(way)                                                   \
	for (enum way way = (signal(SIGPIPE, on_pipe), PIPE_WRITE); \
	     way < WAYS && (note("%s", names[way]), ends(way), true); way++)

static void at_once(struct ring *r)
{
	EACH(way)
	{
		hang_up();
		sqe_of(r, way);
		go(r);
		end();
	}
}

static void async(struct ring *r)
{
	EACH(way)
	{
		hang_up();
		sqe_of(r, way)->flags |= IOSQE_ASYNC;
		go(r);
		end();
	}
}

static void after_a_wait(struct ring *r)
{
	EACH(way)
	{
		fill();
		sqe_of(r, way);
		submit(r);
		quiet(r);
		hang_up();
		reap(r, 1);
		end();
	}
}

static void async_after_a_wait(struct ring *r)
{
	EACH(way)
	{
		fill();
		sqe_of(r, way)->flags |= IOSQE_ASYNC;
		submit(r);
		quiet(r);
		hang_up();
		reap(r, 1);
		end();
	}
}

/*
 * No thread is in enter: the thread that tries the request sends the signal on.
 */
static void nobody_inside(struct ring *r)
{
	EACH(way)
	{
		fill();
		sqe_of(r, way);
		submit(r);
		quiet(r);
		hang_up();
		peek(r, 1);
		for (int i = 0; i < 5000 && !signals && way < SOCKET_SEND &&
				way != PIPE_NOSIGNAL && mode != MODE_SQPOLL;
		     i++)
			pause_ms(1);
		end();
	}
}

static void *enter_once(void *argument)
{
	struct ring *r = argument;

	side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	return NULL;
}

static void another_waits(struct ring *r)
{
	EACH(way)
	{
		pthread_t thread;

		fill();
		sqe_of(r, way);
		submit(r);
		pthread_create(&thread, NULL, enter_once, r);
		pause_ms(20);
		hang_up();
		pthread_join(thread, NULL);
		reap(r, 1);
		end();
	}
}

static void behind(struct ring *r, struct io_uring_sqe *first, enum way way)
{
	first->flags |= IOSQE_IO_LINK;
	hang_up();
	sqe_of(r, way);
}

static void linked(struct ring *r)
{
	EACH(way)
	{
		behind(r, sqe_nop(r), way);
		go(r);
		end();
	}
}

/* The worker continues with the chain, except on rings with DEFER_TASKRUN. */
static void linked_behind_async(struct ring *r)
{
	EACH(way)
	{
		struct io_uring_sqe *first = sqe_nop(r);

		first->flags |= IOSQE_ASYNC;
		behind(r, first, way);
		go(r);
		end();
	}
}

static void linked_behind_a_wait(struct ring *r)
{
	EACH(way)
	{
		int gate[2];
		char byte;

		pair(gate, PAIR_PIPE);
		behind(r, sqe_new(r, IORING_OP_READ, gate[0], &byte, 1, 0),
		       way);
		submit(r);
		quiet(r);
		put(gate[1], "x");
		reap(r, 2);
		end();
	}
}

static void linked_behind(struct ring *r)
{
	static const enum io_uring_op first[] = {
		IORING_OP_FSYNC,    IORING_OP_FALLOCATE, IORING_OP_FADVISE,
		IORING_OP_SHUTDOWN, IORING_OP_SPLICE,
	};
	int file = memfd_create("f", 0), ends_of[2];

	for (size_t i = 0; i < array_size(first); i++) {
		struct io_uring_sqe *sqe;

		signal(SIGPIPE, on_pipe);
		ends(PIPE_WRITE);
		pair(ends_of, PAIR_STREAM);
		sqe = sqe_new(r, first[i],
			      first[i] == IORING_OP_SHUTDOWN ? ends_of[0]
							     : file,
			      NULL, 0, 0);
		if (first[i] == IORING_OP_FALLOCATE)
			sqe->addr = 10;
		if (first[i] == IORING_OP_SPLICE) {
			sqe->splice_fd_in = from[0];
			sqe->splice_off_in = ANYWHERE;
			sqe->len = 3;
		}
		behind(r, sqe, PIPE_WRITE);
		go(r);
		end();
	}
}

static void drained(struct ring *r)
{
	EACH(way)
	{
		int gate[2];
		char byte;

		pair(gate, PAIR_PIPE);
		hang_up();
		sqe_new(r, IORING_OP_READ, gate[0], &byte, 1, 0);
		sqe_of(r, way)->flags |= IOSQE_IO_DRAIN;
		submit(r);
		quiet(r);
		put(gate[1], "x");
		reap(r, 2);
		end();
	}
}

/* A pending signal stays pending; a raised one stays blocked. */
static void blocked(struct ring *r)
{
	sigset_t set, pending;

	signal(SIGPIPE, on_pipe);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	for (int i = 0; i < 4; i++) {
		enum way way = i & 1 ? PIPE_SPLICE : PIPE_WRITE;

		ends(way);
		hang_up();
		sigprocmask(SIG_BLOCK, &set, NULL);
		if (i & 2)
			raise(SIGPIPE);
		sqe_of(r, way);
		go(r);
		sigpending(&pending);
		note("pending %d, signals %d", sigismember(&pending, SIGPIPE),
		     signals);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		end();
	}
}

static const struct scenario rows[] = {
	SCENARIO(at_once, NULL, .modes = MODES_ALL),
	SCENARIO(async, NULL, .modes = MODES_ALL),
	SCENARIO(after_a_wait, NULL, .modes = MODES_ALL),
	SCENARIO(async_after_a_wait, NULL, .modes = MODES_ALL),
	SCENARIO(nobody_inside, NULL, .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(another_waits, NULL, .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(linked, NULL, .modes = MODES_ALL),
	SCENARIO(linked_behind_async, NULL, .modes = MODES_ALL),
	SCENARIO(linked_behind_a_wait, NULL, .modes = MODES_ALL),
	SCENARIO(linked_behind, NULL, .modes = MODES_ALL),
	SCENARIO(drained, NULL, .modes = MODES_ALL),
	SCENARIO(blocked, NULL, .modes = MODES_ALL),
};

FAMILY(signals, rows);
