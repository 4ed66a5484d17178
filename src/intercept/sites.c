// SPDX-License-Identifier: MIT
/*
 * Which instructions are to be patched or trapped.
 *
 * Theory: an object that makes io_uring calls inline has the numbers 425, 426,
 * 427 as immediates in its code, and `syscall` instructions. Large programs
 * have both by chance: line numbers, HTTP's status 425, the middle of some
 * instruction. So one of these must hold, too (measured: liburing has 40 such
 * places; Node.js, gdb, libcrypto and LLVM, 150 MB together, none):
 *
 *   near   an immediate goes to a register that holds no argument of a call,
 *          and a `syscall` follows within 128 bytes. liburing keeps the
 *          number in any register and moves it to eax late, in loops.
 *   small  the object has at most 256 KiB of code. That finds programs with a
 *          wrapper of their own which takes the number as an argument.
 *
 * Then all `syscall` instructions of the object count, as its mmap calls are
 * inline as well; which of them are io_uring's the filter sees by the number.
 *
 * Looking at bytes instead of instructions finds a few that are none (the
 * middle of an immediate). To trap those is harmless, for the processor never
 * stands there, but the filter that it takes is not free: patch.c, which knows
 * instructions, takes them off. An object with very many would make a long
 * filter, so it counts as one range.
 *
 * Not looked at: the C library, the dynamic linker, the vDSO, ourselves, the
 * engine and the command, whose calls are meant for the kernel. Not found:
 * code made at run time, and numbers that are loaded from memory.
 *
 * Locks: one, around all; loader.c calls this from any thread.
 * Cost: 0.1 ns a byte of code, once an object.
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
#include "intercept/patch.h"

/* Two instructions of filter each; the kernel takes 4096. */
#define SITES_EXACT_MAX 1024u
#define OBJECTS_MAX 4096u
#define NEAR_BYTES 128
#define SMALL_BYTES (256u * 1024)

static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;

/* Load addresses of the objects looked at, as of @unloads dlclose()s. */
static uintptr_t objects_seen[OBJECTS_MAX];
static size_t objects_count;
static unsigned long long objects_unloads;

/* In ourselves, the engine, the C library, the dynamic linker, the vDSO, and
 * the command, if that is the program (src/cli/kernel.c). */
static uintptr_t exempt[6];

static bool numbers_found;

/* All that was ever found: what is in the filter needs no second one. */
static struct site_list known;

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

/*
 * mov $imm,%r32 or mov $imm,%r64 with the immediate at @at: the register's
 * number, or -1.
 */
static int moved_to(const uint8_t *begin, const uint8_t *at)
{
	const uint8_t rex_b = 0x41, rex_wb = 0x49;

	if (at - begin < 3)
		return -1;
	if (at[-1] >> 3 == 0xb8 >> 3)
		return (at[-1] & 7) | (at[-2] == rex_b ? 8 : 0);
	if (at[-2] == 0xc7 && at[-1] >> 3 == 0xc0 >> 3)
		return (at[-1] & 7) | (at[-3] == rex_wb ? 8 : 0);
	return -1;
}

/* Not rcx, rdx, rsi, rdi, r8, r9; nobody keeps a number in rsp. */
static bool holds_no_argument(int reg)
{
	const unsigned int arguments = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 |
				       1u << 7 | 1u << 8 | 1u << 9;

	return reg >= 0 && !(arguments >> reg & 1);
}

/* What find_pair() looks for, sixteen times. */
struct pair {
	__m128i low, span, second;
};

/* Bytes that are 0 where @at, and what follows, begins with the pair. */
static inline __m128i pair_misses(const struct pair *pair, const uint8_t *at)
{
	__m128i one = _mm_loadu_si128((const __m128i *)at);
	__m128i two = _mm_loadu_si128((const __m128i *)(at + 1));

	return _mm_or_si128(
		_mm_subs_epu8(_mm_sub_epi8(one, pair->low), pair->span),
		_mm_xor_si128(two, pair->second));
}

static inline unsigned int zeros(__m128i bytes)
{
	return (unsigned int)_mm_movemask_epi8(
		_mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
}

/*
 * The next place where a byte within [@low, @low + @span] is followed by
 * @second. Hits are rare, so 64 places are gone over at once.
 */
static const uint8_t *find_pair(const uint8_t *at, const uint8_t *end,
				uint8_t low, uint8_t span, uint8_t second)
{
	const struct pair pair = {
		_mm_set1_epi8((char)low),
		_mm_set1_epi8((char)span),
		_mm_set1_epi8((char)second),
	};

	for (; end - at >= 65; at += 64)
		if (zeros(_mm_min_epu8(
			    _mm_min_epu8(pair_misses(&pair, at),
					 pair_misses(&pair, at + 16)),
			    _mm_min_epu8(pair_misses(&pair, at + 32),
					 pair_misses(&pair, at + 48)))))
			break;
	for (; end - at >= 17; at += 16) {
		unsigned int hits = zeros(pair_misses(&pair, at));

		if (hits)
			return at + __builtin_ctz(hits);
	}
	for (; end - at >= 2; at++)
		if ((uint8_t)(at[0] - low) <= span && at[1] == second)
			return at;
	return NULL;
}

enum strength {
	NUMBER_NONE,
	NUMBER_SOMEWHERE,
	NUMBER_NEAR,
};

/* What the two bytes at @at, which look like the begin of a number, are. */
static enum strength number_at(const struct code *code, const uint8_t *at)
{
	const uint8_t *end = code->end;
	uint32_t number;
	int reg;

	if (end - at < (ptrdiff_t)sizeof(number))
		return NUMBER_NONE;
	memcpy(&number, at, sizeof(number));
	reg = moved_to(code->begin, at);
	if (number < NR_io_uring_setup || number > NR_io_uring_register ||
	    reg < 0)
		return NUMBER_NONE;
	if (end - at > NEAR_BYTES)
		end = at + NEAR_BYTES;
	return holds_no_argument(reg) && find_pair(at, end, 0x0f, 0, 0x05)
		       ? NUMBER_NEAR
		       : NUMBER_SOMEWHERE;
}

static enum strength number_in(const struct code *code)
{
	const uint8_t *at = code->begin;
	const uint8_t low = NR_io_uring_setup & 0xff;
	enum strength best = NUMBER_NONE;

	while (best < NUMBER_NEAR &&
	       (at = find_pair(at, code->end, low, 2, 0x01))) {
		enum strength one = number_at(code, at++);

		if (best < one)
			best = one;
	}
	return best;
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

static bool object_counts(uintptr_t base, const ElfW(Phdr) * segments,
			  size_t count)
{
	enum strength best = NUMBER_NONE;
	size_t bytes = 0;

	for (size_t i = 0; i < count && best < NUMBER_NEAR; i++) {
		struct code code = code_of(base, &segments[i]);
		enum strength one;

		if (!is_code(&segments[i]))
			continue;
		one = number_in(&code);
		bytes += segments[i].p_memsz;
		if (best < one)
			best = one;
	}
	numbers_found = numbers_found || best != NUMBER_NONE;
	return best == NUMBER_NEAR ||
	       (best == NUMBER_SOMEWHERE && bytes <= SMALL_BYTES);
}

static int object_sites(struct site_list *list, uintptr_t base,
			const ElfW(Phdr) * segments, size_t count)
{
	int err = 0;

	if (!object_counts(base, segments, count))
		return 0;
	for (size_t i = 0; i < count && !err; i++) {
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

/* Once, as a name is searched for in all objects. */
static void exempt_find(void)
{
	if (exempt[0])
		return;
	/* RTLD_NEXT: a program's own address of a function may be its PLT's. */
	exempt[0] = (uintptr_t)sites_find;
	exempt[1] = (uintptr_t)dlsym(RTLD_NEXT, "polyring_setup");
	exempt[2] = (uintptr_t)dlsym(RTLD_NEXT, "gnu_get_libc_version");
	exempt[3] = getauxval(AT_BASE);
	exempt[4] = getauxval(AT_SYSINFO_EHDR);
	exempt[5] = (uintptr_t)dlsym(RTLD_DEFAULT, "polyring_asks_the_kernel");
}

static bool object_is_exempt(uintptr_t base, const ElfW(Phdr) * segments,
			     size_t count)
{
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

/* From the lowest to the highest of an object's code. */
static struct code all_code(uintptr_t base, const ElfW(Phdr) * segments,
			    size_t count)
{
	struct code all = {NULL, NULL};

	for (size_t i = 0; i < count; i++) {
		struct code code = code_of(base, &segments[i]);

		if (!is_code(&segments[i]))
			continue;
		if (!all.begin)
			all.begin = code.begin;
		all.end = code.end;
	}
	return all;
}

/* Those that are patched already: the object was looked at before. */
static void drop_served(struct site_list *sites, const struct code *code)
{
	size_t kept = 0;

	for (size_t i = 0; i < sites->count; i++)
		if (!patch_serves(code, (const uint8_t *)sites->sites[i].first))
			sites->sites[kept++] = sites->sites[i];
	sites->count = kept;
}

static void patch_object(uintptr_t base, const ElfW(Phdr) * segments,
			 size_t count, struct site_list *sites)
{
	struct code code = all_code(base, segments, count);
	struct functions functions;

	drop_served(sites, &code);
	if (sites->count && intercept_lane_open(LANE_PATCH) &&
	    functions_open(&functions, base, segments, count))
		patch_sites(&functions, &code, sites);
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
	patch_object(base, segments, count, &fresh);
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

bool sites_suspected(void)
{
	return numbers_found;
}

/* The lock may be held by a thread that the child does not have. */
void sites_forked(void)
{
	pthread_mutex_init(&sites_lock, NULL);
}

int sites_find(struct site_list *found)
{
	int err;

	pthread_mutex_lock(&sites_lock);
	exempt_find();
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
	exempt_find();
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
