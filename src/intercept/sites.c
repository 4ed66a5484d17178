// SPDX-License-Identifier: MIT
/*
 * Which instructions are patched or trapped.
 *
 * Theory: every `syscall` instruction of a loaded object may make io_uring's
 * calls, unless another number is known to be in eax (numbers.h): wrappers take
 * the number as an argument, from another object, from memory. So all of these
 * are patched, whether or not there is evidence of io_uring; a patched
 * `syscall` costs other calls a nanosecond.
 *
 * A site that can't be patched needs a filter, which costs every system call 25
 * ns. So there must be evidence that the process uses io_uring: one of the
 * numbers 425, 426, 427 anywhere in an object's code or data. Then the object's
 * code is trapped as one range: the filter stays short, and recognises
 * io_uring's calls by their numbers. Only in a program at a fixed address
 * single instructions are trapped, as another program may have the same range
 * (trap.c).
 *
 * Bytes outside of known functions may be anything. They count if they look
 * like a wrapper (numbers.h), or if the object does:
 *
 *   near   an immediate is moved to a register that holds no argument of a
 * call, and a `syscall` follows within 128 bytes. liburing keeps the number in
 * any register and moves it to eax late, in loops. small  the object has at
 * most 256 KiB of code, and an immediate.
 *
 * Code that is mapped or made executable later (mapped.c) is trapped if it has
 * such bytes. Memory that is writable and executable can't be examined when its
 * code is written: it is trapped if the evidence is strong: an object that is
 * near, or an immediate in one of 256 KiB at most, in data as well. (Node.js
 * and the JVM contain the numbers by chance.)
 *
 * Not examined: the C library, the dynamic linker, the vDSO, this library, the
 * engine and the command, whose calls are meant for the kernel.
 *
 * Locks: one, around everything; loader.c and mapped.c call this from any
 * thread.
 * Cost: 0.1 ns a byte of code, once for each object; of data, if needed.
 */
#include "intercept/intercept.h"

#include <dlfcn.h>
#include <emmintrin.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "abi/uring.h"
#include "base/mem.h"
#include "base/sys.h"
#include "intercept/numbers.h"
#include "intercept/patch.h"

#define SYSCALL_BYTES 2
/* Two instructions of the filter each. */
#define SITES_EXACT_MAX 64u
#define OBJECTS_MAX 4096u
#define NEAR_BYTES 128
#define SMALL_BYTES (256u * 1024)

static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;

/* Load addresses of the examined objects, as of @unloads dlclose()s. */
static uintptr_t objects_seen[OBJECTS_MAX];
static size_t objects_count;
static unsigned long long objects_unloads;

/*
 * An address in each of: this library, the engine, the C library, the dynamic
 * linker, the vDSO, the command, if that is the program (src/cli/kernel.c), and
 * runtimes of sanitizers.
 */
static uintptr_t exempt[9];

static bool numbers_found;

/* Evidence that the process uses io_uring, in the objects examined for it. */
static enum evidence {
	EVIDENCE_NONE,
	EVIDENCE_SOME, /* the number */
	EVIDENCE_SMALL, /* as an immediate: strong in a small object */
	EVIDENCE_STRONG, /* the immediate is near a `syscall` */
} evidence;
static unsigned long long evidence_adds;

/* Sites that can't be patched, as long as there is no evidence. */
static struct site_list waiting;

/* All sites ever found: those in the filter need no second one. */
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
 * Is it mov $imm,%r32 or mov $imm,%r64, with the immediate at @at? Returns the
 * register's number, or -1.
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

/* Not rcx, rdx, rsi, rdi, r8, r9, and not rsp, which holds no number. */
static bool holds_no_argument(int reg)
{
	const unsigned int arguments = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 |
				       1u << 7 | 1u << 8 | 1u << 9;

	return reg >= 0 && !(arguments >> reg & 1);
}

/* The pattern of find_pair(), sixteen times. */
struct pair {
	__m128i low, span, second;
};

/* Bytes that are 0 where the pair begins, at @at and the following bytes. */
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
 * @second. Hits are rare, so 64 places are examined at a time.
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

/* What the bytes at @at are, of which two look like the begin of a number. */
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
	const uint8_t *at = code->begin;
	int err = 0;

	while (!err && (at = find_pair(at, code->end, 0x0f, 0, 0x05))) {
		at += SYSCALL_BYTES;
		err = site_add(list, (uint64_t)at, (uint64_t)at);
	}
	return err;
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

/* An object in memory, and its properties. */
struct object {
	uintptr_t base;
	const ElfW(Phdr) * segments;
	size_t count;
	const char *name;
	struct code code; /* from its lowest to its highest address */
	size_t bytes; /* of code */
	enum strength numbers;
};

static struct object sites_object_of(uintptr_t base,
				     const ElfW(Phdr) * segments, size_t count,
				     const char *name)
{
	struct object object = {.base = base,
				.segments = segments,
				.count = count,
				.name = name};

	for (size_t i = 0; i < count; i++) {
		struct code code = code_of(base, &segments[i]);

		if (!is_code(&segments[i]))
			continue;
		if (!object.code.begin)
			object.code.begin = code.begin;
		object.code.end = code.end;
		object.bytes += segments[i].p_memsz;
	}
	return object;
}

static void object_numbers(struct object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		struct code code = code_of(object->base, &object->segments[i]);
		enum strength one;

		if (!is_code(&object->segments[i]))
			continue;
		one = number_in(&code);
		if (object->numbers < one)
			object->numbers = one;
	}
	numbers_found = numbers_found || object->numbers != NUMBER_NONE;
}

/* Do all bytes of this object count that look like a `syscall`? */
static bool object_counts(const struct object *object)
{
	return object->numbers == NUMBER_NEAR ||
	       (object->numbers == NUMBER_SOMEWHERE &&
		object->bytes <= SMALL_BYTES);
}

/* Keep the sites that may make calls that we serve. */
static void sites_keep_ours(struct site_list *sites,
			    const struct object *object,
			    const struct functions *functions)
{
	size_t kept = 0;

	for (size_t i = 0; i < sites->count; i++) {
		const uint8_t *syscall =
			(const uint8_t *)sites->sites[i].first - SYSCALL_BYTES;
		enum numbers numbers = numbers_at(functions, syscall);

		if (numbers == NUMBERS_OURS ||
		    (numbers == NUMBERS_UNKNOWN &&
		     (object_counts(object) ||
		      numbers_plausible(&object->code, syscall))))
			sites->sites[kept++] = sites->sites[i];
	}
	sites->count = kept;
}

static int object_sites(struct site_list *list, struct object *object,
			const struct functions *functions)
{
	int err = 0;

	object_numbers(object);
	for (size_t i = 0; i < object->count && !err; i++) {
		struct code code = code_of(object->base, &object->segments[i]);

		if (is_code(&object->segments[i]))
			err = add_syscalls(list, &code);
	}
	sites_keep_ours(list, object, functions);
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

/*
 * An address in the sanitizer's runtime that has the function @name, 0 when
 * there is none, or when the program itself has it. The leak checker makes its
 * calls in a process of its own without a handler: a trap would kill it, and
 * the program would wait for it for ever. A runtime makes no call of io_uring.
 */
static uintptr_t sanitizer_runtime(const char *name)
{
	void *at = dlsym(RTLD_DEFAULT, name);
	Dl_info runtime, program;

	if (!at || !dladdr(at, &runtime) ||
	    !dladdr((void *)getauxval(AT_ENTRY), &program))
		return 0;
	return runtime.dli_fbase == program.dli_fbase ? 0 : (uintptr_t)at;
}

/* Once, as a symbol is searched for in all objects. */
static void exempt_find(void)
{
	if (exempt[0])
		return;
	/*
	 * RTLD_NEXT: in a program the address of a function may be that of its
	 * PLT.
	 */
	exempt[0] = (uintptr_t)sites_find;
	exempt[1] = (uintptr_t)dlsym(RTLD_NEXT, "polyring_setup");
	exempt[2] = (uintptr_t)dlsym(RTLD_NEXT, "gnu_get_libc_version");
	exempt[3] = getauxval(AT_BASE);
	exempt[4] = getauxval(AT_SYSINFO_EHDR);
	exempt[5] = (uintptr_t)dlsym(RTLD_DEFAULT, "polyring_asks_the_kernel");
	exempt[6] = sanitizer_runtime("__asan_init");
	exempt[7] = sanitizer_runtime("__lsan_do_leak_check");
	exempt[8] = sanitizer_runtime("__ubsan_handle_add_overflow");
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

/* Move the new ones of @fresh to @found, and record them. */
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

/* Remove sites that are patched already: the object was examined before. */
static void drop_served(struct site_list *sites, const struct code *code)
{
	size_t kept = 0;

	for (size_t i = 0; i < sites->count; i++)
		if (!patch_serves(code, (const uint8_t *)sites->sites[i].first))
			sites->sites[kept++] = sites->sites[i];
	sites->count = kept;
}

/* Replace the sites by one range for the object, if its address is its own. */
static int sites_widen(struct site_list *sites, const struct object *object)
{
	if (!sites->count || (!object->base && sites->count <= SITES_EXACT_MAX))
		return 0;
	sites->count = 0;
	return site_add(sites, (uint64_t)object->code.begin + SYSCALL_BYTES,
			(uint64_t)object->code.end);
}

static int sites_look_at(uintptr_t base, const ElfW(Phdr) * segments,
			 size_t count, const char *name,
			 struct site_list *found)
{
	struct site_list fresh = {0};
	struct functions functions;
	struct object object;
	bool tabled;
	int err;

	if (!object_is_new(base) || object_is_exempt(base, segments, count))
		return 0;
	object = sites_object_of(base, segments, count, name);
	tabled = functions_open(&functions, base, segments, count);
	err = object_sites(&fresh, &object, tabled ? &functions : NULL);
	if (object.numbers != NUMBER_NONE && evidence < EVIDENCE_SOME)
		evidence = EVIDENCE_SOME;
	drop_served(&fresh, &object.code);
	if (!err && fresh.count && tabled && intercept_lane_open(LANE_PATCH))
		patch_sites(&functions, &object.code, &fresh);
	if (!err)
		err = sites_widen(&fresh, &object);
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
	/* Addresses are used again after objects are unloaded. */
	if (info->dlpi_subs != objects_unloads) {
		objects_unloads = info->dlpi_subs;
		objects_count = 0;
		patch_reap();
	}
	return sites_look_at(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum,
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

/* ---- evidence ------------------------------------------------------------ */

/* Data may contain code, too: the templates of a JIT. */
static enum evidence evidence_at(const struct code *bytes, const uint8_t *at)
{
	switch (number_at(bytes, at)) {
	case NUMBER_NEAR:
		return EVIDENCE_STRONG;
	case NUMBER_SOMEWHERE:
		return EVIDENCE_SMALL;
	default:
		return EVIDENCE_SOME;
	}
}

static enum evidence evidence_in(const struct code *bytes)
{
	const uint8_t *at = bytes->begin;
	const uint8_t low = NR_io_uring_setup & 0xff;
	enum evidence best = EVIDENCE_NONE;

	while (best < EVIDENCE_STRONG &&
	       (at = find_pair(at, bytes->end, low, 2, 0x01))) {
		if (bytes->end - at >= 4 && !at[2] && !at[3] &&
		    best < evidence_at(bytes, at))
			best = evidence_at(bytes, at);
		at++;
	}
	return best;
}

static enum evidence evidence_of(const struct object *object)
{
	enum evidence best = EVIDENCE_NONE;
	size_t total = 0;

	for (size_t i = 0; i < object->count; i++) {
		const ElfW(Phdr) *segment = &object->segments[i];
		const uint8_t *begin =
			(const uint8_t *)(object->base + segment->p_vaddr);
		const struct code bytes = {begin, begin + segment->p_filesz};
		enum evidence one;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R))
			continue;
		total += segment->p_filesz;
		one = evidence_in(&bytes);
		if (best < one)
			best = one;
	}
	return best == EVIDENCE_SMALL && total <= SMALL_BYTES ? EVIDENCE_STRONG
							      : best;
}

static int evidence_look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object object =
		sites_object_of(info->dlpi_addr, info->dlpi_phdr,
				info->dlpi_phnum, info->dlpi_name);
	enum evidence one;

	(void)size;
	(void)arg;
	evidence_adds = info->dlpi_adds;
	if (object_is_exempt(object.base, object.segments, object.count))
		return 0;
	object_numbers(&object);
	one = evidence_of(&object);
	if (evidence < one)
		evidence = one;
	return evidence == EVIDENCE_STRONG;
}

static int objects_added(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = info->dlpi_adds;
	return 1;
}

/* Evidence stays; without it new objects are a reason to search again. */
static bool evidence_is(enum evidence wanted)
{
	unsigned long long adds = 0;

	if (evidence >= wanted)
		return true;
	dl_iterate_phdr(objects_added, &adds);
	if (adds != evidence_adds)
		dl_iterate_phdr(evidence_look, NULL);
	return evidence >= wanted;
}

/*
 * Sites wait for evidence; once there is some, all that have waited are found.
 */
static int sites_await(struct site_list *found)
{
	bool evident =
		found->count + waiting.count && evidence_is(EVIDENCE_SOME);
	struct site_list *from = evident ? &waiting : found;
	struct site_list *to = evident ? found : &waiting;
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++)
		err = site_add(to, from->sites[i].first, from->sites[i].last);
	if (!to->object)
		to->object = from->object;
	sites_free(from);
	return err;
}

int sites_find(struct site_list *found)
{
	int err;

	pthread_mutex_lock(&sites_lock);
	exempt_find();
	err = dl_iterate_phdr(look_at_loaded, found);
	if (!err)
		err = sites_await(found);
	pthread_mutex_unlock(&sites_lock);
	return err;
}

/* dl_iterate_phdr() shows only the caller's namespace; walk the other one. */
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
		err = sites_look_at(map->l_addr,
				    (const void *)(map->l_addr + elf->e_phoff),
				    elf->e_phnum, map->l_name, found);
	}
	if (!err)
		err = sites_await(found);
	pthread_mutex_unlock(&sites_lock);
	return err;
}

/*
 * ---- code outside of objects ----------------------------------------------
 */

/* Copied, because mapped ranges may have no memory behind them. */
#define LOOK_BYTES 65536u
#define LOOK_MOST (16u << 20)
#define OVERLAP_BYTES 32u

static bool bytes_suspect(const struct code *bytes, bool strong)
{
	const uint8_t *at = bytes->begin;

	while ((at = find_pair(at, bytes->end, 0x0f, 0, 0x05))) {
		if (strong || numbers_plausible(bytes, at))
			return true;
		at++;
	}
	return false;
}

static bool memory_suspect(uintptr_t at, size_t bytes, bool strong)
{
	static uint8_t copy[LOOK_BYTES];
	uintptr_t end = at + (bytes < LOOK_MOST ? bytes : LOOK_MOST);
	long pid = sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0);

	while (at < end) {
		size_t want = end - at < LOOK_BYTES ? end - at : LOOK_BYTES;
		struct iovec to = {copy, want}, from = {(void *)at, want};
		long got = sys_direct(SYS_process_vm_readv, pid, (long)&to, 1,
				      (long)&from, 1, 0);
		const struct code code = {copy, copy + (got > 0 ? got : 0)};

		if (got <= 0)
			return false;
		if (bytes_suspect(&code, strong))
			return true;
		at += got > (long)OVERLAP_BYTES && (size_t)got == want &&
				      at + want < end
			      ? (size_t)got - OVERLAP_BYTES
			      : (size_t)got;
	}
	return false;
}

bool sites_mapped(uintptr_t at, size_t bytes, bool writable,
		  struct site_list *found)
{
	const struct site site = {at + SYSCALL_BYTES, at + bytes};
	bool strong, suspect = false;

	pthread_mutex_lock(&sites_lock);
	exempt_find();
	if (!site_is_known(&site) && evidence_is(EVIDENCE_SOME)) {
		strong = evidence_is(EVIDENCE_STRONG);
		suspect = (strong && writable) ||
			  memory_suspect(at, bytes, strong);
	}
	if (suspect)
		suspect = !site_add(&known, site.first, site.last) &&
			  !site_add(found, site.first, site.last);
	found->object = "code made at run time";
	pthread_mutex_unlock(&sites_lock);
	return suspect;
}
