// SPDX-License-Identifier: MIT
/*
 * Requests that have been submitted and have not ended, by user_data.
 *
 * Theory: a table of chains, each in order of submission. Programs may use one
 * user_data for several requests at a time; then the oldest is taken for the
 * one that completes. The number of requests that are remembered is bounded;
 * a completion of one that is not is shown without its operation.
 */
#include "cli/trace.h"

#include <stdlib.h>
#include <string.h>

#define CHAINS 8192u
#define REQUESTS_MAX (1u << 20)

static struct trace_request *chains[CHAINS];
static uint32_t remembered;

static struct trace_request **chain_of(const struct trace_channel *channel,
				       uint64_t user_data)
{
	uint64_t mixed = (user_data ^ (uintptr_t)channel >> 6) *
			 UINT64_C(0x9e3779b97f4a7c15);

	return &chains[mixed >> 51];
}

void trace_match_submit(const struct trace_line *line)
{
	struct trace_request **at, *request;

	if (remembered == REQUESTS_MAX)
		return;
	request = calloc(1, sizeof(*request));
	if (!request)
		return;
	remembered++;
	request->channel = line->channel;
	memcpy(&request->sqe, line->event->entry, TRACE_ENTRY_BYTES);
	request->submitted_ns = line->ns;
	at = chain_of(line->channel, request->sqe.user_data);
	while (*at)
		at = &(*at)->next;
	*at = request;
}

static struct trace_request **match_at(const struct trace_channel *channel,
				       uint64_t user_data)
{
	struct trace_request **at = chain_of(channel, user_data);

	while (*at &&
	       ((*at)->channel != channel || (*at)->sqe.user_data != user_data))
		at = &(*at)->next;
	return at;
}

struct trace_request *trace_match_find(const struct trace_channel *channel,
				       uint64_t user_data)
{
	return *match_at(channel, user_data);
}

static void match_forget(struct trace_request **at)
{
	struct trace_request *request = *at;

	*at = request->next;
	free(request);
	remembered--;
}

void trace_match_done(struct trace_request *request,
		      const struct trace_event *event)
{
	request->completed = true;
	if (event->kind != TRACE_SILENT &&
	    event->done.flags & IORING_CQE_F_MORE)
		return;
	match_forget(match_at(request->channel, request->sqe.user_data));
}

uint64_t trace_match_end(const struct trace_channel *channel)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < CHAINS; i++) {
		struct trace_request **at = &chains[i];

		while (*at) {
			if ((*at)->channel == channel) {
				match_forget(at);
				count++;
			} else {
				at = &(*at)->next;
			}
		}
	}
	return count;
}
