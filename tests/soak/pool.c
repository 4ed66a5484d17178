// SPDX-License-Identifier: MIT
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/compiler.h"

#define RING_BYTES (POOL_BUFFERS * sizeof(struct io_uring_buf))

char *pool_buffer(const struct pool *pool, uint16_t bid)
{
	return pool->memory + (size_t)bid * POOL_EACH_MAX;
}

static void *pages(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		soak_fail("no memory");
	return at;
}

static void ring_register(struct pool *pool, int ring_fd)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)pool->ring,
		.ring_entries = POOL_BUFFERS,
		.bgid = pool->bgid,
		.flags = pool->kind == POOL_INC ? IOU_PBUF_RING_INC : 0,
	};
	int err =
		polyring_register(ring_fd, IORING_REGISTER_PBUF_RING, &reg, 1);

	if (err < 0)
		soak_fail("%s: register: %d", pool->name, err);
}

void pool_open(struct pool *pool, int ring_fd)
{
	if (!pool->memory) {
		pool->memory = pages(POOL_BUFFERS * POOL_EACH_MAX);
		pool->ring = pages(RING_BYTES);
	}
	memset(pool->ring, 0, RING_BYTES);
	pool->with_app = 0;
	pool->tail = pool->head = 0;
	pool->provided = 0;
	pool->armed = 0;
	memset(pool->is_owned, 0, sizeof(pool->is_owned));
	for (uint32_t bid = 0; bid < POOL_BUFFERS; bid++)
		pool_give(pool, (uint16_t)bid);
	pool->circulated -= POOL_BUFFERS;
	if (pool->kind != POOL_CLASSIC)
		ring_register(pool, ring_fd);
}

void pool_give(struct pool *pool, uint16_t bid)
{
	if (bid >= POOL_BUFFERS || pool->is_owned[bid])
		soak_fail("%s: buffer %u came back twice", pool->name, bid);
	pool->is_owned[bid] = true;
	pool->left[bid] = pool->each;
	pool->owned[pool->with_app++] = bid;
	pool->circulated++;
}

uint16_t pool_take(struct pool *pool)
{
	uint16_t bid = (uint16_t)pool->owned[--pool->with_app];

	pool->is_owned[bid] = false;
	pool->place[bid] = pool->tail % POOL_BUFFERS;
	pool->order[pool->place[bid]] = bid;
	pool->tail++;
	return bid;
}

uint32_t pool_publish(struct pool *pool, uint32_t count)
{
	struct io_uring_buf *entry;
	uint16_t bid;

	if (count > pool->with_app)
		count = pool->with_app;
	for (uint32_t i = 0; i < count; i++) {
		bid = pool_take(pool);
		entry = &pool->ring->first[pool->place[bid]];
		entry->addr = (uintptr_t)pool_buffer(pool, bid);
		entry->len = pool->each;
		entry->bid = bid;
	}
	store_release(&pool->ring->tail, pool->tail);
	return count;
}

/*
 * @bytes of a buffer are used; the application has it again when none are left.
 */
static void use(struct pool *pool, uint16_t bid, uint32_t bytes)
{
	if (pool->is_owned[bid])
		soak_fail("%s: buffer %u was the application's", pool->name,
			  bid);
	pool->left[bid] -= bytes;
	if (pool->kind != POOL_INC || !pool->left[bid])
		pool_give(pool, bid);
}

void pool_completed(struct pool *pool, int32_t res, uint32_t flags,
		    bool bundled,
		    void (*see)(void *argument, const char *bytes,
				uint32_t count),
		    void *argument)
{
	uint16_t bid = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
	uint32_t left = res > 0 ? (uint32_t)res : 0;
	uint32_t room, part;
	bool more = flags & IORING_CQE_F_BUF_MORE;

	if (!left) {
		/*
		 * A buffer that was consumed without a byte comes back whole.
		 */
		if (!more)
			use(pool, bid, pool->left[bid]);
		return;
	}
	for (;;) {
		room = pool->left[bid];
		part = left < room ? left : room;
		see(argument, pool_buffer(pool, bid) + pool->each - room, part);
		use(pool, bid, part);
		left -= part;
		if (!left)
			break;
		if (!bundled)
			soak_fail("%s: %u bytes too many", pool->name, left);
		bid = pool->order[(pool->place[bid] + 1) % POOL_BUFFERS];
	}
	if (pool->kind == POOL_INC && more == pool->is_owned[bid])
		soak_fail("%s: F_BUF_MORE is %d, %u bytes left", pool->name,
			  more, pool->left[bid]);
}

static uint32_t ring_head(const struct pool *pool, int ring_fd)
{
	struct io_uring_buf_status status = {.buf_group = pool->bgid};
	int err = polyring_register(ring_fd, IORING_REGISTER_PBUF_STATUS,
				    &status, 1);

	if (err < 0)
		soak_fail("%s: status: %d", pool->name, err);
	return status.head;
}

void pool_take_sent(struct pool *pool, int ring_fd)
{
	uint16_t head = (uint16_t)ring_head(pool, ring_fd);

	for (; pool->head != head; pool->head++)
		pool_give(pool, pool->order[pool->head % POOL_BUFFERS]);
}

static uint32_t classic_queued(const struct pool *pool, int ring_fd)
{
	struct kbuf_counters c;
	uint64_t held;

	if (polyring_group_counters(ring_fd, pool->bgid, &c) < 0)
		return 0;
	held = c.provided - c.queued - c.committed - c.returned;
	if (held > pool->armed || c.provided != pool->provided)
		soak_fail("%s: %llu held, %llu provided", pool->name,
			  (unsigned long long)held,
			  (unsigned long long)c.provided);
	return c.queued + (uint32_t)held;
}

void pool_check(const struct pool *pool, int ring_fd)
{
	uint32_t queued, sum;

	if (pool->kind == POOL_CLASSIC)
		queued = classic_queued(pool, ring_fd);
	else
		queued = (uint16_t)(pool->tail - ring_head(pool, ring_fd));
	sum = queued + pool->with_app;
	if (sum > POOL_BUFFERS || sum + pool->armed < POOL_BUFFERS ||
	    (pool->kind == POOL_CLASSIC && !pool->sends && sum != POOL_BUFFERS))
		soak_fail("%s: %u queued, %u with the application, %u armed",
			  pool->name, queued, pool->with_app, pool->armed);
}

static void give_queued(struct pool *pool, int ring_fd)
{
	uint16_t at = (uint16_t)ring_head(pool, ring_fd);

	for (; at != pool->tail; at++)
		pool_give(pool, pool->order[at % POOL_BUFFERS]);
}

static void give_removed(struct pool *pool, uint32_t removed)
{
	if (pool->with_app + removed != POOL_BUFFERS)
		soak_fail("%s: %u removed, %u with the application", pool->name,
			  removed, pool->with_app);
	for (uint32_t bid = 0; bid < POOL_BUFFERS; bid++)
		if (!pool->is_owned[bid])
			pool_give(pool, (uint16_t)bid);
}

void pool_close(struct pool *pool, int ring_fd, uint32_t removed)
{
	uint64_t circulated = pool->circulated;

	if (pool->kind == POOL_CLASSIC)
		give_removed(pool, removed);
	else
		give_queued(pool, ring_fd);
	pool->circulated = circulated;
	if (pool->with_app != POOL_BUFFERS)
		soak_fail("%s: %u of %u came back", pool->name, pool->with_app,
			  POOL_BUFFERS);
}
