/* SPDX-License-Identifier: MIT */
/* MEM_REGION, and arguments of enter that are in a region (EXT_ARG_REG). */
#include "runner/scenario.h"

#define PAGE 4096u

static int region(struct ring *r, uint64_t flags,
		  struct io_uring_region_desc *desc)
{
	struct io_uring_mem_region_reg how = {
		.region_uptr = (uintptr_t)desc,
		.flags = flags,
	};

	return reg(r, IORING_REGISTER_MEM_REGION, &how, 1);
}

static void enable(struct ring *r)
{
	reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* A region of the application's memory for waits; the ring starts disabled. */
static struct io_uring_reg_wait *waits_open(struct ring *r)
{
	struct io_uring_region_desc desc = {
		.user_addr = (uintptr_t)pages(PAGE),
		.size = PAGE,
		.flags = IORING_MEM_REGION_TYPE_USER,
	};

	ring_open(r, 8, IORING_SETUP_R_DISABLED);
	region(r, IORING_MEM_REGION_REG_WAIT_ARG, &desc);
	enable(r);
	return (void *)(uintptr_t)desc.user_addr;
}

static void map_region(struct ring *r, uint64_t offset, size_t bytes, int prot)
{
	long at = side->map(NULL, bytes, prot, MAP_SHARED, r->fd, offset);

	if (at < 0)
		note_result("map", at);
	else
		note("mapped, %d %d", *(char *)at, ((char *)at)[PAGE]);
}

static void of_the_application(struct ring *r)
{
	struct io_uring_region_desc desc = {
		.user_addr = (uintptr_t)pages(2 * PAGE),
		.size = 2 * PAGE,
		.flags = IORING_MEM_REGION_TYPE_USER,
	};

	region(r, 0, &desc);
	note("offset 0x%llx flags %u id %u size %llu",
	     (unsigned long long)desc.mmap_offset, desc.flags, desc.id,
	     (unsigned long long)desc.size);
	map_region(r, IORING_OFF_PARAM_REGION, 2 * PAGE, PROT_READ);
	region(r, 0, &desc);
}

static void of_the_engine(struct ring *r)
{
	struct io_uring_region_desc desc = {.size = 2 * PAGE};

	map_region(r, IORING_OFF_PARAM_REGION, PAGE, PROT_READ);
	region(r, 0, &desc);
	note("offset 0x%llx flags %u id %u addr %llu size %llu",
	     (unsigned long long)desc.mmap_offset, desc.flags, desc.id,
	     (unsigned long long)desc.user_addr, (unsigned long long)desc.size);
	map_region(r, desc.mmap_offset, 2 * PAGE, PROT_READ | PROT_WRITE);
	map_region(r, desc.mmap_offset, PAGE, PROT_READ);
	map_region(r, desc.mmap_offset, 64, PROT_READ);
	map_region(r, desc.mmap_offset, 4 * PAGE, PROT_READ);
	map_region(r, desc.mmap_offset + PAGE, PAGE, PROT_READ);
}

static void sizes(struct ring *r)
{
	const uint64_t bytes[] = {0,
				  1,
				  64,
				  PAGE - 1,
				  PAGE + 1,
				  UINT64_MAX,
				  UINT64_C(1) << 63,
				  UINT64_C(1) << 44};
	struct ring one;

	(void)r;
	for (size_t i = 0; i < array_size(bytes); i++) {
		struct io_uring_region_desc desc = {.size = bytes[i]};

		ring_open(&one, 4, 0);
		region(&one, 0, &desc);
		desc.user_addr = (uintptr_t)pages(4 * PAGE);
		desc.flags = IORING_MEM_REGION_TYPE_USER;
		region(&one, 0, &desc);
		ring_close(&one);
	}
}

static void errors(struct ring *r)
{
	struct io_uring_region_desc good = {
		.user_addr = (uintptr_t)pages(PAGE),
		.size = PAGE,
		.flags = IORING_MEM_REGION_TYPE_USER,
	};
	struct io_uring_region_desc desc = good, *half = nowhere();
	struct io_uring_mem_region_reg how = {
		.region_uptr = (uintptr_t)&desc,
	};

	reg(r, IORING_REGISTER_MEM_REGION, NULL, 1);
	reg(r, IORING_REGISTER_MEM_REGION, nowhere(), 1);
	reg(r, IORING_REGISTER_MEM_REGION, &how, 0);
	reg(r, IORING_REGISTER_MEM_REGION, &how, 2);
	how.resv[1] = 1;
	reg(r, IORING_REGISTER_MEM_REGION, &how, 1);
	how.resv[1] = 0;
	how.flags = 2;
	reg(r, IORING_REGISTER_MEM_REGION, &how, 1);
	how.flags = IORING_MEM_REGION_REG_WAIT_ARG;
	reg(r, IORING_REGISTER_MEM_REGION, &how, 1);
	how.flags = 0;
	how.region_uptr = 0;
	reg(r, IORING_REGISTER_MEM_REGION, &how, 1);
	region(r, 0, half);
	desc.flags = 2;
	region(r, 0, &desc);
	desc.flags = 0;
	region(r, 0, &desc);
	desc = good;
	desc.user_addr = 0;
	region(r, 0, &desc);
	desc = good;
	desc.user_addr += 64;
	region(r, 0, &desc);
	desc = good;
	desc.user_addr = (uintptr_t)nowhere();
	region(r, 0, &desc);
	desc.user_addr = (uintptr_t)read_only();
	region(r, 0, &desc);
	desc.user_addr = UINT64_MAX - PAGE + 1;
	region(r, 0, &desc);
	desc = good;
	desc.resv[3] = 1;
	region(r, 0, &desc);
	desc = good;
	desc.mmap_offset = 1;
	region(r, 0, &desc);
	desc = good;
	desc.id = 1;
	region(r, 0, &desc);
	desc = good;
	region(r, 0, &desc);
}

/* The description can be read but not written: nothing is registered. */
static void description_read_only(struct ring *r)
{
	struct io_uring_region_desc *desc = pages(PAGE);
	struct io_uring_region_desc again = {.size = PAGE};

	desc->size = PAGE;
	mprotect(desc, PAGE, PROT_READ);
	region(r, 0, desc);
	region(r, 0, &again);
}

static void waits_want_a_disabled_ring(struct ring *r)
{
	struct io_uring_region_desc desc = {.size = PAGE};

	region(r, IORING_MEM_REGION_REG_WAIT_ARG, &desc);
	enter(r, 0, 1,
	      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG_REG |
		      IORING_ENTER_EXT_ARG,
	      NULL, sizeof(struct io_uring_reg_wait));
}

#define WAIT_FLAGS                                       \
	(IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | \
	 IORING_ENTER_EXT_ARG_REG)

static int wait_at(struct ring *r, uint64_t offset, size_t bytes)
{
	return enter(r, 0, 1, WAIT_FLAGS, (void *)(uintptr_t)offset, bytes);
}

static void waits(struct ring *r)
{
	struct io_uring_reg_wait *wait = waits_open(r);

	wait[3].flags = IORING_REG_WAIT_TS;
	wait[3].ts.tv_nsec = 2000000;
	wait_at(r, 3 * sizeof(*wait), sizeof(*wait));
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, WAIT_FLAGS, (void *)(3 * sizeof(*wait)), sizeof(*wait));
	reap(r, 1);
	/* Without the flag there is no time limit. */
	wait[2].ts.tv_nsec = 1;
	sqe_nop(r);
	store_release(r->sq_tail, r->next);
	enter(r, 1, 1, WAIT_FLAGS, (void *)(2 * sizeof(*wait)), sizeof(*wait));
	reap(r, 1);
	/* A minimum wait. */
	wait[4].flags = IORING_REG_WAIT_TS;
	wait[4].min_wait_usec = 1000;
	wait[4].ts.tv_nsec = 2000000;
	wait_at(r, 4 * sizeof(*wait), sizeof(*wait));
	/* An absolute time. */
	wait[5].flags = IORING_REG_WAIT_TS;
	wait[5].ts.tv_sec = 1;
	enter(r, 0, 1, WAIT_FLAGS | IORING_ENTER_ABS_TIMER,
	      (void *)(5 * sizeof(*wait)), sizeof(*wait));
}

static void waits_in_memory_of_the_engine(struct ring *r)
{
	struct io_uring_region_desc desc = {.size = PAGE};
	struct io_uring_reg_wait *wait;
	long at;

	ring_open(r, 8, IORING_SETUP_R_DISABLED);
	region(r, IORING_MEM_REGION_REG_WAIT_ARG, &desc);
	enable(r);
	at = side->map(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       desc.mmap_offset);
	if (at < 0)
		give_up("no region");
	wait = (void *)at;
	wait[62].flags = IORING_REG_WAIT_TS;
	wait[62].ts.tv_nsec = 2000000;
	wait_at(r, 62 * sizeof(*wait), sizeof(*wait));
}

static void waits_errors(struct ring *r)
{
	struct io_uring_reg_wait *wait = waits_open(r);

	wait[0].flags = IORING_REG_WAIT_TS;
	wait_at(r, 0, sizeof(*wait));
	wait_at(r, 1, sizeof(*wait));
	wait_at(r, 4, sizeof(*wait));
	wait_at(r, 60, sizeof(*wait));
	wait_at(r, 4032, sizeof(*wait));
	wait_at(r, 4040, sizeof(*wait));
	wait_at(r, 4096, sizeof(*wait));
	wait_at(r, UINT64_MAX - 63, sizeof(*wait));
	wait_at(r, 0, 0);
	wait_at(r, 0, 63);
	wait_at(r, 0, 24);
	wait_at(r, 0, 128);
	wait[0].flags = 2;
	wait_at(r, 0, sizeof(*wait));
	wait[0].flags = IORING_REG_WAIT_TS;
	wait[0].pad[0] = 1;
	wait_at(r, 0, sizeof(*wait));
	wait[0].pad[0] = 0;
	wait[0].pad2[1] = 1;
	wait_at(r, 0, sizeof(*wait));
	wait[0].pad2[1] = 0;
	wait[0].sigmask = (uintptr_t)nowhere();
	wait[0].sigmask_sz = 8;
	wait_at(r, 0, sizeof(*wait));
	wait[0].sigmask_sz = 4;
	wait_at(r, 0, sizeof(*wait));
	wait[0].sigmask = 0;
	wait[0].ts.tv_sec = -1;
	wait_at(r, 0, sizeof(*wait));
	enter(r, 0, 0, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG_REG, NULL,
	      sizeof(*wait));
	enter(r, 0, 0, WAIT_FLAGS, (void *)1, sizeof(*wait));
	enter(r, 0, 0, IORING_ENTER_EXT_ARG_REG, NULL, 0);
}

static void waits_without_a_region(struct ring *r)
{
	wait_at(r, 0, sizeof(struct io_uring_reg_wait));
	wait_at(r, 0, 0);
	sqe_nop(r);
	submit(r);
	wait_at(r, 0, sizeof(struct io_uring_reg_wait));
	reap(r, 1);
}

/* A region that was not registered for waits. */
static void waits_without_being_asked_for(struct ring *r)
{
	struct io_uring_region_desc desc = {.size = PAGE};

	region(r, 0, &desc);
	wait_at(r, 0, sizeof(struct io_uring_reg_wait));
}

static void on_signal(int signo)
{
	(void)signo;
}

static void waits_with_signals(struct ring *r)
{
	struct io_uring_reg_wait *wait = waits_open(r);
	uint64_t mask = UINT64_MAX;
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGALRM, &action, NULL);
	wait->flags = IORING_REG_WAIT_TS;
	wait->ts.tv_nsec = 40000000;
	wait->sigmask = (uintptr_t)&mask;
	wait->sigmask_sz = 8;
	ualarm(5000, 0);
	wait_at(r, 0, sizeof(*wait));
	wait->sigmask = 0;
	wait->ts.tv_sec = 60;
	ualarm(5000, 0);
	wait_at(r, 0, sizeof(*wait));
}

static const struct scenario rows[] = {
	SCENARIO(of_the_application, NULL),
	SCENARIO(of_the_engine, NULL),
	SCENARIO(sizes, NULL, .bare = true),
	SCENARIO(errors, NULL),
	SCENARIO(description_read_only, NULL),
	SCENARIO(waits_want_a_disabled_ring, NULL),
	SCENARIO(waits, NULL, .bare = true),
	SCENARIO(waits_in_memory_of_the_engine, NULL, .bare = true),
	SCENARIO(waits_errors, NULL, .bare = true),
	SCENARIO(waits_without_a_region, NULL),
	SCENARIO(waits_without_being_asked_for, NULL),
	SCENARIO(waits_with_signals, NULL, .bare = true),
};

FAMILY(region, rows);
