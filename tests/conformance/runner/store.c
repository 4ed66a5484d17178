/* SPDX-License-Identifier: MIT */
/*
 * Recorded transcripts: the kernel's answers, for when there is no kernel to
 * ask.
 *
 * Theory: one text file a family. A line "== name" starts the transcript of
 * that piece, "# kernel 6.18.44" says which kernel was recorded, other lines
 * starting with '#' and a blank are comments. (Completions start with '#' and a
 * number.) The files are read completely; names are searched for linearly,
 * which is fast compared with playing a scenario.
 *
 * An older kernel's record is beside that of the newest, its base, and leaves
 * out equal transcripts: "= name hash" stands for a transcript equal to the
 * base's, "== name hash" precedes one that is not. The hash is that of the
 * base's transcript: if it has changed, the scenario has changed since this
 * kernel was recorded, and the record of it is no longer valid.
 */
#include "harness.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct entry {
	char *name;
	char *text; /* NULL: the same as the base's */
	uint32_t hash; /* of the base's transcript */
};

struct store {
	const struct store *base; /* NULL: this is the base */
	struct entry *entries;
	size_t count;
	char release[80];
};

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* FNV-1a; 0 for no text. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	if (!text)
		return 0;
	while (*text)
		hash = (hash ^ (unsigned char)*text++) * 16777619u;
	return hash;
}

/* @title: "name", or "name hash". Without @text it is the base's. */
static void add(struct store *store, const char *title, const char *text,
		size_t text_bytes)
{
	size_t name_bytes = strcspn(title, " \n");
	struct entry *grown;

	grown = realloc(store->entries, (store->count + 1) * sizeof(*grown));
	if (!grown)
		abort();
	store->entries = grown;
	grown += store->count++;
	grown->name = strndup(title, name_bytes);
	grown->text = text ? strndup(text, text_bytes) : NULL;
	grown->hash = (uint32_t)strtoul(title + name_bytes, NULL, 16);
}

static void parse(struct store *store, const char *text)
{
	const char *at;

	sscanf(text, "# kernel %79s", store->release);
	for (at = strstr(text, "\n= "); at; at = strstr(at + 3, "\n= "))
		add(store, at + 3, NULL, 0);
	at = strstr(text, "\n== ");
	while (at) {
		const char *title = at + 4;
		const char *body = strchrnul(title, '\n');
		const char *next = strstr(body, "\n== ");
		const char *end = next ? next : body + strlen(body);

		if (*body)
			add(store, title, body + 1, (size_t)(end - body - 1));
		at = next;
	}
}

struct store *store_open(const char *directory, const struct store *base)
{
	struct store *store = calloc(1, sizeof(*store));
	DIR *dir = opendir(directory);
	struct dirent *found;
	char path[4096];
	char *text;

	if (store)
		store->base = base;
	while (store && dir && (found = readdir(dir))) {
		if (!strstr(found->d_name, ".txt"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, found->d_name);
		text = read_file(path);
		if (text)
			parse(store, text);
		free(text);
	}
	if (dir)
		closedir(dir);
	return store;
}

void store_close(struct store *store)
{
	size_t i;

	for (i = 0; i < store->count; i++) {
		free(store->entries[i].name);
		free(store->entries[i].text);
	}
	free(store->entries);
	free(store);
}

static const struct entry *find(const struct store *store, const char *name)
{
	size_t i;

	for (i = 0; i < store->count; i++)
		if (!strcmp(store->entries[i].name, name))
			return &store->entries[i];
	return NULL;
}

const char *store_get(const struct store *store, const char *name)
{
	const struct entry *entry = find(store, name);
	const char *base;

	if (!entry || !store->base)
		return entry ? entry->text : NULL;
	base = store_get(store->base, name);
	if (hash_of(base) != entry->hash)
		return NULL;
	return entry->text ? entry->text : base;
}

const char *store_kernel(const struct store *store)
{
	return store->release;
}

/*
 * "6.18.44-anything" without the builder's suffix; Debian reports it elsewhere.
 */
static void plain_release(char *release, size_t room)
{
	const char *debian, *from;
	struct utsname name;

	uname(&name);
	debian = strstr(name.version, "Debian ");
	from = debian ? strchr(debian, ' ') + 1 : name.release;
	snprintf(release, room, "%.*s", (int)strspn(from, "0123456789."), from);
}

static void write_one(FILE *file, const struct store *base, const char *name,
		      const char *text, bool equal)
{
	const char *before = base ? store_get(base, name) : NULL;

	if (equal != (before && !strcmp(before, text)))
		return;
	if (!base)
		fprintf(file, "\n== %s\n%s", name, text);
	else if (equal)
		fprintf(file, "= %s %08x\n", name, hash_of(before));
	else
		fprintf(file, "\n== %s %08x\n%s", name, hash_of(before), text);
}

/* First the transcripts that equal the base's, a line each, then the rest. */
static void write_all(FILE *file, const struct store *base,
		      const struct family *family, const struct piece *pieces,
		      char *const *texts, size_t count)
{
	int equal;
	size_t i;

	for (equal = 1; equal >= 0; equal--)
		for (i = 0; i < count; i++)
			if (pieces[i].family == family)
				write_one(file, base, pieces[i].name, texts[i],
					  equal);
}

int store_write(const char *directory, const struct store *base,
		const struct family *family, const struct piece *pieces,
		char *const *texts, size_t count)
{
	char release[64];
	char path[4096];
	FILE *file;
	size_t i = 0;

	while (i < count && pieces[i].family != family)
		i++;
	if (i == count)
		return 0;
	mkdir(directory, 0777);
	snprintf(path, sizeof(path), "%s/%s.txt", directory, family->name);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	plain_release(release, sizeof(release));
	fprintf(file, "# kernel %s\n# made by conformance --record\n", release);
	write_all(file, base, family, pieces, texts, count);
	return fclose(file) ? -errno : 0;
}
