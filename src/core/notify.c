// SPDX-License-Identifier: MIT
#include "core/notify.h"

#include <sys/socket.h>

#include "base/sys.h"
#include "core/registry.h"

/* How many rings have their byte in the socket. */
static uint32_t bytes_out;

void notify_set_byte_out(struct ctx *ctx, bool out)
{
	if (ctx->byte_out != out)
		__atomic_fetch_add(&bytes_out, out ? 1u : -1u,
				   __ATOMIC_RELAXED);
	store_relaxed(&ctx->byte_out, out);
}

bool notify_any_byte_out(void)
{
	return load_relaxed(&bytes_out) != 0;
}

void notify_close(struct ctx *ctx)
{
	notify_set_byte_out(ctx, false);
}

/* A further byte makes a new edge for edge-triggered pollers. */
static void byte_put(struct ctx *ctx)
{
	char byte = 0;

	notify_set_byte_out(ctx, true);
	SYS_6(SYS_sendto, ctx->peer_fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
	      NULL, 0);
}

/*
 * The bytes are in the application's end of the socket, and can be read only
 * there. The cached fd may be another file by now, so it is verified first:
 * reading from another socket would steal its data.
 */
static void byte_take(struct ctx *ctx)
{
	char bytes[512];

	if (!registry_verify(ctx, ctx->ring_fd))
		return;
	while (SYS_6(SYS_recvfrom, ctx->ring_fd, bytes, sizeof(bytes),
		     MSG_DONTWAIT, NULL, NULL) == sizeof(bytes))
		;
	notify_set_byte_out(ctx, false);
}

static void tell_eventfd(struct ctx *ctx)
{
	uint64_t one = 1;

	/* Pairs with the application's store of the flags. */
	if (load_acquire(&ctx->queue.memory.header->cq_flags) &
	    IORING_CQ_EVENTFD_DISABLED)
		return;
	if (ctx->event_async_only && !ctx->posted_async)
		return;
	SYS_3(SYS_write, ctx->event_fd, &one, sizeof(one));
}

void notify_posted(struct ctx *ctx)
{
	uint32_t fresh;

	/*
	 * Set before publishing: a thread that takes the completions
	 * immediately then waits for the byte to settle.
	 */
	if (unlikely(ctx->watched) &&
	    ctx->queue.cq_posted != ctx->queue.cq_tail)
		notify_set_byte_out(ctx, true);
	fresh = queue_publish(&ctx->queue);
	if (!fresh && !ctx->backlog_fresh)
		return;
	counter_add(&ctx->counters, COUNTER_COMPLETIONS, fresh);
	if (ctx->event_fd >= 0)
		tell_eventfd(ctx);
	if (ctx->watched)
		byte_put(ctx);
	ctx->posted_async = false;
	ctx->backlog_fresh = false;
}

/*
 * Is a thread asleep that has what it waits for, or is a timer due before any
 * sleeper wakes?
 */
bool notify_owes_wake(const struct ctx *ctx)
{
	uint32_t ready = queue_ready(&ctx->queue);
	int64_t first_due_ns = CLOCK_NEVER;
	struct list *node;

	list_for_each (node, &ctx->sleepers) {
		struct sleeper *s = list_entry(node, struct sleeper, node);

		if (ready >= s->what.want || ctx->punted < s->what.punted)
			return true;
		if (s->what.due_ns < first_due_ns)
			first_due_ns = s->what.due_ns;
	}
	return timer_next_ns(&ctx->timers) < first_due_ns ||
	       !list_empty(&ctx->again);
}

void notify_taken(struct ctx *ctx)
{
	uint32_t head;

	if (!ctx->watched)
		return;
	/* Pairs with the application's release store of its head. */
	head = load_acquire(&ctx->queue.memory.header->cq_head);
	/*
	 * Completions that are not published yet are announced when they are.
	 */
	if (ctx->byte_out && head == ctx->queue.cq_posted)
		byte_take(ctx);
	else if (!ctx->byte_out && head != ctx->queue.cq_tail)
		byte_put(ctx);
}

void notify_work_waits(struct ctx *ctx)
{
	if (ctx->event_fd >= 0)
		tell_eventfd(ctx);
	if (ctx->watched && !ctx->byte_out)
		byte_put(ctx);
}
