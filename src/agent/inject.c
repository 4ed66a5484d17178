// SPDX-License-Identifier: MIT
#include "agent/inject.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "agent/remote.h"
#include "base/compiler.h"
#include "base/sys.h"

#define SEGMENTS_MAX 16
#define STACK_BYTES (256u * 1024)
/* Where an image may lie: far from the heap, libraries and stacks. */
#define BASE_LOWEST UINT64_C(0x200000000000)
#define BASE_PAGES UINT64_C(0x3ffffffff)
#define BASE_TRIES 16
/* Programs count on low numbers being free. */
#define FD_LOWEST 700
#define AUX_MAX 24
#define WORDS_MAX 64

/* What the two processes tell each other, in memory that they share. */
struct meeting {
	uint32_t go; /* the helper may trace */
	uint32_t traced; /* it has tried */
	int32_t error; /* with that result */
};

static void flag_set(uint32_t *flag)
{
	store_release(flag, 1);
	SYS_3(SYS_futex, flag, FUTEX_WAKE, 1);
}

static void flag_await(uint32_t *flag)
{
	/* Pairs with the release store of flag_set(). */
	while (!load_acquire(flag))
		SYS_4(SYS_futex, flag, FUTEX_WAIT, 0, NULL);
}

/* ---- the image ----------------------------------------------------------- */

struct image {
	int fd;
	Elf64_Ehdr elf;
	Elf64_Phdr segments[SEGMENTS_MAX];
	uint64_t bytes; /* from its begin, which is at address 0 in the file */
};

static uint64_t page_up(uint64_t at)
{
	return (at + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static uint64_t page_down(uint64_t at)
{
	return at & ~(uint64_t)(PAGE_BYTES - 1);
}

static int image_read(struct image *image)
{
	size_t bytes;

	if (SYS_4(SYS_pread64, image->fd, &image->elf, sizeof(image->elf), 0) !=
		    sizeof(image->elf) ||
	    image->elf.e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	bytes = image->elf.e_phnum * sizeof(image->segments[0]);
	if (SYS_4(SYS_pread64, image->fd, image->segments, bytes,
		  image->elf.e_phoff) != (long)bytes)
		return -ENOEXEC;
	for (int i = 0; i < image->elf.e_phnum; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		uint64_t end = segment->p_vaddr + segment->p_memsz;

		if (segment->p_type == PT_LOAD && image->bytes < page_up(end))
			image->bytes = page_up(end);
	}
	return 0;
}

static bool failed(long result)
{
	return (unsigned long)result >= -4095ul;
}

static uint64_t base_choose(uint64_t bytes)
{
	uint64_t random = 0, base;

	SYS_3(SYS_getrandom, &random, sizeof(random), 0);
	base = BASE_LOWEST + (random & BASE_PAGES) * PAGE_BYTES;
	/* The filter compares low halves of addresses. */
	if (base >> 32 != (base + bytes) >> 32)
		base = page_down(base - bytes);
	return base;
}

/* Image and stack are one mapping, writable at first. */
static long room_take(const struct remote *remote, uint64_t *base,
		      uint64_t bytes)
{
	long got = -EEXIST;

	for (int i = 0; i < BASE_TRIES; i++) {
		uint64_t at = *base ? *base : base_choose(bytes);

		got = remote_call(remote, SYS_mmap, (long)at, (long)bytes,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS |
					  MAP_FIXED_NOREPLACE,
				  -1, 0);
		if (got == (long)at || *base)
			break;
		if (!failed(got))
			remote_call(remote, SYS_munmap, got, (long)bytes, 0, 0,
				    0, 0);
	}
	if (failed(got))
		return got;
	if (*base && got != (long)*base)
		return -EEXIST;
	*base = (uint64_t)got;
	return 0;
}

static int protection_of(const Elf64_Phdr *segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* What is behind the file's bytes in the last page belongs to .bss. */
static int tail_clear(const struct remote *remote, uint64_t from)
{
	static const char zeros[PAGE_BYTES];

	if (from == page_up(from))
		return 0;
	return remote_write(remote, from, zeros, page_up(from) - from);
}

static long segment_map(const struct remote *remote, const struct image *image,
			const Elf64_Phdr *segment, uint64_t base)
{
	uint64_t at = page_down(base + segment->p_vaddr);
	uint64_t end = base + segment->p_vaddr + segment->p_filesz;
	int prot = protection_of(segment);
	long err = remote_call(remote, SYS_mmap, (long)at,
			       (long)(page_up(end) - at), prot & ~PROT_EXEC,
			       MAP_PRIVATE | MAP_FIXED, image->fd,
			       (long)page_down(segment->p_offset));

	if (failed(err))
		return err;
	if (prot & PROT_EXEC)
		return remote_call(remote, SYS_mprotect, (long)at,
				   (long)(page_up(end) - at), prot, 0, 0, 0);
	return prot & PROT_WRITE ? tail_clear(remote, end) : 0;
}

static long image_map(const struct remote *remote, const struct image *image,
		      uint64_t base)
{
	long err = 0;

	for (int i = 0; i < image->elf.e_phnum && !err; i++)
		if (image->segments[i].p_type == PT_LOAD)
			err = segment_map(remote, image, &image->segments[i],
					  base);
	return err;
}

/* ---- the agent's stack --------------------------------------------------- */

/* Behind the strings of the environment's pointers: the auxiliary vector. */
static int aux_read(const struct remote *remote, Elf64_auxv_t *aux,
		    size_t count)
{
	uint64_t words[WORDS_MAX], at = remote->registers.rsp;
	unsigned int ended = 0;
	int err = remote_read(remote, at, words, sizeof(words[0]));

	at += (words[0] + 2) * sizeof(words[0]);
	while (!err && !ended) {
		/* By single words: the stack ends somewhere. */
		err = remote_read(remote, at, words, sizeof(words[0]));
		ended = !words[0];
		at += sizeof(words[0]);
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = remote_read(remote, at, &aux[i], sizeof(aux[i]));
		if (aux[i].a_type == AT_NULL)
			break;
		at += sizeof(aux[i]);
	}
	return err;
}

/* What the kernel told the program and holds for the agent as well. */
static size_t aux_copy(const Elf64_auxv_t *from, size_t count, Elf64_auxv_t *to)
{
	static const uint64_t same[] = {
		AT_SYSINFO_EHDR, AT_HWCAP,  AT_HWCAP2,	    AT_PAGESZ,
		AT_CLKTCK,	 AT_UID,    AT_EUID,	    AT_GID,
		AT_EGID,	 AT_SECURE, AT_MINSIGSTKSZ,
	};
	size_t copied = 0;

	for (size_t i = 0; i < count && from[i].a_type != AT_NULL; i++)
		for (size_t k = 0; k < array_size(same); k++)
			if (from[i].a_type == same[k])
				to[copied++] = from[i];
	return copied;
}

/*
 * glibc's own words for a start in which it neither registers the thread's
 * restartable sequences, which are the program's to register, nor makes a heap
 * for each thread.
 */
static const char environment[] =
	"GLIBC_TUNABLES=glibc.pthread.rseq=0:glibc.malloc.arena_max=1";

/* The name stands behind the environment's, empty. */
struct strings {
	char environment[sizeof(environment)];
	uint64_t random[2];
};

static size_t words_make(uint64_t *words, uint64_t strings, uint64_t note,
			 const struct image *image, const Elf64_auxv_t *aux,
			 uint64_t base)
{
	const uint64_t name = strings + sizeof(environment) - 1;
	const uint64_t random = strings + offsetof(struct strings, random);
	const uint64_t head[] = {1, name, 0, strings, 0};
	const Elf64_auxv_t own[] = {
		{AT_PHDR, {base + image->elf.e_phoff}},
		{AT_PHENT, {sizeof(Elf64_Phdr)}},
		{AT_PHNUM, {image->elf.e_phnum}},
		{AT_ENTRY, {base + image->elf.e_entry}},
		{AT_RANDOM, {random}},
		{AT_EXECFN, {name}},
		{AT_AGENT_HANDOFF, {note}},
		{AT_NULL, {0}},
	};
	Elf64_auxv_t *to = (Elf64_auxv_t *)(words + array_size(head));
	size_t copied;

	memcpy(words, head, sizeof(head));
	copied = aux_copy(aux, AUX_MAX, to);
	memcpy(to + copied, own, sizeof(own));
	return array_size(head) + 2 * (copied + array_size(own));
}

/* From the top: the note, strings, the words that a program begins with. */
static long stack_make(const struct remote *remote, const struct image *image,
		       const struct agent_handoff *note, uint64_t *rsp)
{
	uint64_t note_at = (note->stack_high - sizeof(*note)) & ~UINT64_C(15);
	uint64_t strings_at =
		(note_at - sizeof(struct strings)) & ~UINT64_C(15);
	Elf64_auxv_t aux[AUX_MAX] = {{0}};
	uint64_t words[WORDS_MAX + 4];
	struct strings strings;
	size_t count;
	int err;

	memcpy(strings.environment, environment, sizeof(environment));
	SYS_3(SYS_getrandom, strings.random, sizeof(strings.random), 0);
	err = aux_read(remote, aux, AUX_MAX - 1);
	count = words_make(words, strings_at, note_at, image, aux, note->low);
	*rsp = (strings_at - count * sizeof(words[0])) & ~UINT64_C(15);
	if (!err)
		err = remote_write(remote, note_at, note, sizeof(*note));
	if (!err)
		err = remote_write(remote, strings_at, &strings,
				   sizeof(strings));
	if (!err)
		err = remote_write(remote, *rsp, words,
				   count * sizeof(words[0]));
	return err;
}

/* ---- the helper ---------------------------------------------------------- */

static long file_map(const struct remote *remote, const struct image *image,
		     size_t bytes)
{
	return remote_call(remote, SYS_mmap, 0, (long)bytes, PROT_READ,
			   MAP_PRIVATE, image->fd, 0);
}

static long put_agent(const struct remote *remote, struct image *image,
		      size_t file_bytes, const struct agent_tree *tree)
{
	struct agent_handoff note = {
		.magic = HANDOFF_MAGIC,
		.entry = remote->registers.rip,
		.stack = remote->registers.rsp,
		.file_bytes = file_bytes,
		.fd = image->fd,
		.helper = (int32_t)SYS_0(SYS_getpid),
		.tree = *tree,
	};
	uint64_t rsp = 0;
	long at, err = image_read(image);

	if (!err)
		err = room_take(remote, &note.tree.base,
				image->bytes + STACK_BYTES);
	if (!err)
		err = image_map(remote, image, note.tree.base);
	if (err)
		return err;
	at = file_map(remote, image, file_bytes);
	if (failed(at))
		return at;
	note.file = (uint64_t)at;
	note.low = note.tree.base;
	note.high = note.stack_low = note.low + image->bytes;
	note.stack_high = note.stack_low + STACK_BYTES;
	err = stack_make(remote, image, &note, &rsp);
	return err ? err
		   : remote_turn(remote, note.low + image->elf.e_entry, rsp);
}

/* An exec has put a new program there: the agent goes in. */
static void helper_inject(pid_t pid, int fd, size_t file_bytes,
			  const struct agent_tree *tree)
{
	struct image image = {.fd = fd};
	struct remote remote;
	long err = remote_open(&remote, pid);

	if (!err)
		err = put_agent(&remote, &image, file_bytes, tree);
	if (remote_close(&remote) < 0 || err)
		/* Half an agent serves nobody, and a filter may be waiting. */
		SYS_2(SYS_kill, pid, SIGKILL);
}

static bool helper_sees_exec(int status)
{
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
}

/* Until the exec, signals of the traced thread go where they would. */
static void helper_pass_on(pid_t pid, int status)
{
	if (status >> 16 == PTRACE_EVENT_STOP)
		SYS_4(SYS_ptrace, PTRACE_LISTEN, pid, 0, 0);
	else
		SYS_4(SYS_ptrace, PTRACE_CONT, pid, 0, WSTOPSIG(status));
}

static void helper_run(struct meeting *meeting, pid_t parent, pid_t thread,
		       int fd, size_t file_bytes, const struct agent_tree *tree)
{
	int status = 0;
	long pid;

	SYS_2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (SYS_0(SYS_getppid) != parent)
		SYS_1(SYS_exit_group, 1);
	flag_await(&meeting->go);
	meeting->error = (int32_t)SYS_4(SYS_ptrace, PTRACE_SEIZE, thread, 0,
					PTRACE_O_TRACEEXEC);
	flag_set(&meeting->traced);
	if (meeting->error < 0)
		SYS_1(SYS_exit_group, 1);
	for (;;) {
		pid = SYS_4(SYS_wait4, -1, &status, __WALL, NULL);
		if (pid < 0)
			SYS_1(SYS_exit_group, 1);
		if (helper_sees_exec(status))
			break;
		if (WIFSTOPPED(status))
			helper_pass_on((pid_t)pid, status);
	}
	helper_inject((pid_t)pid, fd, file_bytes, tree);
	SYS_4(SYS_ptrace, PTRACE_DETACH, pid, 0, 0);
	SYS_1(SYS_exit_group, 0);
}

/* ---- the process that executes ------------------------------------------- */

static int memfd_open(const struct inject_image *image)
{
	const char *at = image->file;
	size_t left = image->bytes;
	long high, fd = SYS_2(SYS_memfd_create, "polyring", 0);

	if (fd < 0)
		return (int)fd;
	while (left) {
		long wrote = SYS_3(SYS_write, fd, at, left);

		if (wrote <= 0) {
			SYS_1(SYS_close, fd);
			return wrote < 0 ? (int)wrote : -EIO;
		}
		at += wrote;
		left -= (size_t)wrote;
	}
	high = SYS_3(SYS_fcntl, fd, F_DUPFD, FD_LOWEST);
	if (high < 0)
		return (int)fd;
	SYS_1(SYS_close, fd);
	return (int)high;
}

static void mask_set(const uint64_t *mask, uint64_t *before)
{
	SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, sizeof(*mask));
}

/* The helper's pid when it traces the calling thread, else -ENOTSUP. */
static long helper_start(struct meeting *meeting, int fd, size_t file_bytes,
			 const struct agent_tree *tree)
{
	const uint64_t all = UINT64_MAX;
	const pid_t process = (pid_t)SYS_0(SYS_getpid);
	const pid_t thread = (pid_t)SYS_0(SYS_gettid);
	uint64_t before = 0;
	long helper;

	/* No handler of the program's runs in the helper. */
	mask_set(&all, &before);
	helper = SYS_5(SYS_clone, 0, 0, NULL, NULL, 0);
	if (!helper)
		helper_run(meeting, process, thread, fd, file_bytes, tree);
	mask_set(&before, NULL);
	if (helper < 0)
		return -ENOTSUP;
	/* Yama: a child of ours may trace us if we say so. */
	SYS_2(SYS_prctl, PR_SET_PTRACER, helper);
	flag_set(&meeting->go);
	flag_await(&meeting->traced);
	if (meeting->error < 0) {
		SYS_4(SYS_wait4, helper, NULL, __WALL, NULL);
		return -ENOTSUP;
	}
	return helper;
}

static void helper_end(long helper)
{
	SYS_2(SYS_kill, helper, SIGKILL);
	SYS_4(SYS_wait4, helper, NULL, __WALL, NULL);
}

static int exec_now(const struct inject_program *program)
{
	if (program->dir == AT_FDCWD && !program->flags)
		return (int)SYS_3(SYS_execve, program->path, program->argv,
				  program->environment);
	return (int)SYS_5(SYS_execveat, program->dir, program->path,
			  program->argv, program->environment, program->flags);
}

int inject_exec(const struct inject_program *program,
		const struct inject_image *image, const struct agent_tree *tree,
		void (*leaving)(bool is_leaving))
{
	struct meeting *meeting;
	long shared, helper;
	int err = -ENOTSUP, fd;

	shared = SYS_6(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (failed(shared))
		return -ENOTSUP;
	meeting = (struct meeting *)shared;
	fd = memfd_open(image);
	if (fd < 0)
		goto unmap;
	helper = helper_start(meeting, fd, image->bytes, tree);
	if (helper < 0)
		goto close;
	if (leaving)
		leaving(true);
	err = exec_now(program);
	if (leaving)
		leaving(false);
	helper_end(helper);
close:
	SYS_1(SYS_close, fd);
unmap:
	SYS_2(SYS_munmap, shared, PAGE_BYTES);
	return err;
}
