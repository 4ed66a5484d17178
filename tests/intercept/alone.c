// SPDX-License-Identifier: MIT
/*
 * A program that is linked statically, to any C library: an echo server with
 * multishot receives and a buffer ring, whose clients are threads that check
 * each byte, while a timer's signals come; then threads with rings of their
 * own, the program's own signals, and children by every way that there is, each
 * of which must have io_uring or, at the least, end as it should.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tap.h"

#define CLIENTS 6
#define ROUNDS 300
#define MESSAGE_BYTES 200
#define BUFFERS 16u
#define BUFFER_BYTES 128u /* a message takes two */
#define ENTRIES 64u
#define SERVED 17
#define SET_GS 0x1001 /* of arch_prctl() */

struct ring {
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *memory;
	int fd;
};

static unsigned int *field(const struct ring *ring, unsigned int at)
{
	return (unsigned int *)(ring->memory + at);
}

static int ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = inline_setup(ENTRIES, &ring->params);
	if (ring->fd < 0)
		return ring->fd;
	ring->memory = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED,
			    ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ENTRIES * sizeof(*ring->sqes),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	return ring->memory == MAP_FAILED || ring->sqes == MAP_FAILED ? -ENOMEM
								      : 0;
}

static void ring_close(struct ring *ring)
{
	munmap(ring->memory, 16384);
	munmap(ring->sqes, ENTRIES * sizeof(*ring->sqes));
	close(ring->fd);
}

static void submit(struct ring *ring, struct io_uring_sqe sqe)
{
	unsigned int *tail = field(ring, ring->params.sq_off.tail);
	unsigned int slot = *tail & (ENTRIES - 1);

	ring->sqes[slot] = sqe;
	field(ring, ring->params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	REQUIRE(inline_enter(ring->fd, 1, 0, 0) == 1);
}

static struct io_uring_cqe take(struct ring *ring)
{
	struct io_uring_cqe *cqes =
		(void *)(ring->memory + ring->params.cq_off.cqes);
	unsigned int *head = field(ring, ring->params.cq_off.head);
	unsigned int *tail = field(ring, ring->params.cq_off.tail);
	struct io_uring_cqe cqe;

	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE))
		inline_enter(ring->fd, 0, 1, IORING_ENTER_GETEVENTS);
	cqe = cqes[*head & *field(ring, ring->params.cq_off.ring_mask)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe;
}

/* ---- echo ---------------------------------------------------------------- */

static struct ring server;
static struct io_uring_buf *buffer_ring;
static char buffers[BUFFERS][BUFFER_BYTES];
static int ends[CLIENTS][2];
static unsigned long ticks;
static __thread int ticks_here;

static void on_tick(int signo)
{
	(void)signo;
	ticks++;
	ticks_here++;
	errno = EDOM;
}

static void *client_run(void *argument)
{
	int which = (int)(intptr_t)argument, fd = ends[which][1];
	unsigned char sent[MESSAGE_BYTES], got[MESSAGE_BYTES];
	long wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t have = 0;

		for (size_t i = 0; i < sizeof(sent); i++)
			sent[i] = (unsigned char)(i * 7 + round * 13 + which);
		if (send(fd, sent, sizeof(sent), 0) != sizeof(sent))
			return (void *)-1l;
		while (have < sizeof(got)) {
			ssize_t n = recv(fd, got + have, sizeof(got) - have, 0);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return (void *)-2l;
			have += (size_t)n;
		}
		wrong += memcmp(sent, got, sizeof(got)) != 0;
	}
	shutdown(fd, SHUT_RDWR);
	return (void *)wrong;
}

static void buffer_give(unsigned int bid)
{
	unsigned short *tail = &((struct io_uring_buf_ring *)buffer_ring)->tail;
	struct io_uring_buf *slot = &buffer_ring[*tail & (BUFFERS - 1)];

	slot->addr = (uintptr_t)buffers[bid];
	slot->len = BUFFER_BYTES;
	slot->bid = (unsigned short)bid;
	__atomic_store_n(tail, (unsigned short)(*tail + 1), __ATOMIC_RELEASE);
}

static void receive_arm(unsigned int which)
{
	submit(&server, (struct io_uring_sqe){.opcode = IORING_OP_RECV,
					      .flags = IOSQE_BUFFER_SELECT,
					      .ioprio = IORING_RECV_MULTISHOT,
					      .fd = ends[which][0],
					      .buf_group = 3,
					      .user_data = which});
}

static void server_open(void)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = 3};

	REQUIRE(ring_open(&server) == 0);
	buffer_ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.ring_addr = (uintptr_t)buffer_ring;
	REQUIRE(inline_register(server.fd, IORING_REGISTER_PBUF_RING, &reg,
				1) == 0);
	for (unsigned int bid = 0; bid < BUFFERS; bid++)
		buffer_give(bid);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) == 0);
		receive_arm(i);
	}
}

/* Sent by the ring too, and waited for: the buffer is given back then. */
static void echo_one(const struct io_uring_cqe *received)
{
	unsigned int bid = received->flags >> IORING_CQE_BUFFER_SHIFT;
	unsigned int which = (unsigned int)received->user_data;

	REQUIRE(send(ends[which][0], buffers[bid], (size_t)received->res, 0) ==
		received->res);
	buffer_give(bid);
}

static void serve(void)
{
	int open = CLIENTS;

	while (open) {
		struct io_uring_cqe cqe = take(&server);

		if (cqe.res > 0)
			echo_one(&cqe);
		if (!cqe.res)
			open--;
		else if (!(cqe.flags & IORING_CQE_F_MORE))
			receive_arm((unsigned int)cqe.user_data);
	}
}

static void tick_every(long us)
{
	const struct itimerval every = {{0, us}, {0, us}};
	struct sigaction act = {.sa_handler = on_tick, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void test_echo(void)
{
	pthread_t threads[CLIENTS];
	long wrong = 0;
	void *result;

	server_open();
	tick_every(2000);
	for (intptr_t i = 0; i < CLIENTS; i++)
		REQUIRE(!pthread_create(&threads[i], NULL, client_run,
					(void *)i));
	serve();
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], &result);
		wrong += (long)result;
	}
	while (!ticks)
		usleep(1000);
	tick_every(0);
	CHECK("each_byte_comes_back", wrong == 0);
	ring_close(&server);
}

/* ---- threads ------------------------------------------------------------- */

static void *thread_run(void *argument)
{
	const struct io_uring_sqe nop = {.opcode = IORING_OP_NOP,
					 .user_data = 5};
	struct ring ring;
	long wrong = 0;

	(void)argument;
	errno = ENOTTY;
	if (ring_open(&ring) < 0)
		return (void *)1l;
	for (int i = 0; i < 50; i++) {
		submit(&ring, nop);
		wrong += take(&ring).user_data != 5;
	}
	wrong += errno != ENOTTY;
	ring_close(&ring);
	return (void *)wrong;
}

static void test_threads(void)
{
	long wrong = 0;
	void *result;

	for (int times = 0; times < 5; times++) {
		pthread_t threads[8];

		for (int i = 0; i < 8; i++)
			REQUIRE(!pthread_create(&threads[i], NULL, thread_run,
						NULL));
		for (int i = 0; i < 8; i++) {
			pthread_join(threads[i], &result);
			wrong += (long)result;
		}
	}
	CHECK("threads_that_come_and_go_have_rings", wrong == 0);
}

/* ---- signals ------------------------------------------------------------- */

static sigjmp_buf back;
static volatile int caught;

static void on_fault(int signo)
{
	caught = signo;
	siglongjmp(back, 1);
}

static void on_other(int signo)
{
	caught = signo;
}

static void test_signals(void)
{
	struct sigaction act = {.sa_handler = on_fault}, old;
	sigset_t three, before;

	sigemptyset(&three);
	sigaddset(&three, SIGSYS);
	sigaddset(&three, SIGSEGV);
	act.sa_mask = three;
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGSEGV, NULL, &old);
	CHECK("an_action_reads_back",
	      old.sa_handler == on_fault && sigismember(&old.sa_mask, SIGSYS));
	if (!sigsetjmp(back, 1))
		*(volatile int *)16 = 1;
	CHECK("a_fault_is_the_programs", caught == SIGSEGV);
	act.sa_handler = on_other;
	sigaction(SIGSYS, &act, NULL);
	raise(SIGSYS);
	CHECK("SIGSYS_is_the_programs", caught == SIGSYS);
	sigprocmask(SIG_BLOCK, &three, NULL);
	sigprocmask(SIG_SETMASK, NULL, &before);
	CHECK("a_mask_reads_back", sigismember(&before, SIGSYS) == 1);
	CHECK("calls_are_served_while_SIGSYS_is_blocked", inline_ring() >= 0);
	sigprocmask(SIG_UNBLOCK, &three, NULL);
	signal(SIGSYS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
}

/* ---- children ------------------------------------------------------------ */

static char *self;
static char *const nothing[] = {NULL};

static int status_of(pid_t pid)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static pid_t fork_and(char *const *argv, char *const *environment)
{
	pid_t pid = fork();

	if (!pid) {
		execve(argv[0], argv, environment);
		_exit(99);
	}
	return pid;
}

static pid_t vfork_and(char *const *argv, char *const *environment)
{
	pid_t pid = vfork();

	if (!pid) {
		execve(argv[0], argv, environment);
		_exit(99);
	}
	return pid;
}

static pid_t spawn(char *const *argv, char *const *environment)
{
	pid_t pid = -1;

	return posix_spawn(&pid, argv[0], NULL, NULL, argv, environment) ? -1
									 : pid;
}

/* The agent's register can't be taken from it. */
static void test_gs(void)
{
	CHECK("who_sets_gs_is_refused",
	      syscall(SYS_arch_prctl, SET_GS, 4096) == -1 && errno == EPERM &&
		      !thread_run(NULL));
}

static volatile long called;

static void call(int signo)
{
	(void)signo;
	called = inline_setup(0, NULL);
}

/* A handler makes a call during a wait that would block SIGSYS. */
static void test_waits(void)
{
	const struct itimerval soon = {{0, 0}, {0, 1000}};
	struct timespec bound = {60, 0};
	sigset_t others;

	sigfillset(&others);
	sigdelset(&others, SIGALRM);
	signal(SIGALRM, call);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK("a_call_in_a_handler_inside_pselect",
	      pselect(0, NULL, NULL, NULL, &bound, &others) == -1 &&
		      errno == EINTR && called == -EFAULT);
}

static void test_children(void)
{
	char *const child[] = {self, (char *)"child", NULL};
	char *const chain[] = {self, (char *)"chain", (char *)"4", NULL};
	char *const shell[] = {(char *)"/bin/sh", (char *)"-c",
			       (char *)"env -i \"$0\" child; exit $?", self,
			       NULL};
	char *const missing[] = {(char *)"/no/such/program", NULL};
	extern char **environ;
	pid_t pid = fork();

	if (!pid)
		_exit(thread_run(NULL) ? 1 : SERVED);
	CHECK("a_forked_child_has_rings", status_of(pid) == SERVED);
	CHECK("fork_and_exec", status_of(fork_and(child, environ)) == SERVED);
	CHECK("vfork_and_exec", status_of(vfork_and(child, nothing)) == SERVED);
	CHECK("posix_spawn", status_of(spawn(child, nothing)) == SERVED);
	CHECK("a_chain_of_execs",
	      status_of(fork_and(chain, environ)) == SERVED);
	/* An empty image has none. */
	if (!access(shell[0], X_OK))
		CHECK("a_shell_and_env_i",
		      status_of(spawn(shell, environ)) == SERVED);
	CHECK("an_exec_that_fails",
	      status_of(fork_and(missing, environ)) == 99);
	CHECK("the_parent_goes_on", inline_ring() >= 0 && !thread_run(NULL));
}

static int chain_on(int left)
{
	char number[2] = {(char)('0' + left - 1), 0};
	char *const argv[] = {self, (char *)"chain", number, NULL};

	if (!left)
		return thread_run(NULL) ? 1 : SERVED;
	execve(self, argv, nothing);
	return 98;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "child"))
		return thread_run(NULL) ? 1 : SERVED;
	if (argc > 2 && !strcmp(argv[1], "chain"))
		return chain_on(argv[2][0] - '0');
	test_echo();
	test_threads();
	test_signals();
	test_waits();
	if (getenv("POLYRING_ENGINE"))
		test_gs();
	test_children();
	return tap_end();
}
