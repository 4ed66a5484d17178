// SPDX-License-Identifier: MIT
/* The echo server on libevent, with its bufferevents. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "common.h"

static void on_read(struct bufferevent *connection, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(connection, bufferevent_get_input(connection));
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
	(void)arg;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int bytes, void *base)
{
	struct bufferevent *connection =
		bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)address;
	(void)bytes;
	bufferevent_setcb(connection, on_read, NULL, on_event, NULL);
	bufferevent_enable(connection, EV_READ | EV_WRITE);
}

int main(void)
{
	struct event_base *base = event_base_new();

	raise_files();
	evconnlistener_new(base, on_accept, base, LEV_OPT_CLOSE_ON_FREE, 0,
			   open_server(SOCK_STREAM | SOCK_NONBLOCK));
	return event_base_dispatch(base);
}
