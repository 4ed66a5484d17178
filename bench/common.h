/* SPDX-License-Identifier: MIT */
/*
 * Shared by the programs of the bench: clocks, loopback sockets, exits with a
 * message.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Exit with a message if @result is a negative errno. */
static inline long check(long result, const char *what)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
	exit(1);
}

/* For calls that set errno. */
static inline int check_libc(int result, const char *what)
{
	return (int)check(result < 0 ? -errno : result, what);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline unsigned int argument(int argc, char **argv, int at,
				    unsigned int otherwise)
{
	return argc > at ? (unsigned int)strtoul(argv[at], NULL, 0) : otherwise;
}

/* Raise the limit of open files as far as possible. */
static inline void raise_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static inline struct sockaddr_in loopback(unsigned int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
}

/* A socket on a free port, which is printed as the examples print it. */
static inline int open_server(int type)
{
	struct sockaddr_in address = loopback(0);
	socklen_t bytes = sizeof(address);
	int fd = check_libc(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");
	int on = 1;

	if (type == SOCK_STREAM || type == (SOCK_STREAM | SOCK_NONBLOCK))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	check_libc(bind(fd, (struct sockaddr *)&address, bytes), "bind");
	if ((type & ~SOCK_NONBLOCK) == SOCK_STREAM)
		check_libc(listen(fd, 4096), "listen");
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

#endif
