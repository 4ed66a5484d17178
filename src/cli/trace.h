/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `polyring trace` share.
 *
 * Theory: the verb starts the program with the memory of observe/trace.h in its
 * environment and reads the channels in turn. trace_match.c remembers each
 * submission until its last completion, so that a completion can be shown with
 * its operation and its time; trace_decode.c makes words of the fields;
 * trace_show.c writes a line of text, a line of JSON, or the table at the end.
 * One thread does all of it, so nothing here has a lock.
 */
#ifndef POLYRING_CLI_TRACE_H
#define POLYRING_CLI_TRACE_H

#include "abi/uring.h"
#include "cli/cli.h"
#include "observe/trace.h"

/* A request that has been submitted, until its last completion. */
struct trace_request {
	struct trace_request *next;
	const struct trace_channel *channel;
	struct io_uring_sqe sqe; /* its first TRACE_ENTRY_BYTES bytes */
	int64_t submitted_ns;
	bool completed; /* once, with F_MORE */
};

/* An event with what is known about it. */
struct trace_line {
	const struct trace_channel *channel;
	const struct trace_event *event;
	const struct io_uring_sqe *sqe; /* NULL: of an unknown request */
	int64_t ns; /* since the trace began */
	int64_t took_ns; /* since its submission; -1: unknown */
	bool again; /* the request has had a completion before */
};

/* ---- trace_match.c ------------------------------------------------------- */

/* Remember a submission. */
void trace_match_submit(const struct trace_line *line);

/*
 * The request of a completion, the oldest with this user_data, or NULL.
 * trace_match_done() forgets it if there will be no further completion.
 */
struct trace_request *trace_match_find(const struct trace_channel *channel,
				       uint64_t user_data);
void trace_match_done(struct trace_request *request,
		      const struct trace_event *event);

/* Call @each for each request of @channel that has not ended, and forget it. */
uint64_t trace_match_end(const struct trace_channel *channel);

/* ---- trace_decode.c ------------------------------------------------------ */

#define TRACE_TEXT_BYTES 1024

/* The name of an operation, without IORING_OP_. */
const char *trace_op_name(unsigned int opcode);

/* The number of that operation, in any case of letters, or -1. */
int trace_op_number(const char *name);

/* What an entry says besides its operation and file: "len=4 group=1 LINK". */
void trace_decode_entry(const struct io_uring_sqe *sqe, char *text);

/* "ECANCELED" or "64". */
void trace_decode_result(int32_t res, char *text);

/* " bid=3 MORE", or "". */
void trace_decode_flags(uint32_t flags, char *text);

/* Does the entry's fd name a file? False: the operation has none. */
bool trace_has_file(const struct io_uring_sqe *sqe);

/* ---- trace_show.c -------------------------------------------------------- */

struct trace_show {
	FILE *to;
	struct colours colours;
	bool json;
	bool summary; /* only the table */
	bool names_files; /* -y */
};

void trace_show_line(const struct trace_show *show,
		     const struct trace_line *line);

/* @channel has lost @count events. */
void trace_show_dropped(const struct trace_show *show,
			const struct trace_channel *channel, uint64_t count);

/* Count the event for the table. */
void trace_show_count(const struct trace_line *line);

/* The table, and what was lost. */
void trace_show_table(const struct trace_show *show, uint64_t dropped);

#endif
