// SPDX-License-Identifier: MIT
/*
 * Which instructions are to be trapped.
 *
 * Theory: an object that makes io_uring calls inline has both of these in its
 * executable segments: one of the numbers 425, 426, 427 as the immediate of a
 * mov or push, and the two bytes of a `syscall` instruction. liburing holds
 * the number in any register and moves it to eax late, in loops for example,
 * so the two are not looked for side by side. All its `syscall` instructions
 * count then, as its mmap calls are inline as well; which of them are io_uring
 * calls the filter sees from the number.
 *
 * Looking at bytes instead of instructions finds a few that are none (the
 * middle of an immediate). That is harmless: the processor never stands
 * there. An object with very many would make a long filter, so it counts as
 * one range.
 *
 * Not looked at: the C library, the dynamic linker, the vDSO, ourselves and
 * the engine, whose calls are meant for the kernel. Not found: code made at
 * run time, and numbers that are loaded from memory.
 *
 * Locks: one, around all; loader.c calls this from any thread.
 * Cost: 0.2 ns a byte of code, once an object.
 */
#include "intercept/intercept.h"

#include <dlfcn.h>
#include <emmintrin.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

#include "abi/uring.h"
#include "base/mem.h"

/* Two instructions of filter each; the kernel takes 4096. */
#define SITES_EXACT_MAX 1024u
#define OBJECTS_MAX 4096u

static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;

/* Load addresses of the objects looked at, as of @unloads dlclose()s. */
static uintptr_t objects_seen[OBJECTS_MAX];
static size_t objects_count;
static unsigned long long objects_unloads;

/* All that was ever found: what is in the filter needs no second one. */
static struct site_list known;

struct code {
	const uint8_t *begin;
	const uint8_t *end;
};

static int site_add(struct site_list *list, uint64_t first, uint64_t last)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct site *bigger = mem_new(room, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (list->count)
			memcpy(bigger, list->sites,
			       list->count * sizeof(*bigger));
		mem_free(list->sites);
		list->sites = bigger;
		list->room = room;
	}
	list->sites[list->count++] =
		(struct site){.first = first, .last = last};
	return 0;
}

void sites_free(struct site_list *list)
{
	mem_free(list->sites);
	*list = (struct site_list){0};
}

/* mov $imm,%r32; mov $imm,%r64; push $imm: the opcode stands before @at. */
static bool is_immediate(const uint8_t *begin, const uint8_t *at)
{
	if (at - begin >= 1 && (at[-1] >> 3 == 0xb8 >> 3 || at[-1] == 0x68))
		return true;
	return at - begin >= 2 && at[-2] == 0xc7 && at[-1] >> 3 == 0xc0 >> 3;
}

static bool is_number(const struct code *code, const uint8_t *at)
{
	uint32_t number;

	if (code->end - at < (ptrdiff_t)sizeof(number))
		return false;
	memcpy(&number, at, sizeof(number));
	return number >= NR_io_uring_setup && number <= NR_io_uring_register &&
	       is_immediate(code->begin, at);
}

/*
 * The next place where a byte within [@low, @low + @span] is followed by
 * @second; sixteen places at a time.
 */
static const uint8_t *find_pair(const uint8_t *at, const uint8_t *end,
				uint8_t low, uint8_t span, uint8_t second)
{
	const __m128i lows = _mm_set1_epi8((char)low);
	const __m128i spans = _mm_set1_epi8((char)span);
	const __m128i seconds = _mm_set1_epi8((char)second);

	for (; end - at >= 17; at += 16) {
		__m128i one = _mm_loadu_si128((const __m128i *)at);
		__m128i two = _mm_loadu_si128((const __m128i *)(at + 1));
		__m128i off = _mm_sub_epi8(one, lows);
		__m128i hit = _mm_and_si128(
			_mm_cmpeq_epi8(_mm_min_epu8(off, spans), off),
			_mm_cmpeq_epi8(two, seconds));
		int mask = _mm_movemask_epi8(hit);

		if (mask)
			return at + __builtin_ctz((unsigned int)mask);
	}
	for (; end - at >= 2; at++)
		if ((uint8_t)(at[0] - low) <= span && at[1] == second)
			return at;
	return NULL;
}

static bool has_number(const struct code *code)
{
	const uint8_t *at = code->begin;
	const uint8_t low = NR_io_uring_setup & 0xff;

	while ((at = find_pair(at, code->end, low, 2, 0x01))) {
		if (is_number(code, at))
			return true;
		at++;
	}
	return false;
}

static int add_syscalls(struct site_list *list, const struct code *code)
{
	size_t count_before = list->count;
	const uint8_t *at = code->begin;
	int err;

	while ((at = find_pair(at, code->end, 0x0f, 0, 0x05))) {
		at += 2;
		if (list->count - count_before >= SITES_EXACT_MAX) {
			list->count = count_before;
			return site_add(list, (uint64_t)code->begin + 2,
					(uint64_t)code->end);
		}
		err = site_add(list, (uint64_t)at, (uint64_t)at);
		if (err < 0)
			return err;
	}
	return 0;
}

static bool is_code(const ElfW(Phdr) * segment)
{
	return segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
	       segment->p_flags & PF_R;
}

static struct code code_of(uintptr_t base, const ElfW(Phdr) * segment)
{
	const uint8_t *begin = (const uint8_t *)(base + segment->p_vaddr);

	return (struct code){begin, begin + segment->p_memsz};
}

static int object_sites(struct site_list *list, uintptr_t base,
			const ElfW(Phdr) * segments, size_t count)
{
	bool found = false;
	int err = 0;

	for (size_t i = 0; i < count && !found; i++) {
		struct code code = code_of(base, &segments[i]);

		found = is_code(&segments[i]) && has_number(&code);
	}
	for (size_t i = 0; i < count && found && !err; i++) {
		struct code code = code_of(base, &segments[i]);

		if (is_code(&segments[i]))
			err = add_syscalls(list, &code);
	}
	return err;
}

static bool object_holds(uintptr_t base, const ElfW(Phdr) * segments,
			 size_t count, uintptr_t address)
{
	for (size_t i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD &&
		    address - base - segments[i].p_vaddr < segments[i].p_memsz)
			return true;
	return false;
}

/* Ourselves, the engine, the C library, the dynamic linker, the vDSO. */
static bool object_is_exempt(uintptr_t base, const ElfW(Phdr) * segments,
			     size_t count)
{
	/* RTLD_NEXT: a program's own address of a function may be its PLT's. */
	const uintptr_t exempt[] = {
		(uintptr_t)sites_find,
		(uintptr_t)dlsym(RTLD_NEXT, "polyring_setup"),
		(uintptr_t)dlsym(RTLD_NEXT, "syscall"),
		getauxval(AT_BASE),
		getauxval(AT_SYSINFO_EHDR),
	};

	for (size_t i = 0; i < array_size(exempt); i++)
		if (exempt[i] && object_holds(base, segments, count, exempt[i]))
			return true;
	return false;
}

static bool object_is_new(uintptr_t base)
{
	for (size_t i = 0; i < objects_count; i++)
		if (objects_seen[i] == base)
			return false;
	if (objects_count < OBJECTS_MAX)
		objects_seen[objects_count++] = base;
	return true;
}

static bool site_is_known(const struct site *site)
{
	for (size_t i = 0; i < known.count; i++)
		if (known.sites[i].first <= site->first &&
		    site->last <= known.sites[i].last)
			return true;
	return false;
}

/* Move what is new from @fresh to @found, and remember it. */
static int sites_take_new(struct site_list *fresh, struct site_list *found)
{
	size_t known_before = known.count;
	int err = 0;

	for (size_t i = 0; i < fresh->count && !err; i++) {
		const struct site *site = &fresh->sites[i];

		if (site_is_known(site))
			continue;
		err = site_add(found, site->first, site->last);
		if (!err)
			err = site_add(&known, site->first, site->last);
	}
	if (err)
		known.count = known_before;
	sites_free(fresh);
	return err;
}

static int look_at(uintptr_t base, const ElfW(Phdr) * segments, size_t count,
		   const char *name, struct site_list *found)
{
	struct site_list fresh = {0};
	int err;

	if (!object_is_new(base) || object_is_exempt(base, segments, count))
		return 0;
	err = object_sites(&fresh, base, segments, count);
	if (err) {
		sites_free(&fresh);
		return err;
	}
	if (fresh.count && !found->object)
		found->object = name && *name ? name : "the program";
	return sites_take_new(&fresh, found);
}

static int look_at_loaded(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	(void)bytes;
	/* Addresses come round again when objects go. */
	if (info->dlpi_subs != objects_unloads) {
		objects_unloads = info->dlpi_subs;
		objects_count = 0;
	}
	return look_at(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum,
		       info->dlpi_name, arg);
}

int sites_find(struct site_list *found)
{
	int err;

	pthread_mutex_lock(&sites_lock);
	err = dl_iterate_phdr(look_at_loaded, found);
	pthread_mutex_unlock(&sites_lock);
	return err;
}

/* dl_iterate_phdr() shows the caller's namespace alone; walk the other. */
int sites_find_beside(void *handle, struct site_list *found)
{
	struct link_map *map = NULL;
	int err = 0;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) < 0)
		return 0;
	while (map && map->l_prev)
		map = map->l_prev;
	pthread_mutex_lock(&sites_lock);
	for (; map && !err; map = map->l_next) {
		const ElfW(Ehdr) *elf = (const ElfW(Ehdr) *)map->l_addr;

		if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
			continue;
		err = look_at(map->l_addr,
			      (const void *)(map->l_addr + elf->e_phoff),
			      elf->e_phnum, map->l_name, found);
	}
	pthread_mutex_unlock(&sites_lock);
	return err;
}
