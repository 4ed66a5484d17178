// SPDX-License-Identifier: MIT
/*
 * The load: connections that each send a message, wait for its echo, and send
 * the next; or, with 0 bytes, one connection after another for the echo of a
 * single byte.
 *
 * Theory: it uses neither io_uring nor polyring. The connections are made at
 * the start and stay; then each line of standard input asks for a slice: so
 * many milliseconds of work, until the last echo has come. Between slices
 * nothing is under way, so that loads of several servers can take turns. A
 * slice of 0 is one echo of a few connections: they were idle and still live.
 * It takes the server's processor time itself, before and after a slice, from
 * the scheduler's accounts of all the server's threads, those of the kernel's
 * io_uring included.
 *
 *	load PORT SERVER_PID CONNECTIONS BYTES
 */
#include <dirent.h>
#include <sys/epoll.h>

#include "common.h"

#define EVENTS 256
#define BYTES_MAX 65536

struct conn {
	int fd;
	unsigned int received;
};

static unsigned int port, pid, connections, bytes;
static char message[BYTES_MAX], echo[BYTES_MAX];
static struct conn *conns;
static int epoll;
static unsigned int under_way; /* messages whose echo is to come */

/* Nanoseconds on a processor, of all threads: the first word of schedstat. */
static uint64_t server_cpu_ns(void)
{
	char path[300];
	struct dirent *task;
	uint64_t sum = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks))) {
		unsigned long long one;
		FILE *file;

		/* ".." is the process, which has accounts as well. */
		if (task->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%u/task/%s/schedstat", pid,
			 task->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%llu", &one) == 1)
			sum += one;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

static int open_connection(void)
{
	struct sockaddr_in address = loopback(port);
	int fd = check_libc(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			    "socket");
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	check_libc(connect(fd, (struct sockaddr *)&address, sizeof(address)),
		   "connect");
	return fd;
}

static void send_message(struct conn *conn)
{
	conn->received = 0;
	under_way++;
	if (send(conn->fd, message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		check(-EPIPE, "send");
}

/* Returns whether the echo is complete. */
static bool receive(struct conn *conn)
{
	ssize_t got = recv(conn->fd, echo, bytes - conn->received, 0);

	if (got <= 0)
		check(-ECONNRESET, "the server hung up");
	if (memcmp(echo, message + conn->received, (size_t)got) != 0)
		check(-EBADMSG, "not what was sent");
	conn->received += (unsigned int)got;
	if (conn->received < bytes)
		return false;
	under_way--;
	return true;
}

static uint64_t turn(bool go_on)
{
	struct epoll_event events[EVENTS];
	int count =
		check_libc(epoll_wait(epoll, events, EVENTS, 10000), "wait");
	uint64_t done = 0;

	if (!count)
		check(-ETIMEDOUT, "no echo");
	for (int i = 0; i < count; i++) {
		if (!receive(events[i].data.ptr))
			continue;
		done++;
		if (go_on)
			send_message(events[i].data.ptr);
	}
	return done;
}

static void open_all(void)
{
	conns = calloc(connections, sizeof(*conns));
	epoll = check_libc(epoll_create1(EPOLL_CLOEXEC), "epoll");
	for (unsigned int i = 0; i < connections; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		conns[i].fd = open_connection();
		event.data.ptr = &conns[i];
		epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &event);
	}
}

/* Of every @step-th connection. */
static uint64_t echo_for(uint64_t ns, unsigned int step)
{
	uint64_t until = wall_ns() + ns, done = 0;

	for (unsigned int i = 0; i < connections; i += step)
		send_message(&conns[i]);
	while (under_way)
		done += turn(wall_ns() < until);
	return done;
}

/* The echo of a byte shows that the server has accepted. */
static uint64_t connect_for(uint64_t ns)
{
	const struct linger at_once = {1, 0};
	uint64_t until = wall_ns() + ns, done = 0;

	for (; wall_ns() < until; done++) {
		int fd = open_connection();
		char byte = 'x';

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 ||
		    recv(fd, &byte, 1, 0) != 1)
			check(-ECONNRESET, "the server hung up");
		/* No port is left in TIME_WAIT. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
		close(fd);
	}
	return done;
}

static uint64_t work_for(uint64_t ns)
{
	if (!bytes)
		return connect_for(ns);
	return echo_for(ns, ns ? 1 : 1 + connections / 16);
}

static void slice(unsigned int ms)
{
	uint64_t cpu = server_cpu_ns(), wall = wall_ns(), done;

	done = work_for(ms * 1000000ull);
	wall = wall_ns() - wall;
	cpu = server_cpu_ns() - cpu;
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)done, (unsigned long long)wall,
	       (unsigned long long)cpu);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[32];

	if (argc != 5)
		check(-EINVAL, "load PORT PID CONNECTIONS BYTES");
	port = argument(argc, argv, 1, 0);
	pid = argument(argc, argv, 2, 0);
	connections = argument(argc, argv, 3, 1);
	bytes = argument(argc, argv, 4, 64);
	raise_files();
	for (unsigned int i = 0; i < BYTES_MAX; i++)
		message[i] = (char)(i * 31 + 7);
	if (bytes)
		open_all();
	while (fgets(line, sizeof(line), stdin))
		slice((unsigned int)strtoul(line, NULL, 10));
	return 0;
}
