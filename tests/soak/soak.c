// SPDX-License-Identifier: MIT
/*
 * The soak: buffers circulate by the million through rings, classic groups, INC
 * and bundles, with random errors and cancels, and none may be lost.
 *
 * Theory: twelve lanes, each a file with something to read or to send, share
 * eight pools of buffers in one ring of the engine's. A turn writes to the
 * files, gives some buffers back, arms a request wherever none is armed (once
 * or multishot, single or bundling, of any length), cancels now and then, and
 * takes what has completed. Every completion is entered into the account of its
 * pool (pool.h), and every byte must be the next one of its lane. A hook
 * between the engine and the kernel makes transfers fail at random.
 *
 * src/kbuf is compiled into this program with its checks: it asserts S11 in
 * every call. The pools are checked after each turn of a ring that completes
 * only inside enter (DEFER_TASKRUN), and at the end of every ring. A ring lives
 * for some thousand turns; then all its requests are cancelled, and every
 * buffer must be back.
 *
 * Everything is determined by the seed, except what other threads do: workers,
 * and the standby thread of rings in default mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "pool.h"

#define SQ_ENTRIES 128u
#define TURNS 4000u /* of one ring */
#define PROGRESS_MS 3000
#define PATTERN_BYTES 251u /* a prime: no buffer begins where another did */
#define CHUNK_BYTES 4096u
#define BACKLOG_BYTES 2000u /* that a lane may leave unread */
#define PROVIDES_MOST 32u /* in one turn, of each pool */
#define READS 8u /* of a file that never waits, in one turn */

enum { UD_PROVIDE = 1000, UD_CANCEL, UD_REMOVE };

enum { BUNDLE_CLASSIC = 7 };

static struct pool pools[] = {
	{.name = "ring", .kind = POOL_RING, .bgid = 1, .each = 16},
	{.name = "classic", .kind = POOL_CLASSIC, .bgid = 2, .each = 16},
	{.name = "inc", .kind = POOL_INC, .bgid = 3, .each = 48},
	{.name = "bundle", .kind = POOL_RING, .bgid = 4, .each = 16},
	{.name = "bundle-inc", .kind = POOL_INC, .bgid = 5, .each = 24},
	{.name = "send", .kind = POOL_RING, .bgid = 300, .each = 32},
	{.name = "send-classic",
	 .kind = POOL_CLASSIC,
	 .sends = true,
	 .bgid = 6,
	 .each = 64},
	[BUNDLE_CLASSIC] = {.name = "bundle-classic",
			    .kind = POOL_CLASSIC,
			    .bgid = 7,
			    .each = 16},
};

enum source { STREAM, DGRAM, PIPE, ZERO, SINK };

static struct lane {
	const char *name;
	struct pool *pool;
	enum source source;
	bool bundles;
	/* The fields below are its state. */
	int own, peer;
	uint32_t armed; /* requests; only a ZERO lane has more than one */
	bool bundled; /* the armed one */
	bool ended; /* the peer has shut down its end */
	bool quiet;
	uint64_t sent, seen; /* bytes */
	uint64_t buffers;
} lanes[] = {
	{.name = "ring", .pool = &pools[0], .source = STREAM},
	{.name = "ring-dgram", .pool = &pools[0], .source = DGRAM},
	{.name = "ring-zero", .pool = &pools[0], .source = ZERO},
	{.name = "classic", .pool = &pools[1], .source = STREAM},
	{.name = "classic-pipe", .pool = &pools[1], .source = PIPE},
	{.name = "bundle-classic",
	 .pool = &pools[BUNDLE_CLASSIC],
	 .source = STREAM,
	 .bundles = true},
	{.name = "inc", .pool = &pools[2], .source = STREAM},
	{.name = "inc-pipe", .pool = &pools[2], .source = PIPE},
	{.name = "bundle",
	 .pool = &pools[3],
	 .source = STREAM,
	 .bundles = true},
	{.name = "bundle-inc",
	 .pool = &pools[4],
	 .source = STREAM,
	 .bundles = true},
	{.name = "send", .pool = &pools[5], .source = SINK, .bundles = true},
	{.name = "send-classic",
	 .pool = &pools[6],
	 .source = SINK,
	 .bundles = true},
};

static struct ring ring;
static bool deferred; /* it works only inside enter */
static uint64_t seed, random_state;
static uint64_t want_buffers = 200000;
static uint64_t turns, rings, errors, cancels, starved;
static char pattern[PATTERN_BYTES + 2 * CHUNK_BYTES];

void soak_fail(const char *format, ...)
{
	va_list arguments;

	printf("not ok - soak of seed %llu, ring %llu, turn %llu: ",
	       (unsigned long long)seed, (unsigned long long)rings,
	       (unsigned long long)turns);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

/* ---- chance -------------------------------------------------------------- */

static uint32_t below(uint32_t bound)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) % bound);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/*
 * When the second pass of a classic group's bundle fails, a buffer is used up
 * that no completion reports, as in 6.18. The account can't follow that.
 */
static bool may_fail(long number, long b)
{
	const struct pool *pool = &pools[BUNDLE_CLASSIC];
	const char *first;

	if (number != SYS_recvmsg)
		return number == SYS_recvfrom || number == SYS_preadv2 ||
		       number == SYS_sendto || number == SYS_sendmsg;
	first = ((const struct msghdr *)b)->msg_iov->iov_base;
	return first < pool->memory ||
	       first >= pool->memory + POOL_BUFFERS * POOL_EACH_MAX;
}

/* Any thread of the engine may call this. */
static long failing_invoke(long number, long a, long b, long c, long d, long e,
			   long f)
{
	static const int answers[] = {ECONNRESET, EIO, ENOMEM, EHOSTDOWN};
	static uint64_t calls;
	uint64_t nth;

	if (may_fail(number, b)) {
		nth = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
		if (nth % 1009 == seed % 1009)
			return -answers[nth / 1009 % array_size(answers)];
	}
	return sys_direct(number, a, b, c, d, e, f);
}

/* ---- files --------------------------------------------------------------- */

static void lane_open(struct lane *lane)
{
	int fd[2] = {-1, -1};
	int failed;

	if (lane->source == ZERO)
		failed = (fd[0] = open("/dev/zero", O_RDONLY | O_CLOEXEC)) < 0;
	else if (lane->source == PIPE)
		failed = pipe2(fd, O_CLOEXEC);
	else
		failed = socketpair(
			AF_UNIX,
			(lane->source == DGRAM ? SOCK_DGRAM : SOCK_STREAM) |
				SOCK_CLOEXEC,
			0, fd);
	if (failed)
		soak_fail("%s: no files", lane->name);
	if (fd[1] >= 0)
		fcntl(fd[1], F_SETFL, O_NONBLOCK | O_WRONLY);
	lane->own = fd[0];
	lane->peer = fd[1];
	lane->sent = lane->seen = 0;
	lane->ended = false;
}

static void lane_close(struct lane *lane)
{
	close(lane->own);
	if (lane->peer >= 0)
		close(lane->peer);
}

/* What the lane reads next; of a SINK, take what it has sent. */
static void lane_feed(struct lane *lane)
{
	const char *next = pattern + lane->sent % PATTERN_BYTES;
	static char taken[1 << 16];
	uint32_t bytes = 1 + below(one_in(2) ? 64 : CHUNK_BYTES);
	ssize_t n;

	/* Times without data, in which requests wait. */
	if (one_in(32))
		lane->quiet = !lane->quiet;
	if (lane->source != SINK &&
	    (lane->quiet || lane->sent - lane->seen > BACKLOG_BYTES))
		return;
	switch (lane->source) {
	case SINK:
		n = recv(lane->peer, taken, 1 + below(sizeof(taken)),
			 MSG_DONTWAIT);
		lane->sent += n > 0 ? (uint64_t)n : 0;
		return;
	case ZERO:
		return;
	case DGRAM:
		for (uint32_t i = below(16); i; i--) {
			next = pattern + lane->sent % PATTERN_BYTES;
			n = write(lane->peer, next, 1 + below(16));
			lane->sent += n > 0 ? (uint64_t)n : 0;
		}
		return;
	default:
		n = lane->ended ? 0 : write(lane->peer, next, bytes);
		lane->sent += n > 0 ? (uint64_t)n : 0;
	}
}

/* A completion's bytes must be the next ones of the lane. */
static void lane_see(void *argument, const char *bytes, uint32_t count)
{
	static const char zeros[POOL_EACH_MAX];
	struct lane *lane = argument;
	const char *due = pattern + lane->seen % PATTERN_BYTES;

	if (lane->source == SINK)
		return;
	if (memcmp(bytes, lane->source == ZERO ? zeros : due, count) != 0)
		soak_fail("%s: not what was written at %llu", lane->name,
			  (unsigned long long)lane->seen);
	lane->seen += count;
}

/* ---- requests ------------------------------------------------------------ */

static void enter(uint32_t wait)
{
	uint32_t queued =
		*(uint32_t *)(void *)(ring.shared + ring.p.sq_off.tail) -
		load_acquire(
			(uint32_t *)(void *)(ring.shared + ring.p.sq_off.head));
	int done = polyring_enter(ring.fd, queued, wait, IORING_ENTER_GETEVENTS,
				  NULL, 0);

	if (done < 0 && done != -EBUSY)
		soak_fail("enter: %d", done);
}

static struct io_uring_sqe *request(uint8_t opcode, int fd, uint64_t user_data)
{
	if (!ring_has_room(&ring))
		enter(0);
	if (!ring_has_room(&ring))
		soak_fail("the queue stays full");
	return ring_sqe(&ring, opcode, fd, user_data);
}

static void provide(struct pool *pool)
{
	uint32_t count = below(PROVIDES_MOST);
	struct io_uring_sqe *sqe;
	uint16_t bid;

	for (; count && pool->with_app; count--) {
		bid = pool_take(pool);
		sqe = request(IORING_OP_PROVIDE_BUFFERS, 1, UD_PROVIDE);
		sqe->addr = (uintptr_t)pool_buffer(pool, bid);
		sqe->len = pool->each;
		sqe->off = bid;
		sqe->buf_group = pool->bgid;
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		pool->provided++;
		ring_push(&ring);
	}
}

/* Usually enough buffers, sometimes so few that requests end with ENOBUFS. */
static void give_back(struct pool *pool)
{
	if (pool->kind == POOL_CLASSIC)
		provide(pool);
	else
		pool_publish(pool, below(one_in(4) ? 8 : POOL_BUFFERS));
}

static bool is_readable(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};

	return poll(&look, 1, 0) == 1;
}

/*
 * If a bundle has several buffers that hold less than their length, its
 * completion reports only the sum.
 */
static uint32_t wanted(const struct lane *lane)
{
	if (!lane->bundled)
		return 1 + below(20);
	if (lane->pool->kind == POOL_INC)
		return 1 + below(CHUNK_BYTES);
	return lane->pool->each * (1 + below(POOL_BUFFERS / 2));
}

static void set_receive(struct lane *lane, struct io_uring_sqe *sqe)
{
	bool inc = lane->pool->kind == POOL_INC;
	bool multishot = !one_in(4);

	/*
	 * A classic buffer may be used in part for what was known to wait, and
	 * be followed by another for bytes that came meanwhile: the completion
	 * reports only the sum.
	 */
	lane->bundled = lane->bundles && !one_in(8) &&
			(deferred || lane->pool->kind != POOL_CLASSIC);
	if (lane->bundled)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	if (multishot)
		sqe->ioprio |= IORING_RECV_MULTISHOT;
	if (one_in(8))
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (lane->source == STREAM && one_in(4))
		sqe->len = wanted(lane);
	if (lane->source == STREAM && !multishot && !inc && one_in(4))
		sqe->op_flags = MSG_WAITALL;
	if (!sqe->ioprio && !inc && one_in(32) && is_readable(lane->own))
		sqe->flags |= IOSQE_ASYNC;
}

static void set_send(struct lane *lane, struct io_uring_sqe *sqe)
{
	lane->bundled = one_in(2);
	if (lane->bundled)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	if (one_in(4))
		sqe->len = 1 + below(CHUNK_BYTES);
}

static void arm(struct lane *lane)
{
	uint64_t user_data = (uint64_t)(lane - lanes);
	struct io_uring_sqe *sqe;

	if (lane->source == SINK) {
		sqe = request(IORING_OP_SEND, lane->own, user_data);
		set_send(lane, sqe);
	} else if (lane->source == PIPE || lane->source == ZERO) {
		bool multishot = lane->source == PIPE && !one_in(4);

		sqe = request(multishot ? IORING_OP_READ_MULTISHOT
					: IORING_OP_READ,
			      lane->own, user_data);
		sqe->off = UINT64_MAX;
		lane->bundled = false;
	} else {
		sqe = request(IORING_OP_RECV, lane->own, user_data);
		set_receive(lane, sqe);
	}
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = lane->pool->bgid;
	lane->armed++;
	lane->pool->armed++;
	ring_push(&ring);
}

static void cancel(const struct lane *lane)
{
	struct io_uring_sqe *sqe =
		request(IORING_OP_ASYNC_CANCEL, -1, UD_CANCEL);

	sqe->addr = (uint64_t)(lane - lanes);
	if (one_in(16))
		sqe->op_flags =
			IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
	ring_push(&ring);
	cancels++;
}

/* ---- completions --------------------------------------------------------- */

static uint32_t removed; /* as the last REMOVE_BUFFERS said */

static void other_completed(const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == UD_PROVIDE)
		soak_fail("provide: %d", cqe->res);
	if (cqe->user_data == UD_REMOVE && cqe->res < 0 && cqe->res != -ENOENT)
		soak_fail("remove: %d", cqe->res);
	if (cqe->user_data == UD_REMOVE)
		removed = cqe->res > 0 ? (uint32_t)cqe->res : 0;
}

/* The end of what the peer had sent: the lane gets new files. */
static void reopen(struct lane *lane)
{
	if (lane->seen != lane->sent)
		soak_fail("%s: %llu of %llu bytes", lane->name,
			  (unsigned long long)lane->seen,
			  (unsigned long long)lane->sent);
	lane_close(lane);
	lane_open(lane);
}

static void lane_completed(struct lane *lane, const struct io_uring_cqe *cqe)
{
	bool sends_ring = lane->source == SINK && lane->pool->kind == POOL_RING;
	uint64_t before = lane->pool->circulated;

	if (cqe->flags & IORING_CQE_F_BUFFER && !sends_ring)
		pool_completed(lane->pool, cqe->res, cqe->flags, lane->bundled,
			       lane_see, lane);
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		lane->armed--;
		lane->pool->armed--;
	}
	if (sends_ring && !lane->armed)
		pool_take_sent(lane->pool, ring.fd);
	lane->buffers += lane->pool->circulated - before;
	errors += cqe->res < 0;
	starved += cqe->res == -ENOBUFS;
	if (!cqe->res && lane->ended && !lane->armed)
		reopen(lane);
}

static void take_all(void)
{
	struct io_uring_cqe cqe;

	while (ring_pop(&ring, &cqe)) {
		if (cqe.user_data >= array_size(lanes))
			other_completed(&cqe);
		else
			lane_completed(&lanes[cqe.user_data], &cqe);
	}
}

/* Until two enters in a row have brought no completion. */
static void settle(void)
{
	const uint32_t *head = (void *)(ring.shared + ring.p.cq_off.head);
	int idle = 0;

	while (idle < 2) {
		uint32_t before = *head;

		enter(0);
		take_all();
		idle = *head == before ? idle + 1 : 0;
	}
}

/* ---- rings --------------------------------------------------------------- */

static void turn(void)
{
	turns++;
	for (struct pool *pool = pools; pool < pools + array_size(pools);
	     pool++)
		give_back(pool);
	for (struct lane *lane = lanes; lane < lanes + array_size(lanes);
	     lane++) {
		uint32_t most = lane->source == ZERO ? READS : 1;

		lane_feed(lane);
		while (lane->armed < most)
			arm(lane);
		if (one_in(300))
			cancel(lane);
		if (lane->source <= PIPE && lane->source != DGRAM &&
		    !lane->ended && one_in(2000)) {
			lane->ended = true;
			close(lane->peer);
			lane->peer = -1;
		}
	}
	settle();
}

static void check_all(void)
{
	for (struct pool *pool = pools; pool < pools + array_size(pools);
	     pool++)
		pool_check(pool, ring.fd);
}

static bool is_armed(void)
{
	for (struct lane *lane = lanes; lane < lanes + array_size(lanes);
	     lane++)
		if (lane->armed)
			return true;
	return false;
}

/* Those on workers take a moment. */
static void cancel_all(void)
{
	struct io_uring_sqe *sqe;

	settle();
	for (int tries = 0; is_armed(); tries++) {
		if (tries > PATIENCE_MS)
			soak_fail("requests that do not end");
		sqe = request(IORING_OP_ASYNC_CANCEL, -1, UD_CANCEL);
		sqe->op_flags =
			IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
		ring_push(&ring);
		settle();
		if (is_armed())
			usleep(1000);
	}
}

static void ring_end(void)
{
	struct io_uring_sqe *sqe;

	cancel_all();
	check_all();
	for (struct pool *pool = pools; pool < pools + array_size(pools);
	     pool++) {
		removed = 0;
		if (pool->kind == POOL_CLASSIC) {
			sqe = request(IORING_OP_REMOVE_BUFFERS, 65536,
				      UD_REMOVE);
			sqe->buf_group = pool->bgid;
			ring_push(&ring);
			settle();
		}
		pool_close(pool, ring.fd, removed);
	}
	for (struct lane *lane = lanes; lane < lanes + array_size(lanes);
	     lane++)
		lane_close(lane);
	ring_close(&ring);
}

static uint64_t circulated(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < array_size(lanes); i++)
		sum += lanes[i].buffers;
	return sum;
}

static void progress(bool last)
{
	static int64_t began, told;
	int64_t now = now_ms();

	if (!began)
		began = told = now;
	if (!last && now - told < PROGRESS_MS)
		return;
	told = now;
	printf("%5lld s  %llu buffers, %llu turns of %llu rings, %llu errors,"
	       " %llu cancels\n",
	       (long long)(now - began) / 1000,
	       (unsigned long long)circulated(), (unsigned long long)turns,
	       (unsigned long long)rings, (unsigned long long)errors,
	       (unsigned long long)cancels);
	fflush(stdout);
}

static void ring_soak(void)
{
	static const uint32_t modes[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0,
		IORING_SETUP_COOP_TASKRUN};
	uint32_t flags = modes[below(array_size(modes))];

	rings++;
	deferred = flags & IORING_SETUP_DEFER_TASKRUN;
	ring_open(&ring, SQ_ENTRIES, one_in(3) ? SQ_ENTRIES : 8192, flags);
	for (struct pool *pool = pools; pool < pools + array_size(pools);
	     pool++)
		pool_open(pool, ring.fd);
	for (struct lane *lane = lanes; lane < lanes + array_size(lanes);
	     lane++)
		lane_open(lane);
	for (uint32_t i = below(TURNS); i && circulated() < want_buffers; i--) {
		turn();
		if (deferred)
			check_all();
		progress(false);
	}
	ring_end();
}

/* ---- the program --------------------------------------------------------- */

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"buffers", required_argument, NULL, 'b'},
		{"seed", required_argument, NULL, 's'},
		{0},
	};
	int option;

	seed = (uint64_t)now_ms() % 1000000;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'b')
			want_buffers = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	random_state = seed;
	signal(SIGPIPE, SIG_IGN);
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(1 + i % PATTERN_BYTES % 250);
	remember_the_beginning();
	set_invoke(failing_invoke);
	while (circulated() < want_buffers)
		ring_soak();
	progress(true);
	expect_nothing_left();
	expect_nobody_left();
	for (uint32_t i = 0; i < array_size(lanes); i++)
		printf("%15s  %llu buffers\n", lanes[i].name,
		       (unsigned long long)lanes[i].buffers);
	printf("ok 1 - S11 %llu buffers circulated, %llu times none was left,"
	       " all are back\n1..1\n",
	       (unsigned long long)circulated(), (unsigned long long)starved);
	printf("soak: seed %llu\n", (unsigned long long)seed);
	return 0;
}
