/* SPDX-License-Identifier: MIT */
/*
 * Many reads of one file in one submission: the results must be as if each had
 * been made alone, one after the other.
 */
#include "runner/scenario.h"

#include <sys/eventfd.h>

#define GROUP 5

static char bytes[128 * 1024];

/* On a disk, if there is one: files in memory are handled differently. */
static int disk_file(const char *text)
{
	static const char *const places[] = {"/var/tmp", "/tmp", "."};
	struct iovec one = {.iov_base = bytes, .iov_len = 1};
	size_t i;

	for (i = 0; i < array_size(places); i++) {
		int fd = open(places[i], O_TMPFILE | O_RDWR, 0600);

		if (fd < 0)
			continue;
		put(fd, "x");
		if (preadv2(fd, &one, 1, 0, RWF_NOWAIT) == 1) {
			if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET))
				give_up("no empty file");
			put(fd, text);
			lseek(fd, 0, SEEK_SET);
			return fd;
		}
		close(fd);
	}
	return file_with(text);
}

/* "00010203...": every second byte shows its position. */
static int numbered(unsigned int count)
{
	char text[1024], *at = text;

	for (unsigned int i = 0; i < count; i++)
		at += snprintf(at, 3, "%02u", i % 100);
	return disk_file(text);
}

static struct io_uring_sqe *read_at(struct ring *r, int fd, uint32_t len,
				    uint64_t off)
{
	static uint32_t used;

	used = (used + len) % 60000;
	return sqe_new(r, IORING_OP_READ, fd, bytes + used, len, off);
}

/* @count reads of @len bytes, adjacent in the file and in memory. */
static void reads(struct ring *r, int fd, unsigned int count, uint32_t len,
		  uint64_t off)
{
	memset(bytes, '.', 4096);
	for (unsigned int i = 0; i < count; i++)
		sqe_new(r, IORING_OP_READ, fd, bytes + i * len, len,
			off + i * len);
}

static struct io_uring_sqe *select_at(struct ring *r, int fd, uint32_t len,
				      uint64_t off)
{
	struct io_uring_sqe *sqe =
		sqe_select(r, IORING_OP_READ, fd, len, GROUP);

	sqe->off = off;
	return sqe;
}

static void selects(struct ring *r, int fd, unsigned int count, uint32_t len,
		    uint32_t step)
{
	for (unsigned int i = 0; i < count; i++)
		select_at(r, fd, len, i * step);
}

/* ---- files --------------------------------------------------------------- */

static void one_behind_the_other(struct ring *r)
{
	int file = numbered(40);

	for (unsigned int count = 1; count < 8; count++) {
		reads(r, file, count, 5, count);
		go(r);
		note_bytes("bytes", bytes, 40);
	}
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
}

static void more_than_a_few(struct ring *r)
{
	int file = numbered(150);

	ring_open(r, 256, 0);
	reads(r, file, 200, 1, 10);
	go(r);
	note_bytes("bytes", bytes, 220);
}

static void gaps_and_steps_back(struct ring *r)
{
	static const uint64_t offsets[] = {0,  4,  8,  20, 24, 20, 24, 24,
					   24, 28, 40, 36, 32, 0,  2,  6};
	int file = numbered(40);

	for (size_t i = 0; i < array_size(offsets); i++)
		sqe_new(r, IORING_OP_READ, file, bytes + 4 * i, 4, offsets[i]);
	go(r);
	note_bytes("bytes", bytes, 4 * array_size(offsets));
}

/* Positions without order, of which none continues the one before. */
static uint64_t scattered_at(unsigned int i)
{
	return (i * 37 + 11) % 90;
}

/* The first ones are made singly: see REST_FIRST in read_runs.c. */
static void scattered(struct ring *r)
{
	int file = numbered(50);

	ring_open(r, 128, 0);
	for (unsigned int round = 0; round < 3; round++) {
		memset(bytes, '.', 4096);
		for (unsigned int i = 0; i < 100; i++)
			sqe_new(r, IORING_OP_READ, file, bytes + 8 * i,
				1 + i % 8, scattered_at(i));
		go(r);
		note_bytes("bytes", bytes, 800);
	}
}

/* Some fail, some reach past the end; those behind them have their bytes. */
static void scattered_and_bad(struct ring *r)
{
	int file = numbered(50);

	ring_open(r, 128, 0);
	for (unsigned int round = 0; round < 4; round++) {
		memset(bytes, '.', 4096);
		for (unsigned int i = 0; i < 100; i++) {
			bool bad = round && i % (20 + round) == 9;
			bool late = i % (30 + round) == 7;

			sqe_new(r, IORING_OP_READ, file,
				bad ? nowhere() : bytes + 8 * i, 8,
				late ? 96 : scattered_at(i));
			if (i % 25 == 12)
				sqe_new(r, IORING_OP_NOP, -1, NULL, 0, 0);
		}
		go(r);
		note_bytes("bytes", bytes, 800);
	}
}

static void the_end_of_the_file(struct ring *r)
{
	int file = numbered(10);

	for (uint32_t len = 1; len < 23; len += 3) {
		reads(r, file, 4, len, 6);
		go(r);
		note_bytes("bytes", bytes, 96);
	}
}

static void current_position(struct ring *r)
{
	int file = numbered(10);

	for (unsigned int i = 0; i < 6; i++)
		sqe_new(r, IORING_OP_READ, file, bytes + 4 * i, 4, UINT64_MAX);
	go(r);
	note_bytes("bytes", bytes, 24);
	note("position %ld", (long)lseek(file, 0, SEEK_CUR));
}

static void holes(struct ring *r)
{
	int file = disk_file("beginning");

	note_result("truncate", ftruncate(file, 20000));
	note_result("pwrite", pwrite(file, "end", 3, 19997));
	reads(r, file, 8, 2500, 0);
	go(r);
	note_bytes("begin", bytes, 16);
	note_bytes("end", bytes + 19990, 10);
}

static void large_ones(struct ring *r)
{
	int file = disk_file("");

	memset(bytes, 'x', sizeof(bytes));
	for (unsigned int i = 0; i < 4; i++)
		note_result("write", write(file, bytes, 60000 + i));
	reads(r, file, 4, 40000, 0);
	go(r);
	read_at(r, file, 65536, 0);
	read_at(r, file, 65537, 65536);
	read_at(r, file, 5, 131073);
	go(r);
}

static void lengths_of_nothing(struct ring *r)
{
	int file = numbered(20);

	read_at(r, file, 5, 0);
	read_at(r, file, 0, 5);
	read_at(r, file, 5, 5);
	read_at(r, file, 5, 10);
	go(r);
}

static void bad_addresses(struct ring *r)
{
	int file = numbered(40);
	char *none = nowhere();
	char *cut = page_before_nothing() + 4093;
	void *const bad[] = {none, read_only(), NULL, cut,
			     (void *)0xffff800000000000};
	struct io_uring_sqe *sqe;

	for (unsigned int at = 0; at < 5; at++)
		for (size_t i = 0; i < array_size(bad); i++) {
			note("bad %zu at %u", i, at);
			reads(r, file, 5, 6, 0);
			sqe = (struct io_uring_sqe *)(void *)r->sqe_memory;
			sqe += (r->next - 5 + at) & (r->params.sq_entries - 1);
			sqe->addr = (uintptr_t)bad[i];
			go(r);
			note_bytes("bytes", bytes, 30);
		}
	note_bytes("cut", cut, 3);
}

static void several_files(struct ring *r)
{
	int a = numbered(20), b = disk_file("abcdefghijklmnopqrstuvwxyz");

	for (unsigned int i = 0; i < 4; i++) {
		sqe_new(r, IORING_OP_READ, a, bytes + 8 * i, 4, 4 * i);
		sqe_new(r, IORING_OP_READ, b, bytes + 8 * i + 4, 4, 4 * i);
	}
	go(r);
	note_bytes("bytes", bytes, 32);
	reads(r, a, 3, 4, 0);
	sqe_new(r, IORING_OP_READ, b, bytes + 12, 4, 12);
	sqe_new(r, IORING_OP_READ, b, bytes + 16, 4, 16);
	go(r);
	note_bytes("bytes", bytes, 20);
}

static void not_to_be_read(struct ring *r)
{
	const int files[] = {-1, 12345, open("/", O_RDONLY | O_DIRECTORY),
			     open("/dev/null", O_WRONLY), open("/", O_PATH)};

	for (size_t i = 0; i < array_size(files); i++) {
		reads(r, files[i], 3, 4, 0);
		submit(r);
		reap_sorted(r, 3);
	}
}

static void closed_on_the_way(struct ring *r)
{
	int file = numbered(20);

	reads(r, file, 3, 4, 0);
	sqe_new(r, IORING_OP_CLOSE, file, NULL, 0, 0);
	reads(r, file, 3, 4, 12);
	go(r);
}

/* ---- other files --------------------------------------------------------- */

static void devices(struct ring *r)
{
	static const char *const paths[] = {"/dev/zero", "/dev/null",
					    "/dev/full"};
	static const uint64_t offsets[] = {0,
					   0,
					   0,
					   77,
					   5,
					   INT64_MAX,
					   INT64_MAX - 3,
					   0,
					   UINT64_MAX - 5,
					   UINT64_MAX,
					   1u << 31,
					   0,
					   8,
					   16};

	for (size_t i = 0; i < array_size(paths); i++) {
		int file = device(paths[i]);

		memset(bytes, '.', 256);
		for (size_t j = 0; j < array_size(offsets); j++)
			sqe_new(r, IORING_OP_READ, file, bytes + 8 * j, 7,
				offsets[j]);
		submit(r);
		reap_sorted(r, array_size(offsets));
		note_bytes("bytes", bytes, 120);
	}
}

static void random_bytes(struct ring *r)
{
	reads(r, device("/dev/urandom"), 6, 10, 0);
	go(r);
}

static void bad_addresses_of_a_device(struct ring *r)
{
	int file = device("/dev/zero");
	struct io_uring_sqe *sqe;

	for (unsigned int at = 0; at < 4; at++) {
		reads(r, file, 4, 6, 0);
		sqe = (struct io_uring_sqe *)(void *)r->sqe_memory;
		sqe += (r->next - 4 + at) & (r->params.sq_entries - 1);
		sqe->addr = (uintptr_t)nowhere();
		go(r);
		note_bytes("bytes", bytes, 30);
	}
}

static void pipes(struct ring *r)
{
	static const uint64_t offsets[] = {0, UINT64_MAX};
	int fd[2];

	for (size_t i = 0; i < array_size(offsets); i++) {
		pair(fd, PAIR_PIPE);
		put(fd[1], "0123456789abcdefghijklmno");
		memset(bytes, '.', 64);
		for (unsigned int j = 0; j < 4; j++)
			sqe_new(r, IORING_OP_READ, fd[0], bytes + 10 * j, 10,
				offsets[i]);
		submit(r);
		reap(r, 3);
		quiet(r);
		put(fd[1], "xyz");
		reap(r, 1);
		note_bytes("bytes", bytes, 40);
	}
}

static void messages(struct ring *r)
{
	static const enum pair_kind kinds[] = {PAIR_DGRAM, PAIR_UDP,
					       PAIR_STREAM};
	int fd[2];

	for (size_t i = 0; i < array_size(kinds); i++) {
		pair(fd, kinds[i]);
		put(fd[1], "first");
		put(fd[1], "2nd");
		put(fd[1], "the third");
		wait_readable(fd[0]);
		memset(bytes, '.', 64);
		for (unsigned int j = 0; j < 3; j++)
			sqe_new(r, IORING_OP_READ, fd[0], bytes + 8 * j, 6, 0);
		go(r);
		note_bytes("bytes", bytes, 24);
	}
}

static void counters(struct ring *r)
{
	int fd = eventfd(5, EFD_SEMAPHORE | EFD_NONBLOCK);

	/* A sixth read would wait for ever, on 6.18 also with EFD_NONBLOCK. */
	memset(bytes, '.', 64);
	for (unsigned int i = 0; i < 5; i++)
		sqe_new(r, IORING_OP_READ, fd, bytes + 8 * i, 8, 0);
	go(r);
	note_bytes("bytes", bytes, 48);
}

/* ---- ring buffers -------------------------------------------------------- */

static void ring_buffers(struct ring *r)
{
	static const uint32_t lens[] = {0, 10, 7};
	int file = numbered(100);
	struct bufs b;

	for (size_t i = 0; i < array_size(lens); i++) {
		bufs_open(&b, r, GROUP, 8, 10, 0, 7);
		selects(r, file, 6, lens[i], lens[i] ? lens[i] : 10);
		go(r);
		note_bytes("bytes", b.bytes, 70);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
	}
}

/* The positions advance by the length asked for; the buffers are shorter. */
static void short_ring_buffers(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 8, 6, 0, 8);
	selects(r, numbered(100), 6, 10, 10);
	go(r);
	note_bytes("bytes", b.bytes, 48);
	note_head(r, GROUP);
}

static void scattered_into_a_ring(struct ring *r)
{
	int file = numbered(50);
	struct bufs b;

	ring_open(r, 128, 0);
	for (unsigned int round = 0; round < 4; round++) {
		bufs_open(&b, r, GROUP, 64, 8, 0, 30);
		if (round > 1)
			bufs_add(&b, nowhere(), 8, 40);
		bufs_publish(&b);
		for (uint16_t i = 30; i < 36; i++)
			bufs_return(&b, i);
		for (unsigned int i = 0; i < 40; i++)
			select_at(r, file, 8,
				  round == 3 && i == 20 ? 97 : scattered_at(i));
		go(r);
		note_bytes("bytes", b.bytes, 320);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
	}
}

static void scattered_into_an_inc_ring(struct ring *r)
{
	int file = numbered(50);
	struct bufs b;

	ring_open(r, 128, 0);
	for (unsigned int round = 0; round < 3; round++) {
		bufs_open(&b, r, GROUP, 16, 64, IOU_PBUF_RING_INC, 8);
		for (unsigned int i = 0; i < 70; i++)
			select_at(r, file, 7, scattered_at(i));
		go(r);
		note_bytes("bytes", b.bytes, 512);
		note_entries(&b, 16);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
	}
}

static void ring_runs_out(struct ring *r)
{
	struct bufs b;
	int file = numbered(100);

	bufs_open(&b, r, GROUP, 4, 10, 0, 3);
	selects(r, file, 5, 10, 10);
	go(r);
	note_head(r, GROUP);
	bufs_return(&b, 2);
	bufs_return(&b, 0);
	selects(r, file, 3, 10, 10);
	go(r);
	note_bytes("bytes", b.bytes, 40);
	note_head(r, GROUP);
}

static void ring_at_the_end_of_the_file(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 8, 8, 0, 8);
	selects(r, numbered(10), 5, 8, 8);
	go(r);
	note_bytes("bytes", b.bytes, 64);
	note_head(r, GROUP);
}

static void bad_ring_buffers(struct ring *r)
{
	int file = numbered(100), zero = device("/dev/zero");

	for (unsigned int kind = 0; kind < 3; kind++)
		for (unsigned int i = 0; i < 2; i++) {
			struct bufs b;
			void *bad = kind == 1 ? NULL : nowhere();

			bufs_open(&b, r, GROUP, 8, 8, 0, 2);
			bufs_add(&b, bad, kind == 2 ? 0 : 8, 5);
			bufs_publish(&b);
			bufs_return(&b, 3);
			bufs_return(&b, 4);
			selects(r, i ? zero : file, 6, 8, 8);
			go(r);
			note_bytes("bytes", b.bytes, 64);
			note_head(r, GROUP);
			bufs_unregister(r, GROUP);
		}
}

static void ring_of_no_file(struct ring *r)
{
	struct bufs b;
	int fd[2];

	bufs_open(&b, r, GROUP, 8, 8, 0, 8);
	selects(r, 12345, 3, 8, 8);
	go(r);
	note_head(r, GROUP);
	pair(fd, PAIR_DGRAM);
	put(fd[1], "first");
	put(fd[1], "2nd");
	selects(r, fd[0], 3, 8, 0);
	submit(r);
	reap(r, 2);
	note_head(r, GROUP);
	put(fd[1], "third");
	reap(r, 1);
	note_head(r, GROUP);
	note_bytes("bytes", b.bytes, 64);
}

static void inc_ring(struct ring *r)
{
	static const uint32_t lens[] = {5, 16, 0, 24};
	int file = numbered(100);

	for (size_t i = 0; i < array_size(lens); i++) {
		struct bufs b;

		bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 3);
		selects(r, file, 8, lens[i], lens[i] ? lens[i] : 16);
		go(r);
		note_bytes("bytes", b.bytes, 64);
		note_entries(&b, 4);
		note_head(r, GROUP);
		bufs_unregister(r, GROUP);
	}
}

static void inc_ring_of_a_device(struct ring *r)
{
	struct bufs b;

	bufs_open(&b, r, GROUP, 4, 16, IOU_PBUF_RING_INC, 3);
	memset(b.bytes, '.', 64);
	selects(r, device("/dev/zero"), 9, 6, 0);
	go(r);
	note_bytes("bytes", b.bytes, 64);
	note_entries(&b, 4);
	note_head(r, GROUP);
}

static void two_groups(struct ring *r)
{
	int file = numbered(100);
	struct bufs b, other;

	bufs_open(&b, r, GROUP, 8, 8, 0, 8);
	bufs_open(&other, r, GROUP + 1, 8, 8, 0, 8);
	for (unsigned int i = 0; i < 6; i++)
		select_at(r, file, 8, 8 * i)->buf_group = GROUP + i % 2;
	selects(r, file, 2, 8, 8);
	reads(r, file, 2, 8, 16);
	go(r);
	note_head(r, GROUP);
	note_head(r, GROUP + 1);
	note_bytes("bytes", b.bytes, 64);
	note_bytes("others", other.bytes, 64);
}

/* ---- classic buffers ----------------------------------------------------- */

static void drain_group(struct ring *r, unsigned int count)
{
	selects(r, device("/dev/zero"), count, 8, 0);
	go(r);
}

static void classic_buffers(struct ring *r)
{
	int file = numbered(100);
	char *memory = pages(4096);

	sqe_provide(r, memory, 8, 4, GROUP, 10);
	selects(r, file, 6, 8, 8);
	go(r);
	note_bytes("bytes", memory, 40);
}

static void provided_between(struct ring *r)
{
	int file = numbered(100);
	char *memory = pages(4096);

	for (unsigned int i = 0; i < 6; i++) {
		sqe_provide(r, memory + 8 * i, 8, 1, GROUP, i);
		select_at(r, file, 8, 8 * i);
	}
	go(r);
	note_bytes("bytes", memory, 60);
	/* Each time the buffer is provided too late. */
	for (unsigned int i = 0; i < 4; i++) {
		select_at(r, file, 8, 8 * i);
		sqe_provide(r, memory + 8 * i, 8, 1, GROUP, i);
	}
	go(r);
	drain_group(r, 3);
}

static void others_between(struct ring *r)
{
	int file = numbered(100);
	char *memory = pages(4096);

	sqe_provide(r, memory, 8, 8, GROUP, 0);
	select_at(r, file, 8, 0);
	sqe_nop(r);
	select_at(r, file, 8, 8);
	sqe_provide(r, memory, 8, 0, GROUP, 0);
	select_at(r, file, 8, 16);
	sqe_remove(r, 2, GROUP);
	select_at(r, file, 8, 24);
	sqe_nop(r)->op_flags = 64;
	go(r);
	select_at(r, file, 8, 32);
	drain_group(r, 4);
}

static void classic_of_no_file(struct ring *r)
{
	char *memory = pages(4096);

	sqe_provide(r, memory, 8, 4, GROUP, 0);
	selects(r, 12345, 3, 8, 8);
	sqe_provide(r, memory, 8, 1, GROUP, 7);
	selects(r, 12345, 3, 8, 8);
	go(r);
	drain_group(r, 6);
}

static void bad_classic_buffers(struct ring *r)
{
	char *memory = pages(4096);

	sqe_provide(r, memory, 8, 2, GROUP, 0);
	sqe_provide(r, nowhere(), 8, 1, GROUP, 2);
	sqe_provide(r, memory + 16, 8, 2, GROUP, 3);
	selects(r, numbered(100), 6, 8, 8);
	go(r);
	note_bytes("bytes", memory, 40);
}

/* ---- other requests between them ----------------------------------------- */

static void links_beside(struct ring *r)
{
	int file = numbered(40);

	for (unsigned int flag = IOSQE_IO_DRAIN; flag <= IOSQE_IO_HARDLINK;
	     flag <<= 1)
		for (unsigned int at = 0; at < 6; at += 2) {
			struct io_uring_sqe *sqe;

			note("flag 0x%x at %u", flag, at);
			for (unsigned int i = 0; i < 6; i++) {
				sqe = read_at(r, file, 4, 4 * i);
				if (i == at)
					sqe->flags = (uint8_t)flag;
			}
			submit(r);
			reap_sorted(r, 6);
		}
}

static void a_chain_breaks_beside(struct ring *r)
{
	int file = numbered(20);

	reads(r, file, 2, 4, 0);
	read_at(r, file, 100, 8)->flags = IOSQE_IO_LINK;
	read_at(r, file, 4, 12);
	reads(r, file, 2, 4, 16);
	go(r);
}

static void silent_ones_beside(struct ring *r)
{
	int file = numbered(40);

	reads(r, file, 2, 4, 0);
	read_at(r, file, 4, 8)->flags = IOSQE_CQE_SKIP_SUCCESS;
	reads(r, file, 2, 4, 12);
	sqe_nop(r)->flags = IOSQE_CQE_SKIP_SUCCESS;
	reads(r, file, 2, 4, 20);
	submit(r);
	reap(r, 6);
	quiet(r);
}

static void asynchronous_ones_beside(struct ring *r)
{
	int file = numbered(40);

	for (unsigned int i = 0; i < 6; i++)
		if (i == 2)
			read_at(r, file, 4, 4 * i)->flags = IOSQE_ASYNC;
		else
			read_at(r, file, 4, 4 * i);
	submit(r);
	reap_sorted(r, 6);
}

static void flags_beside(struct ring *r)
{
	static const uint32_t flags[] = {8 /* RWF_NOWAIT */, 1 /* HIPRI */,
					 1u << 30};
	int file = numbered(40);

	for (size_t i = 0; i < array_size(flags); i++) {
		reads(r, file, 2, 4, 0);
		read_at(r, file, 4, 8)->op_flags = flags[i];
		reads(r, file, 2, 4, 12);
		submit(r);
		reap_sorted(r, 5);
	}
}

static void bad_entries_beside(struct ring *r)
{
	static const uint32_t flags[] = {0, IORING_SETUP_SUBMIT_ALL};
	int file = numbered(40);

	for (size_t i = 0; i < array_size(flags); i++) {
		ring_open(r, 16, flags[i]);
		reads(r, file, 3, 4, 0);
		sqe_nop(r)->opcode = 200;
		reads(r, file, 3, 4, 12);
		submit(r);
		quiet(r);
		enter(r, 3, 0, 0, NULL, 0);
		quiet(r);
	}
}

/* All reads have the same invalid fields. */
static void bad_words_in_all(struct ring *r)
{
	static const struct {
		uint16_t ioprio, personality;
	} words[] = {{0xffff, 0}, {0, 77}, {1, 77}};
	int file = numbered(40);

	ring_open(r, 16, IORING_SETUP_SUBMIT_ALL);
	for (size_t i = 0; i < array_size(words); i++) {
		for (unsigned int k = 0; k < 3; k++) {
			struct io_uring_sqe *sqe = read_at(r, file, 4, 4 * k);

			sqe->ioprio = words[i].ioprio;
			sqe->personality = words[i].personality;
		}
		go(r);
	}
}

/* They wait behind the request that drains. */
static void a_drain_before(struct ring *r)
{
	int file = numbered(40), fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes + 8192, 8, 0);
	sqe_nop(r)->flags = IOSQE_IO_DRAIN;
	reads(r, file, 3, 4, 0);
	submit(r);
	quiet(r);
	put(fd[1], "x");
	reap(r, 5);
	note_bytes("bytes", bytes, 12);
}

static void a_full_queue(struct ring *r)
{
	struct io_uring_params params = {
		.flags = mode_flags() | IORING_SETUP_CQSIZE, .cq_entries = 8};
	int file = numbered(100);

	ring_try(r, 8, &params);
	ring_map(r);
	for (unsigned int i = 0; i < 3; i++) {
		reads(r, file, 5, 4, 20 * i);
		sqe_nop(r);
		submit(r);
	}
	note("ready %u", ring_ready(r));
	reap(r, 18);
}

static void registered_files(struct ring *r)
{
	int32_t files[3] = {numbered(40), -1, disk_file("abcdefghijklmnop")};
	struct bufs b;

	bufs_open(&b, r, GROUP, 16, 4, 0, 14);
	reg(r, IORING_REGISTER_FILES, files, 3);
	for (int slot = 0; slot < 4; slot++) {
		for (unsigned int i = 0; i < 3; i++)
			sqe_new(r, IORING_OP_READ, slot, bytes + 4 * i, 4,
				4 * i)
				->flags = IOSQE_FIXED_FILE;
		for (unsigned int i = 0; i < 3; i++)
			select_at(r, slot, 4, 4 * i)->flags |= IOSQE_FIXED_FILE;
		go(r);
		note_bytes("bytes", bytes, 12);
		note_head(r, GROUP);
	}
	/* The same integer, once as a slot and once as an fd. */
	dup2(files[2], 50);
	for (unsigned int i = 0; i < 4; i++)
		read_at(r, i % 2 ? 50 : 0, 4, 4 * i)->flags =
			i % 2 ? 0 : IOSQE_FIXED_FILE;
	go(r);
}

static const struct scenario scenarios[] = {
	SCENARIO(one_behind_the_other, NULL, .modes = MODES_ALL),
	SCENARIO(more_than_a_few, NULL, .bare = true),
	SCENARIO(gaps_and_steps_back, NULL),
	SCENARIO(scattered, NULL, .modes = MODES_ALL),
	SCENARIO(scattered_and_bad, NULL, .bare = true),
	SCENARIO(the_end_of_the_file, NULL),
	SCENARIO(current_position, NULL),
	SCENARIO(holes, NULL),
	SCENARIO(large_ones, NULL),
	SCENARIO(lengths_of_nothing, NULL),
	SCENARIO(bad_addresses, NULL),
	SCENARIO(several_files, NULL),
	SCENARIO(not_to_be_read, NULL),
	SCENARIO(closed_on_the_way, NULL),
	SCENARIO(devices, NULL),
	SCENARIO(random_bytes, NULL),
	SCENARIO(bad_addresses_of_a_device, NULL),
	SCENARIO(pipes, NULL),
	SCENARIO(messages, NULL),
	SCENARIO(counters, NULL),
	SCENARIO(ring_buffers, "S3 S4 S9", .modes = MODES_ALL),
	SCENARIO(short_ring_buffers, "S3 S4"),
	SCENARIO(scattered_into_a_ring, "S2 S4 S9 S10", .bare = true),
	SCENARIO(scattered_into_an_inc_ring, "I1 I2", .bare = true),
	SCENARIO(ring_runs_out, "S2"),
	SCENARIO(ring_at_the_end_of_the_file, "S6 S9"),
	SCENARIO(bad_ring_buffers, "S10"),
	SCENARIO(ring_of_no_file, "S5"),
	SCENARIO(inc_ring, "I1 I2"),
	SCENARIO(inc_ring_of_a_device, "I1 I2"),
	SCENARIO(two_groups, "S4"),
	SCENARIO(classic_buffers, "S2 S4"),
	SCENARIO(provided_between, "S2 S4 P9"),
	SCENARIO(others_between, "S4 R3"),
	SCENARIO(classic_of_no_file, "S7"),
	SCENARIO(bad_classic_buffers, "S10"),
	SCENARIO(links_beside, NULL),
	SCENARIO(a_chain_breaks_beside, NULL),
	SCENARIO(silent_ones_beside, NULL),
	SCENARIO(asynchronous_ones_beside, NULL),
	SCENARIO(flags_beside, NULL),
	SCENARIO(bad_entries_beside, NULL, .bare = true),
	SCENARIO(bad_words_in_all, NULL, .bare = true),
	SCENARIO(a_drain_before, NULL, .modes = MODES_ALL),
	SCENARIO(a_full_queue, NULL, .bare = true),
	SCENARIO(registered_files, NULL),
};

FAMILY(runs, scenarios);
