/* SPDX-License-Identifier: MIT */
/*
 * Files on a disk, through the page cache (D7): position, order, short
 * transfers, appending, and requests that a worker handles.
 */
#include "runner/scenario.h"

#include <sys/stat.h>

static char bytes[65536];

/* In the build directory, as /tmp may not be on a disk. */
static int disk_file(int flags)
{
	char path[] = "polyring-disk-XXXXXX";
	int fd = mkostemp(path, flags);

	if (fd < 0)
		give_up("no file here");
	unlink(path);
	return fd;
}

static int disk_file_with(const char *text)
{
	int fd = disk_file(0);

	put(fd, text);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void note_position(int fd)
{
	note("position %ld", (long)lseek(fd, 0, SEEK_CUR));
}

static void note_size(int fd)
{
	struct stat status;

	fstat(fd, &status);
	note("size %ld", (long)status.st_size);
}

static void all_of(int fd)
{
	lseek(fd, 0, SEEK_SET);
	get(fd, 200);
}

/* ---- position ------------------------------------------------------------ */

static void read_at_position(struct ring *r, int fd, char *to, uint32_t len,
			     uint8_t flags)
{
	sqe_new(r, IORING_OP_READ, fd, to, len, UINT64_MAX)->flags = flags;
}

/* Each transfer continues where the one before ended. */
static void position_moves(struct ring *r)
{
	int fd = disk_file_with("0123456789");

	read_at_position(r, fd, bytes, 3, 0);
	go(r);
	read_at_position(r, fd, bytes + 3, 3, IOSQE_ASYNC);
	go(r);
	note_position(fd);
	read_at_position(r, fd, bytes + 6, 10, 0);
	go(r);
	note_position(fd);
	read_at_position(r, fd, bytes + 10, 10, 0);
	go(r);
	note_bytes("bytes", bytes, 12);
	note_position(fd);
}

static void position_in_a_chain(struct ring *r)
{
	int fd = disk_file_with("0123456789");

	read_at_position(r, fd, bytes, 2, IOSQE_IO_LINK);
	read_at_position(r, fd, bytes + 2, 2, IOSQE_IO_LINK);
	sqe_new(r, IORING_OP_WRITE, fd, "ab", 2, UINT64_MAX)->flags =
		IOSQE_IO_LINK;
	read_at_position(r, fd, bytes + 4, 2, 0);
	go(r);
	note_bytes("bytes", bytes, 6);
	note_position(fd);
	all_of(fd);
}

static void position_of_vectors(struct ring *r)
{
	int fd = disk_file_with("0123456789");
	struct iovec iov[] = {{bytes, 3}, {bytes + 8, 4}};

	sqe_new(r, IORING_OP_READV, fd, iov, 2, UINT64_MAX);
	go(r);
	note_position(fd);
	sqe_new(r, IORING_OP_READV, fd, iov, 2, UINT64_MAX);
	go(r);
	note_bytes("bytes", bytes, 12);
	note_position(fd);
}

/* Duplicates share the position, separate opens do not. */
static void position_is_shared(struct ring *r)
{
	int fd = disk_file_with("0123456789");
	int twin = dup(fd);

	read_at_position(r, fd, bytes, 3, 0);
	go(r);
	read_at_position(r, twin, bytes + 3, 3, 0);
	go(r);
	note_bytes("bytes", bytes, 6);
	note_position(fd);
}

static void position_after_errors(struct ring *r)
{
	int fd = disk_file_with("0123456789");

	read_at_position(r, fd, nowhere(), 4, 0);
	go(r);
	note_position(fd);
	lseek(fd, 100, SEEK_SET);
	read_at_position(r, fd, bytes, 4, 0);
	go(r);
	note_position(fd);
	sqe_new(r, IORING_OP_WRITE, fd, "x", 1, UINT64_MAX);
	go(r);
	note_position(fd);
	note_size(fd);
}

/* ---- appending, order ---------------------------------------------------- */

static void appends(struct ring *r)
{
	int fd = disk_file(O_APPEND);

	for (int i = 0; i < 4; i++) {
		sqe_new(r, IORING_OP_WRITE, fd, &"abcd"[i], 1,
			i ? UINT64_MAX : 50);
		go(r);
		note_position(fd);
	}
	sqe_new(r, IORING_OP_WRITE, fd, "e", 1, 0)->flags = IOSQE_ASYNC;
	go(r);
	sqe_new(r, IORING_OP_WRITE, fd, "f", 1, 0)->op_flags = RWF_NOAPPEND;
	go(r);
	all_of(fd);
}

static void appends_by_flag(struct ring *r)
{
	int fd = disk_file_with("0123");

	sqe_new(r, IORING_OP_WRITE, fd, "ab", 2, 0)->op_flags = RWF_APPEND;
	go(r);
	sqe_new(r, IORING_OP_WRITE, fd, "cd", 2, UINT64_MAX)->op_flags =
		RWF_APPEND;
	go(r);
	note_position(fd);
	all_of(fd);
}

/* No write is lost or split; their order is not defined. */
static void many_appends_at_once(struct ring *r)
{
	const unsigned int many = 24;
	int fd = disk_file(O_APPEND);
	unsigned int whole = 0;

	memset(bytes, 'x', 1000);
	for (unsigned int i = 0; i < many; i++)
		sqe_new(r, IORING_OP_WRITE, fd, bytes, 1000, UINT64_MAX)
			->flags = i % 3 ? 0 : IOSQE_ASYNC;
	submit(r);
	reap_sorted(r, many);
	memset(bytes, 0, sizeof(bytes));
	note_result("pread", pread(fd, bytes, sizeof(bytes), 0));
	while (whole < many * 1000 && bytes[whole] == 'x')
		whole++;
	note("whole %u", whole);
}

static void chain_of_writes(struct ring *r)
{
	int fd = disk_file(0);

	for (unsigned int i = 0; i < 8; i++)
		sqe_new(r, IORING_OP_WRITE, fd, &"01234567"[i], 8 - i, 0)
			->flags =
			i % 2 ? IOSQE_IO_LINK : IOSQE_IO_LINK | IOSQE_ASYNC;
	sqe_new(r, IORING_OP_FSYNC, fd, NULL, 0, 0)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_READ, fd, bytes, 16, 0);
	go(r);
	note_bytes("bytes", bytes, 8);
}

static void drained_writes(struct ring *r)
{
	int fd = disk_file(0);

	for (unsigned int i = 0; i < 6; i++)
		sqe_new(r, IORING_OP_WRITE, fd, &"abcdef"[i], 1, i)->flags =
			IOSQE_ASYNC;
	sqe_new(r, IORING_OP_READ, fd, bytes, 16, 0)->flags = IOSQE_IO_DRAIN;
	submit(r);
	reap_sorted(r, 7);
	note_bytes("bytes", bytes, 8);
}

/* ---- short transfers ----------------------------------------------------- */

static void short_reads(struct ring *r)
{
	int fd = disk_file_with("0123456789");
	struct iovec iov[] = {{bytes, 4}, {bytes + 10, 4}, {bytes + 20, 4}};

	memset(bytes, '.', 30);
	sqe_new(r, IORING_OP_READV, fd, iov, 3, 3);
	go(r);
	note_bytes("bytes", bytes, 24);
	sqe_new(r, IORING_OP_READ, fd, bytes, 65536, 8)->flags = IOSQE_ASYNC;
	go(r);
	sqe_new(r, IORING_OP_READ, fd, bytes, 0x7fffffff, 9);
	go(r);
	sqe_new(r, IORING_OP_READ, fd, bytes, 0xffffffff, 0);
	go(r);
}

/* A transfer is cut where a page is not mapped. */
static void memory_ends(struct ring *r)
{
	char *page = page_before_nothing();
	int fd = disk_file_with("0123456789");

	sqe_new(r, IORING_OP_READ, fd, page + 4090, 10, 0);
	go(r);
	note_bytes("bytes", page + 4090, 6);
	sqe_new(r, IORING_OP_READ, fd, page + 4090, 10, 0)->flags = IOSQE_ASYNC;
	go(r);
	memset(page, 'w', 4096);
	sqe_new(r, IORING_OP_WRITE, fd, page + 4090, 10, 0);
	go(r);
	all_of(fd);
	sqe_new(r, IORING_OP_WRITE, fd, page + 4096, 10, 0);
	go(r);
	note_size(fd);
}

static void holes(struct ring *r)
{
	int fd = disk_file(0);

	sqe_new(r, IORING_OP_WRITE, fd, "end", 3, 100000);
	go(r);
	memset(bytes, '.', 16);
	sqe_new(r, IORING_OP_READ, fd, bytes, 16, 50000);
	go(r);
	note_bytes("bytes", bytes, 16);
	sqe_new(r, IORING_OP_READ, fd, bytes, 16, 99995);
	go(r);
	note_bytes("bytes", bytes, 8);
	sqe_new(r, IORING_OP_WRITE, fd, "x", 1, INT64_MAX);
	go(r);
	note_size(fd);
}

/* ---- rights and flags ---------------------------------------------------- */

static void opened_for_one_way(struct ring *r)
{
	int both = disk_file_with("0123"), one;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", both);
	one = open(path, O_RDONLY);
	sqe_new(r, IORING_OP_WRITE, one, "ab", 2, 0);
	go(r);
	sqe_new(r, IORING_OP_FALLOCATE, one, (void *)100, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_FSYNC, one, NULL, 0, 0);
	go(r);
	one = open(path, O_WRONLY);
	sqe_new(r, IORING_OP_READ, one, bytes, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, one, bytes, 2, 0)->flags = IOSQE_ASYNC;
	go(r);
}

static void flags_of_writes(struct ring *r)
{
	static const int flags[] = {RWF_DSYNC, RWF_SYNC, RWF_NOAPPEND, 0x1000};
	int fd = disk_file(0);

	for (size_t i = 0; i < array_size(flags); i++) {
		sqe_new(r, IORING_OP_WRITE, fd, "ab", 2, 0)->op_flags =
			flags[i];
		go(r);
	}
}

/* Cached pages are read without waiting. */
static void cached_without_waiting(struct ring *r)
{
	int fd = disk_file_with("0123");

	sqe_new(r, IORING_OP_READ, fd, bytes, 4, 0)->op_flags = RWF_NOWAIT;
	go(r);
	sqe_new(r, IORING_OP_READ, fd, bytes, 4, 4)->op_flags = RWF_NOWAIT;
	go(r);
	sqe_new(r, IORING_OP_READ, fd, bytes, 4, 0)->flags = IOSQE_ASYNC;
	go(r);
	note_bytes("bytes", bytes, 4);
}

/* Punching holes, allocating, truncating. */
static void sizes(struct ring *r)
{
	int fd = disk_file_with("0123456789");
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_FALLOCATE, fd, (void *)4, 3, 2);
	go(r);
	all_of(fd);
	sqe_new(r, IORING_OP_FALLOCATE, fd, (void *)100, 0, 0);
	go(r);
	note_size(fd);
	sqe_new(r, IORING_OP_FALLOCATE, fd, (void *)0, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_FTRUNCATE, fd, NULL, 0, 5);
	go(r);
	note_size(fd);
	sqe = sqe_new(r, IORING_OP_SYNC_FILE_RANGE, fd, NULL, 10, 0);
	sqe->op_flags = 7;
	go(r);
	sqe = sqe_new(r, IORING_OP_SYNC_FILE_RANGE, fd, NULL, 10, 0);
	sqe->op_flags = 8;
	go(r);
}

static const struct scenario scenarios[] = {
	SCENARIO(position_moves, NULL, .modes = MODES_ALL),
	SCENARIO(position_in_a_chain, NULL, .modes = MODES_ALL),
	SCENARIO(position_of_vectors, NULL),
	SCENARIO(position_is_shared, NULL),
	SCENARIO(position_after_errors, NULL),
	SCENARIO(appends, NULL, .modes = MODES_ALL),
	SCENARIO(appends_by_flag, NULL),
	SCENARIO(many_appends_at_once, NULL, .modes = MODES_ALL),
	SCENARIO(chain_of_writes, NULL, .modes = MODES_ALL),
	SCENARIO(drained_writes, NULL),
	SCENARIO(short_reads, NULL, .modes = MODES_ALL),
	SCENARIO(memory_ends, NULL),
	SCENARIO(holes, NULL),
	SCENARIO(opened_for_one_way, NULL),
	SCENARIO(flags_of_writes, NULL),
	SCENARIO(cached_without_waiting, NULL),
	SCENARIO(sizes, NULL),
};
FAMILY(disk, scenarios);
