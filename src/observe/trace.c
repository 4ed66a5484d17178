// SPDX-License-Identifier: MIT
#include "observe/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/thread.h"

/* Once mapped, it stays. UNWATCHED: there is none. */
static struct trace_memory *memory;
#define UNWATCHED ((struct trace_memory *)1)

static struct trace_memory *trace_map(int fd)
{
	const long bytes = sizeof(struct trace_memory);
	long at;

	/* A smaller file would raise SIGBUS where it ends. */
	if (SYS_3(SYS_lseek, fd, 0, SEEK_END) != bytes)
		return UNWATCHED;
	at = SYS_6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (at < 0)
		return UNWATCHED;
	if (((struct trace_memory *)at)->magic == TRACE_MAGIC)
		return (struct trace_memory *)at;
	SYS_2(SYS_munmap, at, bytes);
	return UNWATCHED;
}

static struct trace_memory *trace_memory_open(void)
{
	const char *path = secure_getenv(TRACE_VARIABLE);
	struct trace_memory *mapped = UNWATCHED;
	long fd;

	if (!path || !*path)
		return UNWATCHED;
	fd = SYS_4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return UNWATCHED;
	mapped = trace_map((int)fd);
	SYS_1(SYS_close, fd);
	return mapped;
}

/* Two threads may set up the first rings at once: one of their maps is used. */
static struct trace_memory *trace_memory_find(void)
{
	/* Pairs with the exchange below. */
	struct trace_memory *found = load_acquire(&memory);
	struct trace_memory *none = NULL;

	if (found)
		return found;
	found = trace_memory_open();
	if (__atomic_compare_exchange_n(&memory, &none, found, false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return found;
	if (found != UNWATCHED)
		SYS_2(SYS_munmap, found, sizeof(*found));
	/* Pairs with the exchange above, in the other thread. */
	return load_acquire(&memory);
}

static bool trace_take(struct trace_channel *channel)
{
	uint32_t state = TRACE_FREE;

	/* The acquire pairs with the watcher's release when it frees it. */
	return __atomic_compare_exchange_n(&channel->state, &state, TRACE_TAKEN,
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

struct trace_channel *trace_channel_take(int ring_fd, uint32_t setup_flags)
{
	struct trace_memory *watched = trace_memory_find();

	if (likely(watched == UNWATCHED))
		return NULL;
	for (uint32_t i = 0; i < TRACE_CHANNELS; i++) {
		struct trace_channel *channel = &watched->channels[i];

		if (!trace_take(channel))
			continue;
		channel->pid = (int32_t)SYS_0(SYS_getpid);
		channel->ring_fd = ring_fd;
		channel->setup_flags = setup_flags;
		channel->untaken = 0;
		store_release(&channel->state, TRACE_OPEN);
		return channel;
	}
	__atomic_fetch_add(&watched->without, 1, __ATOMIC_RELAXED);
	return NULL;
}

void trace_channel_close(struct trace_channel *channel, uint32_t untaken)
{
	store_relaxed(&channel->untaken, untaken);
	store_release(&channel->state, TRACE_CLOSED);
}

/* Room for an event, or NULL after counting it as dropped. */
static struct trace_event *trace_begin(struct trace_channel *channel,
				       enum trace_kind kind)
{
	uint64_t at = channel->written;
	struct trace_event *event = &channel->events[at & (TRACE_EVENTS - 1)];

	/* Pairs with the watcher's release when it has read an event. */
	if (unlikely(at - load_acquire(&channel->read) >= TRACE_EVENTS)) {
		store_relaxed(&channel->dropped, channel->dropped + 1);
		return NULL;
	}
	event->ticks = trace_ticks();
	event->kind = (uint8_t)kind;
	event->thread = thread_id(thread_number());
	return event;
}

static void trace_end(struct trace_channel *channel)
{
	store_release(&channel->written, channel->written + 1);
}

void trace_submit(struct trace_channel *channel, const void *entry)
{
	struct trace_event *event = trace_begin(channel, TRACE_SUBMIT);

	if (!event)
		return;
	memcpy(event->entry, entry, TRACE_ENTRY_BYTES);
	trace_end(channel);
}

void trace_complete(struct trace_channel *channel, enum trace_kind kind,
		    uint64_t user_data, int32_t res, uint32_t flags)
{
	struct trace_event *event = trace_begin(channel, kind);

	if (!event)
		return;
	event->done.user_data = user_data;
	event->done.res = res;
	event->done.flags = flags;
	trace_end(channel);
}
