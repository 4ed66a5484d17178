/* SPDX-License-Identifier: MIT */
/*
 * The verbs, their fields and values; random programs; the text form.
 *
 * Theory: a random program has a theme, one group and one channel that most of
 * its steps are about: buffers that are never received into test nothing. Its
 * first steps fill that group. The seed determines everything.
 */
#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/uring.h"
#include "base/compiler.h"

struct value {
	const char *name;
	uint64_t number;
};

/* The first @good values are what a sane program would use. */
struct domain {
	const char *name;
	const struct value *values;
	uint8_t count;
	uint8_t good;
};

#define DOMAIN(list, field_name, how_many)                     \
	{                                                      \
		.name = (field_name), .values = (list),        \
		.count = array_size(list), .good = (how_many), \
	}

static const struct value groups[] = {
	{"0", 0},
	{"1", 1},
	{"7", 7},
	{"300", 300},
};
static const struct value channels[] = {
	{"stream", CHANNEL_STREAM},   {"stream2", CHANNEL_STREAM2},
	{"dgram", CHANNEL_DGRAM},     {"seqpacket", CHANNEL_SEQPACKET},
	{"pipe", CHANNEL_PIPE},	      {"file", CHANNEL_FILE},
	{"eventfd", CHANNEL_EVENTFD}, {"dev-zero", CHANNEL_ZERO},
};
static const struct value addresses[] = {
	{"+0", 0},
	{"+1k", 1},
	{"+2k", 2},
	{"+3k", 3},
	{"+4k", 4},
	{"+5k", 5},
	{"+6k", 6},
	{"+7k", 7},
	{"+8k", 8},
	{"+9k", 9},
	{"+10k", 10},
	{"+11k", 11},
	{"zero", ADDRESS_ZERO},
	{"nowhere", ADDRESS_NOWHERE},
	{"kernel", ADDRESS_KERNEL},
	{"read-only", ADDRESS_READ_ONLY},
};
static const struct value lengths[] = {
	{"16", 16},
	{"8", 8},
	{"4", 4},
	{"1", 1},
	{"3", 3},
	{"32", 32},
	{"33", 33},
	{"64", 64},
	{"100", 100},
	{"256", 256},
	{"1024", 1024},
	{"0", 0},
	{"4096", 4096},
	{"0x7ffff000", 0x7ffff000},
	{"0xffffffff", 0xffffffff},
};
/* What a request asks for; 0 is the usual. */
static const struct value wants[] = {
	{"0", 0},
	{"1", 1},
	{"3", 3},
	{"8", 8},
	{"16", 16},
	{"20", 20},
	{"40", 40},
	{"64", 64},
	{"200", 200},
	{"1000", 1000},
	{"0x7fffffff", 0x7fffffff},
	{"0x80000000", 0x80000000},
	{"0xffffffff", 0xffffffff},
};
/* As numbers of buffers, which are signed in an SQE. */
static const struct value counts[] = {
	{"1", 1},	  {"2", 2},	    {"3", 3}, {"4", 4},
	{"8", 8},	  {"16", 16},	    {"0", 0}, {"-1", (uint32_t)-1},
	{"65536", 65536}, {"65537", 65537},
};
static const struct value bids[] = {
	{"0", 0},     {"1", 1},		{"4", 4},	  {"9", 9},
	{"100", 100}, {"65535", 65535}, {"65536", 65536},
};
static const struct value entry_counts[] = {
	{"8", 8},   {"4", 4}, {"2", 2}, {"16", 16},	  {"1", 1},
	{"64", 64}, {"0", 0}, {"3", 3}, {"65536", 65536},
};
static const struct value places[] = {
	{"app", PLACE_APP},	    {"engine", PLACE_ENGINE},
	{"zero", PLACE_ZERO},	    {"unaligned", PLACE_UNALIGNED},
	{"nowhere", PLACE_NOWHERE},
};
static const struct value ring_flags[] = {
	{"none", 0},
	{"inc", 2},
	{"unknown", 4},
};
static const struct value junk[] = {
	{"0", 0},
	{"1", 1},
	{"2", 2},
	{"3", 3},
};
static const struct value map_bytes[] = {
	{"64", 64}, {"256", 256},   {"4096", 4096},
	{"0", 0},   {"8192", 8192}, {"1048576", 1048576},
};
static const struct value slots[] = {
	{"0", 0}, {"1", 1}, {"2", 2}, {"3", 3}, {"7", 7}, {"15", 15},
};
static const struct value tails[] = {
	{"on-one", TAIL_ON_ONE},
	{"back-one", TAIL_BACK_ONE},
	{"on-far", TAIL_ON_FAR},
	{"zero", TAIL_ZERO},
};
static const struct value write_bytes[] = {
	{"5", 5},     {"16", 16}, {"1", 1},	  {"8", 8},
	{"20", 20},   {"33", 33}, {"64", 64},	  {"100", 100},
	{"300", 300}, {"0", 0},	  {"2000", 2000}, {"5000", 5000},
};
static const struct value write_then[] = {
	{"settle", 0},
	{"more", 1},
};
static const struct value receive_how[] = {
	{"once", HOW_ONCE},
	{"multishot", HOW_MULTISHOT},
	{"bundle", HOW_BUNDLE},
	{"multishot-bundle", HOW_MULTISHOT | HOW_BUNDLE},
	{"plain", HOW_PLAIN},
	{"poll-first", HOW_POLL_FIRST},
	{"multishot-poll-first", HOW_MULTISHOT | HOW_POLL_FIRST},
	{"bundle-poll-first", HOW_BUNDLE | HOW_POLL_FIRST},
	{"plain-bundle", HOW_PLAIN | HOW_BUNDLE},
	{"plain-multishot", HOW_PLAIN | HOW_MULTISHOT},
};
static const struct value read_how[] = {
	{"once", HOW_ONCE},
	{"plain", HOW_PLAIN},
	{"vector", HOW_BUNDLE},
	{"plain-vector", HOW_PLAIN | HOW_BUNDLE},
};
static const struct value send_how[] = {
	{"once", HOW_ONCE},
	{"bundle", HOW_BUNDLE},
	{"plain", HOW_PLAIN},
	{"poll-first", HOW_POLL_FIRST},
	{"bundle-poll-first", HOW_BUNDLE | HOW_POLL_FIRST},
	{"plain-bundle", HOW_PLAIN | HOW_BUNDLE},
	{"multishot", HOW_MULTISHOT},
};
/* MSG_WAITALL 0x100, MSG_TRUNC 0x20, MSG_DONTWAIT 0x40, MSG_PEEK 2. */
static const struct value receive_flags[] = {
	{"0", 0},	 {"waitall", 0x100}, {"dontwait", 0x40},
	{"trunc", 0x20}, {"peek", 2},	     {"waitall-dontwait", 0x140},
};
static const struct value send_flags[] = {
	{"0", 0},
	{"waitall", 0x100},
	{"dontwait", 0x40},
};
static const struct value thens[] = {
	{"go", THEN_GO},       {"hold", THEN_HOLD},
	{"link", THEN_LINK},   {"hardlink", THEN_HARDLINK},
	{"skip", THEN_SKIP},   {"async", THEN_ASYNC},
	{"timed", THEN_TIMED},
};
/*
 * SQPOLL is left out: there a kernel thread decides how many entries are
 * submitted together. Scenarios are played in that mode.
 */
static const struct value modes[] = {
	{"defer", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
	{"default", 0},
	{"coop", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
	{"single", IORING_SETUP_SINGLE_ISSUER},
	{"defer-cqe32", IORING_SETUP_SINGLE_ISSUER |
				IORING_SETUP_DEFER_TASKRUN |
				IORING_SETUP_CQE32},
	{"default-sqe128", IORING_SETUP_SQE128},
};
static const struct value file_kinds[] = {
	{"numbers", 0},
	{"registered", 1},
};
/*
 * The first is more than come in one go: where an overflow ends a multishot
 * depends on how much 6.18 does in one enter. With a small one there are none,
 * and scenarios have them.
 */
static const struct value cq_entries[] = {
	{"4096", 4096},
	{"4", 4},
};
static const struct value burst_counts[] = {
	{"3", 3}, {"8", 8}, {"33", 33}, {"40", 40}, {"70", 70},
};
/* Operations that select no buffer (P13). */
static const struct value unselecting[] = {
	{"nop", IORING_OP_NOP},
	{"write", IORING_OP_WRITE},
	{"writev", IORING_OP_WRITEV},
	{"read-fixed", IORING_OP_READ_FIXED},
	{"provide", IORING_OP_PROVIDE_BUFFERS},
	{"remove", IORING_OP_REMOVE_BUFFERS},
	{"accept", IORING_OP_ACCEPT},
	{"poll", IORING_OP_POLL_ADD},
	{"cancel", IORING_OP_ASYNC_CANCEL},
};
static const struct value area_bytes[] = {
	{"0", 0}, {"4", 4}, {"8", 8}, {"24", 24}, {"0x7fffffff", 0x7fffffff},
};
static const struct value offsets[] = {
	{"here", UINT64_MAX}, {"0", 0}, {"5", 5}, {"90", 90}, {"1000", 1000},
};
static const struct value cancels[] = {
	{"receive", CANCEL_RECEIVE},
	{"send", CANCEL_SEND},
	{"file", CANCEL_FILE},
	{"any", CANCEL_ANY},
};
static const struct value closings[] = {
	{"peer", CLOSE_PEER},
	{"shut-write", CLOSE_SHUT_WRITE},
	{"own", CLOSE_OWN},
};

#define GROUP DOMAIN(groups, "group", 4)
#define CHANNEL DOMAIN(channels, "on", 8)
#define ADDRESS DOMAIN(addresses, "at", 12)
#define LENGTH DOMAIN(lengths, "len", 11)
#define WANT DOMAIN(wants, "want", 10)
#define THEN DOMAIN(thens, "then", 2)

/* Every step of weight 0 is written by hand or by libFuzzer only. */
static const struct {
	const char *name;
	unsigned int weight;
	struct domain fields[FIELDS_MAX];
} verbs[VERB_COUNT] = {
	[VERB_PROVIDE] = {"provide",
			  8,
			  {GROUP, ADDRESS, LENGTH, DOMAIN(counts, "count", 6),
			   DOMAIN(bids, "bid", 5), THEN}},
	[VERB_REMOVE] = {"remove",
			 2,
			 {GROUP, DOMAIN(counts, "count", 6), THEN}},
	[VERB_REGISTER] = {"register",
			   5,
			   {GROUP, DOMAIN(entry_counts, "entries", 6),
			    DOMAIN(places, "in", 2),
			    DOMAIN(ring_flags, "flags", 2),
			    DOMAIN(junk, "junk", 1)}},
	[VERB_UNREGISTER] = {"unregister", 2, {GROUP, DOMAIN(junk, "junk", 1)}},
	[VERB_STATUS] = {"status", 2, {GROUP, DOMAIN(junk, "junk", 1)}},
	[VERB_MAP] = {"map", 1, {GROUP, DOMAIN(map_bytes, "bytes", 3)}},
	[VERB_FILL] = {"fill",
		       12,
		       {GROUP, ADDRESS, LENGTH, DOMAIN(counts, "count", 6)}},
	[VERB_ADD] = {"add",
		      8,
		      {GROUP, ADDRESS, LENGTH, DOMAIN(bids, "bid", 5)}},
	[VERB_SCRIBBLE] = {"scribble",
			   2,
			   {GROUP, DOMAIN(slots, "slot", 6), ADDRESS, LENGTH,
			    DOMAIN(bids, "bid", 5)}},
	[VERB_TAIL] = {"tail", 1, {GROUP, DOMAIN(tails, "to", 4)}},
	[VERB_WRITE] = {"write",
			24,
			{CHANNEL, DOMAIN(write_bytes, "bytes", 9),
			 DOMAIN(write_then, "then", 2)}},
	[VERB_DRAIN] = {"drain", 3, {CHANNEL}},
	[VERB_RECV] = {"recv",
		       24,
		       {CHANNEL, GROUP, WANT, DOMAIN(receive_how, "how", 4),
			DOMAIN(receive_flags, "flags", 1), ADDRESS, THEN}},
	[VERB_RECVMSG] = {"recvmsg",
			  6,
			  {CHANNEL, GROUP, WANT, DOMAIN(receive_how, "how", 2),
			   DOMAIN(receive_flags, "flags", 1),
			   DOMAIN(area_bytes, "area", 4), THEN}},
	[VERB_READ] = {"read",
		       10,
		       {CHANNEL, GROUP, WANT, DOMAIN(read_how, "how", 4),
			ADDRESS, DOMAIN(offsets, "off", 1), THEN}},
	[VERB_READ_MULTISHOT] = {"read-multishot",
				 5,
				 {CHANNEL, GROUP, WANT,
				  DOMAIN(offsets, "off", 1), THEN}},
	[VERB_SEND] = {"send",
		       12,
		       {CHANNEL, GROUP, WANT, DOMAIN(send_how, "how", 2),
			DOMAIN(send_flags, "flags", 1), ADDRESS, THEN}},
	[VERB_SENDMSG] = {"sendmsg",
			  4,
			  {CHANNEL, GROUP, WANT, DOMAIN(send_how, "how", 1),
			   DOMAIN(send_flags, "flags", 1), ADDRESS, THEN}},
	[VERB_CANCEL] = {"cancel",
			 4,
			 {CHANNEL, DOMAIN(cancels, "what", 1), THEN}},
	[VERB_CLOSE] = {"close", 1, {CHANNEL, DOMAIN(closings, "end", 2)}},
	[VERB_NOP] = {"nop", 2, {THEN}},
	[VERB_RING] = {"ring",
		       0,
		       {DOMAIN(modes, "mode", 6),
			DOMAIN(file_kinds, "files", 2),
			DOMAIN(cq_entries, "cq", 2)}},
	[VERB_BURST] = {"burst",
			3,
			{CHANNEL, DOMAIN(write_bytes, "bytes", 4),
			 DOMAIN(burst_counts, "count", 5)}},
	[VERB_REFUSED] = {"refused",
			  1,
			  {CHANNEL, GROUP, DOMAIN(unselecting, "op", 9), THEN}},
};

static const struct domain *domain_of(const struct step *step,
				      unsigned int field)
{
	return &verbs[step->verb % VERB_COUNT].fields[field];
}

unsigned int step_choices(const struct step *step, unsigned int field)
{
	return domain_of(step, field)->count;
}

uint64_t step_value(const struct step *step, unsigned int field)
{
	const struct domain *domain = domain_of(step, field);

	return domain->values[step->field[field] % domain->count].number;
}

/* ---- random programs ----------------------------------------------------- */

/* splitmix64: every seed is a good one. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(random_next(state) % bound);
}

struct theme {
	uint8_t group;
	uint8_t channel;
	uint32_t oddness; /* of 100 values, how many are not sane ones */
};

static uint8_t random_value(uint64_t *state, const struct domain *domain,
			    const struct theme *theme)
{
	uint32_t dice = random_below(state, 100);

	if (domain->values == groups && dice < 75)
		return theme->group;
	if (domain->values == channels && dice < 70)
		return theme->channel;
	if (random_below(state, 100) < theme->oddness)
		return (uint8_t)random_below(state, domain->count);
	return (uint8_t)random_below(state, domain->good);
}

static void random_fields(uint64_t *state, struct step *step,
			  const struct theme *theme)
{
	for (unsigned int i = 0; i < FIELDS_MAX; i++)
		if (step_choices(step, i))
			step->field[i] =
				random_value(state, domain_of(step, i), theme);
}

static uint8_t random_verb(uint64_t *state)
{
	uint32_t total = 0;
	uint32_t dice;
	uint8_t verb = 0;

	for (unsigned int i = 0; i < VERB_COUNT; i++)
		total += verbs[i].weight;
	dice = random_below(state, total);
	while (dice >= verbs[verb].weight)
		dice -= verbs[verb++].weight;
	return verb;
}

void program_random(struct program *program, uint64_t seed)
{
	static const uint8_t oddness[] = {0, 2, 8, 25, 60};
	uint64_t state = seed;
	struct theme theme = {
		.group = (uint8_t)random_below(&state, array_size(groups)),
		.channel = (uint8_t)random_below(&state, CHANNEL_COUNT),
		.oddness = oddness[random_below(&state, array_size(oddness))],
	};
	uint8_t rings = (uint8_t)random_below(&state, 3);
	uint32_t opening = random_below(&state, 2); /* a step for it */
	struct step *step = program->steps;

	memset(program, 0, sizeof(*program));
	program->count = 8 + random_below(&state, STEPS_MAX - 8);
	for (uint32_t i = 0; i < program->count; i++, step++) {
		step->verb = random_verb(&state);
		if (i < opening)
			step->verb = VERB_RING;
		else if (i < opening + 2)
			step->verb = !rings	    ? VERB_PROVIDE
				     : i == opening ? VERB_REGISTER
						    : VERB_FILL;
		random_fields(&state, step, &theme);
	}
}

void program_from_bytes(struct program *program, const uint8_t *bytes,
			size_t count)
{
	size_t steps = count / sizeof(struct step);

	memset(program, 0, sizeof(*program));
	program->count = (uint32_t)(steps < STEPS_MAX ? steps : STEPS_MAX);
	memcpy(program->steps, bytes, program->count * sizeof(struct step));
	for (uint32_t i = 0; i < program->count; i++)
		program->steps[i].verb %= VERB_COUNT;
}

/* ---- text ---------------------------------------------------------------- */

void step_print(const struct step *step, FILE *to)
{
	fputs(verbs[step->verb % VERB_COUNT].name, to);
	for (unsigned int i = 0; i < FIELDS_MAX; i++) {
		const struct domain *domain = domain_of(step, i);

		if (!domain->count)
			break;
		fprintf(to, " %s=%s", domain->name,
			domain->values[step->field[i] % domain->count].name);
	}
	fputc('\n', to);
}

void program_print(const struct program *program, FILE *to)
{
	for (uint32_t i = 0; i < program->count; i++)
		step_print(&program->steps[i], to);
}

/* Returns whether @word, `name=value`, is a field of @step; it then is set. */
static bool read_field(struct step *step, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	for (unsigned int i = 0; i < FIELDS_MAX; i++) {
		const struct domain *domain = domain_of(step, i);

		if (!domain->count || strcmp(domain->name, word))
			continue;
		for (uint8_t j = 0; j < domain->count; j++) {
			if (strcmp(domain->values[j].name, value))
				continue;
			step->field[i] = j;
			return true;
		}
	}
	return false;
}

static bool read_step(struct step *step, char *line)
{
	char *word = strtok(line, " \t\n");

	memset(step, 0, sizeof(*step));
	while (step->verb < VERB_COUNT && strcmp(verbs[step->verb].name, word))
		step->verb++;
	if (step->verb == VERB_COUNT)
		return false;
	for (word = strtok(NULL, " \t\n"); word; word = strtok(NULL, " \t\n"))
		if (!read_field(step, word))
			return false;
	return true;
}

int program_read(struct program *program, const char *path)
{
	FILE *from = fopen(path, "r");
	int result = 0;
	int number = 0;
	char line[512];

	if (!from)
		return -errno;
	memset(program, 0, sizeof(*program));
	while (!result && fgets(line, sizeof(line), from)) {
		number++;
		line[strcspn(line, "#\n")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		if (program->count == STEPS_MAX ||
		    !read_step(&program->steps[program->count++], line))
			result = -EINVAL;
	}
	fclose(from);
	if (result)
		fprintf(stderr, "%s:%d: no step of a program\n", path, number);
	return result;
}
