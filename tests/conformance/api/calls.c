/* SPDX-License-Identifier: MIT */
/*
 * Register calls that set or read a property of the ring: CLOCK, NAPI, the
 * workers' affinity, QUERY; and calls that work without a ring.
 */
#include "runner/scenario.h"

#include <sched.h>
#include <time.h>

/* ---- CLOCK --------------------------------------------------------------- */

static int settings_set_clock(struct ring *r, uint32_t id)
{
	struct io_uring_clock_register how = {.clockid = id};

	return reg(r, IORING_REGISTER_CLOCK, &how, 0);
}

static void clocks(struct ring *r)
{
	uint32_t id;

	for (id = 0; id < 12; id++)
		settings_set_clock(r, id);
	settings_set_clock(r, UINT32_MAX);
}

static void clock_errors(struct ring *r)
{
	struct io_uring_clock_register how = {.clockid = CLOCK_MONOTONIC};

	reg(r, IORING_REGISTER_CLOCK, NULL, 0);
	reg(r, IORING_REGISTER_CLOCK, nowhere(), 0);
	reg(r, IORING_REGISTER_CLOCK, &how, 1);
	how.resv[2] = 1;
	reg(r, IORING_REGISTER_CLOCK, &how, 0);
}

/* An absolute time is on the chosen clock. */
static void wait_until(struct ring *r, clockid_t id)
{
	struct timespec now;
	struct io_timespec until;
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&until};

	clock_gettime(id, &now);
	until.tv_sec = now.tv_sec;
	until.tv_nsec = now.tv_nsec + 2000000;
	enter(r, 0, 1,
	      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
		      IORING_ENTER_ABS_TIMER,
	      &arg, sizeof(arg));
	clock_gettime(id, &now);
	note("it is %s",
	     now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec &&
					   now.tv_nsec >= until.tv_nsec)
		     ? "later"
		     : "earlier");
}

static void clock_of_waits(struct ring *r)
{
	wait_until(r, CLOCK_MONOTONIC);
	settings_set_clock(r, CLOCK_BOOTTIME);
	wait_until(r, CLOCK_BOOTTIME);
	settings_set_clock(r, CLOCK_REALTIME);
	settings_set_clock(r, CLOCK_MONOTONIC);
	wait_until(r, CLOCK_MONOTONIC);
}

static void on_signal(int signo)
{
	(void)signo;
}

/* Invalid times. */
static void odd_times(struct ring *r)
{
	static const struct io_timespec times[] = {
		{-1, 0},	  {-1, 5},
		{0, -1},	  {1, -999999999},
		{0, 2000000},	  {0, 2000000000},
		{-2, 3000000000}, {INT64_MAX / 2, 0},
	};
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGALRM, &action, NULL);
	for (size_t i = 0; i < array_size(times); i++) {
		struct io_uring_getevents_arg arg = {
			.ts = (uintptr_t)&times[i],
		};

		ualarm(100000, 0);
		enter(r, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
		      &arg, sizeof(arg));
		ualarm(100000, 0);
		enter(r, 0, 1,
		      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
			      IORING_ENTER_ABS_TIMER,
		      &arg, sizeof(arg));
	}
}

/* ---- NAPI ---------------------------------------------------------------- */

static void napi(struct ring *r, uint32_t opcode, struct io_uring_napi how)
{
	reg(r, opcode, &how, 1);
	note("timeout %u prefer %u opcode %u parameter %u", how.busy_poll_to,
	     how.prefer_busy_poll, how.opcode, how.op_param);
}

#define NAPI(...) \
	napi(r, IORING_REGISTER_NAPI, (struct io_uring_napi){__VA_ARGS__})

static void napi_settings(struct ring *r)
{
	NAPI(.busy_poll_to = 50);
	NAPI(.busy_poll_to = 70, .prefer_busy_poll = 1);
	NAPI(.busy_poll_to = 0);
	NAPI(.prefer_busy_poll = 7);
	napi(r, IORING_UNREGISTER_NAPI, (struct io_uring_napi){0});
	napi(r, IORING_UNREGISTER_NAPI, (struct io_uring_napi){0});
	NAPI(.busy_poll_to = 10);
	napi(r, IORING_UNREGISTER_NAPI, (struct io_uring_napi){0});
	NAPI(.busy_poll_to = 2000000000);
	NAPI(.busy_poll_to = 5);
	sqe_nop(r);
	go(r);
}

static void napi_tracking(struct ring *r)
{
	NAPI(.op_param = IO_URING_NAPI_TRACKING_INACTIVE);
	NAPI(.op_param = 2);
	NAPI(.op_param = IO_URING_NAPI_TRACKING_DYNAMIC);
	NAPI(.opcode = IO_URING_NAPI_STATIC_ADD_ID, .op_param = 1);
	NAPI(.opcode = IO_URING_NAPI_STATIC_DEL_ID, .op_param = 1);
	NAPI(.opcode = 3);
	napi(r, IORING_UNREGISTER_NAPI, (struct io_uring_napi){0});
}

/* Name single devices to poll. */
static void napi_static(struct ring *r)
{
	NAPI(.op_param = IO_URING_NAPI_TRACKING_STATIC, .busy_poll_to = 1);
	NAPI(.opcode = IO_URING_NAPI_STATIC_ADD_ID, .op_param = 1);
	NAPI(.opcode = IO_URING_NAPI_STATIC_DEL_ID, .op_param = 1);
}

static void napi_errors(struct ring *r)
{
	struct io_uring_napi how = {.busy_poll_to = 1};

	reg(r, IORING_REGISTER_NAPI, NULL, 1);
	reg(r, IORING_REGISTER_NAPI, &how, 0);
	reg(r, IORING_REGISTER_NAPI, &how, 2);
	reg(r, IORING_REGISTER_NAPI, nowhere(), 1);
	reg(r, IORING_REGISTER_NAPI, read_only(), 1);
	how.pad[1] = 1;
	reg(r, IORING_REGISTER_NAPI, &how, 1);
	how.pad[1] = 0;
	how.resv = 1;
	reg(r, IORING_REGISTER_NAPI, &how, 1);
	reg(r, IORING_UNREGISTER_NAPI, NULL, 0);
	reg(r, IORING_UNREGISTER_NAPI, NULL, 1);
	reg(r, IORING_UNREGISTER_NAPI, &how, 1);
	reg(r, IORING_UNREGISTER_NAPI, &how, 2);
	reg(r, IORING_UNREGISTER_NAPI, nowhere(), 1);
}

/* ---- workers ------------------------------------------------------------- */

static void affinity(struct ring *r)
{
	cpu_set_t set;

	reg(r, IORING_UNREGISTER_IOWQ_AFF, NULL, 0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, sizeof(set));
	sqe_nop(r)->flags = IOSQE_ASYNC;
	go(r);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, 1);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, 4096);
	reg(r, IORING_UNREGISTER_IOWQ_AFF, NULL, 0);
	reg(r, IORING_UNREGISTER_IOWQ_AFF, NULL, 0);
}

static void affinity_errors(struct ring *r)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	reg(r, IORING_REGISTER_IOWQ_AFF, NULL, 8);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, 0);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, 8);
	reg(r, IORING_REGISTER_IOWQ_AFF, nowhere(), 8);
	CPU_SET(900, &set);
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, sizeof(set));
	memset(&set, 0xff, sizeof(set));
	reg(r, IORING_REGISTER_IOWQ_AFF, &set, sizeof(set));
	reg(r, IORING_UNREGISTER_IOWQ_AFF, &set, 0);
	reg(r, IORING_UNREGISTER_IOWQ_AFF, NULL, 1);
}

static void bounds_of_two_rings(struct ring *r)
{
	uint32_t most[2] = {3, 5}, zero[2] = {0, 0};
	struct ring other;

	ring_open(&other, 4, 0);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 2);
	most[0] = 7;
	most[1] = 0;
	reg(&other, IORING_REGISTER_IOWQ_MAX_WORKERS, most, 2);
	note("of both %u", most[1]);
	reg(r, IORING_REGISTER_IOWQ_MAX_WORKERS, zero, 2);
	note("the first %u %u", zero[0], zero[1]);
	memset(zero, 0, sizeof(zero));
	reg(&other, IORING_REGISTER_IOWQ_MAX_WORKERS, zero, 2);
	note("the second %u %u", zero[0], zero[1]);
	ring_close(&other);
	ring_open(&other, 4, 0);
	memset(zero, 0, sizeof(zero));
	reg(&other, IORING_REGISTER_IOWQ_MAX_WORKERS, zero, 2);
	note("a third %u %u", zero[0], zero[1]);
	ring_close(&other);
}

/* ---- QUERY --------------------------------------------------------------- */

static int query(int fd, struct io_uring_query_hdr *header, uint32_t count)
{
	int result = side->reg(fd, IORING_REGISTER_QUERY, header, count);

	note_result("QUERY", result);
	return result;
}

static void query_opcodes(struct ring *r)
{
	struct io_uring_query_opcode answer = {0};
	struct io_uring_query_hdr header = {
		.query_data = (uintptr_t)&answer,
		.size = sizeof(answer),
	};

	query(-1, &header, 0);
	note_result("result", header.result);
	note("size %u; %u kinds of questions", header.size,
	     answer.nr_query_opcodes);
	note("sqe flags 0x%llx", (unsigned long long)answer.sqe_flags);
	header.size = sizeof(answer);
	query(r->fd, &header, 0);
	note_result("result", header.result);
}

static void query_everything(struct ring *r)
{
	struct io_uring_query_opcode answer = {0};
	struct io_uring_query_hdr header = {
		.query_data = (uintptr_t)&answer,
		.size = sizeof(answer),
	};

	(void)r;
	query(-1, &header, 0);
	note("%u operations, %u register opcodes", answer.nr_request_opcodes,
	     answer.nr_register_opcodes);
	note("features 0x%llx setup 0x%llx enter 0x%llx",
	     (unsigned long long)answer.feature_flags,
	     (unsigned long long)answer.ring_setup_flags,
	     (unsigned long long)answer.enter_flags);
}

static void query_chain(struct ring *r)
{
	struct io_uring_query_opcode answer[3] = {{0}};
	struct io_uring_query_hdr header[3] = {{0}};
	int i;

	(void)r;
	for (i = 0; i < 3; i++) {
		header[i].query_data = (uintptr_t)&answer[i];
		header[i].size = sizeof(answer[i]);
		if (i < 2)
			header[i].next_entry = (uintptr_t)&header[i + 1];
	}
	header[1].query_op = 77;
	query(-1, header, 0);
	for (i = 0; i < 3; i++)
		note("result %d size %u sqe flags 0x%llx", header[i].result,
		     header[i].size, (unsigned long long)answer[i].sqe_flags);
	/* A query that names itself as the next does not loop for ever. */
	header[0].next_entry = (uintptr_t)&header[0];
	header[0].size = sizeof(answer[0]);
	query(-1, header, 0);
}

static void query_sizes(struct ring *r)
{

	struct io_uring_query_hdr header = {

	};
	const uint32_t sizes[] = {0, 4, 8, 40, 47, 48, 49, 96, 4096, 4097};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(sizes); i++) {
		char *raw = pages(8192);

		memset(raw, 0xaa, 8192);
		header.query_data = (uintptr_t)raw;
		header.size = sizes[i];
		header.result = 0;
		query(-1, &header, 0);
		note("asked %u: result %d size %u", sizes[i], header.result,
		     header.size);
		note("written %d %d %d %d", raw[8] != (char)0xaa,
		     raw[47] != (char)0xaa, raw[48] != (char)0xaa,
		     raw[95] != (char)0xaa);
	}
}

static void query_errors(struct ring *r)
{
	struct io_uring_query_opcode answer = {0};
	const struct io_uring_query_hdr good = {
		.query_data = (uintptr_t)&answer,
		.size = sizeof(answer),
	};
	struct io_uring_query_hdr header = good;

	query(-1, NULL, 0);
	query(r->fd, NULL, 0);
	query(-1, &header, 1);
	query(-1, nowhere(), 0);
	query(-1, read_only(), 0);
	header.resv[0] = 1;
	query(-1, &header, 0);
	note("result %d", header.result);
	header = good;
	header.result = 5;
	query(-1, &header, 0);
	note("result %d", header.result);
	header = good;
	header.query_data = 0;
	query(-1, &header, 0);
	note("result %d", header.result);
	header.query_data = (uintptr_t)nowhere();
	query(-1, &header, 0);
	note("result %d", header.result);
	header = good;
	header.next_entry = (uintptr_t)nowhere();
	query(-1, &header, 0);
	note("result %d size %u", header.result, header.size);
	for (uint32_t op = 1; op < 4; op++) {
		header = good;
		header.query_op = op + 10;
		query(-1, &header, 0);
		note("result %d size %u", header.result, header.size);
	}
}

/* ---- SEND_MSG_RING, which needs no ring of the sender's ------------------ */

static void send_sync(struct io_uring_sqe *sqe)
{
	note_result("SEND_MSG_RING",
		    side->reg(-1, IORING_REGISTER_SEND_MSG_RING, sqe, 1));
}

static struct io_uring_sqe message(int to, uint64_t user_data, uint32_t result)
{
	return (struct io_uring_sqe){
		.opcode = IORING_OP_MSG_RING,
		.fd = to,
		.off = user_data,
		.len = result,
	};
}

static void messages(struct ring *r)
{
	struct io_uring_sqe sqe = message(r->fd, 71, 5);

	send_sync(&sqe);
	sqe = message(r->fd, 72, UINT32_MAX);
	send_sync(&sqe);
	sqe = message(r->fd, 73, 0);
	sqe.op_flags = IORING_MSG_RING_FLAGS_PASS;
	sqe.file_index = IORING_CQE_F_MORE | 7 << 16;
	send_sync(&sqe);
	reap(r, 3);
}

/* Fields that a message does not use. */
static void messages_malformed(struct ring *r)
{
	const struct io_uring_sqe good = message(r->fd, 71, 5);

	for (int word = 0; word < 12; word++) {
		struct io_uring_sqe sqe = good;

		switch (word) {
		case 0:
			sqe.opcode = IORING_OP_NOP;
			break;
		case 1:
			sqe.flags = IOSQE_ASYNC;
			break;
		case 2:
			sqe.flags = IOSQE_FIXED_FILE;
			break;
		case 3:
			sqe.ioprio = 1;
			break;
		case 4:
			sqe.personality = 1;
			break;
		case 5:
			sqe.buf_index = 1;
			break;
		case 6:
			sqe.addr = IORING_MSG_SEND_FD;
			break;
		case 7:
			sqe.addr = 7;
			break;
		case 8:
			sqe.op_flags = IORING_MSG_RING_CQE_SKIP;
			break;
		case 9:
			sqe.op_flags = 1u << 5;
			break;
		case 10:
			sqe.file_index = 3;
			break;
		default:
			sqe.addr3 = 9;
		}
		send_sync(&sqe);
	}
	quiet(r);
}

static void messages_to_nobody(struct ring *r)
{
	struct io_uring_sqe sqe = message(-1, 71, 5);
	struct ring disabled, none = *r;

	send_sync(&sqe);
	sqe.fd = file_with("");
	send_sync(&sqe);
	ring_open(&disabled, 4, IORING_SETUP_R_DISABLED);
	sqe.fd = disabled.fd;
	send_sync(&sqe);
	sqe.fd = r->fd;
	none.fd = -1;
	reg(&none, IORING_REGISTER_SEND_MSG_RING, &sqe, 0);
	reg(&none, IORING_REGISTER_SEND_MSG_RING, &sqe, 2);
	reg(&none, IORING_REGISTER_SEND_MSG_RING, NULL, 1);
	reg(&none, IORING_REGISTER_SEND_MSG_RING, nowhere(), 1);
	reg(r, IORING_REGISTER_SEND_MSG_RING, &sqe, 1);
	quiet(r);
}

static void messages_overflow(struct ring *r)
{
	struct io_uring_sqe sqe = message(0, 71, 5);
	struct ring small;

	ring_open(&small, 1, mode_flags());
	sqe.fd = small.fd;
	for (int i = 0; i < 4; i++)
		send_sync(&sqe);
	note("%u are there", ring_ready(&small));
	enter(&small, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	while (ring_ready(&small)) {
		reap(&small, 1);
		enter(&small, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	}
	ring_close(&small);
	quiet(r);
}

/* ---- without a ring ------------------------------------------------------ */

static void without_a_ring(struct ring *r)
{
	struct ring none = *r;
	uint32_t opcode;

	none.fd = -1;
	for (opcode = 0; opcode < IORING_REGISTER_LAST; opcode++)
		reg(&none, opcode, NULL, 0);
	reg(&none, 70, NULL, 0);
	reg(&none,
	    IORING_UNREGISTER_FILES | IORING_REGISTER_USE_REGISTERED_RING, NULL,
	    0);
	none.fd = -2;
	reg(&none, IORING_UNREGISTER_FILES, NULL, 0);
	reg(&none, IORING_REGISTER_SEND_MSG_RING, NULL, 0);
	reg(&none, IORING_REGISTER_QUERY, NULL, 0);
	none.fd = file_with("");
	reg(&none, IORING_UNREGISTER_FILES, NULL, 0);
	reg(&none, IORING_REGISTER_QUERY, NULL, 0);
}

/* Each opcode, with the ring's registered slot. */
static void by_slot(struct ring *r)
{
	struct io_uring_rsrc_update how = {.offset = 7,
					   .data = (uint64_t)r->fd};
	struct ring slot = *r;
	uint32_t opcode;

	reg(r, IORING_REGISTER_RING_FDS, &how, 1);
	slot.fd = 7;
	for (opcode = 0; opcode < IORING_REGISTER_LAST; opcode++)
		if (opcode != IORING_REGISTER_PERSONALITY)
			reg(&slot, opcode | IORING_REGISTER_USE_REGISTERED_RING,
			    nowhere(), 1);
}

static void zero_copy_receive(struct ring *r)
{
	reg(r, IORING_REGISTER_ZCRX_IFQ, NULL, 1);
	reg(r, IORING_REGISTER_ZCRX_IFQ, NULL, 0);
	reg(r, IORING_REGISTER_ZCRX_IFQ, nowhere(), 1);
}

static void zero_copy_without_rights(struct ring *r)
{
	if (!geteuid() && setresuid(65534, 65534, 65534) < 0)
		give_up("setresuid: %s", strerror(errno));
	zero_copy_receive(r);
}

static const struct scenario rows[] = {
	SCENARIO(clocks, NULL),
	SCENARIO(clock_errors, NULL),
	SCENARIO(clock_of_waits, NULL),
	SCENARIO(odd_times, NULL, .modes = MODE_DEFAULT),
	SCENARIO(napi_settings, NULL),
	SCENARIO(napi_tracking, NULL),
	SCENARIO(napi_static, NULL, .deviates = "napi-static"),
	SCENARIO(napi_errors, NULL),
	SCENARIO(affinity, NULL),
	SCENARIO(affinity_errors, NULL),
	SCENARIO(bounds_of_two_rings, NULL),
	SCENARIO(query_opcodes, NULL),
	SCENARIO(query_everything, NULL, .bare = true, .deviates = "iopoll"),
	SCENARIO(query_chain, NULL, .bare = true),
	SCENARIO(query_sizes, NULL, .bare = true),
	SCENARIO(query_errors, NULL),
	SCENARIO(messages, NULL, .modes = MODES_ALL),
	SCENARIO(messages_malformed, NULL),
	SCENARIO(messages_to_nobody, NULL),
	SCENARIO(messages_overflow, NULL, .modes = MODE_DEFAULT),
	SCENARIO(without_a_ring, NULL),
	SCENARIO(by_slot, NULL, .roots = true),
	SCENARIO(zero_copy_receive, NULL, .roots = true),
	SCENARIO(zero_copy_without_rights, NULL),
};

FAMILY(calls, rows);
