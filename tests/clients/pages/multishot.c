// SPDX-License-Identifier: MIT
/* io_uring_prep_multishot_accept(3), _recv_multishot, _recvmsg_multishot,
 * _poll_multishot, io_uring_recvmsg_out(3) and its relatives */
#include "page.h"

#define EACH 128

static char memory[8][EACH];

static void provide(int first, int count)
{
	PREP("provide_buffers", provide_buffers, memory[first], EACH, count, 1,
	     first);
	go();
}

static void put(int fd, const char *text)
{
	must((int)write(fd, text, strlen(text)));
}

static void accepts(void)
{
	struct sockaddr_in address;
	int server = listener(&address);

	PREP("multishot_accept", multishot_accept, server, NULL, NULL, 0);
	for (int i = 0; i < 3; i++) {
		int fd = must(socket(AF_INET, SOCK_STREAM, 0));
		struct io_uring_cqe *cqe;

		must(connect(fd, (struct sockaddr *)&address, sizeof(address)));
		must(io_uring_submit_and_wait(&ring, 1));
		must(io_uring_peek_cqe(&ring, &cqe));
		printf("accepted %d, more %d\n", cqe->res >= 0,
		       !!(cqe->flags & IORING_CQE_F_MORE));
		io_uring_cqe_seen(&ring, cqe);
	}
	PREP("cancel", cancel_fd, server, 0);
	go();
	reap();
}

static void receives(void)
{
	struct io_uring_sqe *sqe;
	int fd[2];

	pair(fd);
	provide(0, 3);
	sqe = PREP("recv_multishot", recv_multishot, fd[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	must(io_uring_submit(&ring));
	for (int i = 0; i < 3; i++) {
		struct answer got;

		put(fd[1], i ? "more" : "first");
		got = reap();
		printf("%.*s\n", got.res,
		       memory[got.flags >> IORING_CQE_BUFFER_SHIFT]);
	}
	put(fd[1], "too much");
	reap();
}

static void messages(void)
{
	struct msghdr msg = {.msg_controllen = 0};
	struct io_uring_recvmsg_out *out;
	struct io_uring_sqe *sqe;
	struct answer got;
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	provide(4, 2);
	sqe = PREP("recvmsg_multishot", recvmsg_multishot, fd[0], &msg, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	must(io_uring_submit(&ring));
	put(fd[1], "datagram");
	got = reap();
	out = io_uring_recvmsg_validate(
		memory[got.flags >> IORING_CQE_BUFFER_SHIFT], got.res, &msg);
	printf("%u bytes: %.8s\n",
	       io_uring_recvmsg_payload_length(out, got.res, &msg),
	       (char *)io_uring_recvmsg_payload(out, &msg));
	close(fd[1]);
	close(fd[0]);
	PREP("cancel", cancel, (void *)(uintptr_t) "recvmsg_multishot", 0);
	go();
	reap();
}

static void polls(void)
{
	char byte;
	int fd[2];

	pair(fd);
	PREP("poll_multishot", poll_multishot, fd[0], POLLIN);
	must(io_uring_submit(&ring));
	for (int i = 0; i < 2; i++) {
		put(fd[1], "x");
		reap();
		must((int)read(fd[0], &byte, 1));
	}
	close(fd[1]);
	reap();
}

int main(void)
{
	begin(0);
	accepts();
	receives();
	messages();
	polls();
	io_uring_queue_exit(&ring);
	return 0;
}
