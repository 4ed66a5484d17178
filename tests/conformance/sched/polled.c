/* SPDX-License-Identifier: MIT */
/*
 * IOPOLL rings: which operations and files they take, and how enter waits.
 *
 * Whether a read is possible depends on the device: a device without polled
 * queues refuses it. The engine reads without such queues.
 */
#include "runner/scenario.h"

#define PAGE 4096u

static char *bytes;

static void polled_open(struct ring *r, uint32_t flags)
{
	ring_open(r, 8, IORING_SETUP_IOPOLL | flags);
	bytes = pages(4 * PAGE);
	memset(bytes, 'b', 4 * PAGE);
}

static int direct_file(int flags)
{
	char path[] = "polyring-polled-XXXXXX"; /* /tmp may not be on a disk */
	int plain = mkstemp(path), file;

	if (write(plain, pages(4 * PAGE), 4 * PAGE) != 4 * PAGE)
		give_up("no file");
	fsync(plain);
	file = open(path, flags | O_DIRECT);
	unlink(path);
	close(plain);
	if (file < 0)
		give_up("no O_DIRECT: %s", strerror(errno));
	return file;
}

/* Every operation, without a file. */
static void operations(struct ring *r)
{
	polled_open(r, 0);
	for (int op = 0; op < 63; op++) {
		note("op %d", op);
		sqe_new(r, (enum io_uring_op)op, -1, NULL, 0, 0);
		go(r);
	}
}

static void allowed(struct ring *r)
{
	int none = -1;

	polled_open(r, 0);
	sqe_nop(r);
	go(r);
	sqe_provide(r, bytes, 16, 2, 1, 0);
	go(r);
	sqe_remove(r, 2, 1);
	go(r);
	reg(r, IORING_REGISTER_FILES, &none, 1);
	sqe_new(r, IORING_OP_FILES_UPDATE, -1, &none, 1, 0);
	go(r);
	sqe_new(r, IORING_OP_MSG_RING, r->fd, NULL, 5, 77);
	submit(r);
	reap_sorted(r, 2);
	sqe_new(r, IORING_OP_URING_CMD, device("/dev/null"), NULL, 0, 0);
	go(r);
}

static void refused(struct ring *r)
{
	static const struct io_timespec soon = {.tv_nsec = 1000000};
	int fd[2];

	polled_open(r, 0);
	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_SEND, fd[0], "x", 1, 0);
	go(r);
	sqe_timeout(r, &soon, 0, 0);
	go(r);
	sqe_poll(r, fd[0], POLLOUT);
	go(r);
	sqe_cancel(r, 1, 0);
	go(r);
	sqe_new(r, IORING_OP_FSYNC, file_with("x"), NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/etc/passwd", 0, 0);
	go(r);
	/* The request ends its chain. */
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_LINK_TIMEOUT, -1, &soon, 1, 0);
	go(r);
}

/* Only O_DIRECT files have queues that can be polled. */
static void files(struct ring *r)
{
	int fd[2], i;
	int plain[6];

	polled_open(r, 0);
	pair(fd, PAIR_PIPE);
	plain[0] = file_with("0123456789");
	plain[1] = device("/dev/null");
	plain[2] = device("/dev/zero");
	plain[3] = fd[0];
	plain[4] = memfd_create("polled", 0);
	pair(fd, PAIR_STREAM);
	plain[5] = fd[0];
	for (i = 0; i < 6; i++) {
		note("file %d", i);
		sqe_new(r, IORING_OP_READ, plain[i], bytes, 4, 0);
		go(r);
		if (i != 3) {
			sqe_new(r, IORING_OP_WRITE, plain[i], bytes, 4, 0);
			go(r);
		}
		sqe_new(r, IORING_OP_READ, plain[i], bytes, 0, 0)->flags =
			IOSQE_ASYNC;
		go(r);
	}
	sqe_new(r, IORING_OP_READ, plain[0], bytes, 4, 0)->op_flags =
		RWF_NOWAIT;
	go(r);
	sqe_new(r, IORING_OP_READ, plain[0], bytes, 4, 0)->op_flags = RWF_HIPRI;
	go(r);
	sqe_new(r, IORING_OP_READ, plain[0], bytes, 4, 0)->ioprio = 0x9999;
	go(r);
}

static void file_modes(struct ring *r)
{
	int reads = device("/dev/null"), path = open("/", O_PATH);
	int only_read = open("/dev/null", O_RDONLY);
	int only_write = open("/dev/null", O_WRONLY);

	polled_open(r, 0);
	sqe_new(r, IORING_OP_WRITE, only_read, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, only_write, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, path, bytes, 4, 0);
	go(r);
	reg(r, IORING_REGISTER_FILES, &reads, 1);
	sqe_new(r, IORING_OP_READ, 0, bytes, 4, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_READ, 1, bytes, 4, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_READ_FIXED, only_read, bytes, 4, 0);
	go(r);
}

/* Nothing is under way: enter doesn't wait, whatever min_complete is. */
static void waits_for_nothing(struct ring *r)
{
	const uint32_t get = IORING_ENTER_GETEVENTS;
	struct io_timespec ts = {.tv_sec = 30};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&ts};

	polled_open(r, 0);
	enter(r, 0, 1, get, NULL, 0);
	enter(r, 0, 8, get, NULL, 0);
	enter(r, 0, 1, get | IORING_ENTER_EXT_ARG, &arg, sizeof(arg));
	enter(r, 0, 1, get | IORING_ENTER_EXT_ARG, &arg, 3);
	sqe_nop(r);
	submit_and_wait(r, 2);
	reap(r, 1);
}

static void writes(struct ring *r)
{
	int file, i;

	polled_open(r, 0);
	file = direct_file(O_RDWR);
	sqe_new(r, IORING_OP_WRITE, file, bytes, PAGE, 0);
	go(r);
	for (i = 0; i < 4; i++)
		sqe_new(r, IORING_OP_WRITE, file, bytes, PAGE,
			(uint64_t)i * PAGE);
	submit(r);
	reap_sorted(r, 4);
	sqe_new(r, IORING_OP_WRITE, file, bytes, PAGE, 0)->flags =
		IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, bytes, 100, 0);
	go(r);
}

static void reads(struct ring *r)
{
	int file;

	polled_open(r, 0);
	file = direct_file(O_RDWR);
	for (unsigned int i = 0; i < 4; i++)
		sqe_new(r, IORING_OP_READ, file, bytes + i * PAGE, PAGE,
			i * PAGE);
	submit(r);
	reap_sorted(r, 4);
	note_bytes("bytes", bytes, 4 * PAGE);
}

static void hybrid(struct ring *r)
{
	polled_open(r, IORING_SETUP_HYBRID_IOPOLL);
	sqe_nop(r);
	go(r);
	sqe_new(r, IORING_OP_READ, file_with("x"), bytes, 4, 0);
	go(r);
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

static const struct scenario rows[] = {
	SCENARIO(operations, NULL, .bare = true),
	SCENARIO(allowed, NULL, .bare = true),
	SCENARIO(refused, NULL, .bare = true),
	SCENARIO(files, NULL, .bare = true),
	SCENARIO(file_modes, NULL, .bare = true),
	SCENARIO(waits_for_nothing, NULL, .bare = true),
	SCENARIO(writes, NULL, .bare = true),
	SCENARIO(reads, NULL, .bare = true, .deviates = "iopoll"),
	SCENARIO(hybrid, NULL, .bare = true),
};

FAMILY(polled, rows);
