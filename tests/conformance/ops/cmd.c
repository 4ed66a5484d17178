/* SPDX-License-Identifier: MIT */
/*
 * URING_CMD on sockets.
 */
#include "runner/scenario.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { INQ, OUTQ, GETSOCKOPT, SETSOCKOPT, TX_TIMESTAMP };

static struct io_uring_sqe *command(struct ring *r, int fd, uint32_t command)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_URING_CMD, fd, NULL, 0, 0);

	sqe->cmd_op = command;
	return sqe;
}

static struct io_uring_sqe *option(struct ring *r, int fd, uint32_t how,
				   uint32_t level, uint32_t name, void *value,
				   uint32_t bytes)
{
	struct io_uring_sqe *sqe = command(r, fd, how);

	sqe->level = level;
	sqe->optname = name;
	sqe->optval = (uintptr_t)value;
	sqe->optlen = bytes;
	return sqe;
}

static void queues(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	command(r, fd[0], INQ);
	command(r, fd[0], OUTQ);
	go(r);
	put(fd[1], "hello");
	wait_bytes(fd[0], 5);
	command(r, fd[0], INQ);
	go(r);
	pair(fd, PAIR_STREAM);
	put(fd[1], "hello");
	command(r, fd[0], INQ);
	go(r);
	pair(fd, PAIR_UDP);
	put(fd[1], "hello");
	wait_bytes(fd[0], 5);
	command(r, fd[0], INQ);
	go(r);
	fd[0] = listener(&(struct sockaddr_storage){0}, &(socklen_t){0});
	command(r, fd[0], INQ);
	go(r);
	command(r, fd[0], OUTQ);
	go(r);
}

static void options_read(struct ring *r)
{
	int fd[2], value = 0, file = file_with("x");

	pair(fd, PAIR_TCP);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 4);
	go(r);
	note("type %d", value);
	value = -1;
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 2);
	go(r);
	note("type %x", (unsigned int)value);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 0);
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 100);
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 0xffffffff);
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, nowhere(), 4);
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, 12345, &value, 4);
	go(r);
	option(r, fd[0], GETSOCKOPT, IPPROTO_TCP, TCP_NODELAY, &value, 4);
	go(r);
	option(r, fd[0], GETSOCKOPT, IPPROTO_IP, 1, &value, 4);
	go(r);
	option(r, file, GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 4);
	go(r);
	option(r, -1, GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 4);
	go(r);
}

static void options_set(struct ring *r)
{
	int fd[2], value = 1, now = 0;
	socklen_t bytes = sizeof(now);

	pair(fd, PAIR_TCP);
	option(r, fd[0], SETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, &value, 4);
	go(r);
	getsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, &now, &bytes);
	note("keepalive %d", now);
	value = 0;
	option(r, fd[0], SETSOCKOPT, IPPROTO_TCP, TCP_NODELAY, &value, 4);
	go(r);
	getsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &now, &bytes);
	note("nodelay %d", now);
	option(r, fd[0], SETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, &value, 2);
	go(r);
	option(r, fd[0], SETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, nowhere(), 4);
	go(r);
	option(r, fd[0], SETSOCKOPT, SOL_SOCKET, 12345, &value, 4);
	go(r);
	option(r, fd[0], SETSOCKOPT, 12345, 1, &value, 4);
	go(r);
	option(r, fd[0], SETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, &value,
	       0xffffffff);
	go(r);
}

static void other_commands(struct ring *r)
{
	int fd[2], file = file_with("x"), null = device("/dev/null");
	uint32_t i;

	pair(fd, PAIR_TCP);
	for (i = 5; i < 9; i++) {
		command(r, fd[0], i);
		go(r);
	}
	command(r, fd[0], 0xffffffff);
	go(r);
	command(r, fd[0], TX_TIMESTAMP);
	go(r);
	for (i = 0; i < 6; i++) {
		command(r, file, i);
		go(r);
	}
	command(r, null, 0);
	go(r);
	command(r, null, 1);
	go(r);
	command(r, r->fd, 0);
	go(r);
	command(r, -1, 0);
	go(r);
	pair(fd, PAIR_PIPE);
	command(r, fd[0], 0);
	go(r);
}

static void words(struct ring *r)
{
	int fd[2], value = 0;
	uint32_t i;

	pair(fd, PAIR_TCP);
	for (i = 0; i < 4; i++) {
		command(r, fd[0], INQ)->op_flags = 1u << i;
		go(r);
	}
	command(r, fd[0], INQ)->ioprio = 1;
	go(r);
	command(r, fd[0], INQ)->pad1_ = 1;
	go(r);
	command(r, fd[0], INQ)->addr = 1;
	go(r);
	command(r, fd[0], INQ)->len = 1;
	go(r);
	command(r, fd[0], INQ)->buf_index = 1;
	go(r);
	command(r, fd[0], INQ)->file_index = 1;
	go(r);
	command(r, fd[0], INQ)->addr3 = 1;
	go(r);
	command(r, fd[0], INQ)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	command(r, fd[0], INQ)->flags = IOSQE_ASYNC;
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 4)->len = 1;
	go(r);
	option(r, fd[0], GETSOCKOPT, SOL_SOCKET, SO_TYPE, &value, 4)->pad2_ = 1;
	go(r);
	command(r, 0, INQ)->flags = IOSQE_FIXED_FILE;
	go(r);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	command(r, 1, INQ)->flags = IOSQE_FIXED_FILE;
	go(r);
	command(r, fd[0], 100)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(queues, NULL, .modes = MODES_ALL),
	SCENARIO(options_read, NULL),
	SCENARIO(options_set, NULL),
	SCENARIO(other_commands, NULL),
	SCENARIO(words, "P13"),
};

FAMILY(cmd, rows);
