// SPDX-License-Identifier: MIT
#include "io/recv_batch.h"

#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"

/* How many completions can be posted before the application takes any. */
static uint32_t cq_room(const struct queue *q)
{
	/* Pairs with the application's release store of its head. */
	uint32_t head = load_acquire(&q->memory.header->cq_head);
	uint32_t used = q->cq_posted - head;

	if (q->backlog_count || used > q->memory.cq_entries)
		return 0;
	return q->memory.cq_entries - used;
}

uint32_t recv_batch_claim(const struct req *req, uint32_t want_bytes,
			  uint32_t least_bytes, uint32_t max, struct packets *p)
{
	uint32_t room = cq_room(&req->ctx->queue), count, i;

	if (max > room)
		max = room;
	if (max > PACKETS_MAX)
		max = PACKETS_MAX;
	if (max < 2)
		return 0;
	count = kbuf_claim_each(req->ctx->kbuf, req->buf_group, want_bytes, max,
				p->buffers, p->bids, &p->claim);
	for (i = 0; i < count; i++)
		if (p->buffers[i].iov_len < least_bytes)
			break;
	if (count && !i)
		recv_batch_commit(req, p, 0);
	return i;
}

long recv_batch_receive(const struct req *req, struct packets *p,
			uint32_t count)
{
	return SYS_5(SYS_recvmmsg, req_io_fd(req), p->headers, count,
		     MSG_DONTWAIT, NULL);
}

uint32_t recv_batch_flags(const struct packets *p, uint32_t n)
{
	return IORING_CQE_F_BUFFER | (uint32_t)p->bids[n]
					     << IORING_CQE_BUFFER_SHIFT;
}

void recv_batch_commit(const struct req *req, struct packets *p, uint32_t count)
{
	kbuf_commit_each(req->ctx->kbuf, &p->claim, count);
}
