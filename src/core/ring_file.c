// SPDX-License-Identifier: MIT
#include "core/ring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "core/registry.h"

/* One for the bytes, and one so that the file stays writable. */
#define PIPE_ROOM (2 * PAGE_BYTES)
/* Bytes that a byte's page has room for. */
#define BYTES_MAX PAGE_BYTES

static int note_file(struct ctx *ctx, int fd)
{
	struct stat st;
	long err = SYS_2(SYS_fstat, fd, &st);

	if (err < 0)
		return (int)err;
	ctx->ring_inode = st.st_ino;
	ctx->ring_dev = st.st_dev;
	return 0;
}

/* Both ends of the pipe in one descriptor, under the first's number. */
static int join_ends(const int ends[2])
{
	char path[32];
	long both, err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	both = SYS_4(SYS_openat, AT_FDCWD, path,
		     O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	if (both < 0)
		return (int)both;
	err = SYS_3(SYS_dup3, both, ends[0], O_CLOEXEC);
	fd_close((int)both);
	return err < 0 ? (int)err : 0;
}

static int open_pipe(struct ctx *ctx)
{
	int ends[2], err, peer;

	err = (int)SYS_2(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK);
	if (err < 0)
		return err;
	SYS_3(SYS_fcntl, ends[0], F_SETPIPE_SZ, PIPE_ROOM);
	peer = fd_dup_high(ends[0]);
	err = peer < 0 ? peer : note_file(ctx, ends[0]);
	if (!err)
		err = join_ends(ends);
	fd_close(ends[1]);
	if (err < 0) {
		fd_close(peer);
		fd_close(ends[0]);
		return err;
	}
	ctx->ring_fd = ends[0];
	ctx->peer_fd = peer;
	ctx->is_pipe = true;
	return 0;
}

static int open_sockets(struct ctx *ctx)
{
	/* read(2) of a ring fd fails; it must not wait. */
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int ends[2], err;

	err = (int)SYS_4(SYS_socketpair, AF_UNIX, type, 0, ends);
	if (err < 0)
		return err;
	err = note_file(ctx, ends[0]);
	if (err < 0) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return err;
	}
	ctx->ring_fd = ends[0];
	ctx->peer_fd = fd_move_high(ends[1]);
	ctx->is_pipe = false;
	return 0;
}

int ring_file_open(struct ctx *ctx)
{
	int err = open_pipe(ctx);

	if (err < 0)
		err = open_sockets(ctx);
	if (err < 0)
		return err;
	if (ctx->flags & IORING_SETUP_REGISTERED_FD_ONLY)
		ctx->ring_fd = fd_move_high(ctx->ring_fd);
	fd_keep(&ctx->peer_fd);
	return 0;
}

void ring_file_close(struct ctx *ctx)
{
	fd_close(ctx->peer_fd);
	ctx->peer_fd = -1;
}

bool ring_file_hung_up(const struct ctx *ctx)
{
	struct pollfd look = {.fd = ctx->peer_fd, .events = POLLRDHUP};

	return SYS_3(SYS_poll, &look, 1, 0) > 0 &&
	       look.revents & (POLLRDHUP | POLLHUP);
}

int ring_file_reopen(struct ctx *ctx)
{
	char path[32];
	int fd;

	if (ctx->peer_fd >= 0)
		return 0;
	if (!registry_verify(ctx, ctx->ring_fd))
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ctx->ring_fd);
	fd = fd_move_high((int)SYS_4(SYS_openat, AT_FDCWD, path,
				     O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0));
	if (fd < 0)
		return fd;
	ctx->peer_fd = fd;
	fd_keep(&ctx->peer_fd);
	return 0;
}

/* A number that is the application's end, -1: none is known. */
static int own_number(const struct ctx *ctx)
{
	if (likely(registry_verify(ctx, ctx->ring_fd)))
		return ctx->ring_fd;
	if (ctx->other_fd >= 0 && registry_verify(ctx, ctx->other_fd))
		return ctx->other_fd;
	return -1;
}

/* Other processes put bytes in and take them out, too. */
static void count_bytes(struct ctx *ctx, int fd)
{
	int n;

	if (unlikely(ctx->queue.view.share) &&
	    !SYS_3(SYS_ioctl, fd, FIONREAD, &n))
		ctx->bytes_in = (uint32_t)n;
}

static void pipe_put(struct ctx *ctx)
{
	const int fd = own_number(ctx);
	const char byte = 0;

	if (fd < 0)
		return;
	count_bytes(ctx, fd);
	if (ctx->bytes_in < BYTES_MAX && SYS_3(SYS_write, fd, &byte, 1) == 1)
		ctx->bytes_in++;
}

static void pipe_take(struct ctx *ctx, int fd)
{
	char bytes[512];
	long n;

	count_bytes(ctx, fd);
	while (ctx->bytes_in) {
		n = SYS_3(SYS_read, fd, bytes,
			  ctx->bytes_in < sizeof(bytes) ? ctx->bytes_in
							: sizeof(bytes));
		if (n <= 0)
			break;
		ctx->bytes_in -= (uint32_t)n;
	}
	ctx->bytes_in = 0;
}

/*
 * A further byte makes a new edge for edge-triggered pollers; how many are in
 * is counted, so that no call can wait, whatever the application has made of
 * the file's O_NONBLOCK.
 */
void ring_file_put(struct ctx *ctx)
{
	char byte = 0;

	if (!ctx->is_pipe)
		SYS_6(SYS_sendto, ctx->peer_fd, &byte, 1,
		      MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	else
		pipe_put(ctx);
}

/*
 * The cached fd may be another file by now, so it is verified first: reading
 * from it would steal its data.
 */
bool ring_file_take(struct ctx *ctx)
{
	const int fd = own_number(ctx);
	char bytes[512];

	if (fd < 0)
		return false;
	if (ctx->is_pipe) {
		pipe_take(ctx, fd);
		return true;
	}
	while (SYS_6(SYS_recvfrom, fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL,
		     NULL) == sizeof(bytes))
		;
	return true;
}
