/* SPDX-License-Identifier: MIT */
/*
 * For programs that try what liburing's manual pages describe, as a newcomer
 * would: one program for a family of pages.
 *
 * Theory: a program says what comes back and expects nothing. What it says is
 * the same on the kernel's io_uring and on polyring, or something is wrong: no
 * address, no time, no file number but as "fd". NAME.txt beside it is what
 * Linux 6.18 made it say, which stands in where the kernel can't be asked.
 */
#ifndef POLYRING_TESTS_PAGE_H
#define POLYRING_TESTS_PAGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct io_uring ring;

/* "name = result", errors by their names. */
static inline int say(const char *name, int result)
{
	if (result < 0)
		printf("%s = -%s\n", name, strerrorname_np(-result));
	else
		printf("%s = %d\n", name, result);
	return result;
}

/* What has to work for the rest to make sense. */
static inline int must(int result)
{
	if (result >= 0)
		return result;
	printf("errno %s\n", strerrorname_np(errno));
	exit(1);
}

static inline void begin(unsigned int flags)
{
	int err = io_uring_queue_init(32, &ring, flags);

	if (err < 0) {
		say("queue_init", err);
		exit(1);
	}
}

/* liburing's prep functions clear what was there, so the name goes last. */
#define PREP(name, function, ...)                                       \
	({                                                              \
		struct io_uring_sqe *sqe_ = io_uring_get_sqe(&ring);    \
		io_uring_prep_##function(sqe_, ##__VA_ARGS__);          \
		io_uring_sqe_set_data(sqe_, (void *)(uintptr_t)(name)); \
		sqe_;                                                   \
	})

static inline void said_of(const struct io_uring_cqe *cqe)
{
	unsigned int flags = cqe->flags;

	printf("%s = ", (const char *)io_uring_cqe_get_data(cqe));
	if (cqe->res < 0)
		printf("-%s", strerrorname_np(-cqe->res));
	else
		printf("%d", cqe->res);
	if (flags & IORING_CQE_F_BUFFER)
		printf(" buffer %u", flags >> IORING_CQE_BUFFER_SHIFT);
	printf("%s%s\n", flags & IORING_CQE_F_MORE ? " more" : "",
	       flags & IORING_CQE_F_NOTIF ? " notification" : "");
}

struct answer {
	int res;
	unsigned int flags;
};

/* Wait for a completion, say it, and return what it says. */
static inline struct answer reap(void)
{
	struct io_uring_cqe *cqe;
	struct answer answer;
	int err = io_uring_wait_cqe(&ring, &cqe);

	if (err < 0) {
		say("wait_cqe", err);
		exit(1);
	}
	said_of(cqe);
	answer = (struct answer){cqe->res, cqe->flags};
	io_uring_cqe_seen(&ring, cqe);
	return answer;
}

/* Submit what is queued and say all that comes, which is as many. */
static inline int go(void)
{
	int count = must(io_uring_submit(&ring)), result = 0;

	for (int i = 0; i < count; i++)
		result = reap().res;
	return result;
}

/* A file number is not the same everywhere. */
static inline int go_fd(const char *name)
{
	struct io_uring_cqe *cqe;
	int result;

	must(io_uring_submit(&ring));
	must(io_uring_wait_cqe(&ring, &cqe));
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	if (result < 0)
		say(name, result);
	else
		printf("%s = fd\n", name);
	return result;
}

static inline void pair(int fd[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
}

/* Listens on the loopback, at a port that the system chooses. */
static inline int listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	must(bind(fd, (struct sockaddr *)address, length));
	must(listen(fd, 8));
	must(getsockname(fd, (struct sockaddr *)address, &length));
	return fd;
}

static inline int scratch_file(void)
{
	return must(memfd_create("page", MFD_CLOEXEC));
}

#endif
