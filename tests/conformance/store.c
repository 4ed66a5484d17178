/* SPDX-License-Identifier: MIT */
/*
 * Recorded transcripts: the kernel's answers, where there is no kernel to ask.
 *
 * Theory: one text file a family. A line "== name" starts the transcript of
 * that piece, "# kernel 6.18.44" says who answered, other lines starting with
 * '#' and a blank are comments. (Completions start with '#' and a number.)
 * The files are read whole; names are looked up one after the other, which is
 * nothing beside playing a scenario.
 */
#include "harness.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct entry {
	char *name;
	char *text;
};

struct store {
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

static void add(struct store *store, const char *name, size_t name_bytes,
		const char *text, size_t text_bytes)
{
	struct entry *grown;

	grown = realloc(store->entries, (store->count + 1) * sizeof(*grown));
	if (!grown)
		abort();
	store->entries = grown;
	grown += store->count++;
	grown->name = strndup(name, name_bytes);
	grown->text = strndup(text, text_bytes);
}

static void parse(struct store *store, const char *text)
{
	const char *at = strstr(text, "\n== ");

	sscanf(text, "# kernel %79s", store->release);
	while (at) {
		const char *name = at + 4;
		const char *body = strchrnul(name, '\n');
		const char *next = strstr(body, "\n== ");
		const char *end = next ? next : body + strlen(body);

		if (*body)
			add(store, name, (size_t)(body - name), body + 1,
			    (size_t)(end - body - 1));
		at = next;
	}
}

struct store *store_open(const char *directory)
{
	struct store *store = calloc(1, sizeof(*store));
	DIR *dir = opendir(directory);
	struct dirent *found;
	char path[4096];
	char *text;

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

const char *store_get(const struct store *store, const char *name)
{
	size_t i;

	for (i = 0; i < store->count; i++)
		if (!strcmp(store->entries[i].name, name))
			return store->entries[i].text;
	return NULL;
}

const char *store_kernel(const struct store *store)
{
	return store->release;
}

/* "6.18.44-anything" without what its builder added. */
static void plain_release(char *release, size_t room)
{
	struct utsname name;

	uname(&name);
	snprintf(release, room, "%.*s",
		 (int)strspn(name.release, "0123456789."), name.release);
}

int store_write(const char *directory, const struct family *family,
		const struct piece *pieces, char *const *texts, size_t count)
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
	for (i = 0; i < count; i++)
		if (pieces[i].family == family)
			fprintf(file, "\n== %s\n%s", pieces[i].name, texts[i]);
	return fclose(file) ? -errno : 0;
}
