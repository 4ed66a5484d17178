// SPDX-License-Identifier: MIT
#include "drive/hold.h"

#include <errno.h>

#include "base/compiler.h"
#include "base/lock.h"
#include "base/sys.h"
#include "base/tool.h"
#include "drive/aio_ring.h"

#define CONTEXTS_MAX 9u
#define FIRST_ROOM 64u
#define REAP_MAX 32u

static struct {
	struct lock lock;
	uint32_t open; /* contexts made so far */
	aio_context_t contexts[CONTEXTS_MAX];
	uint32_t under_way[CONTEXTS_MAX];
} hold;

static uint32_t hold_room(uint32_t context)
{
	return FIRST_ROOM << context;
}

static int hold_context_add(void) HOLDS(&hold.lock)
{
	aio_context_t context = 0;
	long err;

	/* valgrind doesn't know IOCB_CMD_POLL. */
	if (hold.open == CONTEXTS_MAX || under_valgrind())
		return -EAGAIN;
	err = SYS_2(SYS_io_setup, hold_room(hold.open), &context);
	if (err < 0)
		return (int)err;
	hold.contexts[hold.open] = context;
	/* Pairs with the acquire in hold_any(). */
	store_release(&hold.open, hold.open + 1);
	return 0;
}

static int hold_in(uint32_t context, int fd, uint64_t data) HOLDS(&hold.lock)
{
	struct iocb poll = {
		.aio_data = data,
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)fd,
	};
	struct iocb *first = &poll;
	long n;

	if (hold.under_way[context] >= hold_room(context))
		return -EAGAIN;
	n = SYS_3(SYS_io_submit, hold.contexts[context], 1, &first);
	hold.under_way[context] += n == 1;
	return n == 1 ? 0 : n < 0 ? (int)n : -EAGAIN;
}

int hold_begin(int fd, uint64_t data)
{
	int err = -EAGAIN;

	lock_take(&hold.lock);
	for (uint32_t i = 0; err == -EAGAIN && i < CONTEXTS_MAX; i++) {
		err = i == hold.open ? hold_context_add() : 0;
		if (err)
			break;
		err = hold_in(i, fd, data);
	}
	lock_drop(&hold.lock);
	return err;
}

bool hold_any(void)
{
	/* Pairs with the release in hold_context_add(). */
	uint32_t open = load_acquire(&hold.open);

	for (uint32_t i = 0; i < open; i++)
		if (aio_ring_has(hold.contexts[i]))
			return true;
	return false;
}

static long hold_take(uint32_t context, struct io_event *events)
{
	long n;

	lock_take(&hold.lock);
	n = hold.under_way[context]
		    ? aio_ring_take(hold.contexts[context], events, REAP_MAX)
		    : 0;
	if (n > 0)
		hold.under_way[context] -= (uint32_t)n;
	lock_drop(&hold.lock);
	return n;
}

void hold_reap(void (*gone)(uint64_t data))
{
	struct io_event events[REAP_MAX];
	/* Pairs with the release in hold_context_add(). */
	uint32_t open = load_acquire(&hold.open);

	for (uint32_t i = 0; i < open; i++) {
		long n = REAP_MAX;

		while (n == REAP_MAX) {
			n = hold_take(i, events);
			for (long k = 0; k < n; k++)
				gone(events[k].data);
		}
	}
}

void hold_forget(void)
{
	hold.lock.word = 0;
	hold.open = 0;
	for (uint32_t i = 0; i < CONTEXTS_MAX; i++)
		hold.under_way[i] = 0;
}
