// SPDX-License-Identifier: MIT
#include "io/bundle.h"

#include <string.h>

#include "base/probe.h"
#include "core/ctx.h"
#include "core/req.h"

int bundle_prepare(struct req *req)
{
	struct bundle *b = req_extra(req, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->most = 1;
	return 0;
}

static bool has_null(const struct bundle *b)
{
	for (uint32_t i = 0; i < b->claim.count; i++)
		if (!b->given[i].iov_base && b->given[i].iov_len)
			return true;
	return false;
}

int bundle_claim(struct req *req, uint32_t want_bytes, bool at_once)
{
	struct bundle *b = bundle_of(req);
	int err = kbuf_claim_many(req->ctx->kbuf, req->buf_group, want_bytes,
				  want_bytes ? KBUF_MANY_MAX : b->most, at_once,
				  b->given, &b->claim);

	b->emptied = true;
	if (err < 0) {
		PROBE2(starve, PROBE_ARG(1, req->user_data),
		       PROBE_ARG(2, req->buf_group));
		return err;
	}
	/* For a send from a ring the length is checked before the address. */
	if (has_null(b) && !(at_once && b->claim.kind != KBUF_CLASSIC)) {
		err = b->claim.kind == KBUF_CLASSIC ? -ENOBUFS : -EFAULT;
		if (at_once) /* a send has used it up (B4) */
			req->cflags = bundle_commit(req, b->claim.bytes);
		else
			bundle_recycle(req);
		return err;
	}
	b->emptied = b->claim.last;
	if (b->claim.count > b->most)
		b->most = b->claim.count;
	PROBE3(claim_many, PROBE_ARG(1, req->user_data),
	       PROBE_ARG(2, req->buf_group), PROBE_ARG(3, b->claim.count));
	memcpy(b->left, b->given, b->claim.count * sizeof(*b->left));
	b->vectors = b->left;
	b->count = b->claim.count;
	return 0;
}

uint32_t bundle_commit(struct req *req, uint32_t bytes)
{
	PROBE2(commit_many, PROBE_ARG(1, req->user_data), PROBE_ARG(2, bytes));
	return kbuf_commit_many(req->ctx->kbuf, &bundle_of(req)->claim, bytes);
}

void bundle_recycle(struct req *req)
{
	struct bundle *b = bundle_of(req);

	PROBE2(recycle, PROBE_ARG(1, req->user_data),
	       PROBE_ARG(2, req->buf_group));
	if (b->follows && b->claim.kind == KBUF_CLASSIC)
		bundle_commit(req, 0);
	else
		kbuf_recycle_many(req->ctx->kbuf, &b->claim);
}
