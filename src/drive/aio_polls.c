// SPDX-License-Identifier: MIT
#include "drive/aio_polls.h"

#include <errno.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "drive/aio_ring.h"

/* How long a cancel waits for the kernel's thread. */
#define CANCEL_YIELDS 64

/* Room in each context. The kernel keeps a few of them for each CPU. */
static const uint32_t context_room[] = {64, 1024, 16384};

#define CONTEXTS array_size(context_room)
#define BLOCK_ENTRIES 64u
#define BLOCKS_MAX 16 /* each twice as large as the one before */

struct entry {
	struct iocb io;
	void *owner; /* NULL: canceled */
	uint32_t next_free;
	uint32_t context;
};

struct context {
	aio_context_t name;
	uint32_t under_way;
};

struct aio_polls {
	const int *event_fd;
	uint32_t contexts_open;
	struct context contexts[CONTEXTS];
	struct entry *blocks[BLOCKS_MAX];
	uint32_t blocks_made;
	uint32_t first_free; /* its number and 1; 0: none */
	struct iocb *list[AIO_POLLS_BATCH];
};

/* Block 0 has the first 64 entries, block 1 the next 128, and so on. */
static struct entry *entry_at(const struct aio_polls *p, uint32_t number)
{
	uint32_t block =
		31 - (uint32_t)__builtin_clz(number / BLOCK_ENTRIES + 1);
	uint32_t before = BLOCK_ENTRIES * ((1u << block) - 1);

	return &p->blocks[block][number - before];
}

static void entry_free(struct aio_polls *p, uint32_t number)
{
	struct entry *e = entry_at(p, number);

	e->owner = NULL;
	e->next_free = p->first_free;
	p->first_free = number + 1;
}

static bool block_add(struct aio_polls *p)
{
	uint32_t block = p->blocks_made;
	uint32_t first = BLOCK_ENTRIES * ((1u << block) - 1);
	uint32_t count = BLOCK_ENTRIES << block;

	if (block == BLOCKS_MAX)
		return false;
	p->blocks[block] = mem_new(count, sizeof(struct entry));
	if (!p->blocks[block])
		return false;
	p->blocks_made++;
	while (count--)
		entry_free(p, first + count);
	return true;
}

static int entry_take(struct aio_polls *p)
{
	uint32_t number;

	if (!p->first_free && !block_add(p))
		return -ENOMEM;
	number = p->first_free - 1;
	p->first_free = entry_at(p, number)->next_free;
	return (int)number;
}

static int context_add(struct aio_polls *p)
{
	struct context *c = &p->contexts[p->contexts_open];
	long err;

	if (p->contexts_open == CONTEXTS)
		return -EAGAIN;
	*c = (struct context){.name = 0};
	err = SYS_2(SYS_io_setup, context_room[p->contexts_open], &c->name);
	if (!err)
		p->contexts_open++;
	return (int)err;
}

struct aio_polls *aio_polls_open(const int *event_fd)
{
	struct aio_polls *p = mem_new(1, sizeof(*p));

	if (!p)
		return NULL;
	p->event_fd = event_fd;
	if (block_add(p) && context_add(p) == 0)
		return p;
	aio_polls_abandon(p);
	return NULL;
}

void aio_polls_close(struct aio_polls *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->contexts_open; i++)
		SYS_1(SYS_io_destroy, p->contexts[i].name);
	aio_polls_abandon(p);
}

void aio_polls_abandon(struct aio_polls *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->blocks_made; i++)
		mem_free(p->blocks[i]);
	mem_free(p);
}

static void entry_set(struct aio_polls *p, struct aio_poll_start *start)
{
	struct entry *e;

	start->result = entry_take(p);
	if (start->result < 0)
		return;
	e = entry_at(p, (uint32_t)start->result);
	e->owner = start->owner;
	e->io = (struct iocb){
		.aio_data = (uint32_t)start->result,
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)start->fd,
		.aio_buf = start->mask,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)*p->event_fd,
	};
}

/* How many of the list went in; 0: the context is full. */
static long submit_to(struct aio_polls *p, uint32_t context, uint32_t first,
		      uint32_t count)
{
	struct context *c = &p->contexts[context];
	long n;

	if (c->under_way >= context_room[context])
		return 0;
	n = SYS_3(SYS_io_submit, c->name, count - first, p->list + first);
	for (long i = 0; i < n; i++)
		container_of(p->list[first + i], struct entry, io)->context =
			context;
	if (n > 0)
		c->under_way += (uint32_t)n;
	return n == -EAGAIN ? 0 : n;
}

/* The first of the list is not started. */
static void poll_refuse(struct aio_polls *p, struct aio_poll_start *start,
			int err)
{
	entry_free(p, (uint32_t)start->result);
	start->result = err;
}

void aio_polls_start(struct aio_polls *p, struct aio_poll_start *starts,
		     uint32_t count)
{
	struct aio_poll_start *listed[AIO_POLLS_BATCH];
	uint32_t listed_count = 0, at = 0, context = 0;

	for (uint32_t i = 0; i < count; i++) {
		entry_set(p, &starts[i]);
		if (starts[i].result < 0)
			continue;
		p->list[listed_count] =
			&entry_at(p, (uint32_t)starts[i].result)->io;
		listed[listed_count++] = &starts[i];
	}
	while (at < listed_count) {
		long n = submit_to(p, context, at, listed_count);

		if (n > 0)
			at += (uint32_t)n;
		else if (n < 0)
			poll_refuse(p, listed[at++], (int)n);
		else if (++context == p->contexts_open && context_add(p) < 0)
			break;
	}
	while (at < listed_count)
		poll_refuse(p, listed[at++], -EAGAIN);
}

void aio_polls_cancel(struct aio_polls *p, uint32_t number)
{
	struct entry *e = entry_at(p, number);
	aio_context_t context = p->contexts[e->context].name;
	struct io_event unused;

	e->owner = NULL;
	if (SYS_3(SYS_io_cancel, context, &e->io, &unused) != -EINPROGRESS)
		return;
	for (int i = 0; i < CANCEL_YIELDS && !aio_ring_holds(context, number);
	     i++)
		SYS_0(SYS_sched_yield);
}

static void take_event(struct aio_polls *p, const struct io_event *event,
		       void (*fired)(void *owner, uint32_t events))
{
	uint32_t number = (uint32_t)event->data;
	void *owner = entry_at(p, number)->owner;

	p->contexts[entry_at(p, number)->context].under_way--;
	entry_free(p, number);
	if (owner)
		fired(owner, (uint32_t)event->res);
}

static long reap_context(struct aio_polls *p, uint32_t context,
			 void (*fired)(void *owner, uint32_t events))
{
	struct io_event events[AIO_POLLS_BATCH];
	long n = AIO_POLLS_BATCH;

	while (n == AIO_POLLS_BATCH && p->contexts[context].under_way) {
		n = aio_ring_take(p->contexts[context].name, events,
				  AIO_POLLS_BATCH);
		for (long i = 0; i < n; i++)
			take_event(p, &events[i], fired);
	}
	return n;
}

int aio_polls_reap(struct aio_polls *p,
		   void (*fired)(void *owner, uint32_t events))
{
	long err = 0;

	for (uint32_t i = 0; i < p->contexts_open; i++) {
		long n = reap_context(p, i, fired);

		if (n < 0)
			err = n;
	}
	return (int)err;
}
