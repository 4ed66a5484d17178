// SPDX-License-Identifier: MIT
#include "unit.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/tsan.h"

/* ---- a ring ---- */

static uint32_t *word(const struct ring *ring, uint32_t offset)
{
	return (uint32_t *)(void *)(ring->shared + offset);
}

static int map(struct ring *ring, size_t bytes, uint64_t offset, void **at)
{
	long result = polyring_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_SHARED, ring->fd, offset);

	if (result < 0)
		return (int)result;
	*at = (void *)result;
	return 0;
}

static int map_both(struct ring *ring)
{
	const struct io_uring_params *p = &ring->p;
	void *at = NULL;
	int err;

	ring->shared_bytes = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	err = map(ring, ring->shared_bytes, IORING_OFF_SQ_RING, &at);
	if (err < 0)
		return err;
	ring->shared = at;
	ring->sqes_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
	err = map(ring, ring->sqes_bytes, IORING_OFF_SQES, &at);
	if (err < 0) {
		munmap(ring->shared, ring->shared_bytes);
		return err;
	}
	ring->sqes = at;
	for (uint32_t i = 0; i < p->sq_entries; i++)
		word(ring, p->sq_off.array)[i] = i;
	return 0;
}

static int open_with(struct ring *ring, uint32_t entries)
{
	int err;

	ring->fd = polyring_setup(entries, &ring->p);
	if (ring->fd < 0)
		return ring->fd;
	err = map_both(ring);
	if (err < 0)
		close(ring->fd);
	return err;
}

int ring_try_open(struct ring *ring, uint32_t entries, uint32_t flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->p.flags = flags;
	ring->p.sq_thread_idle = 1;
	return open_with(ring, entries);
}

void ring_open(struct ring *ring, uint32_t entries, uint32_t cq_entries,
	       uint32_t flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->p.flags = flags | (cq_entries ? IORING_SETUP_CQSIZE : 0);
	ring->p.cq_entries = cq_entries;
	ring->p.sq_thread_idle = 1;
	assert_int_equal(open_with(ring, entries), 0);
}

void ring_close(struct ring *ring)
{
	munmap(ring->shared, ring->shared_bytes);
	munmap(ring->sqes, ring->sqes_bytes);
	close(ring->fd);
}

struct io_uring_sqe *ring_sqe(struct ring *ring, uint8_t opcode, int fd,
			      uint64_t user_data)
{
	uint32_t tail = *word(ring, ring->p.sq_off.tail);
	struct io_uring_sqe *sqe = &ring->sqes[tail & (ring->p.sq_entries - 1)];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = user_data;
	return sqe;
}

void ring_push(struct ring *ring)
{
	uint32_t *tail = word(ring, ring->p.sq_off.tail);

	store_release(tail, *tail + 1);
}

bool ring_has_room(const struct ring *ring)
{
	/* Pairs with the engine's release store of the head. */
	uint32_t head = load_acquire(word(ring, ring->p.sq_off.head));

	return *word(ring, ring->p.sq_off.tail) - head < ring->p.sq_entries;
}

bool ring_pop(struct ring *ring, struct io_uring_cqe *cqe)
{
	uint32_t *head = word(ring, ring->p.cq_off.head);
	/* Pairs with the engine's release store of the tail. */
	uint32_t tail = load_acquire(word(ring, ring->p.cq_off.tail));
	const struct io_uring_cqe *cqes =
		(void *)(ring->shared + ring->p.cq_off.cqes);

	if (*head == tail)
		return false;
	*cqe = cqes[*head & (ring->p.cq_entries - 1)];
	store_release(head, *head + 1);
	return true;
}

/* A poller may have fallen asleep; other rings take no notice. */
int ring_submit(struct ring *ring, uint32_t count)
{
	return polyring_enter(ring->fd, count, 0, IORING_ENTER_SQ_WAKEUP, NULL,
			      0);
}

int ring_wait(struct ring *ring, uint32_t want, int64_t ms)
{
	struct io_timespec ts = {ms / 1000, ms % 1000 * 1000000};
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&ts};

	if (ms < 0)
		return polyring_enter(ring->fd, 0, want, IORING_ENTER_GETEVENTS,
				      NULL, 0);
	return polyring_enter(ring->fd, 0, want,
			      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
			      &arg, sizeof(arg));
}

struct io_uring_cqe ring_next(struct ring *ring)
{
	struct io_uring_cqe cqe;

	if (!ring_pop(ring, &cqe)) {
		assert_int_equal(ring_wait(ring, 1, PATIENCE_MS), 0);
		assert_true(ring_pop(ring, &cqe));
	}
	return cqe;
}

/* ---- between the engine and the kernel ---- */

static sys_invoke_fn chosen_invoke;
static void *(*chosen_source)(size_t count, size_t size);

static long unit_invoke(long number, long a, long b, long c, long d, long e,
			long f)
{
	sys_invoke_fn invoke = load_acquire(&chosen_invoke);

	return (invoke ? invoke : sys_direct)(number, a, b, c, d, e, f);
}

static void *unit_source(size_t count, size_t size)
{
	void *(*source)(size_t, size_t) = load_acquire(&chosen_source);

	return (source ? source : calloc)(count, size);
}

void set_invoke(sys_invoke_fn invoke)
{
	store_release(&chosen_invoke, invoke);
}

void set_source(void *(*source)(size_t count, size_t size))
{
	store_release(&chosen_source, source);
}

/* Thread sanitizer refuses to start threads there. */
bool children_can_be_followed(void)
{
	return !SEEN_BY_TSAN;
}

/* ---- what is there ---- */

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

unsigned int count_files(void)
{
	return count_entries("/proc/self/fd");
}

static unsigned int count_threads(void)
{
	return count_entries("/proc/self/task");
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void expect_soon(bool (*is_so)(void *argument), void *argument)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (!is_so(argument)) {
		assert_true(now_ms() < until);
		polyring_closed(-1); /* by plain close(2) */
		usleep(1000);
	}
}

static struct {
	unsigned int files, threads;
} beginning;

static void *nothing(void *argument)
{
	return argument;
}

/*
 * Thread sanitizer starts a thread of its own together with the first thread.
 */
static void start_a_first_thread(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

void remember_the_beginning(void)
{
	start_a_first_thread();
	sys_invoke = unit_invoke;
	mem_source = unit_source;
	beginning.files = count_files();
	beginning.threads = count_threads();
}

static bool files_are_few(void *argument)
{
	(void)argument;
	return count_files() <= beginning.files;
}

static bool threads_are_few(void *argument)
{
	(void)argument;
	return count_threads() <= beginning.threads;
}

void expect_nothing_left(void)
{
	expect_soon(files_are_few, NULL);
	assert_int_equal(count_files(), beginning.files);
}

void expect_nobody_left(void)
{
	expect_soon(threads_are_few, NULL);
}
