/* SPDX-License-Identifier: MIT */
/*
 * Multishots under load: one very busy connection (the hose) and a hundred
 * quiet ones, a completion queue that overflows in the middle, terminals,
 * messages whose parts are all cut.
 *
 * Theory: which of many requests completes first is not defined. So where many
 * are armed the transcript says which ones completed within a bound, how many
 * bytes each got, and that no buffer was used twice. The bounds are far from
 * the needs of either side.
 */
#include "runner/scenario.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <termios.h>

#define GROUP 5
#define QUIET 100u
#define HOSE 2000u /* bytes, each in a buffer of its own */
#define ENTRIES 4096u

/* ---- fairness ------------------------------------------------------------ */

struct crowd {
	struct bufs bufs;
	int hose[2];
	int quiet[QUIET][2];
	unsigned int hose_seen;
	unsigned int quiet_seen; /* completions of quiet ones */
	unsigned int latest; /* hose completions before the last quiet one */
	bool is_used[ENTRIES];
	bool twice;
};

static void crowd_open(struct crowd *c, struct ring *r)
{
	bufs_open(&c->bufs, r, GROUP, ENTRIES, 1, 0, ENTRIES);
	pair(c->hose, PAIR_STREAM);
	for (unsigned int i = 0; i < QUIET; i++)
		pair(c->quiet[i], PAIR_STREAM);
}

static void crowd_take(struct crowd *c, struct ring *r)
{
	const struct io_uring_cqe *cqe = ring_cqe(r);
	uint32_t bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	if (cqe->res == 1 && bid < ENTRIES) {
		c->twice |= c->is_used[bid];
		c->is_used[bid] = true;
	}
	if (cqe->user_data == 1) {
		c->hose_seen += cqe->res == 1;
	} else if (cqe->user_data <= QUIET + 1) {
		c->quiet_seen += cqe->res == 1;
		c->latest = c->hose_seen;
	}
	ring_seen(r);
}

static void crowd_wait(struct crowd *c, struct ring *r, unsigned int quiet)
{
	while (c->quiet_seen < quiet || c->hose_seen < HOSE) {
		if (!ring_ready(r))
			side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
				    0);
		while (ring_ready(r))
			crowd_take(c, r);
	}
	note("%u of the hose, %u of quiet ones, a buffer twice: %s",
	     c->hose_seen, c->quiet_seen, c->twice ? "yes" : "no");
	note("none waited for the end of the hose: %s",
	     c->latest < HOSE ? "yes" : "no");
}

static void crowd_arm(const struct crowd *c, struct ring *r)
{
	sqe_recv_multi(r, c->hose[0], GROUP);
	for (unsigned int i = 0; i < QUIET; i++)
		sqe_recv_multi(r, c->quiet[i][0], GROUP);
}

static void crowd_speaks(const struct crowd *c)
{
	static char text[HOSE + 1];

	memset(text, 'h', HOSE);
	put(c->hose[1], text);
	for (unsigned int i = 0; i < QUIET; i++)
		put(c->quiet[i][1], "q");
}

/* Overflow ends a multishot, so the queue has room for all completions. */
static void great_queue(struct ring *r, uint32_t flags)
{
	struct io_uring_params params = {
		.flags = flags | IORING_SETUP_CQSIZE,
		.cq_entries = 2 * ENTRIES,
	};

	if (ring_try(r, 128, &params) < 0)
		give_up("setup");
	ring_map(r);
}

static struct crowd crowd;

static void was_there_first(struct ring *r, uint32_t flags)
{
	great_queue(r, flags);
	crowd_open(&crowd, r);
	crowd_speaks(&crowd);
	crowd_arm(&crowd, r);
	submit(r);
	crowd_wait(&crowd, r, QUIET);
}

#define DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static void S12_a_firehose_was_there_first(struct ring *r)
{
	was_there_first(r, 0);
}

static void S12_a_firehose_was_there_first_deferred(struct ring *r)
{
	was_there_first(r, DEFER);
}

/* In default mode the hose is served within the call that writes to it. */
static void S12_a_firehose_among_the_armed(struct ring *r)
{
	great_queue(r, DEFER);
	crowd_open(&crowd, r);
	crowd_arm(&crowd, r);
	submit(r);
	crowd_speaks(&crowd);
	crowd_wait(&crowd, r, QUIET);
	note_head(r, GROUP);
}

/* Its share is counted across waits, and after the share the file is polled. */
static void S12_a_share_goes_on_over_waits(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 64, 4, 0, 33);
	for (unsigned int i = 0; i < 7; i++)
		put(fd[1], "m");
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap(r, 7);
	for (unsigned int i = 0; i < 26; i++) {
		put(fd[1], "m");
		reap(r, 1);
	}
	quiet(r);
	put(fd[1], "m");
	quiet(r);
	note_head(r, GROUP);
}

/* ---- overflow ------------------------------------------------------------ */

static void small_queue(struct ring *r, uint32_t flags)
{
	struct io_uring_params params = {
		.flags = flags | IORING_SETUP_CQSIZE,
		.cq_entries = 4,
	};

	if (ring_try(r, 4, &params) < 0)
		give_up("setup");
	ring_map(r);
}

/* The completions before the end, and then all others, armed anew. */
static void overflow_and_rest(struct ring *r, uint32_t setup, uint16_t flags)
{
	struct bufs b;
	int pairs[2], fd;

	small_queue(r, setup);
	pair(pairs, PAIR_DGRAM);
	fd = pairs[0];
	for (char c = 'a'; c < 'k'; c++)
		put(pairs[1], (char[]){c, c, '\0'});
	bufs_open(&b, r, GROUP, 32, 4, flags, 32);
	sqe_recv_multi(r, fd, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	sqe_recv_multi(r, fd, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
}

static void S12_overflow_of_datagrams(struct ring *r)
{
	overflow_and_rest(r, 0, 0);
}

static void S12_overflow_of_datagrams_deferred(struct ring *r)
{
	overflow_and_rest(r, DEFER, 0);
}

static void S12_overflow_of_parts(struct ring *r)
{
	overflow_and_rest(r, 0, IOU_PBUF_RING_INC);
}

/* Its last completion is in the backlog, too. */
static void S12_overflow_at_the_end_of_stream(struct ring *r)
{
	struct bufs b;
	int fd[2];

	small_queue(r, 0);
	pair(fd, PAIR_STREAM);
	put(fd[1], "aaaabbbbccccdd");
	close(fd[1]);
	bufs_open(&b, r, GROUP, 32, 4, 0, 32);
	sqe_recv_multi(r, fd[0], GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	note_bytes("buffers", b.bytes, 16);
}

static void S12_overflow_of_read_multishot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	small_queue(r, 0);
	pair(fd, PAIR_PIPE);
	put(fd[1], "aaaabbbbccccddddeeeeffff");
	bufs_open(&b, r, GROUP, 32, 4, 0, 32);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd[0], 0, GROUP);
	submit(r);
	quiet(r);
	quiet(r);
	quiet(r);
	note_head(r, GROUP);
	note_bytes("buffers", b.bytes, 24);
}

/* ---- terminals and other files ------------------------------------------- */

static int terminal(int *slave)
{
	struct termios how;
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		give_up("no terminal");
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (*slave < 0 || tcgetattr(*slave, &how) < 0)
		give_up("no terminal");
	cfmakeraw(&how);
	tcsetattr(*slave, TCSANOW, &how);
	return master;
}

static void S12_read_multishot_of_a_terminal(struct ring *r)
{
	struct bufs b;
	int slave;
	int master = terminal(&slave);

	bufs_open(&b, r, GROUP, 8, 8, 0, 4);
	sqe_select(r, IORING_OP_READ_MULTISHOT, slave, 0, GROUP);
	submit(r);
	quiet(r);
	put(master, "one");
	reap(r, 1);
	put(master, "two");
	reap(r, 1);
	note_head(r, GROUP);
	note_bytes("buffers", b.bytes, 16);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
	note_head(r, GROUP);
}

static void S12_a_terminal_without_buffers(struct ring *r)
{
	struct bufs b;
	int slave;
	int master = terminal(&slave);

	bufs_open(&b, r, GROUP, 8, 2, 0, 1);
	put(master, "abcd");
	wait_bytes(slave, 4);
	sqe_select(r, IORING_OP_READ_MULTISHOT, slave, 0, GROUP);
	submit(r);
	reap_until_final(r);
	note_head(r, GROUP);
	bufs_return(&b, 1);
	sqe_select(r, IORING_OP_READ_MULTISHOT, slave, 0, GROUP);
	submit(r);
	reap(r, 1);
	note_bytes("buffers", b.bytes, 4);
	close(master);
	reap_until_final(r);
	note_head(r, GROUP);
}

static void S12_a_terminal_in_lines(struct ring *r)
{
	struct termios how;
	struct bufs b;
	int slave;
	int master = terminal(&slave);

	tcgetattr(slave, &how);
	how.c_lflag |= ICANON;
	how.c_cc[VEOF] = 4;
	tcsetattr(slave, TCSANOW, &how);
	bufs_open(&b, r, GROUP, 8, 16, IOU_PBUF_RING_INC, 2);
	sqe_select(r, IORING_OP_READ_MULTISHOT, slave, 0, GROUP);
	submit(r);
	put(master, "half a");
	quiet(r);
	put(master, " line\n");
	reap(r, 1);
	put(master, "\4"); /* end of file, after which the terminal continues */
	reap(r, 1);
	note_head(r, GROUP);
	note_entries(&b, 2);
	note_bytes("buffers", b.bytes, 16);
}

static void S12_a_counter_needs_eight_bytes(struct ring *r)
{
	uint64_t one = 1;
	int fd = eventfd(0, 0);

	sqe_provide(r, pages(4096), 16, 1, GROUP, 0);
	sqe_provide(r, pages(4096), 4, 1, GROUP, 1);
	go(r);
	sqe_select(r, IORING_OP_READ_MULTISHOT, fd, 0, GROUP);
	submit(r);
	for (int i = 0; i < 2; i++) {
		if (write(fd, &one, sizeof(one)) != sizeof(one))
			give_up("the counter");
		reap(r, 1);
		quiet(r);
	}
	sqe_remove(r, 10, GROUP);
	go(r);
}

static void S6_memory_devices_cannot_be_waited_for(struct ring *r)
{
	struct bufs b;
	int zero = device("/dev/zero");

	bufs_open(&b, r, GROUP, 8, 16, IOU_PBUF_RING_INC, 2);
	sqe_select(r, IORING_OP_READ_MULTISHOT, zero, 0, GROUP);
	go(r);
	sqe_select(r, IORING_OP_READ, zero, 10, GROUP);
	go(r);
	note_entries(&b, 2);
	note_head(r, GROUP);
}

static void S3_a_read_of_nothing_is_the_files(struct ring *r)
{
	static char byte;
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, eventfd(1, 0), &byte, 0, 0);
	go(r);
	sqe_new(r, IORING_OP_READ, fd[0], &byte, 0, UINT64_MAX);
	go(r);
}

/* ---- messages whose parts are all cut ------------------------------------ */

static void note_out(const char *buffer)
{
	struct io_uring_recvmsg_out out;

	memcpy(&out, buffer, sizeof(out));
	note("namelen %u controllen %u payloadlen %u flags 0x%x", out.namelen,
	     out.controllen, out.payloadlen, out.flags);
}

static void send_credentials(int fd, const char *text)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text,
			    .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (sendmsg(fd, &msg, 0) < 0)
		give_up("sendmsg");
}

/* Name, control data and payload are all longer than their areas. */
static void S13_everything_is_cut(struct ring *r)
{
	struct iovec caps = {.iov_len = 46};
	struct msghdr msg = {
		.msg_namelen = 6,
		.msg_controllen = 20,
		.msg_iov = &caps,
		.msg_iovlen = 1,
	};
	struct io_uring_sqe *sqe;
	struct bufs b;
	int one = 1;
	int fd[2];

	pair(fd, PAIR_UDP);
	setsockopt(fd[0], IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	bufs_open(&b, r, GROUP, 4, 64, 0, 4);
	memset(b.bytes, '.', 256);
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 0, GROUP);
	sqe->addr = (uintptr_t)&msg;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	submit(r);
	send_credentials(fd[1], "0123456789");
	reap(r, 1);
	note_out(b.bytes);
	note_bytes("the name's second half", b.bytes + 16 + 4, 2);
	note_bytes("payload", b.bytes + 42, 22);
	send_credentials(fd[1], "abc");
	reap(r, 1);
	note_out(b.bytes + 64);
	note_bytes("payload", b.bytes + 64 + 42, 22);
	note_head(r, GROUP);
}

/* An INC buffer holds one message after the other, including headers. */
static void S13_parts_of_a_buffer(struct ring *r)
{
	struct msghdr msg = {.msg_namelen = 4};
	struct io_uring_sqe *sqe;
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_DGRAM);
	bufs_open(&b, r, GROUP, 4, 64, IOU_PBUF_RING_INC, 2);
	memset(b.bytes, '.', 128);
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 0, GROUP);
	sqe->addr = (uintptr_t)&msg;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	submit(r);
	for (int i = 0; i < 3; i++) {
		put(fd[1], "hello");
		reap(r, 1);
		note_entries(&b, 2);
	}
	note_bytes("buffers", b.bytes, 128);
	note_head(r, GROUP);
}

static const struct scenario rows[] = {
	SCENARIO(S12_a_firehose_was_there_first, "S12 S11", .bare = true),
	SCENARIO(S12_a_firehose_was_there_first_deferred, "S12 S11",
		 .bare = true),
	SCENARIO(S12_a_firehose_among_the_armed, "S12 S11", .bare = true),
	SCENARIO(S12_a_share_goes_on_over_waits, "S12 S2"),
	SCENARIO(S12_overflow_of_datagrams, "S12", .bare = true),
	SCENARIO(S12_overflow_of_datagrams_deferred, "S12", .bare = true),
	SCENARIO(S12_overflow_of_parts, "S12 I1", .bare = true),
	SCENARIO(S12_overflow_at_the_end_of_stream, "S12 S9", .bare = true),
	SCENARIO(S12_overflow_of_read_multishot, "S12", .bare = true),
	SCENARIO(S12_read_multishot_of_a_terminal, "S12 S5",
		 .modes = MODES_ALL),
	SCENARIO(S12_a_terminal_without_buffers, "S12 S2"),
	SCENARIO(S12_a_terminal_in_lines, "S12 I1 I2"),
	SCENARIO(S12_a_counter_needs_eight_bytes, "S12 S7"),
	SCENARIO(S6_memory_devices_cannot_be_waited_for, "S6 I4"),
	SCENARIO(S3_a_read_of_nothing_is_the_files, "S3"),
	SCENARIO(S13_everything_is_cut, "S13"),
	SCENARIO(S13_parts_of_a_buffer, "S13 I1"),
};

FAMILY(pressure, rows);
