// SPDX-License-Identifier: MIT
/*
 * The engine's counters for the application: sums over all rings that the
 * process has had. No locks.
 */
#include "core/registry.h"
#include "polyring/polyring.h"

POLYRING_API size_t polyring_counters(struct polyring_counter *out,
				      size_t count)
{
	struct counters sum;

	registry_counters(&sum);
	for (size_t i = 0; i < count && i < COUNTER_COUNT; i++) {
		out[i].name = counter_names[i];
		out[i].value = sum.value[i];
	}
	return COUNTER_COUNT;
}
