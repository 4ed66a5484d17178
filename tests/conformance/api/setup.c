/* SPDX-License-Identifier: MIT */
/*
 * io_uring_setup: sizes, flags, layouts, and the kind of file that a ring is.
 *
 * Theory: a side may choose its offsets in the shared memory as long as it
 * reports them; so only their use is compared, and the sizes once.
 */
#include "runner/scenario.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Features that the operations of these scenarios need. */
#define FEATURES                                              \
	(IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |       \
	 IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RW_CUR_POS | \
	 IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS |    \
	 IORING_FEAT_SQPOLL_NONFIXED | IORING_FEAT_EXT_ARG |  \
	 IORING_FEAT_CQE_SKIP | IORING_FEAT_LINKED_FILE |     \
	 IORING_FEAT_MIN_TIMEOUT)

/* Set up, write the result, close. */
static void attempt(uint32_t entries, struct io_uring_params params)
{
	uint32_t flags = params.flags;
	struct ring r;

	if (ring_try(&r, entries, &params) < 0) {
		note("%u entries, flags 0x%x: -%s", entries, flags,
		     strerrorname_np(-r.fd));
		return;
	}
	note("%u entries, flags 0x%x: sq %u cq %u flags 0x%x", entries, flags,
	     params.sq_entries, params.cq_entries, params.flags);
	close(r.fd);
}

static void attempt_flags(uint32_t flags)
{
	attempt(4, (struct io_uring_params){.flags = flags});
}

static void entries(struct ring *r)
{
	static const uint32_t sizes[] = {0,	1,     2,	 3,
					 5,	4096,  32767,	 32768,
					 32769, 65536, 1u << 31, UINT32_MAX};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(sizes); i++) {
		attempt(sizes[i], (struct io_uring_params){.flags = 0});
		attempt(sizes[i],
			(struct io_uring_params){.flags = IORING_SETUP_CLAMP});
	}
}

static void cq_size(struct ring *r)
{
	static const uint32_t sizes[] = {
		0, 1, 7, 8, 9, 100, 65536, 65537, 1u << 31, UINT32_MAX};
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(sizes); i++) {
		params.flags = IORING_SETUP_CQSIZE;
		params.cq_entries = sizes[i];
		note("cq %u", sizes[i]);
		attempt(8, params);
		params.flags |= IORING_SETUP_CLAMP;
		attempt(8, params);
	}
	params.flags = 0;
	params.cq_entries = 3;
	params.sq_entries = 99;
	attempt(8, params);
}

static void unknown_flags(struct ring *r)
{
	unsigned int bit;

	(void)r;
	for (bit = 21; bit < 32; bit++)
		attempt_flags(1u << bit);
}

static void flags_together(struct ring *r)
{
	static const uint32_t flags[] = {
		IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SQPOLL,
		IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER,
		IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER |
			IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SQPOLL | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SQ_AFF,
		IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
		IORING_SETUP_REGISTERED_FD_ONLY,
		IORING_SETUP_HYBRID_IOPOLL,
		IORING_SETUP_R_DISABLED,
		IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_NO_SQARRAY,
		IORING_SETUP_SQE128,
		IORING_SETUP_CQE32,
		IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |
			IORING_SETUP_NO_SQARRAY,
	};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(flags); i++)
		attempt_flags(flags[i]);
}

static void new_flags(struct ring *r)
{
	static const uint32_t flags[] = {
		IORING_SETUP_CQE_MIXED,
		IORING_SETUP_SQE_MIXED,
		IORING_SETUP_SQ_REWIND,
		IORING_SETUP_CQE_MIXED | IORING_SETUP_CQE32,
		IORING_SETUP_SQE_MIXED | IORING_SETUP_SQE128,
	};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(flags); i++)
		attempt_flags(flags[i]);
}

static void polled_queues(struct ring *r)
{
	(void)r;
	attempt_flags(IORING_SETUP_IOPOLL);
	attempt_flags(IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL);
}

static void sq_affinity(struct ring *r)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
		.sq_thread_cpu = 1u << 20,
	};

	(void)r;
	attempt(4, params);
	params.flags = 0;
	attempt(4, params);
}

static void attach_wq(struct ring *r)
{
	struct io_uring_params params = {.flags = IORING_SETUP_ATTACH_WQ};

	params.wq_fd = (uint32_t)-1;
	attempt(4, params);
	params.wq_fd = (uint32_t)file_with("");
	attempt(4, params);
	ring_open(r, 4, 0);
	params.wq_fd = (uint32_t)r->fd;
	attempt(4, params);
	params.flags = 0;
	params.wq_fd = 77;
	attempt(4, params);
}

static void reserved(struct ring *r)
{
	struct io_uring_params params = {.flags = 0};
	size_t i;

	(void)r;
	for (i = 0; i < array_size(params.resv); i++) {
		params.resv[i] = 1;
		attempt(4, params);
		params.resv[i] = 0;
	}
	params.features = UINT32_MAX;
	params.sq_off.head = 5;
	params.sq_off.user_addr = 5;
	params.cq_off.user_addr = 5;
	attempt(4, params);
}

static void bad_pointers(struct ring *r)
{
	struct io_uring_params *params = read_only();

	(void)r;
	note_result("null", side->setup(4, NULL));
	note_result("nowhere", side->setup(4, nowhere()));
	note_result("read only", side->setup(4, params));
	note_result("0 and null", side->setup(0, NULL));
	note_result("half there",
		    side->setup(4, (void *)(page_before_nothing() + 4096 -
					    sizeof(*params) + 8)));
}

static void features(struct ring *r)
{
	struct io_uring_params params = {.flags = 0};

	ring_try(r, 4, &params);
	note("features 0x%x", params.features & FEATURES);
}

static void all_features(struct ring *r)
{
	struct io_uring_params params = {.flags = 0};

	ring_try(r, 4, &params);
	note("features 0x%x", params.features);
}

static void note_offsets(uint32_t flags)
{
	struct io_uring_params p = {.flags = flags};
	struct ring r;

	if (ring_try(&r, 8, &p) < 0)
		give_up("setup");
	note("flags 0x%x", flags);
	note("sq head %u tail %u mask %u entries %u flags %u dropped %u "
	     "array %u resv %u addr %llu",
	     p.sq_off.head, p.sq_off.tail, p.sq_off.ring_mask,
	     p.sq_off.ring_entries, p.sq_off.flags, p.sq_off.dropped,
	     p.sq_off.array, p.sq_off.resv1,
	     (unsigned long long)p.sq_off.user_addr);
	note("cq head %u tail %u mask %u entries %u overflow %u cqes %u "
	     "flags %u resv %u addr %llu",
	     p.cq_off.head, p.cq_off.tail, p.cq_off.ring_mask,
	     p.cq_off.ring_entries, p.cq_off.overflow, p.cq_off.cqes,
	     p.cq_off.flags, p.cq_off.resv1,
	     (unsigned long long)p.cq_off.user_addr);
	close(r.fd);
}

static void offsets(struct ring *r)
{
	(void)r;
	note_offsets(0);
	note_offsets(IORING_SETUP_NO_SQARRAY);
	note_offsets(IORING_SETUP_SQE128);
}

static void first_look_at_the_memory(struct ring *r)
{
	ring_open(r, 5, 0);
	note("sq head %u tail %u flags %u dropped %u", *r->sq_head, *r->sq_tail,
	     *r->sq_flags, *r->sq_dropped);
	note("cq head %u tail %u flags %u overflow %u", *r->cq_head,
	     *r->cq_tail, *r->cq_flags, *r->cq_overflow);
	note("sq mask %u entries %u",
	     *(uint32_t *)(r->sq_memory + r->params.sq_off.ring_mask),
	     *(uint32_t *)(r->sq_memory + r->params.sq_off.ring_entries));
	note("cq mask %u entries %u",
	     *(uint32_t *)(r->cq_memory + r->params.cq_off.ring_mask),
	     *(uint32_t *)(r->cq_memory + r->params.cq_off.ring_entries));
	note_bytes("sqes", r->sqe_memory, r->sqe_bytes);
	note_bytes("array", r->sq_array, 32);
	sqe_nop(r);
	go(r);
	note("sq head %u tail %u; cq head %u tail %u", *r->sq_head, *r->sq_tail,
	     *r->cq_head, *r->cq_tail);
}

static void try_map(struct ring *r, size_t bytes, int prot, int flags,
		    uint64_t offset)
{
	long at = side->map(NULL, bytes, prot, flags, r->fd, offset);

	if (at < 0)
		note_result("map", at);
	else
		note("map succeeded");
}

static void mapping(struct ring *r)
{
	const int rw = PROT_READ | PROT_WRITE;

	ring_open(r, 8, 0);
	try_map(r, r->cq_bytes, rw, MAP_SHARED, IORING_OFF_CQ_RING);
	try_map(r, r->sq_bytes, rw, MAP_SHARED, IORING_OFF_SQ_RING);
	try_map(r, r->sqe_bytes, rw, MAP_SHARED, IORING_OFF_SQES);
	try_map(r, r->sqe_bytes, PROT_READ, MAP_SHARED, IORING_OFF_SQES);
	try_map(r, 0, rw, MAP_SHARED, IORING_OFF_SQES);
	try_map(r, 4096, rw, MAP_SHARED, 0x18000000);
	try_map(r, 4096, rw, MAP_SHARED, 0x40000000);
	try_map(r, 4096, rw, MAP_SHARED, 1);
	try_map(r, 4096, rw, 0, IORING_OFF_SQES);
}

static void map_too_much(struct ring *r)
{
	ring_open(r, 8, 0);
	try_map(r, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED,
		IORING_OFF_SQES);
	try_map(r, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED,
		IORING_OFF_SQ_RING);
}

static void memory_outlives_the_ring(struct ring *r)
{
	struct io_uring_sqe *sqe;

	ring_open(r, 8, 0);
	sqe = sqe_nop(r);
	go(r);
	close(r->fd);
	r->fd = -1;
	sqe->len = 5;
	note("cq tail %u, len %u", *r->cq_tail, sqe->len);
	memset(r->sqe_memory, 'x', r->sqe_bytes);
	note_bytes("sqes", r->sqe_memory, r->sqe_bytes);
}

/* ---- layouts ------------------------------------------------------------- */

/* More requests than slots, so that every slot is used. */
static void go_round(struct ring *r)
{
	int i;

	for (i = 0; i < 11; i++) {
		sqe_nop(r);
		sqe_nop(r);
		submit(r);
		reap(r, 2);
	}
	note("sq head %u tail %u; cq head %u tail %u; dropped %u", *r->sq_head,
	     *r->sq_tail, *r->cq_head, *r->cq_tail, *r->sq_dropped);
}

static void layout_plain(struct ring *r)
{
	ring_open(r, 4, 0);
	go_round(r);
}

static void layout_no_sqarray(struct ring *r)
{
	ring_open(r, 4, IORING_SETUP_NO_SQARRAY);
	go_round(r);
}

static void layout_sqe128(struct ring *r)
{
	ring_open(r, 4, IORING_SETUP_SQE128);
	go_round(r);
}

static void layout_cqe32(struct ring *r)
{
	ring_open(r, 4, IORING_SETUP_CQE32);
	memset(r->cqes, 'x', 32);
	sqe_nop(r);
	submit(r);
	note_bytes("extra", (char *)ring_cqe(r) + 16, 16);
	reap(r, 1);
	go_round(r);
}

static void layout_everything(struct ring *r)
{
	ring_open(r, 4,
		  IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |
			  IORING_SETUP_NO_SQARRAY | IORING_SETUP_SINGLE_ISSUER |
			  IORING_SETUP_DEFER_TASKRUN);
	go_round(r);
}

static void layout_cqsize(struct ring *r)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE,
					 .cq_entries = 32};

	ring_try(r, 4, &params);
	ring_map(r);
	go_round(r);
}

static void no_mmap(struct ring *r)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_MMAP};
	unsigned char *ring = pages(8192);
	unsigned char *sqes = pages(8192);

	params.cq_off.user_addr = (uintptr_t)ring;
	params.sq_off.user_addr = (uintptr_t)sqes;
	note_result("setup", ring_try(r, 8, &params) < 0 ? r->fd : 0);
	r->sq_memory = ring;
	r->cq_memory = ring;
	r->sqe_memory = sqes;
	ring_map(r);
	go_round(r);
	try_map(r, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, IORING_OFF_SQES);
	try_map(r, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		IORING_OFF_SQ_RING);
}

/* The kernel keeps the pages; the program's own access would be a SIGBUS. */
static void no_mmap_truncated(struct ring *r)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_MMAP};
	int file = memfd_create("queues", 0);
	unsigned char *ring;

	if (ftruncate(file, 16384) < 0)
		give_up("no memory");
	ring = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	params.cq_off.user_addr = (uintptr_t)ring;
	params.sq_off.user_addr = (uintptr_t)ring + 8192;
	note_result("setup", ring_try(r, 8, &params) < 0 ? r->fd : 0);
	if (ftruncate(file, 0) < 0)
		give_up("not truncated");
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	if (ftruncate(file, 16384) < 0)
		give_up("no memory again");
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note_result("close", close(r->fd));
	r->fd = -1;
}

static void no_mmap_attempt(void *ring, void *sqes)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_MMAP};

	params.cq_off.user_addr = (uintptr_t)ring;
	params.sq_off.user_addr = (uintptr_t)sqes;
	attempt(8, params);
}

/* A ring in memory that is unmapped while a request waits. */
static void no_mmap_gone(struct ring *r, char *ring, char *sqes, char *look)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_MMAP};
	const struct io_uring_cqe *cqe;
	char byte = 0;
	int fd[2];

	pair(fd, PAIR_STREAM);
	params.cq_off.user_addr = (uintptr_t)ring;
	params.sq_off.user_addr = (uintptr_t)sqes;
	note_result("setup", ring_try(r, 8, &params) < 0 ? r->fd : 0);
	r->sq_memory = (void *)ring;
	r->cq_memory = (void *)ring;
	r->sqe_memory = (void *)sqes;
	ring_map(r);
	sqe_new(r, IORING_OP_RECV, fd[0], &byte, 1, 0);
	submit(r);
	munmap(ring, 8192);
	munmap(sqes, 8192);
	put(fd[1], "x");
	enter(r, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	note("byte %c", byte);
	cqe = (void *)(look + r->params.cq_off.cqes);
	if (look)
		note("#%llu: %d, tail %u", (unsigned long long)cqe->user_data,
		     cqe->res, *(uint32_t *)(look + r->params.cq_off.tail));
	close(r->fd);
	r->fd = -1;
}

static void no_mmap_unmapped(struct ring *r)
{
	no_mmap_gone(r, pages(8192), pages(8192), NULL);
}

static void no_mmap_shared_unmapped(struct ring *r)
{
	int file = memfd_create("ring", 0);
	char *at[3];

	if (ftruncate(file, 16384))
		give_up("no memory");
	for (int i = 0; i < 3; i++)
		at[i] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED,
			     file, i == 1 ? 8192 : 0);
	no_mmap_gone(r, at[0], at[1], at[2]);
}

static void no_mmap_addresses(struct ring *r)
{
	char *good = pages(8192);
	char *also = pages(8192);

	(void)r;
	no_mmap_attempt(good, also);
	no_mmap_attempt(NULL, also);
	no_mmap_attempt(good, NULL);
	no_mmap_attempt(good + 8, also);
	no_mmap_attempt(good, also + 64);
	no_mmap_attempt(nowhere(), also);
	no_mmap_attempt(good, nowhere());
	no_mmap_attempt(read_only(), also);
	no_mmap_attempt(good, read_only());
}

/* Only the application's own memory works with a ring without a file. */
static void registered_fd_only(struct ring *r)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY,
	};
	unsigned char *ring = pages(8192), *sqes = pages(8192);
	struct io_uring_rsrc_update how = {.offset = 0};
	const uint32_t flags =
		IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;

	attempt_flags(IORING_SETUP_REGISTERED_FD_ONLY);
	params.cq_off.user_addr = (uintptr_t)ring;
	params.sq_off.user_addr = (uintptr_t)sqes;
	note_result("setup", ring_try(r, 8, &params));
	note_result("setup", ring_try(r, 8, &params));
	r->sq_memory = ring;
	r->cq_memory = ring;
	r->sqe_memory = sqes;
	ring_map(r);
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, flags, NULL, 0);
	enter(r, 0, 0, 0, NULL, 0);
	note("%u came", ring_ready(r));
	reg(r, IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING,
	    &how, 1);
	enter(r, 0, 0, flags, NULL, 0);
	how.offset = 1;
	reg(r, IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING,
	    &how, 1);
	enter(r, 0, 0, flags, NULL, 0);
	r->fd = -1;
}

/* Each flag with each other one: which combinations are accepted? */
static void flags_in_pairs(struct ring *r)
{
	const uint32_t refused = IORING_SETUP_IOPOLL |
				 IORING_SETUP_HYBRID_IOPOLL |
				 IORING_SETUP_ATTACH_WQ;
	struct io_uring_params params = {.cq_entries = 8};

	(void)r;
	params.cq_off.user_addr = (uintptr_t)pages(8192);
	params.sq_off.user_addr = (uintptr_t)pages(8192);
	for (int a = 0; a < 21; a++)
		for (int b = a; b < 21; b++) {
			params.flags = 1u << a | 1u << b;
			if (!(params.flags & refused))
				attempt(4, params);
		}
}

/* The same together with the flags that they require. */
static void flags_in_company(struct ring *r)
{
	const uint32_t company[] = {
		IORING_SETUP_SQPOLL,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_NO_MMAP | IORING_SETUP_NO_SQARRAY,
	};
	const uint32_t refused =
		IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL |
		IORING_SETUP_ATTACH_WQ | IORING_SETUP_REGISTERED_FD_ONLY;
	struct io_uring_params params = {.cq_entries = 8};

	(void)r;
	params.cq_off.user_addr = (uintptr_t)pages(8192);
	params.sq_off.user_addr = (uintptr_t)pages(8192);
	for (size_t i = 0; i < array_size(company); i++)
		for (int a = 0; a < 21; a++) {
			params.flags = company[i] | 1u << a;
			if (!(params.flags & refused))
				attempt(4, params);
		}
}

/* ---- the file ------------------------------------------------------------ */

static short polled(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLOUT};

	poll(&poll_fd, 1, 0);
	return poll_fd.revents;
}

static void file_polls(struct ring *r)
{
	note("poll 0x%x", (unsigned int)polled(r->fd) & POLLIN);
	sqe_nop(r);
	submit(r);
	note("poll 0x%x", (unsigned int)polled(r->fd) & POLLIN);
	reap(r, 1);
	enter(r, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	note("poll 0x%x", (unsigned int)polled(r->fd) & POLLIN);
}

static void file_polls_after_reaping_alone(struct ring *r)
{
	sqe_nop(r);
	go(r);
	note("poll 0x%x", (unsigned int)polled(r->fd) & POLLIN);
}

/*
 * The result of poll() for the ring once its completions are taken. An SQPOLL
 * thread notices that by itself, a moment after it took the next entry.
 */
static unsigned int polled_when_taken(const struct ring *r)
{
	int tries = 0;

	while (polled(r->fd) & POLLIN && tries++ < 5000)
		pause_ms(1);
	return (unsigned int)polled(r->fd) & POLLIN;
}

/* A completion wakes pollers of the ring without an enter. */
static void file_polls_when_work_is_done(struct ring *r)
{
	char bytes[8];
	int fd[2];
	int i;

	pair(fd, PAIR_STREAM);
	for (i = 0; i < 3; i++) {
		sqe_new(r, IORING_OP_RECV, fd[0], bytes, 8, 0);
		submit(r);
		note("poll 0x%x", polled_when_taken(r));
		put(fd[1], "x");
		wait_readable(r->fd);
		note("poll 0x%x", (unsigned int)polled(r->fd) & POLLIN);
		reap(r, 1);
	}
}

static void file_closes_on_exec(struct ring *r)
{
	note("FD_CLOEXEC %d", fcntl(r->fd, F_GETFD));
	note("access mode %d", fcntl(r->fd, F_GETFL) & O_ACCMODE);
}

static void file_duplicated(struct ring *r)
{
	int other = dup(r->fd);

	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	note_result("enter",
		    side->enter(other, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	reap(r, 1);
	close(r->fd);
	r->fd = other;
	sqe_nop(r);
	go(r);
}

static void file_not_read_or_written(struct ring *r)
{
	char byte = 0;

	note_result("read", read(r->fd, &byte, 1) < 0 ? -errno : 0);
	note_result("write", write(r->fd, &byte, 1) < 0 ? -errno : 0);
	sqe_nop(r);
	go(r);
}

static void out_of_files(struct ring *r)
{
	struct rlimit none = {.rlim_cur = 3, .rlim_max = 4096};

	(void)r;
	setrlimit(RLIMIT_NOFILE, &none);
	attempt_flags(0);
	none.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &none);
	attempt_flags(0);
}

static const struct scenario rows[] = {
	SCENARIO(entries, NULL, .bare = true, .locks = true),
	SCENARIO(cq_size, NULL, .bare = true, .locks = true),
	SCENARIO(unknown_flags, NULL, .bare = true),
	SCENARIO(flags_together, NULL, .bare = true),
	SCENARIO(new_flags, NULL, .bare = true),
	SCENARIO(polled_queues, NULL, .bare = true),
	SCENARIO(sq_affinity, NULL, .bare = true),
	SCENARIO(attach_wq, NULL, .bare = true),
	SCENARIO(reserved, NULL, .bare = true),
	SCENARIO(bad_pointers, NULL, .bare = true),
	SCENARIO(features, NULL, .bare = true),
	SCENARIO(all_features, NULL, .bare = true),
	SCENARIO(offsets, NULL, .bare = true),
	SCENARIO(first_look_at_the_memory, NULL, .bare = true),
	SCENARIO(mapping, NULL, .bare = true),
	SCENARIO(map_too_much, NULL, .bare = true),
	SCENARIO(memory_outlives_the_ring, NULL, .bare = true),
	SCENARIO(layout_plain, NULL, .bare = true),
	SCENARIO(layout_no_sqarray, NULL, .bare = true),
	SCENARIO(layout_sqe128, NULL, .bare = true),
	SCENARIO(layout_cqe32, NULL, .bare = true),
	SCENARIO(layout_everything, NULL, .bare = true),
	SCENARIO(layout_cqsize, NULL, .bare = true),
	SCENARIO(no_mmap, NULL, .bare = true),
	SCENARIO(no_mmap_truncated, NULL, .bare = true),
	SCENARIO(no_mmap_addresses, NULL, .bare = true),
	SCENARIO(no_mmap_unmapped, NULL, .bare = true),
	SCENARIO(no_mmap_shared_unmapped, NULL, .bare = true),
	SCENARIO(registered_fd_only, NULL, .bare = true),
	SCENARIO(flags_in_pairs, NULL, .bare = true),
	SCENARIO(flags_in_company, NULL, .bare = true),
	SCENARIO(file_polls, NULL),
	SCENARIO(file_polls_after_reaping_alone, NULL, .deviates = "ring-file"),
	SCENARIO(file_polls_when_work_is_done, NULL, .modes = MODES_ALL),
	SCENARIO(file_closes_on_exec, NULL),
	SCENARIO(file_duplicated, NULL),
	SCENARIO(file_not_read_or_written, NULL, .deviates = "ring-file"),
	SCENARIO(out_of_files, NULL, .bare = true),
};

FAMILY(setup, rows);
