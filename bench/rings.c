// SPDX-License-Identifier: MIT
/*
 * A ring a thread: reads of 64 bytes of /dev/zero in batches of 64, by as many
 * threads as asked for, each with a ring of its own. It shows what different
 * rings share by accident.
 *
 *	rings THREADS MILLISECONDS
 */
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>

#include "common.h"

#define BATCH 64u
#define BYTES 64u
#define THREADS_MAX 16u

static pthread_barrier_t start;
static uint64_t until;

struct reader {
	pthread_t thread;
	uint64_t ops;
	char bytes[BATCH][BYTES];
};

static void read_batch(struct io_uring *ring, int file, struct reader *reader)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	for (unsigned int i = 0; i < BATCH; i++)
		io_uring_prep_read(io_uring_get_sqe(ring), file,
				   reader->bytes[i], BYTES, 0);
	check(io_uring_submit_and_wait(ring, BATCH), "submit");
	io_uring_for_each_cqe(ring, head, cqe)
	{
		check(cqe->res, "read");
		seen++;
	}
	io_uring_cq_advance(ring, seen);
	reader->ops += seen;
}

static void *read_all(void *argument)
{
	struct reader *reader = argument;
	int file = check_libc(open("/dev/zero", O_RDONLY), "open");
	struct io_uring ring;

	check(io_uring_queue_init(BATCH, &ring,
				  IORING_SETUP_SINGLE_ISSUER |
					  IORING_SETUP_DEFER_TASKRUN),
	      "queue_init");
	read_batch(&ring, file, reader);
	reader->ops = 0;
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&start);
	while (wall_ns() < until)
		read_batch(&ring, file, reader);
	io_uring_queue_exit(&ring);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct reader readers[THREADS_MAX];
	unsigned int threads = argument(argc, argv, 1, 1);
	uint64_t ns = argument(argc, argv, 2, 200) * 1000000ull;
	uint64_t cpu, wall, ops = 0;

	if (!threads || threads > THREADS_MAX)
		check(-EINVAL, "rings THREADS MILLISECONDS");
	pthread_barrier_init(&start, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++)
		check(-pthread_create(&readers[i].thread, NULL, read_all,
				      &readers[i]),
		      "thread");
	pthread_barrier_wait(&start);
	cpu = cpu_ns();
	wall = wall_ns();
	until = wall + ns;
	pthread_barrier_wait(&start);
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(readers[i].thread, NULL);
		ops += readers[i].ops;
	}
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)ops, (unsigned long long)(wall_ns() - wall),
	       (unsigned long long)(cpu_ns() - cpu));
	return 0;
}
