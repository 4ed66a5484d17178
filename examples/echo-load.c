// SPDX-License-Identifier: MIT
/*
 * Drives an echo server and checks every byte that comes back. Plain epoll and
 * nonblocking sockets: a fault seen here is not caused by io_uring on this
 * side.
 *
 * Each connection sends messages whose sizes and bytes come from generators
 * seeded with its number. The receiving side runs the same generators again, so
 * nothing is stored: each byte is compared, and a message counts when its last
 * byte has come back. At most AHEAD messages are under way on a connection.
 * Then it shuts down its sending side and expects the end of the stream: too
 * many bytes are an error, as are too few.
 *
 * Two watchdogs bound the run: no progress for STALL_S, and --timeout.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 4, STALL_S = 30, CHUNK_BYTES = 65536, EVENTS = 256 };

/* One direction of one connection: where in its stream of messages it is. */
struct stream {
	uint64_t sizes, bytes; /* the generators' states */
	uint64_t word; /* bytes of the generator not yet used */
	unsigned int word_left;
	unsigned long messages; /* finished ones */
	unsigned int left; /* bytes left of the current one */
};

struct conn {
	int fd;
	unsigned long quota; /* messages */
	struct stream out, in;
	unsigned int unsent, unsent_at; /* generated, but refused so far */
	unsigned char *pending;
	bool done;
};

static struct {
	unsigned int port, connections, max_bytes, timeout_s;
	unsigned long messages, seed;
} options = {0, 64, 16384, 120, 200000, 1};

static struct conn *conns;
static int epoll_fd;
static unsigned int conns_done;
static unsigned long messages_done;
static uint64_t bytes_done;
static unsigned char chunk[CHUNK_BYTES];

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- progress and the end ----------------------------------------------- */

static void show_progress(bool last)
{
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%sload: %lu of %lu messages, %lu MB%s",
		terminal ? "\r" : "", messages_done, options.messages,
		(unsigned long)(bytes_done >> 20),
		terminal && !last ? "" : "\n");
}

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *format, ...)
{
	va_list args;

	show_progress(true);
	fprintf(stderr, "load: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	printf("load: %u connections, %lu messages, %lu lost\n",
	       options.connections, messages_done,
	       options.messages - messages_done);
	exit(1);
}

/* ---- streams ------------------------------------------------------------ */

/* splitmix64: every seed gives a good sequence, 0 included. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Half of all messages fit a cache line, one in twenty is large. */
static unsigned int next_size(struct stream *stream)
{
	uint64_t random = next_random(&stream->sizes);
	unsigned int of_100 = (unsigned int)(random % 100);
	unsigned int most = of_100 < 50	  ? 64
			    : of_100 < 80 ? 1024
			    : of_100 < 95 ? 4096
					  : options.max_bytes;

	if (most > options.max_bytes)
		most = options.max_bytes;
	return 1 + (unsigned int)((random >> 32) % most);
}

static void stream_open(struct stream *stream, unsigned int number)
{
	uint64_t seed = options.seed << 32 | number;

	*stream = (struct stream){.sizes = next_random(&seed)};
	stream->bytes = next_random(&seed);
	stream->left = next_size(stream);
}

static unsigned char next_byte(struct stream *stream)
{
	unsigned char byte;

	if (!stream->word_left) {
		stream->word = next_random(&stream->bytes);
		stream->word_left = 8;
	}
	byte = (unsigned char)stream->word;
	stream->word >>= 8;
	stream->word_left--;
	return byte;
}

/* @bytes, at most those left of the message, are done. */
static void stream_advance(struct stream *stream, unsigned int bytes)
{
	stream->left -= bytes;
	if (stream->left)
		return;
	stream->messages++;
	stream->left = next_size(stream);
}

/* ---- connections -------------------------------------------------------- */

static void generate_message(struct conn *conn)
{
	conn->unsent = conn->out.left;
	conn->unsent_at = 0;
	for (unsigned int i = 0; i < conn->unsent; i++)
		conn->pending[i] = next_byte(&conn->out);
	stream_advance(&conn->out, conn->unsent);
}

/* One send() a message; what the socket refuses waits in conn->pending. */
static void send_ahead(struct conn *conn)
{
	while (conn->unsent ||
	       (conn->out.messages < conn->quota &&
		conn->out.messages < conn->in.messages + AHEAD)) {
		ssize_t sent;

		if (!conn->unsent)
			generate_message(conn);
		sent = send(conn->fd, conn->pending + conn->unsent_at,
			    conn->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent < 0)
			fail("connection %ld: send: %s", (long)(conn - conns),
			     strerror(errno));
		conn->unsent -= (unsigned int)sent;
		conn->unsent_at += (unsigned int)sent;
		if (!conn->unsent && conn->out.messages == conn->quota)
			shutdown(conn->fd, SHUT_WR);
	}
}

static void verify(struct conn *conn, const unsigned char *data, size_t bytes)
{
	struct stream *in = &conn->in;

	bytes_done += bytes;
	while (bytes) {
		unsigned int n =
			in->left < bytes ? in->left : (unsigned int)bytes;

		if (in->messages == conn->quota)
			fail("connection %ld: more came back than was sent",
			     (long)(conn - conns));
		for (unsigned int i = 0; i < n; i++)
			if (data[i] != next_byte(in))
				fail("connection %ld: a wrong byte in message "
				     "%lu",
				     (long)(conn - conns), in->messages);
		messages_done += n == in->left;
		stream_advance(in, n);
		data += n;
		bytes -= n;
	}
}

static void end_of_stream(struct conn *conn)
{
	if (conn->in.messages < conn->quota)
		fail("connection %ld: ended after %lu of %lu messages",
		     (long)(conn - conns), conn->in.messages, conn->quota);
	close(conn->fd);
	conn->done = true;
	conns_done++;
}

static void receive_all(struct conn *conn)
{
	for (;;) {
		ssize_t got =
			recv(conn->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0)
			fail("connection %ld: recv: %s", (long)(conn - conns),
			     strerror(errno));
		if (got == 0) {
			end_of_stream(conn);
			return;
		}
		verify(conn, chunk, (size_t)got);
		send_ahead(conn);
	}
}

static void conn_open(unsigned int number)
{
	struct conn *conn = &conns[number];
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)options.port),
	};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
				    .data.ptr = conn};
	int on = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM, 0);
	conn->pending = malloc(options.max_bytes);
	if (conn->fd < 0 || !conn->pending ||
	    connect(conn->fd, (struct sockaddr *)&address, sizeof(address)))
		fail("connection %u: %s", number, strerror(errno));
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->quota = options.messages / options.connections +
		      (number < options.messages % options.connections);
	stream_open(&conn->out, number);
	stream_open(&conn->in, number);
	if (!conn->quota)
		shutdown(conn->fd, SHUT_WR);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event))
		fail("epoll_ctl: %s", strerror(errno));
}

static void drive(void)
{
	double started = now_s(), shown = started, moved = started;
	double every_s = isatty(STDERR_FILENO) ? 0.2 : 2;
	uint64_t bytes_then = 0;

	while (conns_done < options.connections) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(epoll_fd, events, EVENTS, 100);
		double now = now_s();

		for (int i = 0; i < ready; i++) {
			struct conn *conn = events[i].data.ptr;

			if (conn->done)
				continue;
			send_ahead(conn);
			receive_all(conn);
		}
		if (bytes_done != bytes_then)
			moved = now;
		bytes_then = bytes_done;
		if (now - moved > STALL_S)
			fail("nothing came back for %d s", STALL_S);
		if (now - started > options.timeout_s)
			fail("not done after %u s", options.timeout_s);
		if (now - shown >= every_s) {
			show_progress(false);
			shown = now;
		}
	}
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: echo-load --port N [OPTION]...\n"
		"Drive an echo server on 127.0.0.1 and check every byte.\n"
		"  --connections N  (%u)\n"
		"  --messages N     in all (%lu)\n"
		"  --max-size N     bytes in a message (%u)\n"
		"  --seed N         of sizes and bytes (%lu)\n"
		"  --timeout S      give up after so many seconds (%u)\n",
		options.connections, options.messages, options.max_bytes,
		options.seed, options.timeout_s);
	exit(to == stdout ? 0 : 2);
}

static unsigned long number(const char *text, unsigned long least,
			    unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && !*end && value >= least &&
	    value <= most)
		return value;
	fprintf(stderr, "load: not a number from %lu to %lu: %s\n", least, most,
		text);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"port", 1, NULL, 'p'},	    {"connections", 1, NULL, 'c'},
		{"messages", 1, NULL, 'm'}, {"max-size", 1, NULL, 'x'},
		{"seed", 1, NULL, 's'},	    {"timeout", 1, NULL, 't'},
		{"help", 0, NULL, 'h'},	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'p')
			options.port = (unsigned int)number(optarg, 1, 65535);
		else if (option == 'c')
			options.connections =
				(unsigned int)number(optarg, 1, 65535);
		else if (option == 'm')
			options.messages = number(optarg, 0, 1ul << 40);
		else if (option == 'x')
			options.max_bytes =
				(unsigned int)number(optarg, 1, 1u << 24);
		else if (option == 's')
			options.seed = number(optarg, 0, UINT32_MAX);
		else if (option == 't')
			options.timeout_s =
				(unsigned int)number(optarg, 1, 86400);
		else
			usage(option == 'h' ? stdout : stderr);
	}
	if (optind < argc || !options.port)
		usage(stderr);
}

int main(int argc, char **argv)
{
	double started = now_s();

	parse_options(argc, argv);
	conns = calloc(options.connections, sizeof(*conns));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!conns || epoll_fd < 0)
		fail("start: %s", strerror(errno));
	for (unsigned int i = 0; i < options.connections; i++)
		conn_open(i);
	drive();
	show_progress(true);
	printf("load: %u connections, %lu messages, %lu lost, %lu bytes, "
	       "%.1f s\n",
	       options.connections, messages_done,
	       options.messages - messages_done, (unsigned long)bytes_done,
	       now_s() - started);
	return 0;
}
