/* SPDX-License-Identifier: MIT */
/*
 * NOP, READ, WRITE, READV, WRITEV, OPENAT, CLOSE.
 */
#include "runner/scenario.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

static char bytes[65536];

/* ---- NOP ----------------------------------------------------------------- */

static void nop_flags(struct ring *r)
{
	static const uint32_t flags[] = {
		IORING_NOP_INJECT_RESULT,
		IORING_NOP_FILE,
		IORING_NOP_FILE | IORING_NOP_FIXED_FILE,
		IORING_NOP_TW,
		64,
		1u << 31,
	};
	struct io_uring_sqe *sqe;
	size_t i;

	for (i = 0; i < array_size(flags); i++) {
		note("flags 0x%x", flags[i]);
		sqe = sqe_nop(r);
		sqe->op_flags = flags[i];
		sqe->len = 42;
		go(r);
	}
	sqe = sqe_nop(r);
	sqe->op_flags = IORING_NOP_FILE;
	sqe->fd = file_with("");
	go(r);
}

static void nop_results(struct ring *r)
{
	static const uint32_t results[] = {
		0, 1, 0x7fffffff, (uint32_t)-1, (uint32_t)-ENOENT, 0x80000000};
	struct io_uring_sqe *sqe;
	size_t i;

	for (i = 0; i < array_size(results); i++) {
		sqe = sqe_nop(r);
		sqe->op_flags = IORING_NOP_INJECT_RESULT;
		sqe->len = results[i];
		go(r);
	}
}

static void user_data_comes_back(struct ring *r)
{
	sqe_nop(r)->user_data = 0;
	go(r);
	sqe_nop(r)->user_data = UINT64_MAX & ~(UINT64_C(1) << 40);
	go(r);
	sqe_nop(r)->user_data = UINT64_C(0x123456789a);
	go(r);
}

/* ---- files --------------------------------------------------------------- */

static void file_offsets(struct ring *r)
{
	static const uint64_t offsets[] = {0, 4, 9, 10, 11, 1000000};
	int file = file_with("0123456789");
	size_t i;

	for (i = 0; i < array_size(offsets); i++) {
		memset(bytes, '.', 16);
		sqe_new(r, IORING_OP_READ, file, bytes, 4, offsets[i]);
		go(r);
		note_bytes("bytes", bytes, 8);
	}
	sqe_new(r, IORING_OP_READ, file, bytes, 4, UINT64_MAX - 1);
	go(r);
	sqe_new(r, IORING_OP_READ, file, bytes, 4, INT64_MAX);
	go(r);
}

static void file_position(struct ring *r)
{
	int file = file_with("0123456789");

	sqe_new(r, IORING_OP_READ, file, bytes, 4, UINT64_MAX);
	go(r);
	sqe_new(r, IORING_OP_READ, file, bytes + 4, 4, UINT64_MAX);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	sqe_new(r, IORING_OP_READ, file, bytes + 8, 4, 1);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	sqe_new(r, IORING_OP_WRITE, file, "xyz", 3, UINT64_MAX);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	note_bytes("bytes", bytes, 12);
	lseek(file, 0, SEEK_SET);
	get(file, 100);
}

static void file_write(struct ring *r)
{
	int file = file_with("0123456789");

	sqe_new(r, IORING_OP_WRITE, file, "abc", 3, 2);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, "def", 3, 12);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, "", 0, 0);
	go(r);
	get(file, 100);
}

static void file_append(struct ring *r)
{
	int file = file_with("0123456789");

	fcntl(file, F_SETFL, O_APPEND);
	sqe_new(r, IORING_OP_WRITE, file, "abc", 3, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, "def", 3, UINT64_MAX);
	go(r);
	lseek(file, 0, SEEK_SET);
	get(file, 100);
}

static void file_large(struct ring *r)
{
	const size_t size = 8 << 20;
	char *from = pages(size);
	char *to = pages(size);
	int file = file_with("");

	memset(from, 'L', size);
	sqe_new(r, IORING_OP_WRITE, file, from, (uint32_t)size, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, to, (uint32_t)size, 0);
	go(r);
	note("equal %d", !memcmp(from, to, size));
}

static void file_errors(struct ring *r)
{
	int directory = open("/", O_RDONLY | O_DIRECTORY);
	int read_end[2];

	pair(read_end, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, -1, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, 12345, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, read_end[1], bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, read_end[0], bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, directory, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, directory, bytes, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, open("/", O_PATH), bytes, 4, 0);
	go(r);
}

static void bad_pointers(struct ring *r)
{
	int file = file_with("0123456789");
	char *none = nowhere();
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, file, none, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, none, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, NULL, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, fd[1], none, 4, 0);
	go(r);
	put(fd[1], "abcd");
	sqe_new(r, IORING_OP_READ, fd[0], none, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, (void *)0xffff800000000000, 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, read_only(), 4, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, page_before_nothing() + 4094, 8, 0);
	go(r);
}

static void lengths(struct ring *r)
{
	int file = file_with("0123456789");

	sqe_new(r, IORING_OP_READ, file, bytes, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, bytes, UINT32_MAX, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, bytes, 0x80000000, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, bytes, 0x7fffffff, 0);
	go(r);
}

static void rw_flags(struct ring *r)
{
	int file = file_with("0123456789");
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		if (1u << bit == 0x10 || 1u << bit == 0x40 ||
		    1u << bit == 0x80 || 1u << bit == 0x100)
			continue;
		note("bit %u", bit);
		sqe_new(r, IORING_OP_READ, file, bytes, 4, 0)->rw_flags =
			1u << bit;
		go(r);
	}
}

static void write_flags(struct ring *r)
{
	static const uint32_t flags[] = {0x2, 0x4, 0x8, 0x10, 0x8000};
	int file = file_with("0123456789");
	size_t i;

	for (i = 0; i < array_size(flags); i++) {
		note("flags 0x%x", flags[i]);
		sqe_new(r, IORING_OP_WRITE, file, "ab", 2, 0)->rw_flags =
			flags[i];
		go(r);
	}
	get(file, 100);
}

static void nowait(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0)->rw_flags = 8;
	submit(r);
	quiet(r);
	put(fd[1], "abcd");
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0)->rw_flags = 8;
	submit(r);
	quiet(r);
	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0)->rw_flags = 8;
	submit(r);
	quiet(r);
}

static void ioprio(struct ring *r)
{
	static const uint16_t values[] = {1,	  0x2000, 0x4004,
					  0x4008, 0x6000, 0xffff};
	int file = file_with("0123456789");
	size_t i;

	for (i = 0; i < array_size(values); i++) {
		note("ioprio 0x%x", values[i]);
		sqe_new(r, IORING_OP_READ, file, bytes, 4, 0)->ioprio =
			values[i];
		go(r);
	}
}

/* The real-time class needs a right, which a plain user does not have. */
static void ioprio_without_rights(struct ring *r)
{
	static const uint16_t values[] = {0x2000, 0x2004, 0x4004, 0x6000};
	int file = file_with("0123456789");

	if (!geteuid() && setresuid(65534, 65534, 65534) < 0)
		give_up("setresuid: %s", strerror(errno));
	for (size_t i = 0; i < array_size(values); i++) {
		note("ioprio 0x%x", values[i]);
		sqe_new(r, IORING_OP_READ, file, bytes, 4, 0)->ioprio =
			values[i];
		go(r);
	}
}

/* ---- pipes, sockets, devices --------------------------------------------- */

static void pipe_waits(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	memset(bytes, 0, 16);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	reap(r, 1);
	note_bytes("bytes", bytes, 8);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 5);
	submit(r);
	quiet(r);
	close(fd[1]);
	quiet(r);
}

static void pipe_offsets(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	put(fd[1], "abcdefgh");
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 2, UINT64_MAX);
	go(r);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 2, 7);
	go(r);
	sqe_new(r, IORING_OP_WRITE, fd[1], "x", 1, 7);
	go(r);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 2, UINT64_MAX - 7);
	go(r);
}

static void pipe_full(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	nonblocking(fd[1]);
	while (write(fd[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(fd[1], F_SETFL, 0);
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	submit(r);
	quiet(r);
	note("read %zd", read(fd[0], bytes, 65536));
	reap(r, 1);
	get(fd[0], 100);
}

static void pipe_nonblocking(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	nonblocking(fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	quiet(r);
}

static void pipe_nonblocking_async(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	nonblocking(fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0)->flags = IOSQE_ASYNC;
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	quiet(r);
}

static void pipe_broken(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	close(fd[0]);
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	go(r);
}

static void socket_nonblocking(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	nonblocking(fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	quiet(r);
}

static void socket_reads_and_writes(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_TCP);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	submit(r);
	reap_sorted(r, 2);
	shutdown(fd[1], SHUT_WR);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	go(r);
}

static void eventfd_reads_and_writes(struct ring *r)
{
	int event = eventfd(0, 0);
	uint64_t value = 5;

	sqe_new(r, IORING_OP_READ, event, bytes, 8, 0);
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_WRITE, event, &value, 8, 0);
	submit(r);
	reap_sorted(r, 2);
	note_bytes("bytes", bytes, 8);
	sqe_new(r, IORING_OP_READ, event, bytes, 4, 0);
	go(r);
}

static void devices(struct ring *r)
{
	memset(bytes, 'x', 64);
	sqe_new(r, IORING_OP_READ, device("/dev/zero"), bytes, 32, 0);
	go(r);
	note_bytes("bytes", bytes, 64);
	sqe_new(r, IORING_OP_READ, device("/dev/null"), bytes, 32, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, device("/dev/null"), bytes, 32, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, device("/dev/full"), bytes, 32, 0);
	go(r);
}

static void cancelled_read(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	put(fd[1], "abc");
	quiet(r);
	get(fd[0], 8);
}

/* A file that is closed while a request waits on it is still read from. */
static void closed_while_waiting(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	close(fd[0]);
	put(fd[1], "abc");
	reap(r, 1);
}

/* ... even if its fd is another file by then. */
static void number_reused_while_waiting(struct ring *r)
{
	int other[2];
	int fd[2];

	pair(fd, PAIR_PIPE);
	pair(other, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	submit(r);
	quiet(r);
	dup2(other[0], fd[0]);
	put(other[1], "wrong");
	quiet(r);
	put(fd[1], "right");
	reap(r, 1);
	note_bytes("bytes", bytes, 5);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0);
	go(r);
	note_bytes("bytes", bytes, 5);
}

/* And the fd is the first file again, with requests waiting for both files. */
static void number_comes_back_while_waiting(struct ring *r)
{
	int other[2];
	int fd[2];
	int kept;

	pair(fd, PAIR_PIPE);
	pair(other, PAIR_PIPE);
	kept = dup(fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 1, 0);
	submit(r);
	dup2(other[0], fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes + 1, 1, 0);
	submit(r);
	dup2(kept, fd[0]);
	sqe_new(r, IORING_OP_READ, fd[0], bytes + 2, 1, 0);
	submit(r);
	quiet(r);
	put(other[1], "b");
	reap(r, 1);
	quiet(r);
	put(fd[1], "aa");
	reap_sorted(r, 2);
	note_bytes("bytes", bytes, 3);
}

/* ---- vectors ------------------------------------------------------------- */

static void vectors(struct ring *r)
{
	char a[3];
	char b[4];
	char c[8];
	struct iovec in[] = {{a, 3}, {b, 4}, {c, 8}};
	struct iovec out[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
	int file = file_with("0123456789");

	sqe_new(r, IORING_OP_READV, file, in, 3, 0);
	go(r);
	note_bytes("a", a, 3);
	note_bytes("b", b, 4);
	note_bytes("c", c, 3);
	sqe_new(r, IORING_OP_WRITEV, file, out, 3, 8);
	go(r);
	sqe_new(r, IORING_OP_READV, file, in, 2, UINT64_MAX);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	lseek(file, 0, SEEK_SET);
	get(file, 100);
}

static void vector_counts(struct ring *r)
{
	static const uint32_t counts[] = {0, 1, 1023, 1024, 1025, UINT32_MAX};
	struct iovec *iov = pages(2048 * sizeof(*iov));
	int file = file_with("0123456789");
	size_t i;

	for (i = 0; i < 2048; i++)
		iov[i] = (struct iovec){bytes + i, 1};
	for (i = 0; i < array_size(counts); i++) {
		note("count %u", counts[i]);
		sqe_new(r, IORING_OP_READV, file, iov, counts[i], 0);
		go(r);
	}
}

static void vector_pointers(struct ring *r)
{
	struct iovec bad[] = {{bytes, 2}, {nowhere(), 2}};
	struct iovec huge[] = {{bytes, SIZE_MAX}, {bytes, 2}};
	struct iovec negative[] = {{bytes, 2}, {bytes, (size_t)-1}};
	struct iovec *edge = (void *)(page_before_nothing() + 4096 - 24);
	int file = file_with("0123456789");

	*edge = (struct iovec){bytes, 2};
	sqe_new(r, IORING_OP_READV, file, nowhere(), 1, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, NULL, 1, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, bad, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, huge, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, negative, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, edge, 1, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, file, edge, 2, 0);
	go(r);
	sqe_new(r, IORING_OP_READV, -1, nowhere(), 1, 0);
	go(r);
}

static void vector_pipe(struct ring *r)
{
	struct iovec iov[] = {{bytes, 2}, {bytes + 8, 2}};
	int fd[2];

	pair(fd, PAIR_PIPE);
	memset(bytes, '.', 16);
	sqe_new(r, IORING_OP_READV, fd[0], iov, 2, 0);
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_WRITEV, fd[1], iov, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	put(fd[1], "abcdef");
	sqe_new(r, IORING_OP_READV, fd[0], iov, 2, 0);
	go(r);
	note_bytes("bytes", bytes, 16);
}

/* ---- opening and closing ------------------------------------------------- */

static void open_and_read(struct ring *r)
{
	returns_fd(sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0));
	go(r);
	sqe_new(r, IORING_OP_READ, fd_of(0), bytes, 8, 0);
	go(r);
	note("cloexec %d", fcntl(fd_of(0), F_GETFD));
	sqe_new(r, IORING_OP_CLOSE, fd_of(0), NULL, 0, 0);
	go(r);
	note_result("fcntl", fcntl(fd_of(0), F_GETFD) < 0 ? -errno : 0);
	returns_fd(sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0))
		->op_flags = O_CLOEXEC | O_RDWR;
	go(r);
	note("cloexec %d", fcntl(fd_of(1), F_GETFD));
}

static void open_errors(struct ring *r)
{
	int file = file_with("");

	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/no/such/file", 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, nowhere(), 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "", 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, file, "x", 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, -1, "x", 0, 0);
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->op_flags = O_WRONLY;
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/null", 0, 0)->op_flags =
		O_DIRECTORY;
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->ioprio = 1;
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->buf_index = 1;
	go(r);
}

/* Created, written, and removed again; the name is the process's own. */
static void open_creates(struct ring *r)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/tmp/conformance-%d", (int)getpid());
	umask(022);
	returns_fd(sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, name, 0666, 0))
		->op_flags = O_CREAT | O_EXCL | O_RDWR;
	go(r);
	fstat(fd_of(0), &st);
	note("mode %o", st.st_mode & 0777);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, name, 0666, 0)->op_flags =
		O_CREAT | O_EXCL | O_RDWR;
	go(r);
	unlink(name);
	sqe_new(r, IORING_OP_WRITE, fd_of(0), "abc", 3, 0);
	go(r);
	lseek(fd_of(0), 0, SEEK_SET);
	get(fd_of(0), 10);
}

static void open_relative(struct ring *r)
{
	int directory = open("/dev", O_RDONLY | O_DIRECTORY);

	returns_fd(sqe_new(r, IORING_OP_OPENAT, directory, "zero", 0, 0));
	go(r);
	sqe_new(r, IORING_OP_READ, fd_of(0), bytes, 8, 0);
	go(r);
	returns_fd(sqe_new(r, IORING_OP_OPENAT, directory, "zero", 0, 0))
		->flags = IOSQE_ASYNC;
	go(r);
}

static void close_errors(struct ring *r)
{
	struct io_uring_sqe *sqe;

	sqe_new(r, IORING_OP_CLOSE, -1, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_CLOSE, 54321, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_CLOSE, r->fd, NULL, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_CLOSE, file_with(""), NULL, 0, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
	sqe = sqe_new(r, IORING_OP_CLOSE, file_with(""), NULL, 0, 0);
	sqe->file_index = 1;
	go(r);
	sqe_new(r, IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 1;
	go(r);
	sqe_new(r, IORING_OP_CLOSE, file_with(""), NULL, 0, 1);
	go(r);
	sqe_new(r, IORING_OP_CLOSE, file_with(""), NULL, 1, 0);
	go(r);
	sqe_new(r, IORING_OP_CLOSE, file_with(""), "x", 0, 0);
	go(r);
}

static void closes_a_pipe(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_CLOSE, fd[1], NULL, 0, 0);
	go(r);
	get(fd[0], 1);
}

static const struct scenario rows[] = {
	SCENARIO(nop_flags, NULL),
	SCENARIO(nop_results, NULL, .modes = MODES_ALL),
	SCENARIO(user_data_comes_back, NULL),
	SCENARIO(file_offsets, NULL, .modes = MODES_ALL),
	SCENARIO(file_position, NULL),
	SCENARIO(file_write, NULL),
	SCENARIO(file_append, NULL),
	SCENARIO(file_large, NULL, .modes = MODES_ALL),
	SCENARIO(file_errors, NULL),
	SCENARIO(bad_pointers, NULL, .modes = MODES_ALL),
	SCENARIO(lengths, NULL),
	SCENARIO(rw_flags, NULL),
	SCENARIO(write_flags, NULL),
	SCENARIO(nowait, NULL),
	SCENARIO(ioprio, NULL, .roots = true),
	SCENARIO(ioprio_without_rights, NULL),
	SCENARIO(pipe_waits, NULL, .modes = MODES_ALL),
	SCENARIO(pipe_offsets, NULL),
	SCENARIO(pipe_full, NULL, .modes = MODES_ALL),
	SCENARIO(pipe_nonblocking, NULL),
	SCENARIO(pipe_nonblocking_async, NULL),
	SCENARIO(pipe_broken, NULL),
	SCENARIO(socket_nonblocking, NULL),
	SCENARIO(socket_reads_and_writes, NULL),
	SCENARIO(eventfd_reads_and_writes, NULL),
	SCENARIO(devices, NULL),
	SCENARIO(cancelled_read, NULL, .modes = MODES_ALL),
	SCENARIO(closed_while_waiting, NULL, .modes = MODES_ALL),
	SCENARIO(number_reused_while_waiting, NULL, .modes = MODES_ALL),
	SCENARIO(number_comes_back_while_waiting, NULL, .modes = MODES_ALL),
	SCENARIO(vectors, NULL),
	SCENARIO(vector_counts, NULL),
	SCENARIO(vector_pointers, NULL),
	SCENARIO(vector_pipe, NULL),
	SCENARIO(open_and_read, NULL, .modes = MODES_ALL),
	SCENARIO(open_errors, NULL),
	SCENARIO(open_creates, NULL),
	SCENARIO(open_relative, NULL),
	SCENARIO(close_errors, NULL),
	SCENARIO(closes_a_pipe, NULL, .modes = MODES_ALL),
};

FAMILY(rw, rows);
