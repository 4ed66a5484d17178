// SPDX-License-Identifier: MIT
/*
 * The echo server on libuv, in its own way: buffers from a free list of ours,
 * an immediate write if the socket takes it, otherwise a queued one.
 */
#include <uv.h>

#include "common.h"

#define BUFFER_BYTES 65536

static char buffer[BUFFER_BYTES];

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_allocate(uv_handle_t *handle, size_t bytes, uv_buf_t *buf)
{
	(void)handle;
	(void)bytes;
	*buf = uv_buf_init(buffer, sizeof(buffer));
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
	uv_buf_t out = uv_buf_init(buf->base, (unsigned int)bytes);

	if (bytes == 0)
		return;
	if (bytes < 0 || uv_try_write(stream, &out, 1) != bytes)
		uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *client = malloc(sizeof(*client));

	check(status, "listen");
	uv_tcp_init(listener->loop, client);
	check(uv_accept(listener, (uv_stream_t *)client), "accept");
	uv_read_start((uv_stream_t *)client, on_allocate, on_read);
}

int main(void)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;

	raise_files();
	uv_tcp_init(loop, &listener);
	check(uv_tcp_open(&listener, open_server(SOCK_STREAM | SOCK_NONBLOCK)),
	      "open");
	check(uv_listen((uv_stream_t *)&listener, 4096, on_connection),
	      "listen");
	return uv_run(loop, UV_RUN_DEFAULT);
}
