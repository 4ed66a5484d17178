/* SPDX-License-Identifier: MIT */
/*
 * Memory, sockets and files for scenarios.
 *
 * Theory: no packet leaves the machine (sockets are local or on the loopback),
 * and nothing is left behind (files have no name, the system chooses ports).
 * Waiting is for a condition, never for a time.
 */
#include "harness.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <time.h>

void pause_ms(int ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000L};

	nanosleep(&ts, NULL);
}

static void *map_anonymous(size_t bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		give_up("no memory");
	return at;
}

void *pages(size_t bytes)
{
	return map_anonymous(bytes ? bytes : 1, PROT_READ | PROT_WRITE);
}

/* Kept mapped as PROT_NONE, so that no later mapping gets the address. */
void *nowhere(void)
{
	return map_anonymous(1 << 20, PROT_NONE);
}

char *page_before_nothing(void)
{
	char *two = pages(8192);

	mprotect(two + 4096, 4096, PROT_NONE);
	return two;
}

void *read_only(void)
{
	return map_anonymous(4096, PROT_READ);
}

/* ---- files --------------------------------------------------------------- */

int file_with(const char *text)
{
	int fd = memfd_create("file", 0);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		give_up("no file");
	return fd;
}

int device(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		give_up("no %s", path);
	return fd;
}

void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- sockets ------------------------------------------------------------- */

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
}

static int bound(int type, struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, type, 0);

	*address = loopback();
	if (fd < 0 || bind(fd, (void *)address, length) ||
	    getsockname(fd, (void *)address, &length))
		give_up("no socket");
	return fd;
}

int listener(struct sockaddr_storage *address, socklen_t *length)
{
	int fd = bound(SOCK_STREAM, (struct sockaddr_in *)address);

	*length = sizeof(struct sockaddr_in);
	if (listen(fd, 64))
		give_up("no listener");
	return fd;
}

int connect_to(const struct sockaddr_storage *address, socklen_t length)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const void *)address, length))
		give_up("no connection");
	return fd;
}

static void pair_tcp(int fd[2])
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int one = 1;
	int listening = listener(&address, &length);

	fd[1] = connect_to(&address, length);
	fd[0] = accept(listening, NULL, NULL);
	close(listening);
	if (fd[0] < 0)
		give_up("no pair");
	setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void pair_udp(int fd[2])
{
	struct sockaddr_in left;
	struct sockaddr_in right;

	fd[0] = bound(SOCK_DGRAM, &left);
	fd[1] = bound(SOCK_DGRAM, &right);
	if (connect(fd[0], (void *)&right, sizeof(right)) ||
	    connect(fd[1], (void *)&left, sizeof(left)))
		give_up("no pair");
}

void pair(int fd[2], enum pair_kind kind)
{
	int result = 0;

	switch (kind) {
	case PAIR_STREAM:
		result = socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
		break;
	case PAIR_DGRAM:
		result = socketpair(AF_UNIX, SOCK_DGRAM, 0, fd);
		break;
	case PAIR_PIPE:
		result = pipe(fd);
		break;
	case PAIR_TCP:
		pair_tcp(fd);
		break;
	case PAIR_UDP:
		pair_udp(fd);
		break;
	}
	if (result)
		give_up("no pair");
}

void wait_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	while (poll(&poll_fd, 1, -1) < 0)
		;
}

void wait_bytes(int fd, int count)
{
	int have = 0;

	while (!ioctl(fd, FIONREAD, &have) && have < count)
		pause_ms(1);
}

void put(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t wrote = write(fd, text, left);

		if (wrote < 0)
			give_up("put: %s", strerrorname_np(errno));
		text += wrote;
		left -= (size_t)wrote;
	}
}

void get(int fd, size_t count)
{
	char bytes[65536];
	ssize_t got =
		read(fd, bytes, count < sizeof(bytes) ? count : sizeof(bytes));

	if (got < 0)
		note_result("get", -errno);
	else
		note_bytes("get", bytes, (size_t)got);
}
