// SPDX-License-Identifier: MIT
/*
 * A program of somebody else's, built with what is installed: one nop through
 * the library. Exit status 0: it was served.
 */
#include <linux/io_uring.h>
#include <polyring/kbuf.h>
#include <polyring/polyring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	struct io_uring_params params;
	uint32_t *tail, *array;
	char *queues, version[32];
	long at;
	int ring;

	snprintf(version, sizeof(version), "%d.%d.%d", POLYRING_VERSION_MAJOR,
		 POLYRING_VERSION_MINOR, POLYRING_VERSION_PATCH);
	if (strcmp(version, POLYRING_VERSION) != 0 ||
	    strcmp(polyring_version(), POLYRING_VERSION) != 0)
		return 2;
	memset(&params, 0, sizeof(params));
	ring = polyring_setup(1, &params);
	if (ring < 0)
		return 3;
	at = polyring_mmap(NULL, params.cq_off.cqes + 64,
			   PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			   IORING_OFF_SQ_RING);
	if (at < 0)
		return 4;
	queues = (char *)at;
	if (polyring_mmap(NULL, sizeof(struct io_uring_sqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			  IORING_OFF_SQES) < 0)
		return 5;
	/* The entry is all zero: a nop. */
	array = (uint32_t *)(void *)(queues + params.sq_off.array);
	array[0] = 0;
	tail = (uint32_t *)(void *)(queues + params.sq_off.tail);
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (polyring_enter(ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return 6;
	tail = (uint32_t *)(void *)(queues + params.cq_off.tail);
	if (__atomic_load_n(tail, __ATOMIC_ACQUIRE) != 1)
		return 7;
	close(ring);
	puts(polyring_version());
	return 0;
}
