// SPDX-License-Identifier: MIT
#include "base/borrow.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/tsan.h"

#define AREAS_MAX 256
/* Bit 61 of a page's entry in /proc: the page is a file's, or shared. */
#define PAGEMAP_SHARED (UINT64_C(1) << 61)

static struct area {
	uintptr_t from; /* 0: free */
	uintptr_t to;
	bool doubled; /* a mapping of the engine's own */
} areas[AREAS_MAX];

/* Linker symbols: where this object's code is. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

static void borrow_watch(uintptr_t from, size_t bytes, bool doubled)
{
	for (int i = 0; i < AREAS_MAX; i++) {
		uintptr_t none = 0;

		/*
		 * The area is empty until its end is stored. Pairs with the
		 * release of its beginning in watch_no_more().
		 */
		if (__atomic_compare_exchange_n(&areas[i].from, &none, from,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED)) {
			areas[i].doubled = doubled;
			store_release(&areas[i].to, from + bytes);
			return;
		}
	}
}

static void watch_no_more(uintptr_t from, size_t bytes)
{
	for (int i = 0; i < AREAS_MAX; i++) {
		if (load_relaxed(&areas[i].from) != from ||
		    load_relaxed(&areas[i].to) != from + bytes)
			continue;
		store_relaxed(&areas[i].to, 0);
		store_release(&areas[i].from, 0);
		return;
	}
}

/* The page was written to before; a private file mapping has a copy by now. */
static bool is_shared(const void *address)
{
	const off_t at = (off_t)((uintptr_t)address / PAGE_BYTES * 8);
	uint64_t word = 0;
	int fd = (int)SYS_4(SYS_openat, AT_FDCWD, "/proc/self/pagemap",
			    O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	SYS_4(SYS_pread64, fd, &word, sizeof(word), at);
	fd_close(fd);
	return word & PAGEMAP_SHARED;
}

void *borrow_take(void *address, size_t bytes)
{
	long at = -EINVAL;

	if (is_shared(address))
		at = SYS_4(SYS_mremap, address, 0, bytes, MREMAP_MAYMOVE);
	if (at < 0)
		at = (long)address;
	borrow_watch((uintptr_t)at, bytes, at != (long)address);
	return (void *)at;
}

void borrow_return(void *address, void *at, size_t bytes)
{
	watch_no_more((uintptr_t)at, bytes);
	if (at != address)
		SYS_2(SYS_munmap, at, bytes);
}

static const struct area *area_of(uintptr_t address)
{
	/* Pairs with the release in borrow_watch(). */
	for (int i = 0; i < AREAS_MAX; i++)
		if (address >= load_relaxed(&areas[i].from) &&
		    address < load_acquire(&areas[i].to))
			return &areas[i];
	return NULL;
}

/*
 * Is the fault in the engine's code? The program handles its own faults. Thread
 * sanitizer makes the atomic accesses of both in code of its own.
 */
static bool by_engine(const void *ucontext)
{
	uintptr_t at = (uintptr_t)((const ucontext_t *)ucontext)
			       ->uc_mcontext.gregs[REG_RIP];

	return SEEN_BY_TSAN ||
	       (at >= (uintptr_t)__ehdr_start && at < (uintptr_t)etext);
}

/* In a mapping of the engine's own, nothing else can be there. */
bool borrow_revive(void *address, const void *ucontext)
{
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)(PAGE_BYTES - 1);
	const struct area *area = area_of((uintptr_t)address);
	long at;

	if (!area || !by_engine(ucontext))
		return false;
	at = SYS_6(SYS_mmap, page, PAGE_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS |
			   (area->doubled ? MAP_FIXED : MAP_FIXED_NOREPLACE),
		   -1, 0);
	/* Another thread may have mapped the page first. */
	return at == (long)page || at == -EEXIST;
}
