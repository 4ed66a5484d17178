// SPDX-License-Identifier: MIT
#include "base/inject.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"

#define NEVER (-1)

static struct {
	long allocations;
	long calls;
	long allocation_nth; /* counted from inject_start(), NEVER when off */
	long call_nth;
	long call_result;
	long number;
	long number_result;
	int refused;
} injected;

static void refuse(void)
{
	__atomic_add_fetch(&injected.refused, 1, __ATOMIC_RELAXED);
}

static void *injected_source(size_t count, size_t size)
{
	long nth =
		__atomic_fetch_add(&injected.allocations, 1, __ATOMIC_RELAXED);

	if (nth != load_relaxed(&injected.allocation_nth))
		return calloc(count, size);
	refuse();
	return NULL;
}

static long injected_invoke(long number, long a, long b, long c, long d, long e,
			    long f)
{
	long nth = __atomic_fetch_add(&injected.calls, 1, __ATOMIC_RELAXED);

	if (nth == load_relaxed(&injected.call_nth)) {
		refuse();
		return load_relaxed(&injected.call_result);
	}
	if (number == load_relaxed(&injected.number)) {
		refuse();
		return load_relaxed(&injected.number_result);
	}
	return sys_direct(number, a, b, c, d, e, f);
}

void inject_start(void)
{
	store_relaxed(&injected.allocation_nth, NEVER);
	store_relaxed(&injected.call_nth, NEVER);
	store_relaxed(&injected.number, NEVER);
	store_relaxed(&injected.allocations, 0);
	store_relaxed(&injected.calls, 0);
	store_relaxed(&injected.refused, 0);
	store_relaxed(&mem_source, injected_source);
	store_relaxed(&sys_invoke, injected_invoke);
}

void inject_allocation(long nth)
{
	store_relaxed(&injected.allocation_nth, inject_allocations() + nth);
}

void inject_call(long nth, long result)
{
	store_relaxed(&injected.call_result, result);
	store_relaxed(&injected.call_nth, inject_calls() + nth);
}

void inject_number(long number, long result)
{
	store_relaxed(&injected.number_result, result);
	store_relaxed(&injected.number, number);
}

long inject_allocations(void)
{
	return load_relaxed(&injected.allocations);
}

long inject_calls(void)
{
	return load_relaxed(&injected.calls);
}

bool inject_stop(void)
{
	store_relaxed(&mem_source, calloc);
	store_relaxed(&sys_invoke, sys_direct);
	return load_relaxed(&injected.refused) > 0;
}
