/* SPDX-License-Identifier: MIT */
/*
 * A ring from the application's side: opening, queueing, entering, reaping.
 *
 * Theory: uses only published facts: the offsets that setup returns and the
 * barriers that the ABI requires. Waits have no time limit; the runner kills a
 * scenario that waits for ever, and the transcript shows where.
 *
 * Ordering: the SQ tail is stored with release and the engine loads it with
 * acquire; the CQ tail is loaded with acquire and pairs with the engine's
 * release, after which entries may be read.
 */
#include "harness.h"

#define SETTLE_ROUNDS 3
#define SETTLE_MS 15
#define SQPOLL_IDLE_MS 100
#define REAP_MAX 1024

const struct side *side;
enum mode mode;

static int files[64];
static unsigned int file_count;

/* Marks the user_data of a request whose result is an fd. */
#define RETURNS_FD (UINT64_C(1) << 40)

uint32_t mode_flags(void)
{
	switch (mode) {
	case MODE_DEFER:
		return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	case MODE_SQPOLL:
		return IORING_SETUP_SQPOLL;
	case MODE_COOP:
		return IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	case MODE_DEFAULT:
		break;
	}
	return 0;
}

static unsigned char *map_part(struct ring *r, size_t bytes, uint64_t offset)
{
	long at = side->map(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, r->fd, offset);

	if (at < 0)
		give_up("mapping at 0x%llx: %s", (unsigned long long)offset,
			strerrorname_np((int)-at));
	return (unsigned char *)at;
}

static size_t sqe_size(const struct ring *r)
{
	return r->params.flags & IORING_SETUP_SQE128 ? 128 : 64;
}

static size_t cqe_size(const struct ring *r)
{
	return r->params.flags & IORING_SETUP_CQE32 ? 32 : 16;
}

/* Compute where the fields are, once the memory is mapped. */
static void ring_place(struct ring *r)
{
	const struct io_sqring_offsets *sq = &r->params.sq_off;
	const struct io_cqring_offsets *cq = &r->params.cq_off;

	r->sq_head = (uint32_t *)(r->sq_memory + sq->head);
	r->sq_tail = (uint32_t *)(r->sq_memory + sq->tail);
	r->sq_flags = (uint32_t *)(r->sq_memory + sq->flags);
	r->sq_dropped = (uint32_t *)(r->sq_memory + sq->dropped);
	r->cq_head = (uint32_t *)(r->cq_memory + cq->head);
	r->cq_tail = (uint32_t *)(r->cq_memory + cq->tail);
	r->cq_overflow = (uint32_t *)(r->cq_memory + cq->overflow);
	r->cq_flags = (uint32_t *)(r->cq_memory + cq->flags);
	r->cqes = r->cq_memory + cq->cqes;
	r->sq_array = NULL;
	if (!(r->params.flags & IORING_SETUP_NO_SQARRAY))
		r->sq_array = (uint32_t *)(r->sq_memory + sq->array);
}

void ring_map(struct ring *r)
{
	const struct io_uring_params *params = &r->params;

	r->sqe_bytes = params->sq_entries * sqe_size(r);
	if (!(params->flags & IORING_SETUP_NO_MMAP)) {
		r->sq_bytes = params->sq_off.array + params->sq_entries * 4;
		r->cq_bytes =
			params->cq_off.cqes + params->cq_entries * cqe_size(r);
		if (r->sq_bytes < r->cq_bytes)
			r->sq_bytes = r->cq_bytes;
		r->sq_memory = map_part(r, r->sq_bytes, IORING_OFF_SQ_RING);
		r->cq_memory = r->sq_memory;
		r->sqe_memory = map_part(r, r->sqe_bytes, IORING_OFF_SQES);
	}
	ring_place(r);
}

int ring_try(struct ring *r, uint32_t entries, struct io_uring_params *params)
{
	memset(r, 0, sizeof(*r));
	r->next_user_data = 1;
	r->fd = side->setup(entries, params);
	r->params = *params;
	return r->fd;
}

void ring_open(struct ring *r, uint32_t entries, uint32_t flags)
{
	struct io_uring_params params = {.flags = mode_flags() | flags};

	if (params.flags & IORING_SETUP_SQPOLL)
		params.sq_thread_idle = SQPOLL_IDLE_MS;
	if (ring_try(r, entries, &params) < 0)
		give_up("setup: %s", strerrorname_np(-r->fd));
	ring_map(r);
}

void ring_close(struct ring *r)
{
	if (r->sq_memory && !(r->params.flags & IORING_SETUP_NO_MMAP)) {
		munmap(r->sq_memory, r->sq_bytes);
		munmap(r->sqe_memory, r->sqe_bytes);
	}
	close(r->fd);
	r->fd = -1;
	r->sq_memory = NULL;
}

uint32_t ring_ready(const struct ring *r)
{
	return load_acquire(r->cq_tail) - load_relaxed(r->cq_head);
}

struct io_uring_cqe *ring_cqe(const struct ring *r)
{
	uint32_t slot = *r->cq_head & (r->params.cq_entries - 1);

	return (struct io_uring_cqe *)(r->cqes + slot * cqe_size(r));
}

void ring_seen(struct ring *r)
{
	store_release(r->cq_head, *r->cq_head + 1);
}

/* ---- submission ---------------------------------------------------------- */

struct io_uring_sqe *sqe_new(struct ring *r, enum io_uring_op op, int fd,
			     const void *addr, uint32_t len, uint64_t off)
{
	uint32_t slot = r->next & (r->params.sq_entries - 1);
	struct io_uring_sqe *sqe;

	if (r->next - load_acquire(r->sq_head) >= r->params.sq_entries)
		give_up("the submission queue is full");
	sqe = (void *)(r->sqe_memory + slot * sqe_size(r));
	memset(sqe, 0, sqe_size(r));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->off = off;
	sqe->user_data = r->next_user_data++;
	if (r->sq_array)
		r->sq_array[slot] = slot;
	r->next++;
	return sqe;
}

static int submit_sqpoll(struct ring *r, uint32_t count)
{
	full_fence();
	if (load_acquire(r->sq_flags) & IORING_SQ_NEED_WAKEUP)
		side->enter(r->fd, count, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	while (load_acquire(r->sq_head) != r->next)
		pause_ms(1);
	return (int)count;
}

int submit_and_wait(struct ring *r, uint32_t wait)
{
	uint32_t count = r->next - load_acquire(r->sq_head);
	uint32_t flags = 0;
	char label[32];
	int result;

	if (wait || mode == MODE_DEFER)
		flags = IORING_ENTER_GETEVENTS;
	store_release(r->sq_tail, r->next);
	if (r->params.flags & IORING_SETUP_SQPOLL)
		result = submit_sqpoll(r, count);
	else
		result = side->enter(r->fd, count, wait, flags, NULL, 0);
	snprintf(label, sizeof(label), "submit %u", count);
	note_result(label, result);
	return result;
}

int submit(struct ring *r)
{
	return submit_and_wait(r, 0);
}

/* ---- completion ---------------------------------------------------------- */

struct seen {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	/* position among the entries that are sorted together */
	unsigned int nth;
};

static const char *const flag_names[] = {
	"", "MORE", "SOCK_NONEMPTY", "NOTIF", "BUF_MORE", "SKIP",
};

static void flags_text(char *text, size_t room, uint32_t flags)
{
	size_t used = 0;
	uint32_t i;

	text[0] = '\0';
	if (flags & IORING_CQE_F_BUFFER)
		used += (size_t)snprintf(text, room, " bid %u", flags >> 16);
	else if (flags >> 16)
		used += (size_t)snprintf(text, room, " high 0x%x", flags >> 16);
	for (i = 1; i < 16; i++) {
		if (!(flags & 1u << i))
			continue;
		if (i < array_size(flag_names))
			used += (size_t)snprintf(text + used, room - used,
						 " %s", flag_names[i]);
		else
			used += (size_t)snprintf(text + used, room - used,
						 " flag%u", i);
	}
}

/* Files are numbered in the order of completion, before sorting. */
static struct seen take(struct ring *r)
{
	const struct io_uring_cqe *cqe = ring_cqe(r);
	struct seen seen = {
		.user_data = cqe->user_data,
		.res = cqe->res,
		.flags = cqe->flags,
	};

	if (seen.user_data & RETURNS_FD && seen.res >= 0 &&
	    file_count < array_size(files))
		files[file_count++] = seen.res;
	ring_seen(r);
	return seen;
}

static void write_seen(const struct seen *seen)
{
	uint64_t number = seen->user_data & ~RETURNS_FD;
	const char *error = NULL;
	char flags[128];
	char result[32];

	flags_text(flags, sizeof(flags), seen->flags);
	if (seen->res < 0 && seen->res > -4096)
		error = strerrorname_np(-seen->res);
	if (error)
		snprintf(result, sizeof(result), "-%s", error);
	else if (seen->user_data & RETURNS_FD && seen->res >= 0)
		snprintf(result, sizeof(result), "fd");
	else
		snprintf(result, sizeof(result), "%d", seen->res);
	if (number > 9999)
		note("#0x%llx: %s%s", (unsigned long long)number, result,
		     flags);
	else
		note("#%u: %s%s", (unsigned int)number, result, flags);
}

/* Returns when at least one completion can be read. */
static void wait_one(struct ring *r)
{
	int result;

	while (!ring_ready(r)) {
		result = side->enter(r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
				     0);
		if (result < 0 && result != -EINTR && !ring_ready(r))
			give_up("waiting: -%s", strerrorname_np(-result));
	}
}

void reap(struct ring *r, unsigned int count)
{
	struct seen seen;

	while (count--) {
		wait_one(r);
		seen = take(r);
		write_seen(&seen);
	}
}

static int by_user_data(const void *left, const void *right)
{
	const struct seen *l = left;
	const struct seen *r = right;
	uint64_t a = l->user_data & ~RETURNS_FD;
	uint64_t b = r->user_data & ~RETURNS_FD;

	if (a != b)
		return a > b ? 1 : -1;
	return l->nth > r->nth ? 1 : -1;
}

static void write_sorted(struct seen *all, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		all[i].nth = i;
	qsort(all, count, sizeof(all[0]), by_user_data);
	for (i = 0; i < count; i++)
		write_seen(&all[i]);
}

void reap_sorted(struct ring *r, unsigned int count)
{
	struct seen all[REAP_MAX];
	unsigned int i;

	for (i = 0; i < count && i < REAP_MAX; i++) {
		wait_one(r);
		all[i] = take(r);
	}
	write_sorted(all, i);
}

void reap_until_final(struct ring *r)
{
	struct seen seen;

	do {
		wait_one(r);
		seen = take(r);
		write_seen(&seen);
	} while (seen.flags & IORING_CQE_F_MORE);
}

void reap_bytes(struct ring *r, int bytes)
{
	struct seen seen;

	do {
		wait_one(r);
		seen = take(r);
		write_seen(&seen);
		bytes -= seen.res;
	} while (bytes > 0 && seen.res > 0);
}

void go(struct ring *r)
{
	int submitted = submit(r);

	if (submitted > 0)
		reap(r, (unsigned int)submitted);
}

/* The ring is quiet when so many rounds in a row have brought nothing. */
void quiet(struct ring *r)
{
	struct seen all[REAP_MAX];
	unsigned int count = 0;
	int round = 0;

	while (round++ < SETTLE_ROUNDS) {
		side->enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		for (; ring_ready(r) && count < REAP_MAX; round = 0)
			all[count++] = take(r);
		pause_ms(SETTLE_MS);
	}
	write_sorted(all, count);
	if (!count)
		note("quiet");
}

void peek(struct ring *r, unsigned int count)
{
	struct seen seen;

	while (count--) {
		while (!ring_ready(r))
			pause_ms(1);
		seen = take(r);
		write_seen(&seen);
	}
}

struct io_uring_sqe *returns_fd(struct io_uring_sqe *sqe)
{
	sqe->user_data |= RETURNS_FD;
	return sqe;
}

int fd_of(unsigned int n)
{
	if (n >= file_count)
		give_up("there is no file %u", n);
	return files[n];
}

int enter(struct ring *r, uint32_t to_submit, uint32_t min_complete,
	  uint32_t flags, const void *arg, size_t arg_bytes)
{
	int result = side->enter(r->fd, to_submit, min_complete, flags, arg,
				 arg_bytes);

	note_result("enter", result);
	return result;
}
