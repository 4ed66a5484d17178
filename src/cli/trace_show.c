// SPDX-License-Identifier: MIT
/*
 * Lines and the table of `polyring trace`.
 *
 * Theory: a line has a time, process/ring, an arrow, the operation with its
 * fields, and of a completion the result and the time that it took. The table
 * counts times in buckets, of which each is an eighth wider than the one
 * before, so a percentile is right within 12.5 %. A time runs from a
 * submission to its first completion; further ones of a multishot request
 * depend on the peer, and have none.
 */
#include "cli/trace.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

#define EIGHTHS 8
#define BUCKETS (EIGHTHS * 48)

struct op_counts {
	uint64_t submissions, completions, errors, timed;
	int64_t longest_ns;
	uint64_t buckets[BUCKETS];
};

/* The last is of completions whose request is unknown. */
static struct op_counts counts[IORING_OP_LAST + 1];

/* ---- lines --------------------------------------------------------------- */

static const char *file_name(const struct trace_show *show,
			     const struct trace_line *line, char *name)
{
	char path[64];
	ssize_t length = 0;

	if (show->names_files && !(line->sqe->flags & IOSQE_FIXED_FILE)) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d",
			 line->channel->pid, line->sqe->fd);
		length = readlink(path, name + 1, PATH_MAX - 3);
	}
	if (length <= 0)
		return "";
	name[0] = '<';
	name[length + 1] = '>';
	name[length + 2] = '\0';
	return name;
}

static void show_file(const struct trace_show *show,
		      const struct trace_line *line)
{
	char name[PATH_MAX];

	if (!line->sqe || !trace_has_file(line->sqe))
		return;
	fprintf(show->to, " %s=%d%s",
		line->sqe->flags & IOSQE_FIXED_FILE ? "file" : "fd",
		line->sqe->fd, file_name(show, line, name));
}

static void show_took(FILE *to, int64_t ns)
{
	if (ns < 0)
		return;
	if (ns < 10000)
		fprintf(to, " +%" PRId64 "ns", ns);
	else if (ns < 10000000)
		fprintf(to, " +%.1fus", (double)ns / 1e3);
	else
		fprintf(to, " +%.1fms", (double)ns / 1e6);
}

static void show_done(const struct trace_show *show,
		      const struct trace_line *line)
{
	const struct trace_event *event = line->event;
	const struct colours *c = &show->colours;
	char text[TRACE_TEXT_BYTES];

	if (event->kind == TRACE_SILENT) {
		fprintf(show->to, " = no completion");
	} else {
		trace_decode_result(event->done.res, text);
		fprintf(show->to, " = %s%s%s",
			event->done.res < 0 ? c->bad : c->good, text, c->off);
		trace_decode_flags(event->done.flags, text);
		fputs(text, show->to);
	}
	if (event->kind == TRACE_OVERFLOW)
		fprintf(show->to, " %sOVERFLOW%s", c->bad, c->off);
	show_took(show->to, line->took_ns);
}

static uint64_t user_data_of(const struct trace_line *line)
{
	return line->event->kind == TRACE_SUBMIT ? line->sqe->user_data
						 : line->event->done.user_data;
}

static const char *op_of(const struct trace_line *line)
{
	return line->sqe ? trace_op_name(line->sqe->opcode) : "?";
}

static void show_text(const struct trace_show *show,
		      const struct trace_line *line)
{
	const struct colours *c = &show->colours;
	bool submits = line->event->kind == TRACE_SUBMIT;
	char text[TRACE_TEXT_BYTES];

	fprintf(show->to, "%s%4" PRId64 ".%06" PRId64 " %d/%d %s %s%s%s",
		c->faint, line->ns / 1000000000, line->ns / 1000 % 1000000,
		line->event->thread ? line->event->thread : line->channel->pid,
		line->channel->ring_fd, submits ? "->" : "<-", c->off,
		c->strong, op_of(line));
	fputs(c->off, show->to);
	show_file(show, line);
	if (submits) {
		trace_decode_entry(line->sqe, text);
		fputs(text, show->to);
	}
	fprintf(show->to, " %suser_data=%#" PRIx64 "%s", c->faint,
		user_data_of(line), c->off);
	if (!submits)
		show_done(show, line);
	fputc('\n', show->to);
}

static void json_head(const struct trace_show *show,
		      const struct trace_line *line, const char *what)
{
	fprintf(show->to,
		"{\"event\":\"%s\",\"ns\":%" PRId64 ",\"pid\":%d,\"tid\":%d,"
		"\"ring\":%d,\"op\":\"%s\",\"user_data\":%" PRIu64,
		what, line->ns, line->channel->pid, line->event->thread,
		line->channel->ring_fd, op_of(line), user_data_of(line));
	if (line->sqe && trace_has_file(line->sqe))
		fprintf(show->to, ",\"%s\":%d",
			line->sqe->flags & IOSQE_FIXED_FILE ? "file" : "fd",
			line->sqe->fd);
}

static void json_submit(const struct trace_show *show,
			const struct trace_line *line)
{
	const struct io_uring_sqe *sqe = line->sqe;

	json_head(show, line, "submit");
	fprintf(show->to,
		",\"flags\":%u,\"ioprio\":%u,\"op_flags\":%u,\"len\":%u,"
		"\"off\":%" PRIu64 ",\"addr\":%" PRIu64,
		sqe->flags, sqe->ioprio, sqe->op_flags, sqe->len, sqe->off,
		sqe->addr);
	if (sqe->flags & IOSQE_BUFFER_SELECT)
		fprintf(show->to, ",\"group\":%u", sqe->buf_group);
	fputs("}\n", show->to);
}

static void json_done(const struct trace_show *show,
		      const struct trace_line *line)
{
	const struct trace_event *event = line->event;

	json_head(show, line, event->kind == TRACE_SILENT ? "end" : "complete");
	if (event->kind != TRACE_SILENT)
		fprintf(show->to, ",\"res\":%d,\"flags\":%u", event->done.res,
			event->done.flags);
	if (event->kind != TRACE_SILENT &&
	    event->done.flags & IORING_CQE_F_BUFFER)
		fprintf(show->to, ",\"bid\":%u", event->done.flags >> 16);
	if (event->kind == TRACE_OVERFLOW)
		fputs(",\"overflow\":true", show->to);
	if (line->took_ns >= 0)
		fprintf(show->to, ",\"took_ns\":%" PRId64, line->took_ns);
	fputs("}\n", show->to);
}

void trace_show_line(const struct trace_show *show,
		     const struct trace_line *line)
{
	if (!show->json)
		show_text(show, line);
	else if (line->event->kind == TRACE_SUBMIT)
		json_submit(show, line);
	else
		json_done(show, line);
}

void trace_show_dropped(const struct trace_show *show,
			const struct trace_channel *channel, uint64_t count)
{
	if (show->json)
		fprintf(show->to,
			"{\"event\":\"dropped\",\"pid\":%d,\"ring\":%d,"
			"\"count\":%" PRIu64 "}\n",
			channel->pid, channel->ring_fd, count);
	else
		fprintf(show->to,
			"%d/%d: %s%" PRIu64 " events dropped%s: the program "
			"was faster than this output\n",
			channel->pid, channel->ring_fd, show->colours.bad,
			count, show->colours.off);
}

/* ---- the table ----------------------------------------------------------- */

/* Three bits below the highest one choose among eight buckets. */
static uint32_t bucket_of(int64_t ns)
{
	uint32_t top, bucket;

	if (ns < EIGHTHS)
		return ns < 0 ? 0 : (uint32_t)ns;
	top = 63 - (uint32_t)__builtin_clzll((unsigned long long)ns);
	bucket = (top - 2) * EIGHTHS + (uint32_t)(ns >> (top - 3) & 7);
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The least time that is in the bucket. */
static int64_t bucket_ns(uint32_t bucket)
{
	uint32_t top = bucket / EIGHTHS + 2;

	if (bucket < EIGHTHS)
		return bucket;
	return (int64_t)(EIGHTHS + bucket % EIGHTHS) << (top - 3);
}

void trace_show_count(const struct trace_line *line)
{
	const struct trace_event *event = line->event;
	unsigned int op = line->sqe ? line->sqe->opcode : IORING_OP_LAST;
	struct op_counts *c =
		&counts[op < IORING_OP_LAST ? op : IORING_OP_LAST];

	if (event->kind == TRACE_SUBMIT) {
		c->submissions++;
		return;
	}
	if (event->kind != TRACE_SILENT) {
		c->completions++;
		c->errors += event->done.res < 0;
	}
	if (line->took_ns < 0 || line->again)
		return;
	c->timed++;
	c->buckets[bucket_of(line->took_ns)]++;
	if (line->took_ns > c->longest_ns)
		c->longest_ns = line->took_ns;
}

static double percentile_us(const struct op_counts *c, double part)
{
	uint64_t rank = (uint64_t)((double)c->timed * part), seen = 0;

	for (uint32_t i = 0; i < BUCKETS; i++) {
		seen += c->buckets[i];
		if (seen > rank)
			return (double)bucket_ns(i) / 1e3;
	}
	return (double)c->longest_ns / 1e3;
}

static void table_row(const struct trace_show *show, const char *name,
		      const struct op_counts *c)
{
	if (show->json) {
		fprintf(show->to,
			"{\"op\":\"%s\",\"submissions\":%" PRIu64
			",\"completions\":%" PRIu64 ",\"errors\":%" PRIu64
			",\"p50_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f}\n",
			name, c->submissions, c->completions, c->errors,
			percentile_us(c, 0.5), percentile_us(c, 0.99),
			(double)c->longest_ns / 1e3);
		return;
	}
	fprintf(show->to, "%-16s %11" PRIu64 " %11" PRIu64 " %8" PRIu64, name,
		c->submissions, c->completions, c->errors);
	if (c->timed)
		fprintf(show->to, " %10.1f %10.1f %10.1f",
			percentile_us(c, 0.5), percentile_us(c, 0.99),
			(double)c->longest_ns / 1e3);
	fputc('\n', show->to);
}

static void add_counts(struct op_counts *to, const struct op_counts *c)
{
	to->submissions += c->submissions;
	to->completions += c->completions;
	to->errors += c->errors;
	to->timed += c->timed;
	if (c->longest_ns > to->longest_ns)
		to->longest_ns = c->longest_ns;
	for (uint32_t i = 0; i < BUCKETS; i++)
		to->buckets[i] += c->buckets[i];
}

void trace_show_table(const struct trace_show *show, uint64_t dropped)
{
	static struct op_counts total;

	if (!show->json)
		fprintf(show->to, "%s%-16s %11s %11s %8s %10s %10s %10s%s\n",
			show->colours.strong, "operation", "submissions",
			"completions", "errors", "p50 us", "p99 us", "max us",
			show->colours.off);
	for (unsigned int op = 0; op <= IORING_OP_LAST; op++) {
		const struct op_counts *c = &counts[op];

		add_counts(&total, c);
		if (c->submissions + c->completions + c->timed)
			table_row(show,
				  op < IORING_OP_LAST ? trace_op_name(op) : "?",
				  c);
	}
	table_row(show, "total", &total);
	if (show->json)
		fprintf(show->to, "{\"dropped\":%" PRIu64 "}\n", dropped);
	else if (dropped)
		fprintf(show->to, "%" PRIu64 " events dropped\n", dropped);
}
