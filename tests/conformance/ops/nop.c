/* SPDX-License-Identifier: MIT */
/*
 * NOP and its flags.
 */
#include "runner/scenario.h"

static struct io_uring_sqe *nop(struct ring *r, uint32_t flags, int32_t result)
{
	struct io_uring_sqe *sqe = sqe_nop(r);

	sqe->op_flags = flags;
	sqe->len = (uint32_t)result;
	return sqe;
}

static void injected_results(struct ring *r)
{
	nop(r, IORING_NOP_INJECT_RESULT, 5);
	go(r);
	nop(r, IORING_NOP_INJECT_RESULT, -ECANCELED);
	go(r);
	nop(r, 0, 7);
	go(r);
	nop(r, IORING_NOP_INJECT_RESULT | IORING_NOP_TW, 9);
	go(r);
	nop(r, IORING_NOP_TW, 9);
	go(r);
	nop(r, IORING_NOP_INJECT_RESULT, -EINVAL)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	nop(r, IORING_NOP_INJECT_RESULT, 3)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	nop(r, IORING_NOP_INJECT_RESULT, -5)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
}

static void unknown_flags(struct ring *r)
{
	unsigned int i;

	for (i = 5; i < 10; i++) {
		nop(r, 1u << i, 0);
		go(r);
	}
}

static void a_file(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	nop(r, IORING_NOP_FILE, 0)->fd = fd[0];
	go(r);
	nop(r, IORING_NOP_FILE, 0)->fd = 12345;
	go(r);
	nop(r, IORING_NOP_FILE, 0)->fd = -1;
	go(r);
	nop(r, IORING_NOP_FILE, 0)->fd = r->fd;
	go(r);
	nop(r, IORING_NOP_FILE | IORING_NOP_FIXED_FILE, 0)->fd = 0;
	go(r);
	nop(r, IORING_NOP_FIXED_FILE, 0)->fd = 12345;
	go(r);
	nop(r, IORING_NOP_FILE, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	nop(r, IORING_NOP_FILE | IORING_NOP_FIXED_FILE, 0)->fd = 1;
	go(r);
	nop(r, IORING_NOP_FILE | IORING_NOP_FIXED_FILE, 0)->fd = 2;
	go(r);
	nop(r, IORING_NOP_FILE, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	nop(r, IORING_NOP_FILE | IORING_NOP_INJECT_RESULT, 6)->fd = -1;
	go(r);
	nop(r, 0, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
}

static void a_buffer(struct ring *r)
{
	struct iovec vector = {pages(4096), 4096};

	nop(r, IORING_NOP_FIXED_BUFFER, 0)->buf_index = 0;
	go(r);
	reg(r, IORING_REGISTER_BUFFERS, &vector, 1);
	nop(r, IORING_NOP_FIXED_BUFFER, 0)->buf_index = 0;
	go(r);
	nop(r, IORING_NOP_FIXED_BUFFER, 0)->buf_index = 1;
	go(r);
	nop(r, IORING_NOP_FIXED_BUFFER | IORING_NOP_INJECT_RESULT, 4);
	go(r);
	nop(r, IORING_NOP_FIXED_BUFFER | IORING_NOP_FILE, 0)->buf_index = 1;
	go(r);
	reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

static void as_task_work(struct ring *r)
{
	nop(r, IORING_NOP_TW, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	nop(r, IORING_NOP_TW, 0);
	nop(r, 0, 0);
	submit(r);
	reap_sorted(r, 2);
	nop(r, IORING_NOP_TW | IORING_NOP_FILE, 0)->fd = -1;
	go(r);
}

static void words(struct ring *r)
{
	nop(r, 0, 0)->ioprio = 1;
	go(r);
	nop(r, 0, 0)->addr = 1;
	go(r);
	nop(r, 0, 0)->off = 1;
	go(r);
	nop(r, 0, 0)->file_index = 1;
	go(r);
	nop(r, 0, 0)->flags = IOSQE_ASYNC;
	go(r);
	nop(r, 0, 0)->flags = IOSQE_BUFFER_SELECT;
	go(r);
}

/* Each completion has 16 bytes more. */
static void big_completions(struct ring *r)
{
	struct ring big;
	struct io_uring_sqe *sqe;
	int i;

	(void)r;
	ring_open(&big, 4, IORING_SETUP_CQE32);
	for (i = 0; i < 2; i++) {
		sqe = nop(&big, i ? IORING_NOP_CQE32 : 0, 0);
		sqe->off = 0x1111;
		sqe->addr = 0x2222;
		submit(&big);
		enter(&big, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		note("%d, flags 0x%x: %llx %llx", ring_cqe(&big)->res,
		     ring_cqe(&big)->flags,
		     (unsigned long long)ring_cqe(&big)->big_cqe[0],
		     (unsigned long long)ring_cqe(&big)->big_cqe[1]);
		ring_seen(&big);
	}
	ring_close(&big);
}

static const struct scenario rows[] = {
	SCENARIO(injected_results, NULL, .modes = MODES_ALL),
	SCENARIO(unknown_flags, NULL),
	SCENARIO(a_file, NULL),
	SCENARIO(a_buffer, NULL),
	SCENARIO(as_task_work, NULL),
	SCENARIO(words, "P13"),
	SCENARIO(big_completions, NULL, .bare = true),
};

FAMILY(nop, rows);
