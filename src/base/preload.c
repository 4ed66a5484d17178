// SPDX-License-Identifier: MIT
#include "base/preload.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/sys.h"

/* The kernel's limit on interpreters of interpreters. */
#define SCRIPTS_MAX 4
#define HEAD_BYTES 256
#define SEGMENTS_MAX 64u
#define DYNAMIC_MAX 1024u

static const char no_glibc[] =
	"its dynamic linker is not glibc's (musl?): libpolyring-preload.so "
	"needs glibc";

static const char small_stacks[] =
	"it is written in Go: the engine needs larger stacks than goroutines "
	"have, which the agent would bring";

struct file {
	int fd;
	const char *path;
	Elf64_Ehdr elf;
};

static bool read_at(const struct file *file, uint64_t at, void *to,
		    size_t bytes)
{
	return sys_direct(SYS_pread64, file->fd, (long)to, (long)bytes,
			  (long)at, 0, 0) == (long)bytes;
}

/* Read a string, as much of it as is in the file and fits into @to. */
static bool read_text(const struct file *file, uint64_t at, char *to,
		      size_t room)
{
	long got = sys_direct(SYS_pread64, file->fd, (long)to, (long)room - 1,
			      (long)at, 0, 0);

	to[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static bool segment_read(const struct file *file, unsigned int index,
			 Elf64_Phdr *segment)
{
	return index < file->elf.e_phnum && index < SEGMENTS_MAX &&
	       read_at(file, file->elf.e_phoff + index * sizeof(*segment),
		       segment, sizeof(*segment));
}

static bool segment_find(const struct file *file, uint32_t type,
			 Elf64_Phdr *segment)
{
	for (unsigned int i = 0; segment_read(file, i, segment); i++)
		if (segment->p_type == type)
			return true;
	return false;
}

/* The file offset of the byte that is mapped at @address; 0: there is none. */
static uint64_t offset_of(const struct file *file, uint64_t address)
{
	Elf64_Phdr segment;

	for (unsigned int i = 0; segment_read(file, i, &segment); i++)
		if (segment.p_type == PT_LOAD &&
		    address - segment.p_vaddr < segment.p_filesz)
			return segment.p_offset + (address - segment.p_vaddr);
	return 0;
}

static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* ---- AddressSanitizer's runtime ------------------------------------------ */

static bool is_runtime(const char *name)
{
	name = name_in(name);
	return begins(name, "libasan.so") || begins(name, "libclang_rt.asan");
}

static uint64_t names_of(const struct file *file, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn entry;

	for (unsigned int i = 0; i < DYNAMIC_MAX; i++) {
		if (!read_at(file, dynamic->p_offset + i * sizeof(entry),
			     &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return 0;
		if (entry.d_tag == DT_STRTAB)
			return offset_of(file, entry.d_un.d_ptr);
	}
	return 0;
}

/* Find the runtime among the libraries that the program needs; "" if none. */
static void runtime_find(const struct file *file, char *runtime)
{
	char name[PRELOAD_RUNTIME_BYTES];
	Elf64_Phdr dynamic;
	Elf64_Dyn entry;
	uint64_t names;

	if (!segment_find(file, PT_DYNAMIC, &dynamic))
		return;
	names = names_of(file, &dynamic);
	for (unsigned int i = 0; names && i < DYNAMIC_MAX; i++) {
		if (!read_at(file, dynamic.p_offset + i * sizeof(entry), &entry,
			     sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag != DT_NEEDED ||
		    !read_text(file, names + entry.d_un.d_val, name,
			       sizeof(name)) ||
		    !is_runtime(name))
			continue;
		memcpy(runtime, name, sizeof(name));
		return;
	}
}

/* ---- notes --------------------------------------------------------------- */

#define NOTES_BYTES 512
#define NOTE_ALIGNED(bytes) (((bytes) + 3u) & ~3u)

const char *preload_note(const char *notes, size_t bytes, const char *name)
{
	const size_t name_bytes = strlen(name) + 1;
	Elf64_Nhdr note;
	size_t at = 0, text;

	while (at + sizeof(note) <= bytes) {
		memcpy(&note, notes + at, sizeof(note));
		text = at + sizeof(note) + NOTE_ALIGNED(note.n_namesz);
		if (text + NOTE_ALIGNED(note.n_descsz) > bytes)
			break;
		if (NOTE_ALIGNED(note.n_namesz) == NOTE_ALIGNED(name_bytes) &&
		    !memcmp(notes + at + sizeof(note), name, name_bytes))
			return notes + text;
		at = text + NOTE_ALIGNED(note.n_descsz);
	}
	return NULL;
}

static bool has_note(const struct file *file, const char *name)
{
	char notes[NOTES_BYTES];
	Elf64_Phdr segment;

	for (unsigned int i = 0; segment_read(file, i, &segment); i++)
		if (segment.p_type == PT_NOTE &&
		    segment.p_filesz <= sizeof(notes) &&
		    read_at(file, segment.p_offset, notes, segment.p_filesz) &&
		    preload_note(notes, segment.p_filesz, name))
			return true;
	return false;
}

/* ---- the file ------------------------------------------------------------ */

/* Is it the dynamic linker itself, with a program as its argument? */
static void linker_look(const struct file *file, struct preload_target *target)
{
	const char *name = name_in(file->path);

	if (begins(name, "ld-linux") || begins(name, "ld.so"))
		return;
	target->agent_serves = true;
	target->harmed = begins(name, "ld-musl");
	target->why =
		target->harmed
			? no_glibc
			: "it is statically linked: the dynamic linker, which "
			  "would load libpolyring-preload.so, takes no part";
}

static void elf_look(const struct file *file, struct preload_target *target)
{
	char linker[PRELOAD_RUNTIME_BYTES];
	Elf64_Phdr segment;

	if (file->elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    file->elf.e_machine != EM_X86_64) {
		target->why = "it is not an x86-64 program";
		target->harmed = true;
	} else if (!segment_find(file, PT_INTERP, &segment)) {
		linker_look(file, target);
	} else if (read_text(file, segment.p_offset, linker, sizeof(linker)) &&
		   !begins(name_in(linker), "ld-linux")) {
		target->why = no_glibc;
		target->harmed = true;
		target->agent_serves = true;
	} else if (has_note(file, "Go")) {
		target->why = small_stacks;
		target->harmed = true;
		target->agent_serves = true;
	} else {
		runtime_find(file, target->runtime);
	}
}

static bool is_nobody(uint32_t user, long number)
{
	return user != (uint32_t)sys_direct(number, 0, 0, 0, 0, 0, 0);
}

/*
 * Would exec raise privileges? Not in a process with no_new_privs, and not from
 * a file system mounted nosuid: there LD_PRELOAD is not ignored.
 */
static const char *privileges_refuse(const struct file *file)
{
	struct stat st;

	if (sys_direct(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) == 1 ||
	    sys_direct(SYS_fstat, file->fd, (long)&st, 0, 0, 0, 0) < 0)
		return NULL;
	if (st.st_mode & S_ISUID && is_nobody(st.st_uid, SYS_geteuid))
		return "it is setuid: the dynamic linker ignores LD_PRELOAD "
		       "for programs that gain privileges";
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP &&
	    is_nobody(st.st_gid, SYS_getegid))
		return "it is setgid: the dynamic linker ignores LD_PRELOAD "
		       "for programs that gain privileges";
	if (is_nobody(0, SYS_geteuid) &&
	    sys_direct(SYS_fgetxattr, file->fd, (long)"security.capability", 0,
		       0, 0, 0) > 0)
		return "it has file capabilities: the dynamic linker ignores "
		       "LD_PRELOAD for programs that gain privileges";
	return NULL;
}

/* Cuts "#! /bin/sh -e ..." to "/bin/sh", which is then in @head. */
static void to_interpreter(char *head)
{
	char *name = head + 2 + strspn(head + 2, " \t");

	name[strcspn(name, " \t\n")] = '\0';
	memmove(head, name, strlen(name) + 1);
}

static int file_open(const char *path)
{
	return (int)sys_direct(SYS_openat, AT_FDCWD, (long)path,
			       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0,
			       0, 0);
}

/* Returns true when @head names the file to look at instead. */
static bool file_look(const char *path, char *head,
		      struct preload_target *target)
{
	struct file file = {.fd = file_open(path), .path = path};
	bool script = false;

	if (file.fd < 0)
		return false;
	if (read_at(&file, 0, &file.elf, sizeof(file.elf)) &&
	    !memcmp(file.elf.e_ident, ELFMAG, SELFMAG)) {
		const char *refusal = privileges_refuse(&file);

		target->command = has_note(&file, PRELOAD_COMMANDS_NOTE);
		if (!target->command)
			elf_look(&file, target);
		target->agent_serves = target->agent_serves && !refusal;
		if (!target->why)
			target->why = refusal;
	} else if (read_text(&file, 0, head, HEAD_BYTES)) {
		script = !memcmp(head, "#!", 2);
	}
	sys_direct(SYS_close, file.fd, 0, 0, 0, 0, 0);
	if (script)
		to_interpreter(head);
	return script;
}

void preload_look(const char *path, struct preload_target *target)
{
	char heads[2][HEAD_BYTES];

	*target = (struct preload_target){.why = NULL};
	for (int i = 0; i <= SCRIPTS_MAX; i++) {
		if (!file_look(path, heads[i & 1], target))
			return;
		path = heads[i & 1];
	}
}

/* ---- the list ------------------------------------------------------------ */

struct word {
	const char *at;
	size_t length;
};

/* The next word at or after *@list, which moves past it. Length 0: the end. */
static struct word word_next(const char **list)
{
	struct word word;

	*list += strspn(*list, ": ");
	word = (struct word){*list, strcspn(*list, ": ")};
	*list += word.length;
	return word;
}

static bool word_is_ours(struct word word)
{
	size_t length = strlen(PRELOAD_NAME);

	return word.length >= length &&
	       !memcmp(word.at + word.length - length, PRELOAD_NAME, length) &&
	       (word.length == length ||
		word.at[word.length - length - 1] == '/');
}

bool preload_named(const char *list)
{
	for (;;) {
		struct word word = word_next(&list);

		if (!word.length || word_is_ours(word))
			return word.length > 0;
	}
}

struct out {
	char *to;
	size_t room, length;
};

static void preload_put_word(struct out *out, const char *at, size_t length)
{
	if (!length || out->length + length + 2 > out->room)
		return;
	if (out->length)
		out->to[out->length++] = ':';
	memcpy(out->to + out->length, at, length);
	out->length += length;
}

static bool word_is_runtime(struct word word)
{
	char name[PRELOAD_RUNTIME_BYTES * 4];

	if (word.length >= sizeof(name))
		return false;
	memcpy(name, word.at, word.length);
	name[word.length] = '\0';
	return is_runtime(name);
}

/*
 * A runtime without a path directly before our library was added for the
 * program that runs now, and is not for the programs that it starts.
 */
static bool word_was_put(struct word word, const char *behind)
{
	return word_is_runtime(word) && !memchr(word.at, '/', word.length) &&
	       word_is_ours(word_next(&behind));
}

/* Runtimes that the user has put first stay first. */
static const char *put_runtimes(struct out *out, const char *list)
{
	for (;;) {
		const char *behind = list;
		struct word word = word_next(&behind);

		if (!word.length || !word_is_runtime(word) ||
		    word_was_put(word, behind))
			return list;
		preload_put_word(out, word.at, word.length);
		list = behind;
	}
}

size_t preload_list(const struct preload_target *target, const char *before,
		    const char *ours, char *to, size_t room)
{
	struct out out = {.to = to, .room = room};
	const char *list = put_runtimes(&out, before ? before : "");

	if (!target->harmed) {
		preload_put_word(&out, target->runtime,
				 strlen(target->runtime));
		preload_put_word(&out, ours, strlen(ours));
	}
	for (;;) {
		struct word word = word_next(&list);

		if (!word.length)
			break;
		if (!word_is_ours(word) && !word_was_put(word, list))
			preload_put_word(&out, word.at, word.length);
	}
	to[out.length] = '\0';
	return out.length;
}
