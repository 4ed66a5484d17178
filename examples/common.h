/* SPDX-License-Identifier: MIT */
/*
 * Shared by the echo servers, and independent of io_uring: options, a listening
 * socket, a way to give up.
 */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <stddef.h>

struct options {
	unsigned int port; /* 0: any free port */
	unsigned int connections; /* served at once */
	unsigned int buffers; /* a power of two */
	unsigned int buffer_bytes;
};

/* Fills in the defaults and what the command line says; exits on --help. */
void parse_options(int argc, char **argv, struct options *options);

/* Listens on loopback and prints "listening on 127.0.0.1:PORT". */
int open_listener(unsigned int port);

/* Exits with a message when @result is a negative errno. Returns @result. */
int check(int result, const char *what);

/* Zeroed memory; exits when there is none. */
void *allocate(size_t count, size_t bytes);

#endif
