// SPDX-License-Identifier: MIT
/*
 * Small requests, as fast as they go: nops, and reads that never wait.
 *
 * Theory: an ordinary liburing program. One batch after another is filled in,
 * submitted with one call and reaped; each completion is checked, and every
 * buffer that was used is given back. The same binary runs on the kernel's
 * io_uring and, under `polyring run`, on the engine. `--via call` makes the
 * bare system call instead, which is a lower bound for all of them.
 *
 * Built with -DDIRECT and linked to libpolyring it calls the engine as a
 * library; the difference is the cost of the lane.
 *
 * At the end one line of JSON says how many operations took how many
 * nanoseconds of the clock and of the processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifdef DIRECT
#include "polyring/polyring.h"
#endif

#define GROUP 3
#define RING_INC 2 /* IOU_PBUF_RING_INC: younger than some headers */
#define BATCH_MAX 512u
#define RING_BUFFERS 1024u
#define INC_BYTES 65536u
#define FILE_BYTES (16u << 20)

enum kind { KIND_NONE, KIND_RING, KIND_INC, KIND_CLASSIC };
enum via { VIA_RING, VIA_CALL };

static struct {
	unsigned int batch, bytes, ms, flags;
	enum kind kind;
	enum via via;
	const char *file; /* NULL: nops */
	uint64_t
		ops; /* stop after so many operations, for instruction counts */
	unsigned int files; /* opened so often, read in turn */
	bool scattered; /* positions at random */
} want = {
	.batch = 64,
	.ms = 200,
	.files = 1,
	.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
};

static struct io_uring ring;
static struct io_uring_buf_ring *buf_ring;
static uint8_t *memory;
static unsigned int buffer_bytes, buffer_mask;
static int files[BATCH_MAX];
static unsigned int next_file;
static bool seekable;
static uint64_t file_at;
static uint16_t given_back[BATCH_MAX]; /* classic: bids to provide again */
static unsigned int to_give;

static void fail(const char *what, long result)
{
	fprintf(stderr, "small: %s: %ld (%s)\n", what, result,
		result < 0 ? strerror((int)-result) : "unexpected");
	exit(1);
}

static void check(long result, const char *what)
{
	if (result < 0)
		fail(what, result);
}

/* ---- the way in ---------------------------------------------------------- */

#ifdef DIRECT

/* What io_uring_queue_init() does, by other calls. */
static void ring_open(unsigned int entries)
{
	struct io_uring_params p = {.flags = want.flags};
	int fd = polyring_setup(entries, &p);
	struct io_uring_rsrc_update update = {.offset = -1u,
					      .data = (uint64_t)fd};
	const int prot = PROT_READ | PROT_WRITE;
	size_t bytes;
	uint8_t *at;

	check(fd, "setup");
	polyring_watch(fd, false); /* nobody polls it, as in the lanes */
	bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (bytes < p.sq_off.array + p.sq_entries * sizeof(unsigned int))
		bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	at = (uint8_t *)polyring_mmap(NULL, bytes, prot, MAP_SHARED, fd,
				      IORING_OFF_SQ_RING);
	check((long)at, "mmap");
	ring.ring_fd = fd;
	ring.flags = p.flags;
	ring.features = p.features;
	ring.sq.khead = (unsigned int *)(at + p.sq_off.head);
	ring.sq.ktail = (unsigned int *)(at + p.sq_off.tail);
	ring.sq.kflags = (unsigned int *)(at + p.sq_off.flags);
	ring.sq.array = (unsigned int *)(at + p.sq_off.array);
	ring.sq.kring_mask = (unsigned int *)(at + p.sq_off.ring_mask);
	ring.sq.kring_entries = (unsigned int *)(at + p.sq_off.ring_entries);
	ring.sq.ring_mask = *ring.sq.kring_mask;
	ring.sq.ring_entries = *ring.sq.kring_entries;
	ring.cq.khead = (unsigned int *)(at + p.cq_off.head);
	ring.cq.ktail = (unsigned int *)(at + p.cq_off.tail);
	ring.cq.kring_mask = (unsigned int *)(at + p.cq_off.ring_mask);
	ring.cq.kring_entries = (unsigned int *)(at + p.cq_off.ring_entries);
	ring.cq.ring_mask = *ring.cq.kring_mask;
	ring.cq.ring_entries = *ring.cq.kring_entries;
	ring.cq.cqes = (struct io_uring_cqe *)(at + p.cq_off.cqes);
	at = (uint8_t *)polyring_mmap(NULL, p.sq_entries * 64, prot, MAP_SHARED,
				      fd, IORING_OFF_SQES);
	check((long)at, "mmap");
	check(polyring_register(fd, IORING_REGISTER_RING_FDS, &update, 1),
	      "register_ring_fd");
	ring.enter_ring_fd = (int)update.offset;
	ring.sq.sqes = (struct io_uring_sqe *)at;
}

/* What io_uring_submit_and_wait() does. */
static int ring_submit(unsigned int wait)
{
	unsigned int mask = *ring.sq.kring_mask;
	unsigned int tail = *ring.sq.ktail;
	unsigned int count = ring.sq.sqe_tail - ring.sq.sqe_head;

	for (unsigned int i = 0; i < count; i++, tail++)
		ring.sq.array[tail & mask] = ring.sq.sqe_head++ & mask;
	io_uring_smp_store_release(ring.sq.ktail, tail);
	return polyring_enter(
		ring.enter_ring_fd, count, wait,
		IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING, NULL, 0);
}

static int ring_register(unsigned int opcode, void *arg, unsigned int count)
{
	return polyring_register(ring.ring_fd, opcode, arg, count);
}

#else

static void ring_open(unsigned int entries)
{
	struct io_uring_params p = {.flags = want.flags};

	check(io_uring_queue_init_params(entries, &ring, &p), "queue_init");
	/* As busy programs do. */
	check(io_uring_register_ring_fd(&ring), "register_ring_fd");
}

static int ring_submit(unsigned int wait)
{
	return io_uring_submit_and_wait(&ring, wait);
}

static int ring_register(unsigned int opcode, void *arg, unsigned int count)
{
	if (opcode != IORING_REGISTER_PBUF_RING || count != 1)
		return -EINVAL;
	return io_uring_register_buf_ring(
		&ring, arg, ((struct io_uring_buf_reg *)arg)->pad);
}

#endif

/* ---- buffers ------------------------------------------------------------- */

static void give(uint16_t bid)
{
	io_uring_buf_ring_add(buf_ring, memory + (size_t)bid * buffer_bytes,
			      buffer_bytes, bid, (int)buffer_mask, 0);
	io_uring_buf_ring_advance(buf_ring, 1);
}

static void group_open(void)
{
	unsigned int count = want.kind == KIND_INC ? 64 : RING_BUFFERS;
	struct io_uring_buf_reg reg = {.ring_entries = count, .bgid = GROUP};

	if (want.kind == KIND_INC)
		reg.pad = RING_INC;
	buf_ring = mmap(NULL, count * sizeof(struct io_uring_buf),
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	reg.ring_addr = (uint64_t)buf_ring;
	buffer_mask = count - 1;
	check(ring_register(IORING_REGISTER_PBUF_RING, &reg, 1), "register");
	for (unsigned int bid = 0; bid < count; bid++)
		give((uint16_t)bid);
}

static void memory_open(void)
{
	size_t bytes = (size_t)RING_BUFFERS * 4096;

	buffer_bytes = want.kind == KIND_INC ? INC_BYTES : want.bytes;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap", -errno);
	if (want.kind == KIND_RING || want.kind == KIND_INC)
		group_open();
	for (unsigned int bid = 0; want.kind == KIND_CLASSIC; bid++) {
		if (bid == want.batch)
			break;
		given_back[to_give++] = (uint16_t)bid;
	}
}

static void file_open(void)
{
	static uint8_t block[65536];
	int file = -1;

	if (!want.file)
		return;
	for (unsigned int i = 0; i < want.files; i++) {
		file = open(want.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		check(file < 0 ? -errno : 0, want.file);
		files[i] = file;
	}
	seekable = strncmp(want.file, "/dev/", 5) != 0;
	while (seekable && lseek(file, 0, SEEK_END) < FILE_BYTES)
		if (write(file, block, sizeof(block)) != sizeof(block))
			fail("write", -errno);
	for (int at = 0; seekable && at < (int)FILE_BYTES; at += sizeof(block))
		if (pread(file, block, sizeof(block), at) != sizeof(block))
			fail("pread", -errno);
}

/* ---- one batch ----------------------------------------------------------- */

static uint64_t next_at(void)
{
	static uint64_t seed = 88172645463325252u;
	uint64_t at = file_at;

	if (!seekable)
		return 0;
	if (want.scattered) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		return seed % (FILE_BYTES / want.bytes) * want.bytes;
	}
	file_at = (file_at + want.bytes) % FILE_BYTES;
	return at;
}

static int next_one(void)
{
	if (++next_file >= want.files)
		next_file = 0;
	return files[next_file];
}

static void provide_one(void)
{
	uint16_t bid = given_back[--to_give];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_provide_buffers(sqe, memory + (size_t)bid * buffer_bytes,
				      (int)buffer_bytes, 1, GROUP, bid);
	sqe->user_data = UINT64_MAX;
}

static void prepare_one(unsigned int i)
{
	struct io_uring_sqe *sqe;

	if (want.kind == KIND_CLASSIC)
		provide_one();
	sqe = io_uring_get_sqe(&ring);
	if (!want.file) {
		io_uring_prep_nop(sqe);
	} else {
		io_uring_prep_read(sqe, next_one(),
				   memory + (size_t)i * want.bytes, want.bytes,
				   next_at());
		if (want.kind != KIND_NONE) {
			sqe->addr = 0;
			sqe->flags = IOSQE_BUFFER_SELECT;
			sqe->buf_group = GROUP;
		}
	}
	sqe->user_data = i;
}

static void reap_one(const struct io_uring_cqe *cqe)
{
	const unsigned int more = 1u << 4; /* IORING_CQE_F_BUF_MORE */
	uint16_t bid = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	if (cqe->user_data == UINT64_MAX) {
		if (cqe->res < 0)
			fail("provide", cqe->res);
		return;
	}
	if (cqe->res != (int)want.bytes)
		fail("result", cqe->res);
	if (want.kind == KIND_NONE)
		return;
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		fail("no buffer; flags", cqe->flags);
	if (want.kind == KIND_CLASSIC)
		given_back[to_give++] = bid;
	else if (!(cqe->flags & more))
		give(bid);
}

static void batch_by_ring(void)
{
	unsigned int all = want.batch * (want.kind == KIND_CLASSIC ? 2 : 1);
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	int result;

	for (unsigned int i = 0; i < want.batch; i++)
		prepare_one(i);
	result = ring_submit(all);
	if (result != (int)all)
		fail("submit", result);
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		reap_one(cqe);
		seen++;
	}
	io_uring_cq_advance(&ring, seen);
	if (seen != all)
		fail("completions", seen);
}

static void batch_by_call(void)
{
	for (unsigned int i = 0; i < want.batch; i++) {
		uint8_t *to = memory + (size_t)i * want.bytes;
		int file = next_one();
		ssize_t result =
			seekable ? pread(file, to, want.bytes, (off_t)next_at())
				 : read(file, to, want.bytes);

		if (result != (ssize_t)want.bytes)
			fail("read", result);
	}
}

/* ---- timing -------------------------------------------------------------- */

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t run_for(uint64_t ns)
{
	uint64_t until = now(CLOCK_MONOTONIC) + ns, ops = 0;
	unsigned int at_once = 1 + 256 / want.batch;

	do {
		for (unsigned int i = 0; i < at_once; i++) {
			if (want.via == VIA_CALL)
				batch_by_call();
			else
				batch_by_ring();
		}
		ops += at_once * want.batch;
		if (want.ops && ops >= want.ops)
			break;
	} while (want.ops || now(CLOCK_MONOTONIC) < until);
	return ops;
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 0);
}

static enum kind kind_named(const char *name)
{
	static const char *const names[] = {"none", "ring", "inc", "classic"};

	for (unsigned int i = 0; i < 4; i++)
		if (!strcmp(name, names[i]))
			return (enum kind)i;
	fail(name, -EINVAL);
	return KIND_NONE;
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "b:n:f:k:t:cF:o:m:r")) != -1) {
		switch (option) {
		case 'b':
			want.batch = number(optarg);
			break;
		case 'n':
			want.bytes = number(optarg);
			break;
		case 'f':
			want.file = optarg;
			break;
		case 'k':
			want.kind = kind_named(optarg);
			break;
		case 't':
			want.ms = number(optarg);
			break;
		case 'c':
			want.via = VIA_CALL;
			break;
		case 'F':
			want.flags = number(optarg);
			break;
		case 'm':
			want.files = number(optarg);
			break;
		case 'r':
			want.scattered = true;
			break;
		case 'o':
			want.ops = number(optarg);
			break;
		default:
			fprintf(stderr, "usage: small [-b BATCH] [-n BYTES] "
					"[-f FILE] [-k none|ring|inc|classic] "
					"[-t MS | -o OPS] [-c] [-F FLAGS] "
					"[-m FILES] [-r]\n");
			exit(2);
		}
	}
	if (!want.batch || want.batch > BATCH_MAX || want.bytes > 4096 ||
	    !want.files || want.files > BATCH_MAX)
		fail("batch or bytes", -EINVAL);
}

int main(int argc, char **argv)
{
	uint64_t wall, cpu, ops;

	parse(argc, argv);
	if (want.via == VIA_RING)
		ring_open(2 * want.batch);
	file_open();
	memory_open();
	run_for(want.ms * 100000ull);
	wall = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	ops = run_for(want.ms * 1000000ull);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = now(CLOCK_MONOTONIC) - wall;
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)ops, (unsigned long long)wall,
	       (unsigned long long)cpu);
	return 0;
}
