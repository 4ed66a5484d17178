// SPDX-License-Identifier: MIT
/*
 * support: doc/support.md, from the engine's own tables.
 *
 * Theory: what the engine does stands in its rows: opcodes, register opcodes,
 * words of flags, each with the version that brought it and what is missing.
 * This program writes them down as a page. With a file's name it compares
 * instead, so that a test fails when the page tells of another engine.
 *
 * Exit status: 0; 1 when the page is out of date, 2 for usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/profile.h"
#include "abi/uring.h"
#include "cli/offer.h"
#include "core/req.h"
#include "api/offer.h"
#include "api/register.h"

static FILE *page;

static const char head[] =
	"# What is supported\n"
	"\n"
	"Made by `make tables` from the engine's own rows; a test fails when "
	"it is out of\n"
	"date. *Since* is the kernel that brought it, and what `polyring run "
	"--kernel`\n"
	"goes by. What is not supported is refused with EINVAL, as a kernel "
	"that doesn't\n"
	"know it would; what a row says of a part that is missing holds for "
	"that part.\n";

struct bit {
	uint32_t bit;
	const char *name;
	const char *missing;
};

static const struct bit enter_bits[] = {
	{IORING_ENTER_GETEVENTS, "GETEVENTS", NULL},
	{IORING_ENTER_SQ_WAKEUP, "SQ_WAKEUP", NULL},
	{IORING_ENTER_SQ_WAIT, "SQ_WAIT", NULL},
	{IORING_ENTER_EXT_ARG, "EXT_ARG", NULL},
	{IORING_ENTER_REGISTERED_RING, "REGISTERED_RING", NULL},
	{IORING_ENTER_ABS_TIMER, "ABS_TIMER", NULL},
	{IORING_ENTER_EXT_ARG_REG, "EXT_ARG_REG", NULL},
	{IORING_ENTER_NO_IOWAIT, "NO_IOWAIT",
	 "a sleep of ours is never accounted as one for a disk"},
};

static const struct bit sqe_bits[] = {
	{IOSQE_FIXED_FILE, "FIXED_FILE", NULL},
	{IOSQE_IO_DRAIN, "IO_DRAIN", NULL},
	{IOSQE_IO_LINK, "IO_LINK", NULL},
	{IOSQE_IO_HARDLINK, "IO_HARDLINK", NULL},
	{IOSQE_ASYNC, "ASYNC", NULL},
	{IOSQE_BUFFER_SELECT, "BUFFER_SELECT", NULL},
	{IOSQE_CQE_SKIP_SUCCESS, "CQE_SKIP_SUCCESS", NULL},
};

/* Of setup flags and features, which are named in cli/offer.c. */
static const struct bit setup_notes[] = {
	{IORING_SETUP_IOPOLL, NULL,
	 "O_DIRECT files are read and written by kernel AIO; enter sleeps"},
	{IORING_SETUP_HYBRID_IOPOLL, NULL, "the same"},
	{IORING_SETUP_SQE_MIXED, NULL, "younger than 6.18"},
	{IORING_SETUP_SQ_REWIND, NULL, "younger than 6.18"},
	{IORING_SETUP_ATTACH_WQ, NULL, "workers are shared as it is"},
	{IORING_SETUP_NO_MMAP, NULL,
	 "private memory that is unmapped meanwhile is replaced by empty "
	 "pages"},
};

static const struct bit feature_notes[] = {
	{IORING_FEAT_CUR_PERSONALITY, NULL,
	 "a thread that differs from its process (setresuid without libc)"},
	{IORING_FEAT_RW_ATTR, NULL,
	 "integrity data is refused, as by a file that takes none: EINVAL"},
};

static const char *note_of(const struct bit *notes, size_t count, uint32_t bit)
{
	for (size_t i = 0; i < count; i++)
		if (notes[i].bit == bit)
			return notes[i].missing;
	return NULL;
}

static void table(const char *title, const char *first)
{
	fprintf(page,
		"\n## %s\n\n| %s | since | supported | what is missing |\n"
		"|---|---|---|---|\n",
		title, first);
}

static void row(const char *name, uint32_t since, bool supported,
		const char *missing)
{
	fprintf(page, "| %s | ", name);
	if (since)
		fprintf(page, "%u.%u", since >> 8, since & 0xff);
	fprintf(page, " | %s | %s |\n", supported ? "yes" : "no",
		missing ? missing : "");
}

static uint32_t since_of(enum abi_word word, uint32_t bit)
{
	for (unsigned int i = 0; i < abi_flag_count; i++)
		if (abi_flags[i].word == word && abi_flags[i].bits & bit)
			return abi_flags[i].since;
	return 0;
}

static void operations(void)
{
	table("Operations", "operation");
	for (uint32_t op = 0; op < IORING_OP_LAST; op++) {
		bool known = op < opdefs_count;
		const struct opdef *def = known ? &opdefs[op] : NULL;

		row(sections[SECTION_OPERATIONS].names[op],
		    known ? def->since : 0, known && def->prep,
		    known ? def->missing : "younger than 6.18");
	}
}

static void register_opcodes(void)
{
	table("Register opcodes", "opcode");
	for (uint32_t op = 0; op < IORING_REGISTER_LAST; op++)
		row(regdefs[op].name, regdefs[op].since,
		    regdefs[op].call != NULL, regdefs[op].missing);
}

static void named_flags(const char *title, int section, enum abi_word word,
			uint32_t known, const struct bit *notes, size_t count)
{
	table(title, "flag");
	for (int i = 0; i < sections[section].count; i++) {
		uint32_t bit = 1u << i;

		row(sections[section].names[i], since_of(word, bit),
		    known & bit, note_of(notes, count, bit));
	}
}

static void listed_flags(const char *title, enum abi_word word, uint32_t known,
			 const struct bit *bits, size_t count)
{
	table(title, "flag");
	for (size_t i = 0; i < count; i++)
		row(bits[i].name, since_of(word, bits[i].bit),
		    known & bits[i].bit, bits[i].missing);
}

static void write_page(void)
{
	fputs(head, page);
	operations();
	register_opcodes();
	named_flags("Setup flags", SECTION_SETUP, ABI_SETUP, SETUP_FLAGS,
		    setup_notes, array_size(setup_notes));
	listed_flags("Enter flags", ABI_ENTER, ENTER_FLAGS, enter_bits,
		     array_size(enter_bits));
	listed_flags("Flags of an entry", ABI_SQE, SQE_FLAGS, sqe_bits,
		     array_size(sqe_bits));
	named_flags("Features", SECTION_FEATURES, ABI_FEATURES, FEATURES,
		    feature_notes, array_size(feature_notes));
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (!file || getdelim(&text, &room, '\0', file) < 0) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	char *made = NULL, *there;
	size_t bytes = 0;
	int differs;

	if (argc > 2 || (argc == 2 && *argv[1] == '-')) {
		fputs("usage: support [FILE]  (compare with FILE)\n", stderr);
		return 2;
	}
	page = open_memstream(&made, &bytes);
	if (!page)
		return 1;
	write_page();
	fclose(page);
	if (argc == 1)
		return fputs(made, stdout) < 0;
	there = read_file(argv[1]);
	differs = strcmp(made, there) != 0;
	if (differs)
		printf("%s is out of date: make tables\n", argv[1]);
	free(there);
	free(made);
	return differs;
}
