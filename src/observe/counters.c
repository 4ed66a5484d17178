// SPDX-License-Identifier: MIT
#include "observe/counters.h"

const char *const counter_names[COUNTER_COUNT] = {
#define COUNTER_NAME(id, name, text) [COUNTER_##id] = name,
	COUNTER_TABLE(COUNTER_NAME)
#undef COUNTER_NAME
};
