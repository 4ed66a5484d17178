/* SPDX-License-Identifier: MIT */
/*
 * Plays one program on one side, and records the results.
 */
#ifndef FUZZ_PLAY_H
#define FUZZ_PLAY_H

#include "program.h"

#include "../conformance/runner/scenario.h"

#define EVENTS_MAX 8192u

enum event_kind {
	EVENT_SUBMIT, /* value: the result of enter */
	EVENT_COMPLETION, /* key: the step it belongs to, value, flags */
	EVENT_CALL, /* value: the result of another call */
	EVENT_BYTES, /* value: how many the peer read, key: their hash */
	EVENT_MEMORY, /* key: hash of buffers and rings */
	EVENT_HEAD, /* key: bgid, value: head or error */
	EVENT_END,
};

struct event {
	uint32_t step;
	uint16_t kind;
	uint16_t pad;
	uint32_t flags;
	int32_t value;
	uint64_t key;
};

struct record {
	uint32_t count;
	uint32_t steps; /* that were played */
	uint32_t at; /* the step being played, to find the cause of a crash */
	struct event events[EVENTS_MAX];
};

/* Memory and files for programs; once in each process. */
void play_open(void);
/* Compared when the records say that memory differs. */
size_t play_memory(const unsigned char **memory);
const char *play_place(size_t offset, char *text, size_t room);

void play(const struct program *program, const struct side *on,
	  struct record *record);

/* The index of the first event that differs, or -1. */
int record_differs(const struct record *left, const struct record *right);
void event_print(const struct event *event, FILE *to);

#endif
