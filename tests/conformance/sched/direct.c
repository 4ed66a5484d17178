/* SPDX-License-Identifier: MIT */
/*
 * O_DIRECT: transfers that run without a thread (D7). And reads of pages that
 * are not cached.
 *
 * Each page of the file contains one letter, so that a few bytes show which
 * page was read. Where file systems differ, for lengths that are no multiple of
 * a sector, the result is compared with pread(2).
 */
#include "runner/scenario.h"

#include <sys/resource.h>

#define PAGE 4096u
#define FILE_PAGES 16u
#define MANY 100u

static char *memory; /* MANY pages */

static int direct_file(int flags)
{
	char path[] = "polyring-direct-XXXXXX"; /* /tmp may not be on a disk */
	int plain = mkstemp(path), file;

	memory = pages(MANY * PAGE);
	for (unsigned int i = 0; i < FILE_PAGES; i++) {
		memset(memory, (int)('a' + i), PAGE);
		if (write(plain, memory, PAGE) != PAGE)
			give_up("no file");
	}
	memset(memory, '.', MANY * PAGE);
	fsync(plain);
	file = open(path, flags | O_DIRECT);
	unlink(path);
	close(plain);
	if (file < 0)
		give_up("no O_DIRECT: %s", strerror(errno));
	return file;
}

static void note_page(unsigned int page)
{
	note_bytes("page", memory + (size_t)page * PAGE, PAGE);
}

static void reads(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	note_page(0);
	sqe_new(r, IORING_OP_READ, file, memory, 2 * PAGE, 3 * PAGE);
	go(r);
	note_page(0);
	note_page(1);
	sqe_new(r, IORING_OP_READ, file, memory, 0, 0);
	go(r);
	/* Beyond the end, and across it. */
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, FILE_PAGES * PAGE);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 1u << 30);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, 3 * PAGE,
		(FILE_PAGES - 1) * PAGE);
	go(r);
	note_page(0);
}

static void many_at_once(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	for (unsigned int i = 0; i < MANY; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, (i % FILE_PAGES) * PAGE);
	submit(r);
	reap_sorted(r, MANY);
	for (unsigned int i = 0; i < MANY; i += 7)
		note_page(i);
}

static void vectors(struct ring *r)
{
	int file = direct_file(O_RDWR);
	struct iovec v[2];

	v[0] = (struct iovec){memory + PAGE, PAGE};
	v[1] = (struct iovec){memory, PAGE};
	sqe_new(r, IORING_OP_READV, file, v, 2, 2 * PAGE);
	go(r);
	note_page(0);
	note_page(1);
	sqe_new(r, IORING_OP_WRITEV, file, v, 2, 8 * PAGE);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory + 2 * PAGE, 2 * PAGE, 8 * PAGE);
	go(r);
	note_page(2);
	note_page(3);
	sqe_new(r, IORING_OP_READV, file, nowhere(), 2, 0);
	go(r);
}

static void writes(struct ring *r)
{
	int file = direct_file(O_RDWR);

	memset(memory, 'W', 2 * PAGE);
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, PAGE);
	go(r);
	/* The file grows and gets a hole. */
	sqe_new(r, IORING_OP_WRITE, file, memory, 2 * PAGE, 20 * PAGE);
	go(r);
	note("size %ld", (long)lseek(file, 0, SEEK_END));
	sqe_new(r, IORING_OP_READ, file, memory, 4 * PAGE, 18 * PAGE);
	go(r);
	for (unsigned int i = 0; i < 4; i++)
		note_page(i);
	sqe_new(r, IORING_OP_READ, file, memory, 2 * PAGE, 0);
	go(r);
	note_page(1);
}

static void appends(struct ring *r)
{
	int file = direct_file(O_RDWR | O_APPEND);

	memset(memory, 'W', PAGE);
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, 0);
	go(r);
	note("size %ld", (long)lseek(file, 0, SEEK_END));
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	note_page(0);
}

static void position(struct ring *r)
{
	int file = direct_file(O_RDWR);

	sqe_new(r, IORING_OP_READ, file, memory, PAGE, UINT64_MAX);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory + PAGE, PAGE, UINT64_MAX);
	go(r);
	note_page(0);
	note_page(1);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 5 * PAGE);
	go(r);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
}

static void file_limit(struct ring *r)
{
	int file = direct_file(O_RDWR);
	struct rlimit limit = {FILE_PAGES * PAGE, FILE_PAGES * PAGE};

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, FILE_PAGES * PAGE);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, memory, 2 * PAGE,
		(FILE_PAGES - 1) * PAGE);
	go(r);
	note("size %ld", (long)lseek(file, 0, SEEK_END));
}

static void errors(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, nowhere(), PAGE, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, read_only(), PAGE, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, NULL, PAGE, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, UINT64_MAX - PAGE + 1);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, INT64_MAX - PAGE + 1);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0)->rw_flags = 1u << 30;
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0)->rw_flags = 8;
	go(r);
}

/* Lengths, positions and addresses that are not multiples of a sector. */
static void alignment(struct ring *r)
{
	static const struct {
		unsigned int address, length, position;
	} odd[] = {{0, 100, 0},	   {0, 512, 512}, {0, PAGE, 100},
		   {1, PAGE, 0},   {512, 512, 0}, {0, PAGE - 512, 512},
		   {0, PAGE, 512}, {4, 512, 1024}};
	int file = direct_file(O_RDONLY);

	for (size_t i = 0; i < array_size(odd); i++) {
		char *to = memory + odd[i].address;
		long expected = pread(file, to, odd[i].length, odd[i].position);
		int res;

		if (expected < 0)
			expected = -errno;
		sqe_new(r, IORING_OP_READ, file, to, odd[i].length,
			odd[i].position);
		enter(r, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		res = ring_ready(r) ? ring_cqe(r)->res : 0;
		ring_seen(r);
		note("case %zu as pread: %d", i, res == expected);
	}
}

static void chains(struct ring *r)
{
	int file = direct_file(O_RDWR);

	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0)->flags =
		IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, 9 * PAGE)->flags =
		IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_READ, file, memory + PAGE, PAGE, 9 * PAGE);
	go(r);
	note_page(1);
	/* A short read breaks the chain; a hard link does not. */
	sqe_new(r, IORING_OP_READ, file, memory, 2 * PAGE,
		(FILE_PAGES - 1) * PAGE)
		->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, 2 * PAGE,
		(FILE_PAGES - 1) * PAGE)
		->flags = IOSQE_IO_HARDLINK;
	sqe_nop(r);
	go(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	sqe_nop(r)->flags = IOSQE_IO_DRAIN;
	go(r);
}

/* A transfer that the disk has begun can't be cancelled. */
static void cancelled(struct ring *r)
{
	struct io_uring_sync_cancel_reg sync = {
		.addr = 1, .fd = -1, .timeout = {-1, -1}};
	int file = direct_file(O_RDONLY);

	sqe_new(r, IORING_OP_READ, file, memory, FILE_PAGES * PAGE, 0)
		->user_data = 1;
	sqe_cancel(r, 1, 0)->user_data = 2;
	submit(r);
	reap_sorted(r, 2);
	sqe_new(r, IORING_OP_READ, file, memory, FILE_PAGES * PAGE, 0)
		->user_data = 1;
	submit(r);
	reg(r, IORING_REGISTER_SYNC_CANCEL, &sync, 1);
	reap_sorted(r, 1);
	sqe_new(r, IORING_OP_READ, file, memory, FILE_PAGES * PAGE, 0)
		->user_data = 1;
	sqe_cancel(r, 0, IORING_ASYNC_CANCEL_ANY)->user_data = 2;
	submit(r);
	reap_sorted(r, 2);
}

/* Requests before the CLOSE keep their file. */
static void closed_behind(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	for (unsigned int i = 0; i < 8; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, i * PAGE);
	sqe_new(r, IORING_OP_CLOSE, file, NULL, 0, 0);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	submit(r);
	reap_sorted(r, 10);
	note_page(7);
}

/* A cached value of an fd is no longer right. */
static void number_becomes_a_pipe(struct ring *r)
{
	int file = direct_file(O_RDONLY);
	int fd[2];

	for (unsigned int i = 0; i < 3; i++) {
		sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
		go(r);
	}
	pair(fd, PAIR_PIPE);
	dup2(fd[0], file);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	reap(r, 1);
	note_bytes("bytes", memory, 4);
	put(fd[1], "defg");
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	note_bytes("bytes", memory, 4);
}

static void number_becomes_a_socket(struct ring *r)
{
	int file = direct_file(O_RDWR);
	int fd[2];

	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	pair(fd, PAIR_STREAM);
	dup2(fd[0], file);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, PAGE);
	submit(r);
	quiet(r);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	submit(r);
	quiet(r);
	put(fd[1], "abc");
	reap(r, 1);
	dup2(file_with("0123456789"), file);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	dup2(open("/", O_RDONLY | O_DIRECTORY), file);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
	dup2(device("/dev/null"), file);
	sqe_new(r, IORING_OP_WRITE, file, memory, PAGE, 0);
	go(r);
	close(file);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
}

static void buffers(struct ring *r)
{
	int file = direct_file(O_RDWR);
	struct iovec v = {memory, 4 * PAGE};
	struct io_uring_sqe *sqe;
	struct bufs b;

	reg(r, IORING_REGISTER_BUFFERS, &v, 1);
	sqe = sqe_new(r, IORING_OP_READ_FIXED, file, memory, PAGE, PAGE);
	sqe->buf_index = 0;
	go(r);
	note_page(0);
	sqe_new(r, IORING_OP_WRITE_FIXED, file, memory, PAGE, 0);
	go(r);
	bufs_open(&b, r, 1, 4, PAGE, 0, 4);
	for (unsigned int i = 0; i < 2; i++) {
		sqe = sqe_new(r, IORING_OP_READ, file, NULL, PAGE, i * PAGE);
		sqe->flags = IOSQE_BUFFER_SELECT;
		sqe->buf_group = 1;
		go(r);
	}
	note_head(r, 1);
	note_bytes("buffer", b.bytes, 2 * PAGE);
}

static void on_workers(struct ring *r)
{
	int file = direct_file(O_RDWR);

	for (unsigned int i = 0; i < 4; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, i * PAGE)
			->flags = IOSQE_ASYNC;
	submit(r);
	reap_sorted(r, 4);
	note_page(3);
}

static void registered(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	reg(r, IORING_REGISTER_FILES, &file, 1);
	close(file);
	for (unsigned int i = 0; i < 4; i++)
		sqe_new(r, IORING_OP_READ, 0, memory + (size_t)i * PAGE, PAGE,
			i * PAGE)
			->flags = IOSQE_FIXED_FILE;
	submit(r);
	reap_sorted(r, 4);
	note_page(3);
	sqe_new(r, IORING_OP_READ, 0, memory, PAGE, 5 * PAGE)->flags =
		IOSQE_FIXED_FILE;
	submit(r);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	reap(r, 1);
	note_page(0);
}

/* Drop the file from the cache, as far as the file system allows. */
static int cold_file(void)
{
	int file = direct_file(O_RDONLY);

	fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_DIRECT);
	posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	return file;
}

static void cold_reads(struct ring *r)
{
	struct io_uring_sqe *sqe;
	struct bufs b;
	int file;

	bufs_open(&b, r, 1, 4, PAGE, 0, 4);
	file = cold_file();
	for (unsigned int i = 0; i < FILE_PAGES; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, (i * 7 % FILE_PAGES) * PAGE);
	submit(r);
	close(file);
	reap_sorted(r, FILE_PAGES);
	for (unsigned int i = 0; i < FILE_PAGES; i++)
		note_page(i);
	file = cold_file();
	sqe_new(r, IORING_OP_READ, file, memory, 4 * PAGE, 6 * PAGE)->flags =
		IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, PAGE)->flags =
		IOSQE_IO_LINK;
	sqe = sqe_new(r, IORING_OP_READ, file, NULL, PAGE, 11 * PAGE);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	sqe_nop(r)->flags = IOSQE_IO_DRAIN;
	go(r);
	note_page(0);
	note_page(3);
	note_bytes("buffer", b.bytes, PAGE);
	note_head(r, 1);
}

/* A read that waits for the disk has selected its buffer before (S6). */
static void cold_reads_choose_first(struct ring *r)
{
	int zero = open("/dev/zero", O_RDONLY), file;
	struct bufs b;

	bufs_open(&b, r, 1, 32, PAGE, 0, 32);
	for (unsigned int i = 0; i < FILE_PAGES; i++) {
		file = cold_file();
		sqe_select(r, IORING_OP_READ, file, PAGE, 1)->off =
			(i * 7 % FILE_PAGES) * PAGE;
		sqe_select(r, IORING_OP_READ, zero, 100, 1)->off = 0;
		submit(r);
		reap_sorted(r, 2);
		note_head(r, 1);
		close(file);
	}
	close(zero);
}

static void cold_ring_closes(struct ring *r)
{
	int file = cold_file();

	for (unsigned int i = 0; i < FILE_PAGES; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, (i * 7 % FILE_PAGES) * PAGE);
	submit(r);
	ring_close(r);
	ring_open(r, 8, 0);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
}

/* The ring closes while the disk is busy: nothing may be left of it. */
static void ring_closes(struct ring *r)
{
	int file = direct_file(O_RDONLY);

	for (unsigned int i = 0; i < MANY; i++)
		sqe_new(r, IORING_OP_READ, file, memory + (size_t)i * PAGE,
			PAGE, (i % FILE_PAGES) * PAGE);
	submit(r);
	ring_close(r);
	ring_open(r, 8, 0);
	sqe_new(r, IORING_OP_READ, file, memory, PAGE, 0);
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(reads, NULL, .modes = MODES_ALL),
	SCENARIO(many_at_once, NULL, .modes = MODES_ALL),
	SCENARIO(vectors, NULL),
	SCENARIO(writes, NULL),
	SCENARIO(appends, NULL),
	SCENARIO(position, NULL, .deviates = "direct-position"),
	SCENARIO(file_limit, NULL),
	SCENARIO(errors, NULL),
	SCENARIO(alignment, NULL),
	SCENARIO(chains, NULL, .modes = MODES_ALL),
	SCENARIO(cancelled, NULL),
	SCENARIO(closed_behind, NULL, .modes = MODES_ALL),
	SCENARIO(number_becomes_a_pipe, NULL, .modes = MODES_ALL),
	SCENARIO(number_becomes_a_socket, NULL),
	SCENARIO(buffers, NULL),
	SCENARIO(on_workers, NULL),
	SCENARIO(registered, NULL),
	SCENARIO(ring_closes, NULL),
	SCENARIO(cold_reads, NULL, .modes = MODES_ALL),
	SCENARIO(cold_reads_choose_first, "S6", .modes = MODES_ALL),
	SCENARIO(cold_ring_closes, NULL),
};

FAMILY(direct, rows);
