// SPDX-License-Identifier: MIT
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int check(int result, const char *what)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "echo: %s: %s\n", what, strerror(-result));
	exit(1);
}

void *allocate(size_t count, size_t bytes)
{
	void *memory = calloc(count, bytes);

	check(memory ? 0 : -ENOMEM, "allocate");
	return memory;
}

static void usage(FILE *to, const struct options *options)
{
	fprintf(to,
		"usage: echo [OPTION]...\n"
		"Echo what clients on 127.0.0.1 send, until SIGTERM.\n"
		"  --port N         listen there; 0, the default: a free port\n"
		"  --connections N  serve at most N at once (%u)\n"
		"  --buffers N      in the group, a power of two (%u)\n"
		"  --buffer-size N  bytes in each (%u)\n",
		options->connections, options->buffers, options->buffer_bytes);
	exit(to == stdout ? 0 : 2);
}

static unsigned int number(const char *text, unsigned int least,
			   unsigned int most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && !*end && value >= least &&
	    value <= most)
		return (unsigned int)value;
	fprintf(stderr, "echo: not a number from %u to %u: %s\n", least, most,
		text);
	exit(2);
}

void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"port", 1, NULL, 'p'},	   {"connections", 1, NULL, 'c'},
		{"buffers", 1, NULL, 'b'}, {"buffer-size", 1, NULL, 's'},
		{"help", 0, NULL, 'h'},	   {NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct options){0, 1024, 256, 4096};
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'p')
			options->port = number(optarg, 0, 65535);
		else if (option == 'c')
			options->connections = number(optarg, 1, 1u << 20);
		else if (option == 'b')
			options->buffers = number(optarg, 1, 1u << 15);
		else if (option == 's')
			options->buffer_bytes = number(optarg, 1, 1u << 20);
		else
			usage(option == 'h' ? stdout : stderr, options);
	}
	if (optind < argc)
		usage(stderr, options);
}

int open_listener(unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	check(fd < 0 ? -errno : 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Connections inherit it: an echo is sent immediately. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, bytes) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes))
		check(-errno, "listen");
	printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}
