// SPDX-License-Identifier: MIT
/*
 * Submission entries with random fields. Their results do not matter; the
 * engine must neither crash nor hang. The fields are random with a fixed seed,
 * but plausible often enough to pass the first check: open fds, addresses in an
 * arena, few values of user_data and bgid.
 *
 * All of it runs in a child process, because the entries may open and close
 * anything; they can write only to the arena. MADVISE is left out: it could
 * take away any memory of the process.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fault.h"

#define ENTRIES 100000
#define ARENA_BYTES (64u << 10)
#define FILE_BYTES_MAX (64u << 20)
#define GUARD_BYTES (8ull << 30) /* no length of 32 bits gets past it */
#define FILE_BYTES (1 << 20)
#define FILES_FIRST 64
#define FILES_END 512
#define SEED UINT64_C(0x243f6a8885a308d3)

static struct {
	uint64_t random;
	char *arena;
	int files[8];
} world;

static uint64_t any(void)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return world.random * UINT64_C(0x2545f4914f6cdd1d) >> 8;
}

static uint64_t below(uint64_t bound)
{
	return any() % bound;
}

static uint64_t some_address(void)
{
	uint64_t arena = (uintptr_t)world.arena;

	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return any() << 20; /* never canonical, so never mapped */
	}
	return arena + below(ARENA_BYTES) / 16 * 16;
}

static int some_file(void)
{
	return below(8) ? world.files[below(array_size(world.files))]
			: (int)any() | 1 << 20;
}

static uint32_t few_bits(void)
{
	return below(2) ? 0 : 1u << below(32);
}

static void fill(struct io_uring_sqe *sqe)
{
	uint64_t *words = (void *)sqe;

	for (size_t i = 0; i < sizeof(*sqe) / sizeof(*words); i++)
		words[i] = below(3) ? 0 : any();
	sqe->opcode = (uint8_t)below(IORING_OP_LAST + 4u);
	if (sqe->opcode == IORING_OP_MADVISE)
		sqe->opcode = IORING_OP_NOP;
	sqe->flags = (uint8_t)few_bits();
	sqe->ioprio = (uint16_t)few_bits();
	sqe->fd = sqe->flags & IOSQE_FIXED_FILE ? (int)below(5) : some_file();
	sqe->addr = some_address();
	sqe->off = below(2) ? 0 : some_address();
	sqe->len = (uint32_t)(below(2) ? below(256) : any());
	sqe->op_flags = few_bits();
	sqe->user_data = sqe->opcode;
	sqe->buf_group = (uint16_t)below(4);
	/* The fd of the test's own ring or of the engine would end the test. */
	if (sqe->opcode == IORING_OP_CLOSE)
		sqe->fd |= 1 << 20;
}

/* Bytes of the arena that some operations will take for structs. */
static void stir(void)
{
	uint64_t *words = (void *)world.arena;

	for (int i = 0; i < 64; i++) {
		uint64_t *word = &words[below(ARENA_BYTES / 8)];

		*word = below(2) ? some_address() : below(512);
	}
}

/* An address that is used as a length would fill all memory with a file. */
static void limit_files(void)
{
	const struct rlimit some = {FILE_BYTES_MAX, FILE_BYTES_MAX};

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &some) < 0)
		_exit(17);
}

static void set_up(void)
{
	limit_files();
	world.random = SEED;
	world.arena = mmap(NULL, GUARD_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (world.arena == MAP_FAILED ||
	    mprotect(world.arena, ARENA_BYTES, PROT_READ | PROT_WRITE) < 0)
		_exit(11);
	if (pipe2(world.files, O_NONBLOCK) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, world.files + 2) < 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, world.files + 4) < 0)
		_exit(12);
	/* FALLOCATE of garbage would take all memory there is. */
	world.files[6] = memfd_create("garbage", MFD_ALLOW_SEALING);
	if (ftruncate(world.files[6], FILE_BYTES) < 0 ||
	    fcntl(world.files[6], F_ADD_SEALS, F_SEAL_GROW) < 0)
		_exit(15);
	world.files[7] = -1;
	/* Files that it names or creates must not belong to anyone. */
	if (chdir("/proc/self/task") < 0)
		_exit(13);
	if (chroot(".") < 0 && getuid() == 0)
		_exit(14);
	/*
	 * The fds of opened files are above all fds of the test and below the
	 * engine's.
	 */
	for (int fd = 0; fd < FILES_FIRST; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			dup2(world.files[0], fd);
}

static void register_some(struct ring *ring)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = 16,
		.bgid = 1,
		.flags = IOU_PBUF_RING_MMAP,
	};

	polyring_register(ring->fd, IORING_REGISTER_FILES, world.files, 5);
	polyring_register(ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
}

/* Close the file that the entry opened; user_data is the opcode. */
static void take_results(struct ring *ring)
{
	struct io_uring_cqe cqe;

	while (ring_pop(ring, &cqe)) {
		bool opens = cqe.user_data == IORING_OP_OPENAT ||
			     cqe.user_data == IORING_OP_OPENAT2 ||
			     cqe.user_data == IORING_OP_ACCEPT ||
			     cqe.user_data == IORING_OP_SOCKET;

		if (opens && cqe.res > ring->fd && cqe.res < FILES_END)
			close(cqe.res);
	}
}

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 4 * FILES_END; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void play(struct ring *ring)
{
	for (int i = 0; i < ENTRIES; i++) {
		fill(ring_sqe(ring, 0, 0, 0));
		ring_push(ring);
		if (below(8) && ring_has_room(ring))
			continue;
		stir();
		polyring_enter(ring->fd, (uint32_t)below(16), 0,
			       IORING_ENTER_GETEVENTS, NULL, 0);
		while (!ring_has_room(ring))
			polyring_enter(ring->fd, 16, 0, IORING_ENTER_GETEVENTS,
				       NULL, 0);
		take_results(ring);
	}
}

/* cmocka has taken the signal from the engine. */
static void on_fault(int signo, siginfo_t *info, void *ucontext)
{
	(void)info;
	if (!fault_recover(ucontext))
		_exit(128 + signo);
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* 0, or the code of the failure. */
static int child_body(uint32_t flags)
{
	int64_t until = now_ms() + PATIENCE_MS;
	struct ring ring;
	int before;

	alarm(4 * PATIENCE_MS / 1000);
	set_up();
	before = open_files();
	if (ring_try_open(&ring, 16, flags) < 0)
		return 15;
	catch_faults();
	register_some(&ring);
	play(&ring);
	ring_close(&ring);
	while (open_files() > before) {
		if (now_ms() > until)
			return 16;
		usleep(1000);
	}
	return 0;
}

static void garbage_does_no_harm(void **state)
{
	static const uint32_t modes[] = {
		0,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	(void)state;
	if (!children_can_be_followed())
		skip();
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (size_t i = 0; i < array_size(modes); i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (!child)
			_exit(child_body(modes[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int garbage_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_does_no_harm),
	};

	return cmocka_run_group_tests_name("garbage", tests, NULL, NULL);
}
