// SPDX-License-Identifier: MIT
/*
 * The echo server written by hand: level-triggered epoll, one read and one
 * write a message. io_uring is compared with it.
 */
#include <sys/epoll.h>

#include "common.h"

#define EVENTS 256
#define BUFFER_BYTES 65536

static char buffer[BUFFER_BYTES];

static void accept_all(int epoll, int listener)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (;;) {
		int fd = accept4(listener, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		event.data.fd = fd;
		check_libc(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "add");
	}
}

/* With so few bytes in flight the socket is never full. */
static void echo(int fd)
{
	ssize_t bytes = read(fd, buffer, sizeof(buffer));

	if (bytes < 0 && errno == EAGAIN)
		return;
	if (bytes <= 0 || write(fd, buffer, (size_t)bytes) != bytes)
		close(fd);
}

int main(void)
{
	int epoll = check_libc(epoll_create1(EPOLL_CLOEXEC), "epoll");
	int listener;
	struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};

	raise_files();
	listener = open_server(SOCK_STREAM | SOCK_NONBLOCK);
	events[0].data.fd = listener;
	check_libc(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events), "add");
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
