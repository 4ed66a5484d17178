/* SPDX-License-Identifier: MIT */
/*
 * A ring and its process: threads that end, rights that are given up, limits,
 * and signals.
 */
#include "runner/scenario.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

static char bytes[4096];
static struct ring *ring;

/* ---- threads that end ------------------------------------------------------
 */

static void *submits(void *argument)
{
	(void)argument;
	submit(ring);
	return NULL;
}

/* The queued requests are submitted by a thread that then ends. */
static void submit_and_end(struct ring *r)
{
	pthread_t thread;

	ring = r;
	pthread_create(&thread, NULL, submits, NULL);
	pthread_join(thread, NULL);
}

static void thread_ends_after_its_work(struct ring *r)
{
	sqe_nop(r);
	sqe_new(r, IORING_OP_READ, file_with("abc"), bytes, 4, 0);
	submit_and_end(r);
	reap(r, 2);
	note_bytes("bytes", bytes, 4);
}

/* The data stays in the pipe. */
static void thread_ends_and_its_read_waits(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0);
	submit_and_end(r);
	quiet(r);
	put(fd[1], "abcd");
	reap(r, 1);
	nonblocking(fd[0]);
	get(fd[0], 10);
}

static void thread_ends_and_its_receives_wait(struct ring *r)
{
	struct bufs b;
	int fd[2];

	bufs_open(&b, r, 1, 4, 16, 0, 4);
	pair(fd, PAIR_STREAM);
	sqe_recv_multi(r, fd[0], 1);
	submit_and_end(r);
	put(fd[1], "abcd");
	reap(r, 1);
	note_head(r, 1);
	nonblocking(fd[0]);
	get(fd[0], 10);
}

static void thread_ends_and_its_polls_wait(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	sqe_poll(r, fd[0], POLLIN);
	sqe_poll(r, fd[0], POLLIN)->len = IORING_POLL_ADD_MULTI;
	submit_and_end(r);
	put(fd[1], "abcd");
	reap_sorted(r, 2);
}

static void thread_ends_and_its_accept_waits(struct ring *r)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd = listener(&address, &length);

	returns_fd(sqe_new(r, IORING_OP_ACCEPT, fd, NULL, 0, 0))->ioprio =
		IORING_ACCEPT_MULTISHOT;
	submit_and_end(r);
	connect_to(&address, length);
	reap(r, 1);
}

static void thread_ends_and_its_timeout_waits(struct ring *r)
{
	struct io_timespec soon = {.tv_nsec = 50000000};

	sqe_timeout(r, &soon, 0, 0);
	submit_and_end(r);
	reap(r, 1);
}

static void thread_ends_and_its_read_is_cancelled(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0);
	submit_and_end(r);
	sqe_cancel(r, 1, 0);
	submit(r);
	reap_sorted(r, 2);
}

/* Its file became ready before the thread ended. */
static void thread_ends_and_others_go_on(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 2, 0);
	submit(r);
	sqe_new(r, IORING_OP_READ, fd[0], bytes + 2, 2, 0);
	submit_and_end(r);
	sqe_new(r, IORING_OP_READ, fd[0], bytes + 4, 2, 0);
	submit(r);
	put(fd[1], "abcd");
	reap_sorted(r, 3);
	note_bytes("bytes", bytes, 6);
}

/* ---- children --------------------------------------------------------------
 */

/* The child reports what it got by its exit status. */
static void child_enters_the_ring(struct ring *r)
{
	int status, child;

	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	child = fork();
	if (!child)
		_exit(-side->enter(r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL,
				   0) &
		      0x7f);
	waitpid(child, &status, 0);
	note_result("the child's enter", -WEXITSTATUS(status));
}

/* The child's end does not affect the parent's requests. */
static void child_ends(struct ring *r)
{
	int fd[2], status, child;

	pair(fd, PAIR_PIPE);
	sqe_new(r, IORING_OP_READ, fd[0], bytes, 4, 0);
	submit(r);
	child = fork();
	if (!child) {
		close(r->fd);
		_exit(0);
	}
	waitpid(child, &status, 0);
	quiet(r);
	put(fd[1], "abcd");
	reap(r, 1);
	note_bytes("bytes", bytes, 4);
}

/* ---- rights ----------------------------------------------------------------
 */

static char secret[] = "/tmp/conformance-secret-XXXXXX";

static void open_secret(struct ring *r, uint8_t flags)
{
	struct io_uring_sqe *sqe = returns_fd(
		sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, secret, 0, 0));

	sqe->op_flags = O_RDONLY;
	sqe->flags = flags;
	go(r);
}

/* As root a ring opens the file; as nobody it does not, by whichever path. */
static void rights_are_given_up(struct ring *r)
{
	int fd = mkstemp(secret);

	if (fd < 0 || geteuid())
		give_up("not root");
	put(fd, "secret");
	open_secret(r, 0);
	open_secret(r, IOSQE_ASYNC);
	note_result("setresuid", setresuid(NOBODY, NOBODY, 0));
	open_secret(r, 0);
	open_secret(r, IOSQE_ASYNC);
	sqe_new(r, IORING_OP_READ, fd, bytes, 6, 0);
	go(r);
	note_bytes("bytes", bytes, 6);
	note_result("setresuid", setresuid(0, 0, 0));
	open_secret(r, 0);
	unlink(secret);
}

/* The SQPOLL thread keeps the rights that it began with. */
static void rights_are_given_up_while_polled(struct ring *r)
{
	rights_are_given_up(r);
}

/* ---- limits ----------------------------------------------------------------
 */

static volatile sig_atomic_t raised;

static void on_signal(int signo)
{
	(void)signo;
	raised++;
}

static void count_signal(int signo)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(signo, &action, NULL);
}

static int file_on_disk(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? file_with("") : fd;
}

static void limit_bytes(rlim_t bytes_most)
{
	struct rlimit limit = {bytes_most, RLIM_INFINITY};

	note_result("setrlimit", setrlimit(RLIMIT_FSIZE, &limit));
}

/*
 * The bytes below the limit are written; a write that begins beyond it raises
 * SIGXFSZ and fails.
 */
static void write_to_the_limit(struct ring *r, int file, uint8_t flags)
{
	sqe_new(r, IORING_OP_WRITE, file, bytes, 60, 0)->flags = flags;
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, bytes, 60, 60)->flags = flags;
	go(r);
	sqe_new(r, IORING_OP_WRITE, file, bytes, 60, 100)->flags = flags;
	go(r);
	note("raised %s", raised ? "yes" : "no");
	raised = 0;
}

static void file_size_limit(struct ring *r)
{
	struct stat status;
	int file = file_on_disk();

	count_signal(SIGXFSZ);
	limit_bytes(100);
	write_to_the_limit(r, file, 0);
	write_to_the_limit(r, file, IOSQE_ASYNC);
	write_to_the_limit(r, file_with(""), 0);
	sqe_new(r, IORING_OP_FALLOCATE, file, (void *)200, 0, 0);
	go(r);
	note("raised %s", raised ? "yes" : "no");
	fstat(file, &status);
	note("size %ld", (long)status.st_size);
}

static void file_size_limit_breaks_a_chain(struct ring *r)
{
	int file = file_on_disk();

	signal(SIGXFSZ, SIG_IGN);
	limit_bytes(100);
	sqe_new(r, IORING_OP_WRITE, file, bytes, 60, 0)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_WRITE, file, bytes, 60, 60)->flags = IOSQE_IO_LINK;
	sqe_new(r, IORING_OP_WRITE, file, bytes, 10, 0);
	go(r);
}

static void descriptor_limit(struct ring *r)
{
	struct rlimit limit = {3, 4096};

	note_result("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	open_secret(r, 0);
	sqe_new(r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM);
	go(r);
}

/* ---- signals ---------------------------------------------------------------
 */

static void broken_pipe_raises(struct ring *r)
{
	int fd[2];

	count_signal(SIGPIPE);
	pair(fd, PAIR_PIPE);
	close(fd[0]);
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	go(r);
	note("raised %s", raised ? "yes" : "no");
	pair(fd, PAIR_STREAM);
	close(fd[0]);
	raised = 0;
	sqe_new(r, IORING_OP_SEND, fd[1], "abc", 3, 0);
	go(r);
	note("raised %s", raised ? "yes" : "no");
	raised = 0;
	sqe_new(r, IORING_OP_WRITE, fd[1], "abc", 3, 0);
	go(r);
	note("raised %s", raised ? "yes" : "no");
}

static const struct scenario scenarios[] = {
	SCENARIO(thread_ends_after_its_work, NULL, .modes = MODE_DEFAULT),
	SCENARIO(thread_ends_and_its_read_waits, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL | MODE_COOP),
	SCENARIO(thread_ends_and_its_receives_wait, NULL,
		 .modes = MODE_DEFAULT),
	SCENARIO(thread_ends_and_its_polls_wait, NULL,
		 .modes = MODE_DEFAULT | MODE_SQPOLL),
	SCENARIO(thread_ends_and_its_accept_waits, NULL, .modes = MODE_DEFAULT),
	SCENARIO(thread_ends_and_its_timeout_waits, NULL,
		 .modes = MODE_DEFAULT),
	SCENARIO(thread_ends_and_its_read_is_cancelled, NULL,
		 .modes = MODE_DEFAULT),
	SCENARIO(thread_ends_and_others_go_on, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_enters_the_ring, NULL, .modes = MODE_DEFAULT),
	SCENARIO(child_ends, NULL),
	SCENARIO(rights_are_given_up, NULL, .roots = true),
	SCENARIO(rights_are_given_up_while_polled, NULL, .modes = MODE_SQPOLL,
		 .deviates = "personality"),
	SCENARIO(file_size_limit, NULL, .modes = MODES_ALL),
	SCENARIO(file_size_limit_breaks_a_chain, NULL),
	SCENARIO(descriptor_limit, NULL, .modes = MODES_ALL),
	SCENARIO(broken_pipe_raises, NULL),
};
FAMILY(process, scenarios);
