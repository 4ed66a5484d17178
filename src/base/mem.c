// SPDX-License-Identifier: MIT
#include "base/mem.h"

void *(*mem_source)(size_t count, size_t size) = calloc;
