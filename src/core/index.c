// SPDX-License-Identifier: MIT
#include "core/index.h"

#include "base/mem.h"
#include "core/req.h"

static struct list *chain_of(const struct ctx *ctx, uint64_t user_data)
{
	/* Fibonacci hashing: spreads both pointers and small counts. */
	uint64_t hash = user_data * UINT64_C(0x9e3779b97f4a7c15);

	return &ctx->index[hash >> (64 - ctx->index_bits)];
}

static struct list *new_chains(uint32_t bits)
{
	struct list *chains = mem_new((size_t)1 << bits, sizeof(*chains));

	if (chains)
		for (size_t i = 0; i < (size_t)1 << bits; i++)
			list_init(&chains[i]);
	return chains;
}

int index_open(struct ctx *ctx)
{
	ctx->index_bits = CTX_INDEX_BITS_MIN;
	ctx->indexed = 0;
	list_init(&ctx->pending);
	ctx->index = new_chains(ctx->index_bits);
	return ctx->index ? 0 : -ENOMEM;
}

void index_close(struct ctx *ctx)
{
	mem_free(ctx->index);
	ctx->index = NULL;
}

static void grow(struct ctx *ctx)
{
	struct list *before = ctx->index;
	size_t count = (size_t)1 << ctx->index_bits;
	struct list *bigger = new_chains(ctx->index_bits + 1);

	if (!bigger)
		return;
	ctx->index = bigger;
	ctx->index_bits++;
	for (size_t i = 0; i < count; i++) {
		struct list *node;

		while ((node = list_pop_front(&before[i]))) {
			struct req *req = list_entry(node, struct req, index);

			list_push_back(chain_of(ctx, req->user_data), node);
		}
	}
	mem_free(before);
}

void index_add(struct req *req)
{
	struct ctx *ctx = req->ctx;

	if (req->flags & REQ_F_INDEXED)
		return;
	/*
	 * Chains have up to two entries on average, which bounds the memory of
	 * an idle connection.
	 */
	if (ctx->indexed++ >> (ctx->index_bits + 1))
		grow(ctx);
	list_push_back(chain_of(ctx, req->user_data), &req->index);
	list_push_back(&ctx->pending, &req->pending);
	req->flags |= REQ_F_INDEXED | REQ_F_OWES;
}

void index_remove(struct req *req)
{
	list_remove(&req->index);
	list_remove(&req->pending);
	req->ctx->indexed--;
	req->flags &= ~REQ_F_INDEXED;
}

struct req *index_find(struct ctx *ctx, uint64_t user_data,
		       bool (*match)(struct req *req, const void *argument),
		       const void *argument)
{
	struct list *chain = chain_of(ctx, user_data);
	struct list *node;

	list_for_each (node, chain) {
		struct req *req = list_entry(node, struct req, index);

		if (req->user_data == user_data && match(req, argument))
			return req;
	}
	return NULL;
}
