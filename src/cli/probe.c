// SPDX-License-Identifier: MIT
/*
 * `polyring probe`: what the kernel offers and what polyring offers, side by
 * side for people, and as JSON for programs. See offer.h for how it is
 * determined.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "polyring/version.h"
#include "cli/cli.h"
#include "cli/offer.h"

#define NAME_WIDTH 26
#define COLUMN_WIDTH 24

/* ---- for people ---------------------------------------------------------- */

static void print_cell(const struct colours *c, const struct offer *offer,
		       bool has)
{
	const char *word = offer->answer ? "-" : has ? "yes" : "no";
	const char *colour = offer->answer ? c->faint : has ? c->good : c->bad;

	printf("%s%-*s%s", colour, COLUMN_WIDTH, word, c->off);
}

static int probe_count_of(const struct offer *offer, int section)
{
	int count = 0;

	for (int i = 0; i < sections[section].count; i++)
		count += offer->has[section][i];
	return count;
}

static void print_section(const struct colours *c, int section,
			  const struct offer *kernel,
			  const struct offer *polyring)
{
	const struct section *s = &sections[section];

	printf("\n%s%-*s%s", c->strong, NAME_WIDTH, s->title, c->off);
	if (kernel->answer)
		printf("%-*s", COLUMN_WIDTH, "-");
	else
		printf("%-*d", COLUMN_WIDTH, probe_count_of(kernel, section));
	printf("%d\n", probe_count_of(polyring, section));
	for (int i = 0; i < s->count; i++) {
		printf("  %-*s", NAME_WIDTH - 2, s->names[i]);
		print_cell(c, kernel, kernel->has[section][i]);
		print_cell(c, polyring, polyring->has[section][i]);
		putchar('\n');
	}
}

static void print_refusal(const struct offer *offer, const char *name)
{
	printf("%s: io_uring_setup answers %s: %s\n", name,
	       kernel_answer_name(offer->answer),
	       kernel_refusal(offer->answer));
}

static void print_all(const struct offer *kernel, const struct offer *polyring,
		      const char *release, const char *as)
{
	struct colours c = say_colours(stdout);

	if (kernel->answer)
		print_refusal(kernel, "kernel");
	if (polyring->answer)
		printf("polyring: setup answers %s\n",
		       say_errno_name(polyring->answer));
	printf("%s%-*s%-*s%s%s\n", c.strong, NAME_WIDTH, "", COLUMN_WIDTH,
	       "kernel", "polyring", c.off);
	printf("%-*s%-*.*s%s%s%s\n", NAME_WIDTH, "version", COLUMN_WIDTH,
	       COLUMN_WIDTH - 1, release, POLYRING_VERSION,
	       as ? " as Linux " : "", as ? as : "");
	for (int i = 0; i < SECTIONS; i++)
		print_section(&c, i, kernel, polyring);
}

/* ---- for programs -------------------------------------------------------- */

static void json_section(const struct offer *offer, int section)
{
	const struct section *s = &sections[section];
	const char *between = "";

	printf(",\n    \"%s\": [", s->key);
	for (int i = 0; i < s->count; i++) {
		if (!offer->has[section][i])
			continue;
		printf("%s\"%s\"", between, s->names[i]);
		between = ", ";
	}
	putchar(']');
}

static void json_side(const char *name, const char *version,
		      const struct offer *offer, const char *end)
{
	printf("  \"%s\": {\n    \"version\": \"%s\",\n    \"answers\": %s",
	       name, version, offer->answer ? "false" : "true");
	if (offer->answer)
		printf(",\n    \"errno\": \"%s\",\n    \"reason\": \"%s\"",
		       kernel_answer_name(offer->answer),
		       kernel_refusal(offer->answer));
	for (int i = 0; !offer->answer && i < SECTIONS; i++)
		json_section(offer, i);
	printf("\n  }%s\n", end);
}

static void probe_ask_kernel(void *offer)
{
	offer_ask(&side_kernel, offer);
}

static void offer_ask_kernel(struct offer *offer)
{
	int err = kernel_ask(probe_ask_kernel, offer, sizeof(*offer));

	if (err)
		*offer = (struct offer){.answer = err};
}

static int probe(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"kernel", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct offer kernel, polyring;
	struct utsname uts = {.release = ""};
	const char *as = NULL;
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "jk:h", known, NULL)) != -1) {
		if (option == 'h')
			return fputs(verb_probe.help, stdout) < 0;
		if (option == 'j')
			json = true;
		else if (option == 'k')
			as = optarg;
		else
			return EXIT_USAGE;
	}
	if (optind != argc)
		return say_error(EXIT_USAGE, "Try: polyring help probe",
				 "probe: takes no arguments, there is '%s'",
				 argv[optind]);
	status = kernel_chosen("probe", as, &as);
	if (status)
		return status;
	if (setenv("POLYRING_KERNEL", as ? as : "latest", 1) < 0)
		return EXIT_OURS;
	uname(&uts);
	offer_ask_kernel(&kernel);
	offer_ask(&side_polyring, &polyring);
	if (!json) {
		print_all(&kernel, &polyring, uts.release, as);
		return 0;
	}
	puts("{");
	json_side("kernel", uts.release, &kernel, ",");
	json_side("polyring", POLYRING_VERSION, &polyring, "");
	puts("}");
	return 0;
}

// clang-format off
const struct verb verb_probe = {
	.name = "probe",
	.brief = "show what the kernel's io_uring and polyring's offer",
	.help =
"usage: polyring probe [--json] [--kernel VERSION]\n"
"\n"
"Asks the kernel and polyring's engine what they offer, and prints it side by\n"
"side: setup flags, features, operations, register opcodes. Everything is asked\n"
"of the real thing, nothing is looked up. Where the kernel refuses io_uring, it\n"
"says with which errno and what likely stands behind it.\n"
"\n"
"options:\n"
"  -j, --json            the same for programs: lists of names of what there is\n"
"  -k, --kernel VERSION  polyring as that kernel; see polyring help run\n"
"  -h, --help            this text\n"
"\n"
"examples:\n"
"  polyring probe | less\n"
"  polyring deny -- polyring probe      as seen from a container\n"
"  polyring probe --kernel 6.1          what a program sees of such a kernel\n"
"  polyring probe --json | jq '.kernel.operations - .polyring.operations'\n"
"\n"
"exit status: 0; 1 the result could not be written, 2 wrong usage.\n",
	.run = probe,
};
// clang-format on
