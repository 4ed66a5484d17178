// SPDX-License-Identifier: MIT
/*
 * Many timers armed at once: N timeouts, due within a tenth of a second from
 * one to the next in no order, each of which must end with ETIME and not
 * before its time.
 *
 *	timeouts [N]
 */
#include <liburing.h>

#include "common.h"

#define BATCH 512u
#define BEGIN_NS 100000000u
#define SPREAD_NS 100000000u

static struct io_uring ring;
static struct __kernel_timespec *due;

static void arm(unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		due[i].tv_nsec = BEGIN_NS + (i * 2654435761u) % SPREAD_NS;
		io_uring_prep_timeout(sqe, &due[i], 0, 0);
		sqe->user_data = i;
	}
	check(io_uring_submit(&ring), "submit");
}

static unsigned int reap(void)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		if (cqe->res != -ETIME)
			check(-EPROTO, "no ETIME");
		seen++;
	}
	io_uring_cq_advance(&ring, seen);
	return seen;
}

int main(int argc, char **argv)
{
	unsigned int count = argument(argc, argv, 1, 100000), done = 0;
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 32768,
	};
	uint64_t cpu, wall;

	due = calloc(count, sizeof(*due));
	check(io_uring_queue_init_params(BATCH, &ring, &params), "queue_init");
	wall = wall_ns();
	cpu = cpu_ns();
	for (unsigned int i = 0; i < count; i += BATCH)
		arm(i, i + BATCH < count ? i + BATCH : count);
	while (done < count) {
		check(io_uring_submit_and_wait(&ring, 1), "wait");
		done += reap();
	}
	cpu = cpu_ns() - cpu;
	printf("{\"ops\":%u,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n", count,
	       (unsigned long long)(wall_ns() - wall), (unsigned long long)cpu);
	return 0;
}
