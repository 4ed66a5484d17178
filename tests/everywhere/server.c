// SPDX-License-Identifier: MIT
/*
 * An echo server over liburing as old as Debian 11's: accepts, receives into
 * provided buffers, sends. Its clients are threads that check each byte.
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8
#define ROUNDS 200
#define MESSAGE_BYTES 700
#define BUFFERS 32
#define BUFFER_BYTES 512
#define GROUP 3

enum kind { ACCEPT, RECV, SEND, PROVIDE, CLOSE };

static char buffers[BUFFERS][BUFFER_BYTES];
static struct sockaddr_in address = {.sin_family = AF_INET};
static struct io_uring ring;
static long right;

static void must(int holds, const char *what)
{
	if (holds)
		return;
	printf("not ok: %s\n", what);
	exit(1);
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	must(sqe != NULL, "an entry");
	return sqe;
}

static void ask(struct io_uring_sqe *sqe, enum kind kind, int id, int fd)
{
	sqe->user_data = (unsigned long)kind << 32 | (unsigned long)id << 16 |
			 (unsigned long)fd;
}

static void accept_one(int listener)
{
	struct io_uring_sqe *sqe = entry();

	io_uring_prep_accept(sqe, listener, NULL, NULL, 0);
	ask(sqe, ACCEPT, 0, listener);
}

static void receive(int fd)
{
	struct io_uring_sqe *sqe = entry();

	io_uring_prep_recv(sqe, fd, NULL, BUFFER_BYTES, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	ask(sqe, RECV, 0, fd);
}

static void provide(int id, int count)
{
	struct io_uring_sqe *sqe = entry();

	io_uring_prep_provide_buffers(sqe, buffers[id], BUFFER_BYTES, count,
				      GROUP, id);
	ask(sqe, PROVIDE, id, 0);
}

static void received(const struct io_uring_cqe *cqe, int fd)
{
	int id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_sqe *sqe;

	if (cqe->res == -ENOBUFS) {
		receive(fd);
		return;
	}
	must(cqe->res >= 0, "a receive");
	sqe = entry();
	if (cqe->res) {
		io_uring_prep_send(sqe, fd, buffers[id], cqe->res, MSG_WAITALL);
		ask(sqe, SEND, id, fd);
		return;
	}
	io_uring_prep_close(sqe, fd);
	ask(sqe, CLOSE, 0, fd);
}

static int completed(const struct io_uring_cqe *cqe)
{
	int fd = cqe->user_data & 0xffff, id = cqe->user_data >> 16 & 0xffff;

	switch ((enum kind)(cqe->user_data >> 32)) {
	case ACCEPT:
		must(cqe->res >= 0, "an accept");
		receive(cqe->res);
		accept_one(fd);
		return 0;
	case RECV:
		received(cqe, fd);
		return 0;
	case SEND:
		must(cqe->res > 0, "a send");
		provide(id, 1);
		receive(fd);
		return 0;
	case PROVIDE:
		must(cqe->res >= 0, "a provision");
		return 0;
	case CLOSE:
		return 1;
	}
	return 0;
}

static void *client(void *argument)
{
	unsigned int seed = (unsigned int)(size_t)argument;
	char sent[MESSAGE_BYTES], got[MESSAGE_BYTES];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(!connect(fd, (struct sockaddr *)&address, sizeof(address)),
	     "a connection");
	for (int i = 0; i < ROUNDS; i++) {
		int bytes = 1 + rand_r(&seed) % MESSAGE_BYTES;

		for (int at = 0; at < bytes; at++)
			sent[at] = (char)rand_r(&seed);
		must(send(fd, sent, bytes, 0) == bytes, "a client's send");
		must(recv(fd, got, bytes, MSG_WAITALL) == bytes &&
			     !memcmp(sent, got, bytes),
		     "bytes");
		__atomic_fetch_add(&right, bytes, __ATOMIC_RELAXED);
	}
	close(fd);
	return NULL;
}

static int listen_here(void)
{
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(!bind(fd, (struct sockaddr *)&address, bytes) &&
		     !listen(fd, CLIENTS) &&
		     !getsockname(fd, (struct sockaddr *)&address, &bytes),
	     "a listener");
	return fd;
}

int main(void)
{
	pthread_t threads[CLIENTS];
	int left = CLIENTS, listener = listen_here();

	must(!io_uring_queue_init(64, &ring, 0), "a ring");
	provide(0, BUFFERS);
	accept_one(listener);
	for (size_t i = 0; i < CLIENTS; i++)
		must(!pthread_create(&threads[i], NULL, client, (void *)i),
		     "a thread");
	while (left) {
		struct io_uring_cqe *cqe;

		must(io_uring_submit_and_wait(&ring, 1) >= 0, "waiting");
		while (left && !io_uring_peek_cqe(&ring, &cqe)) {
			struct io_uring_cqe copy = *cqe;

			io_uring_cqe_seen(&ring, cqe);
			left -= completed(&copy);
		}
	}
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	printf("ok %ld bytes\n", right);
	return 0;
}
