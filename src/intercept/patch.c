// SPDX-License-Identifier: MIT
/*
 * The patch lane: io_uring's call sites are patched into calls.
 *
 * Theory: a `syscall` has 2 bytes, a jump to anywhere 5. So a site needs a
 * window: complete instructions around the `syscall`, at least 5 bytes, that
 * can be executed elsewhere (stub.h), and no jump may enter the window except
 * at its begin. To know jumps and instructions the function is decoded from its
 * begin (functions.h, decode.h), and all other functions for jumps that enter
 * from outside; a function that jumps to computed addresses is not changed. In
 * this order:
 *
 *  1. One instruction of 5 bytes or more before the `syscall`, which itself
 *     stays. liburing's `mov $nr,%eax` is one, with a few others after it.
 *     A thread that is past it executes the code as it was, so other threads
 *     may be anywhere meanwhile.
 *  2. Several instructions, with the `syscall` among them. A thread might be
 *     between them, so this is done only while there is one thread.
 *
 * A site without a window is trapped (trap.c), and only then is there a filter.
 * A patch that failed is not tried again when the site is hit: the reason is
 * still the same.
 *
 * How code is changed: never in place. Pages that contain windows are copied,
 * the copies are changed and made executable, and moved over the originals by
 * one mremap(), during which page faults of other threads wait. So no thread
 * sees half a jump, no page is ever writable and executable, and the
 * processors' caches need no flush, because the code comes from other memory.
 * On systems that refuse to make written memory executable (SELinux execmem,
 * PR_SET_MDWE) this lane does not work, and the trap lane is used.
 *
 * What is preserved: all registers but rax, rcx and r11, as the kernel does.
 * The engine is C code and overwrites vector registers and flags. Callers from
 * other objects expect these to be overwritten by any function; only code of
 * the object itself may keep values there over a `syscall`, or over a call to
 * its own function (compilers do that for functions they see). To keep a value,
 * some instruction must have put it there. So registers that no instruction of
 * the object writes are not preserved: xmm8 to xmm15, the upper halves of ymm,
 * all registers of EVEX, DF. Arguments and results are an exception, because a
 * function may pass them on without naming them: xmm0 to xmm7 are always
 * preserved, and so are the flags that arithmetic sets. (Code in no table was
 * compiled separately, and counts as from outside.) entry.S has entries for the
 * usual combinations. The engine does not change x87, MMX and the control
 * words.
 *
 * Rules:
 *  1. Only complete functions that can be decoded to the last byte.
 *  2. A stub is complete and executable before a jump to it can be seen.
 *  3. Patches stay; an object that is unloaded takes them with it.
 *     patch_serves() and patch_reap() see from the bytes whether one is there;
 *     the latter frees the stubs of those that are gone.
 *  4. The caller (sites.c) holds its lock.
 *
 * Cost of a call beyond the library's own: 5 ns, some 70 instructions; with 16
 * registers of AVX 7, with AVX-512 some 30 (bench/call.c; 9 and 12 ns while
 * another thread has half of the core); of a trap: 1,600 to 4,000. Of the
 * decoding: 4 ns a byte of an object with io_uring calls, once; for liburing
 * 0.2 ms in all.
 */
#include "intercept/patch.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "abi/uring.h"
#include "base/mem.h"
#include "base/sys.h"
#include "intercept/decode.h"
#include "intercept/stub.h"

#define BEFORE_MAX 8
#define BEHIND_MAX 4
#define SYSCALL_BYTES 2
/*
 * How far stubs may be from the code, and the steps in which free memory is
 * sought.
 */
#define REACH_BYTES ((uintptr_t)1 << 30)
#define STEP_BYTES ((uintptr_t)1 << 20)

struct plan {
	struct window window;
	const uint8_t *stub;
	bool dropped; /* a jump enters the window: the plan is dropped */
};

struct plans {
	struct plan *plans; /* in order of addresses */
	size_t count;
	bool one_thread;
	/* what the object's code can write, of INSN_ALL */
	unsigned int reaches;
};

/* Every patch, unless its object is known to be unloaded. */
static struct patch {
	const uint8_t *behind, *begin, *stub;
} * patches;
static size_t patches_count, patches_room;

/* The memory of their stubs, one mapping for each object. */
static struct stubs {
	uint8_t *at;
	size_t bytes;
} * stubs_made;
static size_t stubs_count, stubs_room;

/* ---- a window for a site ------------------------------------------------- */

/* Instructions around a `syscall`: only those that can be moved. */
struct around {
	const uint8_t *syscall;
	const uint8_t *before[BEFORE_MAX + 1]; /* begins, nearest first */
	const uint8_t *behind[BEHIND_MAX + 1]; /* ends, nearest first */
	size_t befores, behinds;
	/* of a window: jump targets, neighbours */
	const uint8_t *floor, *ceiling;
	bool behind_ended, seen;
};

static bool can_move(const struct insn *insn)
{
	return insn->flags == 0;
}

static void around_before(struct around *around, const uint8_t *at,
			  const struct insn *insn)
{
	if (!can_move(insn)) {
		around->befores = 0;
		return;
	}
	memmove(around->before + 2, around->before + 1,
		(BEFORE_MAX - 1) * sizeof(around->before[0]));
	around->before[1] = at;
	if (around->befores < BEFORE_MAX)
		around->befores++;
}

static void around_behind(struct around *around, const uint8_t *at,
			  const struct insn *insn)
{
	bool is_ret = insn->flags == INSN_RET;

	if (around->behind_ended || around->behinds == BEHIND_MAX)
		return;
	around->behind_ended = is_ret || !can_move(insn);
	if (is_ret || can_move(insn))
		around->behind[++around->behinds] = at + insn->length;
}

static void around_branch(struct around *around, const uint8_t *target)
{
	if (target <= around->syscall && target > around->floor)
		around->floor = target;
	if (target > around->syscall && target < around->ceiling)
		around->ceiling = target;
}

/* False if the function can't be patched. */
static bool around_look(struct around *around, const struct code *function)
{
	const uint8_t *at = function->begin;
	struct insn insn;

	for (; at < function->end; at += insn.length) {
		if (!decode_insn(at, function->end, &insn) ||
		    insn.flags & INSN_JUMP_ANYWHERE)
			return false;
		if (insn.flags & INSN_BRANCH)
			around_branch(around, insn.target);
		if (at < around->syscall)
			around_before(around, at, &insn);
		else if (at == around->syscall)
			around->seen = insn.flags == INSN_SYSCALL;
		else
			around_behind(around, at, &insn);
	}
	around->before[0] = around->syscall;
	around->behind[0] = around->syscall + SYSCALL_BYTES;
	return around->seen;
}

static bool choose_one(const struct around *a, struct window *window)
{
	for (size_t i = 1; i <= a->befores && a->before[i] >= a->floor; i++) {
		if (a->before[i - 1] - a->before[i] < STUB_JUMP_BYTES)
			continue;
		*window =
			(struct window){a->before[i], a->syscall, a->behind[0]};
		return true;
	}
	return false;
}

static bool choose_several(const struct around *a, struct window *window)
{
	for (size_t j = 0; j <= a->behinds && a->behind[j] <= a->ceiling; j++) {
		for (size_t i = 0; i <= a->befores; i++) {
			if (a->before[i] < a->floor)
				break;
			if (a->behind[j] - a->before[i] < STUB_JUMP_BYTES)
				continue;
			*window = (struct window){a->before[i], a->syscall,
						  a->behind[j]};
			return true;
		}
	}
	return false;
}

/* Windows must not overlap: @from is the end of the one before. */
static bool plan_site(struct plans *plans, const struct functions *functions,
		      const uint8_t *syscall, const uint8_t *from)
{
	struct around around = {.syscall = syscall};
	struct plan *plan = &plans->plans[plans->count];
	struct code function;

	if (!functions_find(functions, syscall, &function))
		return false;
	around.floor = from > function.begin ? from : function.begin;
	around.ceiling = function.end;
	*plan = (struct plan){0};
	if (!around_look(&around, &function))
		return false;
	if (!choose_one(&around, &plan->window) &&
	    (!plans->one_thread || !choose_several(&around, &plan->window)))
		return false;
	plans->count++;
	return true;
}

/* ---- all of the object's code -------------------------------------------- */

static void drop_entered(struct plans *plans, const uint8_t *target)
{
	size_t low = 0, high = plans->count;

	/* The first window that ends after the target. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plans->plans[middle].window.end <= target)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < plans->count && plans->plans[low].window.begin < target)
		plans->plans[low].dropped = true;
}

static bool sweep_function(struct plans *plans, const struct code *function)
{
	const uint8_t *at = function->begin;
	struct insn insn;

	for (; at < function->end; at += insn.length) {
		if (!decode_insn(at, function->end, &insn))
			return false;
		plans->reaches |= insn.reaches;
		if (insn.flags & INSN_BRANCH)
			drop_entered(plans, insn.target);
	}
	return true;
}

/* Code that can't be decoded may write anything, so everything is preserved. */
static void sweep(struct plans *plans, const struct functions *functions)
{
	struct code function;

	for (size_t i = 0; i < functions->count; i++)
		if (!functions_at(functions, i, &function) ||
		    !sweep_function(plans, &function))
			plans->reaches = INSN_ALL;
}

/* ---- stubs --------------------------------------------------------------- */

static uint8_t *map_at(uintptr_t at, size_t bytes)
{
	long got = sys_direct(
		SYS_mmap, (long)at, (long)bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == (long)at)
		return (uint8_t *)got;
	/* Kernels before 4.17 take the address as a hint. */
	if ((unsigned long)got < -4095ul)
		sys_direct(SYS_munmap, got, (long)bytes, 0, 0, 0, 0);
	return NULL;
}

/* Map free memory near @code, below it if possible. */
static uint8_t *map_near(const struct code *code, size_t bytes)
{
	uintptr_t low = (uintptr_t)code->begin & ~(STEP_BYTES - 1);
	uintptr_t high = ((uintptr_t)code->end | (STEP_BYTES - 1)) + 1;
	uintptr_t by = STEP_BYTES;
	uint8_t *at;

	if (high - low > REACH_BYTES)
		return NULL;
	for (; by < REACH_BYTES; by += STEP_BYTES) {
		at = low > by ? map_at(low - by, bytes) : NULL;
		if (!at)
			at = map_at(high + by, bytes);
		if (at)
			return at;
	}
	return NULL;
}

static int make_executable(uint8_t *at, size_t bytes)
{
	return (int)sys_direct(SYS_mprotect, (long)at, (long)bytes,
			       PROT_READ | PROT_EXEC, 0, 0, 0);
}

/*
 * Registers that the processor lacks, or the system does not save, are never
 * written.
 */
static unsigned int reachable(void)
{
	unsigned int state = 0, high, a, b, c, d;
	const unsigned int avx = 1u << 2, avx512 = 7u << 5;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE)
		__asm__("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
	if ((state & avx512) == avx512)
		return INSN_ALL;
	return INSN_HIGH | INSN_DF | (state & avx ? INSN_AVX : 0);
}

/* The cheapest entry that preserves what the object writes. */
static const void *entry_for(const struct plans *plans)
{
	static const struct {
		unsigned int preserves;
		const char *entry;
	} entries[] = {
		{0, intercept_patched_sse_8},
		{INSN_HIGH, intercept_patched_sse},
		{INSN_HIGH | INSN_DF, intercept_patched_sse_flags},
		{INSN_AVX, intercept_patched_avx_8},
		{INSN_AVX | INSN_HIGH, intercept_patched_avx},
		{INSN_AVX | INSN_HIGH | INSN_DF, intercept_patched_avx_flags},
		{INSN_VECTORS, intercept_patched_avx512},
		{INSN_ALL, intercept_patched_avx512_flags},
	};
	unsigned int reaches = plans->reaches & reachable();
	size_t i = 0;

	while (reaches & ~entries[i].preserves)
		i++;
	return entries[i].entry;
}

static size_t pages_for(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* Rule 2. 0 or a negative errno. */
static int stubs_make(struct plans *plans, const struct code *code)
{
	const void *entry = entry_for(plans);
	size_t bytes = sizeof(entry);
	uint8_t *stubs, *at;
	int err;

	for (size_t i = 0; i < plans->count; i++)
		bytes += stub_bytes(&plans->plans[i].window);
	bytes = pages_for(bytes);
	stubs = map_near(code, bytes);
	if (!stubs)
		return -ENOMEM;
	intercept_find_errno();
	memcpy(stubs, &entry, sizeof(entry));
	at = stubs + sizeof(entry);
	for (size_t i = 0; i < plans->count; i++) {
		plans->plans[i].stub = at;
		at = stub_write(at, &plans->plans[i].window, stubs);
	}
	err = make_executable(stubs, bytes);
	if (err < 0)
		sys_direct(SYS_munmap, (long)stubs, (long)bytes, 0, 0, 0, 0);
	else
		stubs_made[stubs_count++] = (struct stubs){stubs, bytes};
	return err;
}

/* ---- changing code ------------------------------------------------------- */

static uintptr_t page_of(const uint8_t *at)
{
	return (uintptr_t)at & ~(uintptr_t)(PAGE_BYTES - 1);
}

/*
 * Plans from @first whose jumps are in adjoining pages; sets the end of those
 * pages.
 */
static size_t plans_together(const struct plans *plans, size_t first,
			     uintptr_t *end)
{
	size_t i = first;

	*end = page_of(plans->plans[i].window.begin);
	for (; i < plans->count; i++) {
		const uint8_t *jump = plans->plans[i].window.begin;

		if (page_of(jump) > *end)
			break;
		*end = page_of(jump + STUB_JUMP_BYTES - 1) + PAGE_BYTES;
	}
	return i - first;
}

static void jumps_write(const struct plan *plans, size_t count, uint8_t *copy,
			uintptr_t original)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *jump = plans[i].window.begin;

		if (!plans[i].dropped)
			stub_jump_write(copy + ((uintptr_t)jump - original),
					jump, plans[i].stub);
	}
}

static int pages_replace(const struct plan *plans, size_t count, uintptr_t at,
			 size_t bytes)
{
	long copy = sys_direct(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if ((unsigned long)copy >= -4095ul)
		return (int)copy;
	memcpy((void *)copy, (const void *)at, bytes);
	jumps_write(plans, count, (uint8_t *)copy, at);
	err = make_executable((uint8_t *)copy, bytes);
	if (!err) {
		long to =
			sys_direct(SYS_mremap, copy, (long)bytes, (long)bytes,
				   MREMAP_MAYMOVE | MREMAP_FIXED, (long)at, 0);

		err = to == (long)at ? 0 : (int)to;
	}
	if (err)
		sys_direct(SYS_munmap, copy, (long)bytes, 0, 0, 0, 0);
	return err;
}

static void plans_apply(struct plans *plans)
{
	size_t done = 0;

	while (done < plans->count) {
		struct plan *first = &plans->plans[done];
		uintptr_t at = page_of(first->window.begin), end;
		size_t count = plans_together(plans, done, &end);
		int err = pages_replace(first, count, at, end - at);

		for (size_t i = 0; i < count && err; i++)
			first[i].dropped = true;
		done += count;
	}
}

/* ---- an object ----------------------------------------------------------- */

/*
 * The entries restore flags with sahf, which the first 64-bit processors
 * lacked; with AVX-512 but without BW k0 to k7 can't be saved completely.
 */
static bool processor_can(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & bit_LAHF_LM))
		return false;
	return !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX512F) ||
	       b & bit_AVX512BW;
}

/* An array with room for @wanted elements of @bytes, or NULL. */
static void *grown(void *array, size_t count, size_t *room, size_t wanted,
		   size_t bytes)
{
	void *bigger;

	if (wanted <= *room)
		return array;
	bigger = mem_new(2 * wanted, bytes);
	if (!bigger)
		return NULL;
	if (count)
		memcpy(bigger, array, count * bytes);
	mem_free(array);
	*room = 2 * wanted;
	return bigger;
}

/* Make room for @count more, so that no patch is left out (rule 3). */
static bool patches_reserve(size_t count)
{
	struct patch *more = grown(patches, patches_count, &patches_room,
				   patches_count + count, sizeof(*more));
	struct stubs *one = grown(stubs_made, stubs_count, &stubs_room,
				  stubs_count + 1, sizeof(*one));

	patches = more ? more : patches;
	stubs_made = one ? one : stubs_made;
	return more && one;
}

static void patch_remember(const struct plan *plan)
{
	patches[patches_count++] = (struct patch){
		plan->window.syscall + SYSCALL_BYTES,
		plan->window.begin,
		plan->stub,
	};
}

bool patch_serves(const struct code *code, const uint8_t *behind)
{
	for (size_t i = 0; i < patches_count; i++) {
		const struct patch *patch = &patches[i];
		uint8_t jump[STUB_JUMP_BYTES];

		if (patch->behind != behind || patch->begin < code->begin)
			continue;
		stub_jump_write(jump, patch->begin, patch->stub);
		if (!memcmp(patch->begin, jump, sizeof(jump)))
			return true;
	}
	return false;
}

/*
 * Has the code that jumped to this stub been unloaded? Checked by a copy that
 * fails if there is no memory; if such copies are refused, the code counts as
 * loaded.
 */
static bool patch_is_gone(const struct patch *patch)
{
	uint8_t jump[STUB_JUMP_BYTES], now[STUB_JUMP_BYTES];
	struct iovec to = {now, sizeof(now)};
	struct iovec from = {(void *)patch->begin, sizeof(now)};
	long pid = sys_direct(SYS_getpid, 0, 0, 0, 0, 0, 0);
	long got = sys_direct(SYS_process_vm_readv, pid, (long)&to, 1,
			      (long)&from, 1, 0);

	stub_jump_write(jump, patch->begin, patch->stub);
	if (got == (long)sizeof(now))
		return memcmp(now, jump, sizeof(now)) != 0;
	return got >= 0 || got == -EFAULT;
}

static bool stubs_are_used(const struct stubs *stubs)
{
	for (size_t i = 0; i < patches_count; i++)
		if ((uintptr_t)(patches[i].stub - stubs->at) < stubs->bytes)
			return true;
	return false;
}

void patch_reap(void)
{
	size_t kept = 0, stubs_kept = 0;

	for (size_t i = 0; i < patches_count; i++)
		if (!patch_is_gone(&patches[i]))
			patches[kept++] = patches[i];
	patches_count = kept;
	for (size_t i = 0; i < stubs_count; i++) {
		if (stubs_are_used(&stubs_made[i]))
			stubs_made[stubs_kept++] = stubs_made[i];
		else
			sys_direct(SYS_munmap, (long)stubs_made[i].at,
				   (long)stubs_made[i].bytes, 0, 0, 0, 0);
	}
	stubs_count = stubs_kept;
}

/* Remove the patched sites from @sites. */
static void sites_take_off(struct site_list *sites, const struct plans *plans)
{
	size_t next = 0, kept = 0;

	for (size_t i = 0; i < sites->count; i++) {
		const uint8_t *syscall =
			(const uint8_t *)sites->sites[i].first - SYSCALL_BYTES;
		const struct plan *plan = &plans->plans[next];
		bool planned =
			next < plans->count && plan->window.syscall == syscall;

		next += planned;
		if (planned && !plan->dropped)
			patch_remember(plan);
		else
			sites->sites[kept++] = sites->sites[i];
	}
	sites->count = kept;
}

static void plan_all(struct plans *plans, const struct functions *functions,
		     const struct site_list *sites)
{
	const uint8_t *from = NULL;

	for (size_t i = 0; i < sites->count; i++) {
		const struct site *site = &sites->sites[i];
		const uint8_t *syscall =
			(const uint8_t *)site->first - SYSCALL_BYTES;

		if (site->first != site->last)
			continue;
		if (plan_site(plans, functions, syscall, from))
			from = plans->plans[plans->count - 1].window.end;
	}
}

void patch_sites(const struct functions *functions, const struct code *code,
		 struct site_list *sites)
{
	struct plans plans = {.one_thread = intercept_has_one_thread()};

	if (!sites->count || !processor_can())
		return;
	plans.plans = mem_new(sites->count, sizeof(*plans.plans));
	if (!plans.plans)
		return;
	plan_all(&plans, functions, sites);
	if (plans.count)
		sweep(&plans, functions);
	if (plans.count && patches_reserve(plans.count) &&
	    !stubs_make(&plans, code)) {
		plans_apply(&plans);
		sites_take_off(sites, &plans);
	}
	mem_free(plans.plans);
}
