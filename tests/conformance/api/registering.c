/* SPDX-License-Identifier: MIT */
/*
 * io_uring_register: unknown opcodes, PROBE, EVENTFD, RING_FDS.
 */
#include "runner/scenario.h"

#include <sys/eventfd.h>

/* ---- opcodes ------------------------------------------------------------- */

static void unknown_opcodes(struct ring *r)
{
	reg(r, 64, NULL, 0);
	reg(r, 1000, NULL, 0);
	reg(r, UINT32_MAX, NULL, 0);
	reg(r, 0x7fffffff, NULL, 0);
}

/* ---- PROBE --------------------------------------------------------------- */

/* The operations that this project supports. */
static const uint8_t promised[] = {
	IORING_OP_NOP,	    IORING_OP_READV,	       IORING_OP_WRITEV,
	IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE,     IORING_OP_SENDMSG,
	IORING_OP_RECVMSG,  IORING_OP_TIMEOUT,	       IORING_OP_TIMEOUT_REMOVE,
	IORING_OP_ACCEPT,   IORING_OP_ASYNC_CANCEL,    IORING_OP_LINK_TIMEOUT,
	IORING_OP_CONNECT,  IORING_OP_OPENAT,	       IORING_OP_CLOSE,
	IORING_OP_READ,	    IORING_OP_WRITE,	       IORING_OP_SEND,
	IORING_OP_RECV,	    IORING_OP_PROVIDE_BUFFERS, IORING_OP_REMOVE_BUFFERS,
	IORING_OP_SHUTDOWN, IORING_OP_SOCKET,	       IORING_OP_READ_MULTISHOT,
};

static void probe(struct ring *r)
{
	struct io_uring_probe *probe = pages(8192);
	size_t i;

	reg(r, IORING_REGISTER_PROBE, probe, 256);
	for (i = 0; i < array_size(promised); i++)
		note("op %u: %u flags %u", promised[i],
		     probe->ops[promised[i]].op, probe->ops[promised[i]].flags);
	note("255: op %u flags %u", probe->ops[255].op, probe->ops[255].flags);
}

static void probe_of_everything(struct ring *r)
{
	struct io_uring_probe *probe = pages(8192);

	reg(r, IORING_REGISTER_PROBE, probe, 256);
	note("last %u length %u", probe->last_op, probe->ops_len);
	note_bytes("probe", probe, 16 + 256 * 8);
}

static void probe_of_a_few(struct ring *r)
{
	struct io_uring_probe *probe = pages(8192);

	reg(r, IORING_REGISTER_PROBE, probe, 3);
	note("length %u; op 2 flags %u; op 3 flags %u", probe->ops_len,
	     probe->ops[2].flags, probe->ops[3].flags);
	memset(probe, 0, 8192);
	reg(r, IORING_REGISTER_PROBE, probe, 0);
	note("length %u", probe->ops_len);
}

static void probe_errors(struct ring *r)
{
	struct io_uring_probe *probe = pages(8192);

	reg(r, IORING_REGISTER_PROBE, NULL, 4);
	reg(r, IORING_REGISTER_PROBE, probe, 257);
	reg(r, IORING_REGISTER_PROBE, nowhere(), 4);
	reg(r, IORING_REGISTER_PROBE, read_only(), 4);
	probe->ops_len = 1;
	reg(r, IORING_REGISTER_PROBE, probe, 4);
	memset(probe, 0, 8192);
	probe->ops[3].resv2 = 1;
	reg(r, IORING_REGISTER_PROBE, probe, 4);
	reg(r, IORING_REGISTER_PROBE, probe, 2);
}

/* ---- EVENTFD ------------------------------------------------------------- */

static void note_event(int event)
{
	uint64_t count = 0;

	if (read(event, &count, sizeof(count)) < 0)
		count = 0;
	note("event %s", count ? "signalled" : "silent");
}

static void event_signals(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);
	char bytes[8];
	int fd[2];

	pair(fd, PAIR_STREAM);
	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	note_event(event);
	sqe_nop(r);
	go(r);
	note_event(event);
	sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
	submit(r);
	note_event(event);
	put(fd[1], "x");
	wait_readable(event);
	note_event(event);
	reap(r, 1);
	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 0);
	sqe_nop(r);
	go(r);
	note_event(event);
}

static void event_errors(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);
	int file = file_with("");
	int none = -1;

	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 0);
	reg(r, IORING_REGISTER_EVENTFD, &event, 0);
	reg(r, IORING_REGISTER_EVENTFD, &event, 2);
	reg(r, IORING_REGISTER_EVENTFD, NULL, 1);
	reg(r, IORING_REGISTER_EVENTFD, nowhere(), 1);
	reg(r, IORING_REGISTER_EVENTFD, &file, 1);
	reg(r, IORING_REGISTER_EVENTFD, &none, 1);
	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	reg(r, IORING_REGISTER_EVENTFD_ASYNC, &event, 1);
	reg(r, IORING_UNREGISTER_EVENTFD, &event, 1);
	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 1);
	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 0);
	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 0);
	reg(r, IORING_REGISTER_EVENTFD_ASYNC, &event, 1);
	reg(r, IORING_UNREGISTER_EVENTFD, NULL, 0);
}

/* The engine holds the eventfd's file, not its fd. */
static void event_number_closed(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);
	int other = dup(event);

	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	close(event);
	sqe_nop(r);
	go(r);
	note_event(other);
}

static void event_async_only(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);
	int fd[2];
	char bytes[8];

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_EVENTFD_ASYNC, &event, 1);
	sqe_nop(r);
	go(r);
	note_event(event);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 8, 0)->flags = IOSQE_ASYNC;
	submit(r);
	put(fd[1], "x");
	wait_readable(event);
	note_event(event);
	reap(r, 1);
}

static void event_disabled(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);

	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	store_release(r->cq_flags, IORING_CQ_EVENTFD_DISABLED);
	sqe_nop(r);
	go(r);
	note_event(event);
	store_release(r->cq_flags, 0);
	sqe_nop(r);
	go(r);
	note_event(event);
}

static void event_skipped_completions(struct ring *r)
{
	int event = eventfd(0, EFD_NONBLOCK);

	reg(r, IORING_REGISTER_EVENTFD, &event, 1);
	sqe_nop(r)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	note_event(event);
}

/* ---- RING_FDS ------------------------------------------------------------ */

static int ring_fd(struct ring *r, uint32_t opcode,
		   struct io_uring_rsrc_update *how, uint32_t count)
{
	return reg(r, opcode, how, count);
}

static void ring_registered(struct ring *r)
{
	struct io_uring_rsrc_update how = {
		.offset = UINT32_MAX,
		.data = (uint64_t)r->fd,
	};
	int fd = r->fd;

	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	note("slot %u", how.offset);
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	r->fd = (int)how.offset;
	enter(r, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING,
	      NULL, 0);
	r->fd = 5;
	enter(r, 0, 0, IORING_ENTER_REGISTERED_RING, NULL, 0);
	r->fd = 100;
	enter(r, 0, 0, IORING_ENTER_REGISTERED_RING, NULL, 0);
	r->fd = fd;
	reap(r, 1);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 1);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 1);
	r->fd = 0;
	enter(r, 0, 0, IORING_ENTER_REGISTERED_RING, NULL, 0);
	r->fd = fd;
}

/* A slot holds its ring open. */
static void ring_registered_stays_open(struct ring *r)
{
	struct io_uring_rsrc_update how = {
		.offset = UINT32_MAX,
		.data = (uint64_t)r->fd,
	};
	const uint32_t flags =
		IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;
	char byte = 0;
	int fd[2];

	pair(fd, PAIR_PIPE);
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	sqe_new(r, IORING_OP_READ, fd[0], &byte, 1, 0);
	submit(r);
	close(r->fd);
	r->fd = (int)how.offset;
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, flags, NULL, 0);
	put(fd[1], "x");
	enter(r, 0, 2, flags, NULL, 0);
	note("%u came, %c", ring_ready(r), byte);
	reg(r, IORING_UNREGISTER_FILES | IORING_REGISTER_USE_REGISTERED_RING,
	    NULL, 0);
	reg(r, IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING,
	    &(struct io_uring_rsrc_update){.offset = how.offset}, 1);
	enter(r, 0, 0, flags, NULL, 0);
	r->fd = -1;
}

/* The ring stays open in its slot while its fd is another file. */
static void ring_number_of_another_file(struct ring *r)
{
	struct io_uring_rsrc_update how = {
		.offset = UINT32_MAX,
		.data = (uint64_t)r->fd,
	};
	const uint32_t flags =
		IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;
	int number = r->fd, file = file_with("hello");
	char bytes[8] = "";

	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	if (dup2(file, number) != number)
		give_up("no file");
	r->fd = (int)how.offset;
	sqe_new(r, IORING_OP_READ, number, bytes, 5, 0);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, flags, NULL, 0);
	note("%d %s", ring_cqe(r)->res, bytes);
	ring_seen(r);
	sqe_poll(r, number, POLLIN);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, flags, NULL, 0);
	note("%d", ring_cqe(r)->res);
	ring_seen(r);
	note_result("enter", side->enter(number, 0, 0, 0, NULL, 0));
	reg(r, IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING,
	    &(struct io_uring_rsrc_update){.offset = how.offset}, 1);
	r->fd = -1;
}

/* A child has the file, but none of the slots. */
static void ring_registered_and_forked(struct ring *r)
{
	struct io_uring_rsrc_update how = {
		.offset = 2,
		.data = (uint64_t)r->fd,
	};
	int pipe_fd[2], child, result = 0;

	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	if (pipe(pipe_fd))
		give_up("no pipe");
	child = fork();
	if (!child) {
		result = side->enter(2, 0, 0, IORING_ENTER_REGISTERED_RING,
				     NULL, 0);
		_exit(write(pipe_fd[1], &result, sizeof(result)) < 0);
	}
	if (read(pipe_fd[0], &result, sizeof(result)) < 0)
		give_up("no child");
	note_result("the child's enter", result);
}

static void ring_registers_by_slot(struct ring *r)
{
	struct io_uring_rsrc_update how = {
		.offset = 3,
		.data = (uint64_t)r->fd,
	};
	struct io_uring_buf_reg buffers = {
		.ring_entries = 8,
		.bgid = 1,
		.flags = IOU_PBUF_RING_MMAP,
	};
	int fd = r->fd;

	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	note("slot %u", how.offset);
	r->fd = 3;
	reg(r, IORING_REGISTER_PBUF_RING | IORING_REGISTER_USE_REGISTERED_RING,
	    &buffers, 1);
	r->fd = 4;
	reg(r, IORING_REGISTER_PBUF_RING | IORING_REGISTER_USE_REGISTERED_RING,
	    &buffers, 1);
	r->fd = fd;
	note_head(r, 1);
}

static void ring_registered_errors(struct ring *r)
{
	struct io_uring_rsrc_update how = {.offset = UINT32_MAX,
					   .data = (uint64_t)r->fd};
	struct io_uring_rsrc_update many[17] = {{.resv = 0}};

	ring_fd(r, IORING_REGISTER_RING_FDS, NULL, 1);
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 0);
	ring_fd(r, IORING_REGISTER_RING_FDS, many, 17);
	ring_fd(r, IORING_REGISTER_RING_FDS, nowhere(), 1);
	how.resv = 1;
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	how.resv = 0;
	how.offset = 16;
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	how.offset = 2;
	how.data = (uint64_t)file_with("");
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	how.data = UINT32_MAX;
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	how.data = (uint64_t)r->fd;
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	ring_fd(r, IORING_REGISTER_RING_FDS, &how, 1);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, NULL, 1);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 0);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, nowhere(), 1);
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 1);
	how.data = 0;
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 1);
	how.offset = 16;
	ring_fd(r, IORING_UNREGISTER_RING_FDS, &how, 1);
}

static void enable_rings_errors(struct ring *r)
{
	struct ring disabled;
	int dummy = 0;

	reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	ring_open(&disabled, 4, IORING_SETUP_R_DISABLED);
	reg(&disabled, IORING_REGISTER_ENABLE_RINGS, &dummy, 0);
	reg(&disabled, IORING_REGISTER_ENABLE_RINGS, NULL, 1);
	reg(&disabled, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	sqe_nop(&disabled);
	go(&disabled);
	ring_close(&disabled);
}

static void workers(struct ring *r, uint32_t bounded, uint32_t unbounded,
		    bool tell)
{
	uint32_t most[2] = {bounded, unbounded};

	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 2);
	if (tell)
		note("they were %u and %u", most[0], most[1]);
}

static void worker_bounds(struct ring *r)
{
	workers(r, 3, 4, false);
	workers(r, 0, 0, true);
	workers(r, 0, 7, true);
	workers(r, 2, 0, true);
	workers(r, 1, 1, true);
	/* One worker is sufficient. */
	for (int i = 0; i < 8; i++)
		sqe_nop(r)->flags = IOSQE_ASYNC;
	submit(r);
	reap_sorted(r, 8);
}

static void worker_bounds_errors(struct ring *r)
{
	uint32_t most[2] = {0};

	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, NULL, 2);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 0);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 1);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 3);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, nowhere(), 2);
	workers(r, 1u << 31, 0, false);
	workers(r, 0, 1u << 31, false);
}

static const struct scenario rows[] = {
	SCENARIO(worker_bounds, NULL),
	SCENARIO(worker_bounds_errors, NULL),
	SCENARIO(unknown_opcodes, NULL),
	SCENARIO(probe, NULL),
	SCENARIO(probe_of_everything, NULL, .deviates = "iopoll"),
	SCENARIO(probe_of_a_few, NULL),
	SCENARIO(probe_errors, NULL),
	SCENARIO(event_signals, NULL, .modes = MODES_ALL),
	SCENARIO(event_errors, NULL),
	SCENARIO(event_number_closed, NULL),
	SCENARIO(event_async_only, NULL, .modes = MODE_DEFAULT),
	SCENARIO(event_disabled, NULL),
	SCENARIO(event_skipped_completions, NULL),
	SCENARIO(ring_registered, NULL),
	SCENARIO(ring_registered_stays_open, NULL),
	SCENARIO(ring_number_of_another_file, NULL),
	SCENARIO(ring_registered_and_forked, NULL),
	SCENARIO(ring_registers_by_slot, NULL),
	SCENARIO(ring_registered_errors, NULL),
	SCENARIO(enable_rings_errors, NULL),
};

FAMILY(registering, rows);
