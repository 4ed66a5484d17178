/* SPDX-License-Identifier: MIT */
/*
 * A program of the fuzzer: what is done, as data.
 *
 * Theory: a program is a list of steps of equal size, each a verb and a few
 * indices. An index selects from the verb's own list of values, and any byte is
 * one (modulo the list's length), so every string of bytes is a program: random
 * ones, mutated ones and shrunk ones alike. Values that are right come first in
 * a list; the random source prefers them.
 *
 * The text form is one step a line, `verb field=value ...`; '#' begins a
 * comment. It names values, not indices, and so outlives changes of the lists.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define STEPS_MAX 128u
#define FIELDS_MAX 7u

enum verb {
	VERB_PROVIDE,
	VERB_REMOVE,
	VERB_REGISTER,
	VERB_UNREGISTER,
	VERB_STATUS,
	VERB_MAP,
	VERB_FILL,
	VERB_ADD,
	VERB_SCRIBBLE,
	VERB_TAIL,
	VERB_WRITE,
	VERB_DRAIN,
	VERB_RECV,
	VERB_RECVMSG,
	VERB_READ,
	VERB_READ_MULTISHOT,
	VERB_SEND,
	VERB_SENDMSG,
	VERB_CANCEL,
	VERB_CLOSE,
	VERB_NOP,
	VERB_RING, /* as the first step: how the ring is opened */
	VERB_BURST,
	VERB_REFUSED,
	VERB_COUNT,
};

/* One step is eight bytes, also in a corpus of libFuzzer. */
struct step {
	uint8_t verb;
	uint8_t field[FIELDS_MAX];
};

struct program {
	uint32_t count;
	struct step steps[STEPS_MAX];
};

/* The value of the nth field of a step, as the lists in program.c have it. */
uint64_t step_value(const struct step *step, unsigned int field);

/* What steps have in common: channels, addresses, what follows a request. */
enum channel {
	CHANNEL_STREAM,
	CHANNEL_STREAM2,
	CHANNEL_DGRAM,
	CHANNEL_SEQPACKET,
	CHANNEL_PIPE,
	CHANNEL_FILE,
	CHANNEL_EVENTFD,
	CHANNEL_ZERO, /* /dev/zero */
	CHANNEL_COUNT,
};

enum address {
	ADDRESS_SLOT, /* + n: the nth kilobyte of the buffers' memory */
	ADDRESS_ZERO = 100,
	ADDRESS_NOWHERE,
	ADDRESS_KERNEL,
	ADDRESS_READ_ONLY,
};

enum then {
	THEN_GO,
	THEN_HOLD, /* stays in the queue until something goes */
	THEN_LINK,
	THEN_HARDLINK,
	THEN_SKIP, /* go, without a completion on success */
	THEN_ASYNC, /* go, on a worker */
	THEN_TIMED, /* go, with a linked timeout that never fires */
};

enum place {
	PLACE_APP,
	PLACE_ENGINE,
	PLACE_ZERO,
	PLACE_UNALIGNED,
	PLACE_NOWHERE,
};

enum how {
	HOW_ONCE = 0,
	HOW_MULTISHOT = 1,
	HOW_BUNDLE = 2,
	HOW_PLAIN = 4, /* no buffer selection: its own address */
	HOW_POLL_FIRST = 8,
};

enum tail {
	TAIL_BACK_ONE,
	TAIL_ON_ONE,
	TAIL_ON_FAR,
	TAIL_ZERO,
};

enum closing { CLOSE_PEER, CLOSE_SHUT_WRITE, CLOSE_OWN };

enum cancel { CANCEL_RECEIVE, CANCEL_SEND, CANCEL_FILE, CANCEL_ANY };

/* The program that @seed stands for. */
void program_random(struct program *program, uint64_t seed);
/* The one that @bytes mean. */
void program_from_bytes(struct program *program, const uint8_t *bytes,
			size_t count);
void program_print(const struct program *program, FILE *to);
void step_print(const struct step *step, FILE *to);
/* Returns 0, -EINVAL after a message for a bad line, or another errno. */
int program_read(struct program *program, const char *path);

/* How many values the nth field has; 0 beyond the last field. */
unsigned int step_choices(const struct step *step, unsigned int field);

#endif
